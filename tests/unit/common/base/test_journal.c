/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/journal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char path[] = "/tmp/test_journal_XXXXXX";

static int journald(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(address.sun_path, path, sizeof(path));
	unlink(path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int send_one(const char *text)
{
	struct iovec fields[] = {
		{ .iov_base = (void *)text, .iov_len = strlen(text) },
		{ .iov_base = (void *)"PRIORITY=4", .iov_len = 10 },
	};

	return journal_send(path, fields, 2);
}

START_TEST(test_an_entry_is_one_datagram_of_lines)
{
	static const char expected[] = "MESSAGE=hello\nPRIORITY=4\n";
	char got[256];
	int fd = journald();

	ck_assert_int_eq(send_one("MESSAGE=hello"), 0);
	ck_assert_int_eq(recv(fd, got, sizeof(got), 0), sizeof(expected) - 1);
	ck_assert_mem_eq(got, expected, sizeof(expected) - 1);
	close(fd);
}
END_TEST

/* Nobody reads: sd_journal_sendv(3) would stand still here. */
START_TEST(test_a_full_queue_loses_the_line_and_nothing_else)
{
	int fd = journald(), r = 0;

	alarm(10);
	for (int i = 0; i < 100000 && r == 0; i++)
		r = send_one("MESSAGE=again");
	ck_assert_int_eq(r, -EAGAIN);
	alarm(0);
	close(fd);
}
END_TEST

START_TEST(test_without_a_journal_there_is_an_error)
{
	unlink(path);
	ck_assert_int_eq(send_one("MESSAGE=hello"), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tcase = tcase_create("journal");
	SRunner *runner = srunner_create(suite);
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return EXIT_FAILURE;
	close(fd);
	tcase_add_test(tcase, test_an_entry_is_one_datagram_of_lines);
	tcase_add_test(tcase, test_a_full_queue_loses_the_line_and_nothing_else);
	tcase_add_test(tcase, test_without_a_journal_there_is_an_error);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
