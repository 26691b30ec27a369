/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A backend that accepts and says nothing, and one that is not there.
 */
#include "responders/core/backend_client.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/sbus/sbus.h"

static char dir[] = "/tmp/backend-client-XXXXXX";
static struct tevent_context *ev;
static struct backend_client *backend;
static char *path;

static void begin(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ev = tevent_context_init(NULL);
	path = sbus_backend_path(ev, dir, "A");
	backend = backend_client_new(NULL, ev, dir, "A");
	ck_assert_ptr_nonnull(backend);
}

static void end(void)
{
	unlink(path);
	rmdir(dir);
	talloc_free(ev);
}

static int listen_in_silence(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

static struct tevent_req *ask(const char *name, int64_t ms)
{
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = name };
	struct request_id id = { "test" };

	return backend_ask_send(ev, ev, backend, &query, 1, deadline_in_ms(ms), &id);
}

START_TEST(test_nobody_there_is_known_at_once)
{
	struct tevent_req *req = ask("alice", 5000);
	uint64_t environment;

	ck_assert(tevent_req_poll(req, ev));
	ck_assert_int_eq(backend_ask_recv(req, &environment), -E_NO_BACKEND);
	talloc_free(req);
	talloc_free(backend);
}
END_TEST

START_TEST(test_silence_ends_with_the_deadline)
{
	int fd = listen_in_silence();
	struct tevent_req *req = ask("alice", 50);
	uint64_t environment;

	ck_assert(tevent_req_poll(req, ev));
	ck_assert_int_eq(backend_ask_recv(req, &environment), -ETIMEDOUT);
	talloc_free(req);
	talloc_free(backend);
	close(fd);
}
END_TEST

/* Nothing is known of it first: as long as the slowest. Then it is late. */
START_TEST(test_share_of_one_that_says_nothing)
{
	int fd = listen_in_silence();
	int64_t begun_us = monotonic_us();
	struct tevent_req *req = ask("alice", 5000);

	ck_assert_int_eq(backend_share_ms(backend), 2000);
	backend_is_late(backend, begun_us);
	ck_assert_int_eq(backend_share_ms(backend), 0);
	talloc_free(req);
	talloc_free(backend);
	close(fd);
}
END_TEST

/* A domain that is removed goes with the last client that asks it: its setup first, the request
 * after that. */
START_TEST(test_who_waits_may_outlive_it)
{
	int fd = listen_in_silence();
	struct tevent_req *first = ask("alice", 5000), *joins = ask("alice", 5000);

	talloc_free(backend);
	talloc_free(first);
	talloc_free(joins);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backend_client");
	TCase *tcase = tcase_create("asks");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, test_nobody_there_is_known_at_once);
	tcase_add_test(tcase, test_silence_ends_with_the_deadline);
	tcase_add_test(tcase, test_share_of_one_that_says_nothing);
	tcase_add_test(tcase, test_who_waits_may_outlive_it);
	suite_add_tcase(suite, tcase);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
