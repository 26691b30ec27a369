/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/fd.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"

/* Every test runs in a folder of its own, which is the working directory. */
static char folder[32];

static void enter_folder(void)
{
	strcpy(folder, "/tmp/test_fd_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static int count_files(void)
{
	DIR *dir = opendir(".");
	struct dirent *item;
	int n = 0;

	while ((item = readdir(dir)) != NULL)
		n += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static void leave_folder(void)
{
	DIR *dir = opendir(".");
	struct dirent *item;

	while ((item = readdir(dir)) != NULL)
		if (item->d_name[0] != '.')
			remove(item->d_name);
	closedir(dir);
	ck_assert_int_eq(rmdir(folder), 0);
}

static int bind_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(test_the_peer_of_a_pair_is_this_process)
{
	struct peer peer;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(fd_peer(pair[0], &peer), 0);
	ck_assert_int_eq(peer.pid, getpid());
	ck_assert_uint_eq(peer.uid, getuid());
	ck_assert_uint_eq(peer.gid, getgid());
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(test_a_file_has_no_peer)
{
	auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct peer peer;

	ck_assert_int_eq(fd_peer(fd, &peer), -ENOTSOCK);
	ck_assert_int_eq(fd_peer(-1, &peer), -EBADF);
}
END_TEST

START_TEST(test_flags_are_added_to_what_is_set)
{
	auto_close int fd = open("/dev/null", O_WRONLY | O_APPEND);

	ck_assert_int_eq(fd_set_nonblocking(fd), 0);
	ck_assert_int_eq(fd_set_cloexec(fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND), O_NONBLOCK | O_APPEND);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fd_set_nonblocking(-1), -EBADF);
	ck_assert_int_eq(fd_set_cloexec(-1), -EBADF);
}
END_TEST

START_TEST(test_connected_is_non_blocking_and_close_on_exec)
{
	auto_close int listener = bind_at("socket");
	auto_close int fd = -1;

	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_eq(fd_connect_unix("socket", &fd), 0);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), 1);
}
END_TEST

START_TEST(test_a_connection_refused_tells_why)
{
	auto_close int bound = bind_at("socket");
	int fd = -1;

	ck_assert_int_ge(bound, 0); /* but nobody listens */
	ck_assert_int_eq(fd_connect_unix("socket", &fd), -ECONNREFUSED);
	ck_assert_int_eq(fd_connect_unix("nobody", &fd), -ENOENT);
	ck_assert_int_eq(fd_connect_unix("", &fd), -ENOENT);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_a_full_backlog_does_not_wait)
{
	auto_close int listener = bind_at("socket");
	int fds[64], r = 0, n = 0;

	ck_assert_int_eq(listen(listener, 2), 0);
	while (n < 64 && (r = fd_connect_unix("socket", &fds[n])) == 0)
		n++;
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_int_ge(n, 1);
	while (n > 0)
		close(fds[--n]);
}
END_TEST

START_TEST(test_a_path_of_107_bytes_is_the_longest)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	int fd = -1;

	memset(path, 'x', sizeof(path));
	path[107] = '\0';
	ck_assert_int_eq(fd_connect_unix(path, &fd), -ENOENT);
	path[107] = 'x';
	path[108] = '\0';
	ck_assert_int_eq(fd_connect_unix(path, &fd), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_a_file_is_read_whole_with_a_nul_behind)
{
	auto_talloc char *bytes = NULL;
	size_t size;

	put("file", "alice");
	ck_assert_int_eq(fd_read_file(NULL, "file", 5, &bytes, &size), 0);
	ck_assert_uint_eq(size, 5);
	ck_assert_str_eq(bytes, "alice");
}
END_TEST

START_TEST(test_an_empty_file_is_the_empty_text)
{
	auto_talloc char *bytes = NULL;
	size_t size = 99;

	put("file", "");
	ck_assert_int_eq(fd_read_file(NULL, "file", 0, &bytes, &size), 0);
	ck_assert_uint_eq(size, 0);
	ck_assert_str_eq(bytes, "");
}
END_TEST

/* proc(5) says 0 for the size, so the buffer has to grow. */
START_TEST(test_a_file_whose_size_lies_is_read_whole)
{
	auto_talloc char *bytes = NULL;
	size_t size;

	ck_assert_int_eq(fd_read_file(NULL, "/proc/self/status", 65536, &bytes, &size), 0);
	ck_assert_uint_gt(size, 100);
	ck_assert_uint_eq(size, strlen(bytes));
	ck_assert_ptr_nonnull(strstr(bytes, "\nPid:"));
}
END_TEST

START_TEST(test_what_is_larger_than_max_is_refused)
{
	auto_talloc void *mem = talloc_new(NULL);
	char *bytes = NULL;
	size_t size = 99;

	put("file", "alice");
	ck_assert_int_eq(fd_read_file(mem, "file", 4, &bytes, &size), -EFBIG);
	ck_assert_int_eq(fd_read_file(mem, "/proc/self/status", 10, &bytes, &size), -EFBIG);
	ck_assert_ptr_null(bytes);
	ck_assert_uint_eq(size, 99);
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);
}
END_TEST

START_TEST(test_only_regular_files_are_read)
{
	char *bytes = NULL;
	size_t size;

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(fd_read_file(NULL, "fifo", 10, &bytes, &size), -EINVAL);
	ck_assert_int_eq(fd_read_file(NULL, ".", 10, &bytes, &size), -EINVAL);
	ck_assert_int_eq(fd_read_file(NULL, "/dev/null", 10, &bytes, &size), -EINVAL);
	ck_assert_int_eq(fd_read_file(NULL, "nothing", 10, &bytes, &size), -ENOENT);
}
END_TEST

START_TEST(test_a_file_is_replaced_with_its_mode)
{
	auto_talloc char *bytes = NULL;
	struct stat st;
	size_t size;

	put("file", "the old one");
	umask(077);
	ck_assert_int_eq(fd_write_file("file", "new", 3, 0644), 0);
	ck_assert_int_eq(fd_read_file(NULL, "file", 100, &bytes, &size), 0);
	ck_assert_str_eq(bytes, "new");
	ck_assert_int_eq(stat("file", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(test_a_file_is_written_where_its_path_says)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", folder);
	ck_assert_int_eq(fd_write_file(path, "", 0, 0600), 0);
	ck_assert_int_eq(access("file", F_OK), 0);
	ck_assert_int_eq(fd_write_file("/nothing/file", "x", 1, 0600), -ENOENT);
}
END_TEST

START_TEST(test_a_failed_write_leaves_nothing_behind)
{
	ck_assert_int_eq(mkdir("file", 0700), 0);
	ck_assert_int_eq(fd_write_file("file", "x", 1, 0600), -EISDIR);
	ck_assert_int_eq(count_files(), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fd");
	TCase *fd = tcase_create("fd");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(fd, enter_folder, leave_folder);
	tcase_add_test(fd, test_the_peer_of_a_pair_is_this_process);
	tcase_add_test(fd, test_a_file_has_no_peer);
	tcase_add_test(fd, test_flags_are_added_to_what_is_set);
	tcase_add_test(fd, test_connected_is_non_blocking_and_close_on_exec);
	tcase_add_test(fd, test_a_connection_refused_tells_why);
	tcase_add_test(fd, test_a_full_backlog_does_not_wait);
	tcase_add_test(fd, test_a_path_of_107_bytes_is_the_longest);
	tcase_add_test(fd, test_a_file_is_read_whole_with_a_nul_behind);
	tcase_add_test(fd, test_an_empty_file_is_the_empty_text);
	tcase_add_test(fd, test_a_file_whose_size_lies_is_read_whole);
	tcase_add_test(fd, test_what_is_larger_than_max_is_refused);
	tcase_add_test(fd, test_only_regular_files_are_read);
	tcase_add_test(fd, test_a_file_is_replaced_with_its_mode);
	tcase_add_test(fd, test_a_file_is_written_where_its_path_says);
	tcase_add_test(fd, test_a_failed_write_leaves_nothing_behind);
	suite_add_tcase(suite, fd);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
