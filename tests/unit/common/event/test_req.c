/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/event/req.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"

struct nothing {
	int unused;
};

static struct tevent_context *ev;
static int n_finished;

static void begin(void)
{
	ev = tevent_context_init(NULL);
	n_finished = 0;
}

static void end(void)
{
	talloc_free(ev);
}

static void finished(struct tevent_req *req)
{
	(void)req;
	n_finished++;
}

static struct tevent_req *new_req(void)
{
	struct nothing *state;
	struct tevent_req *req = tevent_req_create(ev, &state, struct nothing);

	tevent_req_set_callback(req, finished, NULL);
	return req;
}

START_TEST(test_results_come_through)
{
	static const int results[] = { 0, -ENOENT, -ETIMEDOUT, -E_OFFLINE, -E_DISCONNECTED };

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct tevent_req *req = new_req();

		req_finish(req, results[i]);
		ck_assert_int_eq(n_finished, (int)i + 1);
		ck_assert_int_eq(req_result(req), results[i]);
	}
}
END_TEST

START_TEST(test_finished_in_send_calls_back_from_the_loop)
{
	static const int results[] = { 0, -EACCES };

	for (size_t i = 0; i < 2; i++) {
		struct nothing *state;
		struct tevent_req *req = tevent_req_create(ev, &state, struct nothing);

		ck_assert_ptr_eq(req_finish_now(req, ev, results[i]), req);
		tevent_req_set_callback(req, finished, NULL);
		ck_assert_int_eq(n_finished, (int)i);
		tevent_loop_once(ev);
		ck_assert_int_eq(n_finished, (int)i + 1);
		ck_assert_int_eq(req_result(req), results[i]);
	}
}
END_TEST

START_TEST(test_tevents_own_endings_are_codes_of_ours)
{
	struct tevent_req *req = new_req();

	tevent_req_oom(req);
	ck_assert_int_eq(req_result(req), -ENOMEM);

	req = new_req();
	tevent_req_set_endtime(req, ev, tevent_timeval_zero());
	while (n_finished < 2)
		tevent_loop_once(ev);
	ck_assert_int_eq(req_result(req), -ETIMEDOUT);
}
END_TEST

START_TEST(test_an_unfinished_request_has_no_good_result)
{
	ck_assert_int_lt(req_result(new_req()), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("req");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, begin, end);
	tcase_add_test(all, test_results_come_through);
	tcase_add_test(all, test_finished_in_send_calls_back_from_the_loop);
	tcase_add_test(all, test_tevents_own_endings_are_codes_of_ours);
	tcase_add_test(all, test_an_unfinished_request_has_no_good_result);
	suite_add_tcase(suite, all);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
