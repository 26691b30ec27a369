/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/event/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/common/event/in_fork.h"

/* A unix socket without a name in the file system. */
static int unix_socket(int type, bool listens)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	/* Just the family: the kernel picks a free abstract address (unix(7), autobind). */
	if (bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0)
		return -1;
	if (listens && listen(fd, 5) < 0)
		return -1;
	return fd;
}

static int inet_socket(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 5) < 0)
		return -1;
	return fd;
}

static void give(const char *fds, const char *names)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Puts the descriptors under 3, 4, … */
static void put(const int *fds, int n)
{
	int high[8];

	for (int i = 0; i < n; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 50);
	for (int i = 0; i < n; i++)
		dup2(high[i], 3 + i);
	for (int i = 0; i < n; i++)
		close(high[i]);
}

static int collect(void)
{
	int fds[] = { unix_socket(SOCK_STREAM, true), unix_socket(SOCK_STREAM, true) };
	struct listen_fd got[4];

	put(fds, 2);
	give("2", "nss:pam-private");
	EXPECT(listen_inherited(got, 4) == 2);
	EXPECT(got[0].fd == 3 && strcmp(got[0].name, "nss") == 0);
	EXPECT(got[1].fd == 4 && strcmp(got[1].name, "pam-private") == 0);
	for (int i = 0; i < 2; i++) {
		EXPECT(fcntl(got[i].fd, F_GETFD) == FD_CLOEXEC);
		EXPECT(fcntl(got[i].fd, F_GETFL) & O_NONBLOCK);
	}
	EXPECT(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));

	/* The second time nothing is left. */
	EXPECT(listen_inherited(got, 4) == 0);
	EXPECT(is_open(3) && is_open(4));
	return 0;
}

START_TEST(test_listening_sockets_are_collected_by_name)
{
	in_fork(collect);
}
END_TEST

static int refuse(void)
{
	int fds[6] = { unix_socket(SOCK_STREAM, false), unix_socket(SOCK_DGRAM, false),
		       inet_socket(), open("/dev/null", O_RDONLY),
		       unix_socket(SOCK_STREAM, true), unix_socket(SOCK_SEQPACKET, true) };
	struct listen_fd got[4];

	for (int i = 0; i < 6; i++)
		EXPECT(fds[i] >= 0);
	put(fds, 6);
	give("6", "a:b:c:d:e:f");
	EXPECT(listen_inherited(got, 4) == 1);
	EXPECT(got[0].fd == 7 && strcmp(got[0].name, "e") == 0);
	EXPECT(!is_open(3) && !is_open(4) && !is_open(5) && !is_open(6) && !is_open(8));
	return 0;
}

START_TEST(test_other_descriptors_are_closed)
{
	in_fork(refuse);
}
END_TEST

static int too_many(void)
{
	int fds[] = { unix_socket(SOCK_STREAM, true), unix_socket(SOCK_STREAM, true) };
	struct listen_fd got[1];

	put(fds, 2);
	give("2", "a:b");
	EXPECT(listen_inherited(got, 1) == 1);
	EXPECT(strcmp(got[0].name, "a") == 0);
	EXPECT(is_open(3) && !is_open(4));
	return 0;
}

START_TEST(test_no_more_than_there_is_room_for)
{
	in_fork(too_many);
}
END_TEST

static int long_name(void)
{
	int fds[] = { unix_socket(SOCK_STREAM, true) };
	struct listen_fd got[1];

	put(fds, 1);
	give("1", "0123456789012345678901234567890123456789");
	EXPECT(listen_inherited(got, 1) == 1);
	EXPECT(strcmp(got[0].name, "0123456789012345678901234567890") == 0);
	return 0;
}

START_TEST(test_a_long_name_is_cut)
{
	in_fork(long_name);
}
END_TEST

static int not_ours(void)
{
	struct listen_fd got[1];

	EXPECT(listen_inherited(got, 1) == 0);
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	EXPECT(listen_inherited(got, 1) == 0);
	give("nonsense", "");
	EXPECT(listen_inherited(got, 1) == -EINVAL);
	EXPECT(!getenv("LISTEN_FDS"));
	return 0;
}

START_TEST(test_what_is_meant_for_others_is_left_alone)
{
	in_fork(not_ours);
}
END_TEST

START_TEST(test_argument_names_a_descriptor)
{
	int fd = unix_socket(SOCK_STREAM, true);
	struct listen_fd got;
	char text[64];

	snprintf(text, sizeof(text), "%d", fd);
	ck_assert_int_eq(listen_argument(text, &got), 0);
	ck_assert_int_eq(got.fd, fd);
	ck_assert_str_eq(got.name, "");
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);

	snprintf(text, sizeof(text), "0123456789012345678901234567890=%d", fd);
	ck_assert_int_eq(listen_argument(text, &got), 0);
	ck_assert_str_eq(got.name, "0123456789012345678901234567890");
	close(fd);
}
END_TEST

START_TEST(test_other_arguments_are_refused)
{
	static const char *const texts[] = {
		"",     "=3",  "nss=",          "nss=x", "nss", "-1", "nss=-1", "nss= 3", "3 ",
		"a=b=3", "nss=2147483648", "0123456789012345678901234567890X=0",
	};
	struct listen_fd got = { .fd = 77 };
	int fd = unix_socket(SOCK_STREAM, false), file = open("/dev/null", O_RDONLY);
	char text[16];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(listen_argument(texts[i], &got) == -EINVAL, "\"%s\"", texts[i]);

	snprintf(text, sizeof(text), "%d", fd);
	ck_assert_int_eq(listen_argument(text, &got), -EINVAL);
	snprintf(text, sizeof(text), "%d", file);
	ck_assert_int_eq(listen_argument(text, &got), -ENOTSOCK);
	close(file);
	ck_assert_int_eq(listen_argument(text, &got), -EBADF);
	ck_assert_int_eq(got.fd, 77);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listen");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(all, test_listening_sockets_are_collected_by_name);
	tcase_add_test(all, test_other_descriptors_are_closed);
	tcase_add_test(all, test_no_more_than_there_is_room_for);
	tcase_add_test(all, test_a_long_name_is_cut);
	tcase_add_test(all, test_what_is_meant_for_others_is_left_alone);
	tcase_add_test(all, test_argument_names_a_descriptor);
	tcase_add_test(all, test_other_arguments_are_refused);
	suite_add_tcase(suite, all);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
