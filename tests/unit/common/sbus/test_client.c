/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "tests/unit/common/sbus/pair.h"

/* A socket at the pair's path that is listened on and never accepted from. */
static int listen_deaf(struct pair *pair, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, pair->path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

START_TEST(test_server_that_comes_later_is_found)
{
	auto_talloc struct pair *pair = pair_new();
	int64_t start_us;

	pair_connect(pair, false);
	pair_run(pair, 200);
	ck_assert_int_eq(pair->n_stood, 0);
	start_us = monotonic_us();
	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert(pair_until(pair, pair->n_stood == 1));
	ck_assert_int_le(monotonic_us() - start_us, 700000);
}
END_TEST

/* It may leave again soon. */
START_TEST(test_server_that_comes_much_later_is_found_at_once)
{
	auto_talloc struct pair *pair = pair_new();
	int64_t start_us;

	pair_connect(pair, false);
	for (int i = 0; i < 8; i++)
		ck_assert(!sbus_client_wake(pair->client)); /* back-off is at its cap now */
	pair_run(pair, 100);
	start_us = monotonic_us();
	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert(pair_until(pair, pair->n_stood == 1));
	ck_assert_int_le(monotonic_us() - start_us, 1000000); /* 5 s by the back-off */

	TALLOC_FREE(pair->server);
	ck_assert(pair_until(pair, pair->n_lost == 1));
	for (int i = 0; i < 8; i++)
		sbus_client_wake(pair->client);
	start_us = monotonic_us();
	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert(pair_until(pair, pair->n_stood == 2));
	ck_assert_int_le(monotonic_us() - start_us, 1000000);
}
END_TEST

static int count_inotify(void)
{
	char path[64], target[64];
	int n = 0;

	for (int fd = 0; fd < 256; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, target, sizeof(target) - 1);
		target[size > 0 ? size : 0] = '\0';
		n += strcmp(target, "anon_inode:inotify") == 0;
	}
	return n;
}

/* To close what looked for the server would hold up the loop, just when it has come. */
START_TEST(test_what_looks_for_the_server_is_kept)
{
	auto_talloc struct pair *pair = pair_new();

	pair_connect(pair, false);
	for (int round = 1; round <= 3; round++) {
		ck_assert_int_eq(pair_listen(pair), 0);
		ck_assert(pair_until(pair, pair->n_stood == round));
		ck_assert_int_eq(count_inotify(), 1);
		TALLOC_FREE(pair->server);
		ck_assert(pair_until(pair, pair->n_lost == round));
		ck_assert_int_eq(count_inotify(), 1);
	}
}
END_TEST

START_TEST(test_connection_comes_back_after_a_restart)
{
	auto_talloc struct pair *pair = pair_standing();

	for (int round = 1; round <= 3; round++) {
		TALLOC_FREE(pair->server);
		ck_assert(pair_until(pair, pair->n_lost == round));
		ck_assert_ptr_null(sbus_client_conn(pair->client));
		ck_assert_int_eq(pair_listen(pair), 0);
		ck_assert(pair_until(pair, pair->n_stood == round + 1));
		ck_assert_ptr_eq(sbus_client_conn(pair->client), pair->conn);
	}
}
END_TEST

START_TEST(test_attempts_become_rare)
{
	auto_talloc struct pair *pair = pair_new();
	auto_close int deaf = listen_deaf(pair, 100);
	int n_attempts = 0, fd;

	/* Whoever is accepted here is hung up on at once. */
	fd_set_nonblocking(deaf);
	pair_connect(pair, false);
	for (int64_t end_us = monotonic_us() + 1500000; monotonic_us() < end_us;) {
		pair_step(pair);
		fd = accept(deaf, NULL, NULL);
		if (fd >= 0) {
			n_attempts++;
			close(fd);
		}
	}
	/* At 0, 50, 150, 350, 750, 1550 ms and a quarter of jitter. */
	ck_assert_int_ge(n_attempts, 3);
	ck_assert_int_le(n_attempts, 6);
	ck_assert_int_eq(pair->n_stood + pair->n_lost, 0);
}
END_TEST

START_TEST(test_lazy_client_waits_to_be_woken)
{
	auto_talloc struct pair *pair = pair_new();

	pair_connect(pair, true);
	ck_assert(!sbus_client_wake(pair->client)); /* ENOENT */
	ck_assert_int_eq(pair_listen(pair), 0);
	pair_run(pair, 200);
	ck_assert_int_eq(pair->n_accepted, 0);

	ck_assert(sbus_client_wake(pair->client));
	ck_assert(pair_until(pair, pair->n_stood == 1));
	ck_assert(sbus_client_wake(pair->client));

	TALLOC_FREE(pair->server);
	ck_assert(pair_until(pair, pair->n_lost == 1));
	ck_assert_int_eq(pair_listen(pair), 0);
	pair_run(pair, 200);
	ck_assert_int_eq(pair->n_stood, 1);
	ck_assert(sbus_client_wake(pair->client));
	ck_assert(pair_until(pair, pair->n_stood == 2));
}
END_TEST

/* A backend that is about to end may still take the connection: whoever waits for it must hear. */
START_TEST(test_lazy_client_hears_of_a_connection_that_never_stood)
{
	auto_talloc struct pair *pair = pair_new();
	auto_close int deaf = listen_deaf(pair, 100);
	int fd;

	pair_connect(pair, true);
	ck_assert(sbus_client_wake(pair->client));
	fd = accept(deaf, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert(pair_until(pair, pair->n_lost == 1));
	ck_assert_int_eq(pair->n_stood, 0);
}
END_TEST

START_TEST(test_wake_does_not_wait_for_the_back_off)
{
	auto_talloc struct pair *pair = pair_new();
	int64_t start_us;

	pair_connect(pair, false);
	for (int i = 0; i < 8; i++)
		ck_assert(!sbus_client_wake(pair->client)); /* back-off is at its cap now */
	ck_assert_int_eq(pair_listen(pair), 0);
	start_us = monotonic_us();
	ck_assert(sbus_client_wake(pair->client));
	ck_assert(pair_until(pair, pair->n_stood == 1));
	ck_assert_int_le(monotonic_us() - start_us, 500000);
}
END_TEST

START_TEST(test_stopped_peer_blocks_nobody)
{
	auto_talloc struct pair *pair = pair_new();
	auto_close int deaf = listen_deaf(pair, 1);
	int fds[8], n_fds = 0;
	int64_t start_us;

	ck_assert_int_ge(deaf, 0);
	/* Its backlog is full: a blocking connect(2) would last until somebody accepts. */
	while (n_fds < 8 && fd_connect_unix(pair->path, &fds[n_fds]) == 0)
		n_fds++;
	ck_assert_int_lt(n_fds, 8);

	start_us = monotonic_us();
	pair_connect(pair, false);
	ck_assert(sbus_client_wake(pair->client));
	ck_assert_int_le(monotonic_us() - start_us, 100000);
	ck_assert_ptr_null(sbus_client_conn(pair->client));
	while (n_fds > 0)
		close(fds[--n_fds]);
}
END_TEST

START_TEST(test_peer_that_does_not_authenticate_is_left_after_five_seconds)
{
	auto_talloc struct pair *pair = pair_new();
	auto_close int deaf = listen_deaf(pair, 8);
	auto_close int first = -1, second = -1;
	int64_t start_us = monotonic_us();

	pair_connect(pair, false);
	first = accept(deaf, NULL, NULL);
	ck_assert_int_ge(first, 0);
	fd_set_nonblocking(deaf);
	while ((second = accept(deaf, NULL, NULL)) < 0 && monotonic_us() < start_us + 8000000)
		pair_step(pair);
	ck_assert_int_ge(second, 0);
	ck_assert_int_ge(monotonic_us() - start_us, 4900000);
	ck_assert_int_eq(pair->n_stood + pair->n_lost, 0);
}
END_TEST

START_TEST(test_stranger_is_not_trusted_as_server)
{
	auto_talloc struct pair *pair = pair_new();
	auto_close int deaf = -1, conn = -1;
	pid_t pid;

	if (geteuid() != 0)
		return; /* takes two uids */
	deaf = listen_deaf(pair, 8);
	ck_assert_int_eq(chmod(pair->path, 0666), 0);
	pid = fork();
	if (pid == 0) /* listen(2) says whose socket it is: neither root's nor the client's */
		_exit(setresuid(1234, 1234, 1234) < 0 || listen(deaf, 8) < 0);
	pair_kill(pid, 0);

	ck_assert_int_eq(seteuid(4321), 0);
	pair_connect(pair, false);
	ck_assert_int_eq(seteuid(0), 0);
	conn = accept(deaf, NULL, NULL);
	ck_assert_int_ge(conn, 0);
	fd_set_nonblocking(conn);
	ck_assert_int_eq(read(conn, &(char){ 0 }, 1), 0);
}
END_TEST

static void free_client(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	(void)conn;
	(*(int *)data)++;
	talloc_free(client);
}

START_TEST(test_client_freed_when_it_stands)
{
	auto_talloc struct pair *pair = pair_new();
	struct sbus_client *client;
	int calls = 0;

	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert_int_eq(
		sbus_client_new(NULL, pair->ev, pair->path, false, free_client, &calls, &client),
		0);
	ck_assert(pair_until(pair, pair->n_closed == 1));
	ck_assert_int_eq(calls, 1);
}
END_TEST

static void free_at_loss(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	struct pair *pair = data;

	if (conn) {
		pair->n_stood++;
		return;
	}
	pair->n_lost++;
	talloc_free(client);
}

START_TEST(test_client_freed_when_it_is_lost)
{
	auto_talloc struct pair *pair = pair_new();
	struct sbus_client *client;

	ck_assert_int_eq(pair_listen(pair), 0);
	ck_assert_int_eq(
		sbus_client_new(NULL, pair->ev, pair->path, false, free_at_loss, pair, &client), 0);
	ck_assert(pair_until(pair, pair->n_stood == 1));
	TALLOC_FREE(pair->server);
	ck_assert(pair_until(pair, pair->n_lost == 1));
	pair_run(pair, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sbus client");
	TCase *client = tcase_create("client");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(client, 20);
	tcase_add_test(client, test_server_that_comes_later_is_found);
	tcase_add_test(client, test_server_that_comes_much_later_is_found_at_once);
	tcase_add_test(client, test_what_looks_for_the_server_is_kept);
	tcase_add_test(client, test_connection_comes_back_after_a_restart);
	tcase_add_test(client, test_attempts_become_rare);
	tcase_add_test(client, test_lazy_client_waits_to_be_woken);
	tcase_add_test(client, test_lazy_client_hears_of_a_connection_that_never_stood);
	tcase_add_test(client, test_wake_does_not_wait_for_the_back_off);
	tcase_add_test(client, test_stopped_peer_blocks_nobody);
	tcase_add_test(client, test_peer_that_does_not_authenticate_is_left_after_five_seconds);
	tcase_add_test(client, test_stranger_is_not_trusted_as_server);
	tcase_add_test(client, test_client_freed_when_it_stands);
	tcase_add_test(client, test_client_freed_when_it_is_lost);
	suite_add_tcase(suite, client);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
