/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "tests/unit/common/sbus/pair.h"

START_TEST(test_socket_is_private)
{
	auto_talloc struct pair *pair = pair_new();
	struct stat info;

	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert_int_eq(lstat(pair->path, &info), 0);
	ck_assert(S_ISSOCK(info.st_mode));
	ck_assert_uint_eq(info.st_mode & 07777, 0600);
	ck_assert_uint_eq(info.st_uid, geteuid());
}
END_TEST

START_TEST(test_socket_goes_with_the_server)
{
	auto_talloc struct pair *pair = pair_new();

	ck_assert_int_eq(pair_listen(pair), 0);
	TALLOC_FREE(pair->server);
	ck_assert_int_eq(access(pair->path, F_OK), -1);
	/* Nothing else is left in the directory. */
	ck_assert_int_eq(rmdir(pair->dir), 0);
}
END_TEST

START_TEST(test_successors_socket_stays)
{
	auto_talloc struct pair *pair = pair_new();

	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert_int_eq(unlink(pair->path), 0);
	ck_assert_int_ge(open(pair->path, O_CREAT | O_WRONLY, 0600), 0);
	TALLOC_FREE(pair->server);
	ck_assert_int_eq(access(pair->path, F_OK), 0);
}
END_TEST

START_TEST(test_live_server_is_not_replaced)
{
	auto_talloc struct pair *pair = pair_new();
	pid_t pid = pair_fork_server(pair);

	ck_assert_int_eq(pair_listen(pair), -EADDRINUSE);
	kill(pid, SIGSTOP); /* alive all the same */
	ck_assert_int_eq(pair_listen(pair), -EADDRINUSE);
	pair_kill(pid, SIGKILL);
	ck_assert_int_eq(access(pair->path, F_OK), 0);
	ck_assert_int_eq(pair_listen(pair), 0);
	pair_connect(pair, false);
	ck_assert(pair_until(pair, pair->n_stood == 1));
}
END_TEST

START_TEST(test_paths_that_cannot_be_bound)
{
	auto_talloc struct pair *pair = pair_new();
	char *right = pair->path;

	pair->path = talloc_asprintf(pair, "%s/%0100d", pair->dir, 0);
	ck_assert_int_eq(pair_listen(pair), -ENAMETOOLONG);
	pair->path = talloc_asprintf(pair, "%s/absent/socket", pair->dir);
	ck_assert_int_eq(pair_listen(pair), -ENOENT);
	pair->path = right;
}
END_TEST

START_TEST(test_peer_is_known_by_its_credentials)
{
	auto_talloc struct pair *pair = pair_new();
	struct peer peer;
	pid_t pid = pair_fork_server(pair);

	pair_connect(pair, false);
	ck_assert(pair_until(pair, pair->conn));
	sbus_conn_peer(pair->conn, &peer);
	ck_assert_int_eq(peer.pid, pid);
	ck_assert_uint_eq(peer.uid, geteuid());
	pair_kill(pid, SIGKILL);
}
END_TEST

START_TEST(test_another_uid_is_hung_up_on)
{
	auto_talloc struct pair *pair = pair_new();
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert_int_eq(chmod(pair->path, 0666), 0); /* so that only the check is in its way */
	pid = fork();
	if (pid == 0) {
		char byte;
		int fd;

		if (setresuid(1234, 1234, 1234) < 0 || fd_connect_unix(pair->path, &fd) < 0 ||
		    fcntl(fd, F_SETFL, 0) < 0)
			_exit(1);
		/* It may be closed already. */
		_exit(send(fd, "\0AUTH EXTERNAL 31323334\r\n", 25, MSG_NOSIGNAL) < 0 ||
		                      read(fd, &byte, 1) <= 0
		              ? 0
		              : 2);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		pair_step(pair);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(pair->n_accepted, 0);
}
END_TEST

/* Sends bytes after a right authentication and waits for the end. */
static void send_raw(struct pair *pair, const void *bytes, size_t size)
{
	char auth[64], answer[256];
	int fd, n;

	ck_assert_int_eq(fd_connect_unix(pair->path, &fd), 0);
	n = snprintf(auth + 1, sizeof(auth) - 1, "AUTH EXTERNAL ");
	for (const char *digit = talloc_asprintf(pair, "%u", geteuid()); *digit; digit++)
		n += snprintf(auth + 1 + n, sizeof(auth) - 1 - (size_t)n, "%02x", *digit);
	n += snprintf(auth + 1 + n, sizeof(auth) - 1 - (size_t)n, "\r\nBEGIN\r\n");
	auth[0] = '\0';
	ck_assert_int_eq(write(fd, auth, (size_t)n + 1), n + 1);
	ck_assert_int_eq(write(fd, bytes, size), (int)size);
	ck_assert(pair_until(pair, read(fd, answer, sizeof(answer)) == 0));
	close(fd);
}

START_TEST(test_message_over_a_mebibyte_ends_the_connection)
{
	/* The fixed header of a call: little endian, protocol 1, body of 2 MiB, serial 1, no
	 * fields. */
	static const uint8_t header[16] = { 'l', 1, 0, 1, 0, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
	auto_talloc struct pair *pair = pair_new();

	ck_assert_int_eq(pair_listen(pair), 0);
	send_raw(pair, header, sizeof(header));
	ck_assert(pair_until(pair, pair->n_closed == pair->n_accepted));
}
END_TEST

START_TEST(test_bytes_that_are_no_message_end_the_connection)
{
	auto_talloc struct pair *pair = pair_new();

	ck_assert_int_eq(pair_listen(pair), 0);
	send_raw(pair, "GET / HTTP/1.1\r\n\r\n", 18);
	ck_assert(pair_until(pair, pair->n_closed == pair->n_accepted));
	/* And nobody else's. */
	pair_connect(pair, false);
	ck_assert(pair_until(pair, pair->n_stood == 1));
}
END_TEST

static void free_server(struct sbus_server *server, struct sbus_conn *conn, void *data)
{
	(void)conn;
	(*(int *)data)++;
	talloc_free(server);
}

START_TEST(test_server_freed_when_it_accepts)
{
	auto_talloc struct pair *pair = pair_new();
	struct sbus_server *server;
	int calls = 0;

	ck_assert_int_eq(sbus_server_new(NULL, pair->ev, pair->path, free_server, &calls, &server),
	                 0);
	pair_connect(pair, false);
	ck_assert(pair_until(pair, calls == 1 && pair->n_lost == pair->n_stood));
}
END_TEST

static const struct {
	const char *name, *escaped;
} names[] = {
	{ "LDAP", "LDAP" },
	{ "example.com", "example_2ecom" },
	{ "a_b/../c", "a_5fb_2f_2e_2e_2fc" },
	{ "gr\xc3\xbcn", "gr_c3_bcn" },
	{ "", "" },
};

START_TEST(test_names_become_safe_in_paths)
{
	auto_talloc char *escaped = sbus_escape(NULL, names[_i].name);
	auto_talloc char *path = sbus_backend_path(NULL, "/d", names[_i].name);
	auto_talloc char *wanted = talloc_asprintf(NULL, "/d/sbus-dp_%s", names[_i].escaped);

	ck_assert_str_eq(escaped, names[_i].escaped);
	ck_assert_str_eq(path, wanted);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sbus server");
	TCase *server = tcase_create("server");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(server, 20);
	tcase_add_test(server, test_socket_is_private);
	tcase_add_test(server, test_socket_goes_with_the_server);
	tcase_add_test(server, test_successors_socket_stays);
	tcase_add_test(server, test_live_server_is_not_replaced);
	tcase_add_test(server, test_paths_that_cannot_be_bound);
	tcase_add_test(server, test_peer_is_known_by_its_credentials);
	tcase_add_test(server, test_another_uid_is_hung_up_on);
	tcase_add_test(server, test_message_over_a_mebibyte_ends_the_connection);
	tcase_add_test(server, test_bytes_that_are_no_message_end_the_connection);
	tcase_add_test(server, test_server_freed_when_it_accepts);
	tcase_add_loop_test(server, test_names_become_safe_in_paths, 0, 5);
	suite_add_tcase(suite, server);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
