/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A provider whose questions end when the test says so.
 */
#include "backend/core/queue.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/event/req.h"
#include "common/event/timer.h"

static struct tevent_context *ev;
static struct queue *queue;

/* ---- the provider ---- */

static struct tevent_req *running[256]; /* in the order of their start */
static unsigned n_started, n_alive;
static char last_name[64];

struct work {
	char unused;
};

static void work_cleanup(struct tevent_req *req, enum tevent_req_state state)
{
	if (state != TEVENT_REQ_RECEIVED)
		return;
	n_alive--;
	for (size_t i = 0; i < n_started && i < 256; i++)
		if (running[i] == req)
			running[i] = NULL;
}

static struct tevent_req *work_send(TALLOC_CTX *mem, void *data, const struct query *query,
                                    const struct request_id *id)
{
	struct work *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct work);

	(void)data;
	(void)id;
	snprintf(last_name, sizeof(last_name), "%s", query->name ? query->name : "");
	running[n_started++ % 256] = req;
	n_alive++;
	tevent_req_set_cleanup_fn(req, work_cleanup);
	return req;
}

static struct tevent_req *instant_send(TALLOC_CTX *mem, void *data, const struct query *query,
                                       const struct request_id *id)
{
	return req_finish_now(work_send(mem, data, query, id), ev, 0);
}

static int work_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

static const char *work_waits_for(struct tevent_req *req)
{
	(void)req;
	return "the test";
}

static const struct provider_op ops[] = {
	{ QUERY_USER_BY_NAME, LANE_IDENTITY, work_send, work_recv, work_waits_for },
	{ QUERY_GROUP_BY_NAME, LANE_AUTHENTICATION, work_send, work_recv, work_waits_for },
	{ QUERY_USER_BY_ID, LANE_IDENTITY, instant_send, work_recv, work_waits_for },
	{ 0 },
};

/* ---- the askers ---- */

struct asker {
	struct tevent_req *req;
	bool ended;
	int r;
};

static void answered(struct tevent_req *req)
{
	struct asker *asker = tevent_req_callback_data_void(req);

	asker->r = queue_ask_recv(req);
	asker->ended = true;
	TALLOC_FREE(asker->req);
}

static uint32_t epoch;

static void ask(struct asker *asker, enum query_kind kind, const char *name, int64_t ms)
{
	struct query query = { .kind = kind, .name = name };
	struct request_id id = { "1234" };

	*asker = (struct asker){ 0 };
	asker->req = queue_ask_send(ev, ev, queue, &query, epoch, &id, deadline_in_ms(ms));
	ck_assert_ptr_nonnull(asker->req);
	tevent_req_set_callback(asker->req, answered, asker);
}

static void stop(void *data)
{
	*(bool *)data = true;
}

static void run_for(int64_t ms)
{
	bool over = false;

	timer_once(ev, ev, ms, stop, &over);
	while (!over)
		tevent_loop_once(ev);
}

static void begin(void)
{
	ev = tevent_context_init(NULL);
	queue = queue_new(ev, ev, ops, NULL);
	queue_open(queue);
	n_started = n_alive = 0;
	log_set_mask(LEVEL_FATAL);
}

static void end(void)
{
	talloc_free(ev);
}

START_TEST(test_equal_questions_run_once)
{
	struct asker askers[10];

	for (int i = 0; i < 10; i++)
		ask(&askers[i], QUERY_USER_BY_NAME, "alice", 10000);
	ck_assert_uint_eq(n_started, 1);
	ck_assert_uint_eq(queue_length(queue), 1);
	ck_assert_str_eq(last_name, "alice");

	req_finish(running[0], -E_SERVER);
	run_for(1);
	for (int i = 0; i < 10; i++) {
		ck_assert(askers[i].ended);
		ck_assert_int_eq(askers[i].r, -E_SERVER);
	}
	ck_assert_uint_eq(queue_length(queue), 0);
	ck_assert_uint_eq(n_alive, 0);
}
END_TEST

START_TEST(test_other_kind_or_name_is_another_question)
{
	struct asker a, b, c;

	ask(&a, QUERY_USER_BY_NAME, "alice", 10000);
	ask(&b, QUERY_USER_BY_NAME, "alic", 10000);
	ask(&c, QUERY_GROUP_BY_NAME, "alice", 10000);
	ck_assert_uint_eq(n_started, 3);
}
END_TEST

/* Its answer may be older than what was touched since. */
START_TEST(test_a_question_of_another_epoch_is_not_joined)
{
	struct asker before, after, other;

	ask(&before, QUERY_USER_BY_NAME, "alice", 10000);
	epoch++;
	ask(&after, QUERY_USER_BY_NAME, "alice", 10000);
	ask(&other, QUERY_USER_BY_NAME, "alice", 10000);
	ck_assert_uint_eq(n_started, 2);
	req_finish(running[0], 0);
	run_for(1);
	ck_assert(before.ended && !after.ended);
	req_finish(running[1], 0);
	run_for(1);
	ck_assert(after.ended && other.ended);
	ck_assert_uint_eq(queue_length(queue), 0);
}
END_TEST

START_TEST(test_asked_again_after_the_end_runs_again)
{
	struct asker a, b;

	ask(&a, QUERY_USER_BY_NAME, "alice", 10000);
	req_finish(running[0], 0);
	run_for(1);
	ask(&b, QUERY_USER_BY_NAME, "alice", 10000);
	ck_assert_uint_eq(n_started, 2);
	ck_assert(!b.ended);
}
END_TEST

START_TEST(test_answer_at_once_reaches_its_asker)
{
	struct asker a;

	ask(&a, QUERY_USER_BY_ID, NULL, 10000);
	ck_assert(!a.ended);
	run_for(1);
	ck_assert(a.ended);
	ck_assert_int_eq(a.r, 0);
}
END_TEST

START_TEST(test_each_asker_has_a_deadline_of_its_own)
{
	struct asker hurried, patient;

	ask(&patient, QUERY_USER_BY_NAME, "alice", 10000);
	ask(&hurried, QUERY_USER_BY_NAME, "alice", 20);
	run_for(40);
	ck_assert(hurried.ended);
	ck_assert_int_eq(hurried.r, -ETIMEDOUT);
	ck_assert(!patient.ended);
	ck_assert_uint_eq(n_alive, 1);

	req_finish(running[0], 0);
	run_for(1);
	ck_assert(patient.ended);
	ck_assert_int_eq(patient.r, 0);
}
END_TEST

START_TEST(test_work_ends_with_its_last_asker)
{
	struct asker a, b;

	ask(&a, QUERY_USER_BY_NAME, "alice", 10000);
	ask(&b, QUERY_USER_BY_NAME, "alice", 20);
	TALLOC_FREE(a.req);
	ck_assert_uint_eq(n_alive, 1);
	run_for(40);
	ck_assert_int_eq(b.r, -ETIMEDOUT);
	ck_assert_uint_eq(n_alive, 0);
	ck_assert_uint_eq(queue_length(queue), 0);
}
END_TEST

START_TEST(test_full_lane_lets_others_wait_and_go_on)
{
	static struct asker askers[QUEUE_RUNNING + 2];
	char name[16];

	for (int i = 0; i < QUEUE_RUNNING + 2; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		ask(&askers[i], QUERY_USER_BY_NAME, name, 10000);
	}
	ck_assert_uint_eq(n_started, QUEUE_RUNNING);
	req_finish(running[0], 0);
	run_for(1);
	ck_assert_uint_eq(n_started, QUEUE_RUNNING + 1);

	/* One that gives up makes room, too. */
	TALLOC_FREE(askers[1].req);
	ck_assert_uint_eq(n_started, QUEUE_RUNNING + 2);
	for (int i = 0; i < QUEUE_RUNNING + 2; i++)
		TALLOC_FREE(askers[i].req);
	ck_assert_uint_eq(n_alive, 0);
}
END_TEST

START_TEST(test_full_lane_does_not_hold_up_the_other)
{
	static struct asker askers[QUEUE_RUNNING + 10];
	struct asker login;
	char name[16];

	for (int i = 0; i < QUEUE_RUNNING + 10; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		ask(&askers[i], QUERY_USER_BY_NAME, name, 10000);
	}
	ask(&login, QUERY_GROUP_BY_NAME, "alice", 10000);
	ck_assert_uint_eq(n_started, QUEUE_RUNNING + 1);
	ck_assert_str_eq(last_name, "alice");
	for (int i = 0; i < QUEUE_RUNNING + 10; i++)
		TALLOC_FREE(askers[i].req);
	TALLOC_FREE(login.req);
}
END_TEST

START_TEST(test_too_many_waiting_are_told)
{
	struct asker *askers = talloc_zero_array(ev, struct asker, QUEUE_RUNNING + QUEUE_WAITING);
	struct asker late;
	char name[16];

	for (int i = 0; i < QUEUE_RUNNING + QUEUE_WAITING; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		ask(&askers[i], QUERY_USER_BY_NAME, name, 10000);
	}
	ask(&late, QUERY_USER_BY_NAME, "late", 10000);
	run_for(1);
	ck_assert(late.ended);
	ck_assert_int_eq(late.r, -EAGAIN);
	for (int i = 0; i < QUEUE_RUNNING + QUEUE_WAITING; i++)
		TALLOC_FREE(askers[i].req);
	ck_assert_uint_eq(n_alive, 0);
}
END_TEST

START_TEST(test_closed_queue_waits_within_the_deadline)
{
	struct asker hurried, patient;

	talloc_free(queue);
	queue = queue_new(ev, ev, ops, NULL);
	ask(&hurried, QUERY_USER_BY_NAME, "alice", 20);
	ask(&patient, QUERY_USER_BY_NAME, "bob", 10000);
	run_for(40);
	ck_assert_int_eq(hurried.r, -ETIMEDOUT);
	ck_assert_uint_eq(n_started, 0);

	queue_open(queue);
	ck_assert_uint_eq(n_started, 1);
	ck_assert_str_eq(last_name, "bob");
}
END_TEST

START_TEST(test_server_that_went_away_is_asked_again)
{
	struct asker a;

	ask(&a, QUERY_USER_BY_NAME, "alice", 10000);
	req_finish(running[0], -E_DISCONNECTED);
	run_for(1);
	ck_assert(!a.ended);
	ck_assert_uint_eq(n_started, 2);
	req_finish(running[1], -E_CACHE_REPLACED);
	run_for(1);
	ck_assert_uint_eq(n_started, 3);
	req_finish(running[2], 0);
	run_for(1);
	ck_assert(a.ended);
	ck_assert_int_eq(a.r, 0);
}
END_TEST

START_TEST(test_asking_again_has_an_end)
{
	struct asker a;

	ask(&a, QUERY_USER_BY_NAME, "alice", 10000);
	for (unsigned i = 0; i < QUEUE_ATTEMPTS; i++) {
		ck_assert(!a.ended);
		req_finish(running[i], -E_DISCONNECTED);
		run_for(1);
	}
	ck_assert(a.ended);
	ck_assert_int_eq(a.r, -E_DISCONNECTED);
	ck_assert_uint_eq(n_started, QUEUE_ATTEMPTS);
}
END_TEST

START_TEST(test_what_the_provider_cannot_is_told)
{
	struct asker a;

	ask(&a, QUERY_INITGROUPS, "alice", 10000);
	run_for(1);
	ck_assert_int_eq(a.r, -ENOTSUP);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tests = tcase_create("queue");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_equal_questions_run_once);
	tcase_add_test(tests, test_other_kind_or_name_is_another_question);
	tcase_add_test(tests, test_a_question_of_another_epoch_is_not_joined);
	tcase_add_test(tests, test_asked_again_after_the_end_runs_again);
	tcase_add_test(tests, test_answer_at_once_reaches_its_asker);
	tcase_add_test(tests, test_each_asker_has_a_deadline_of_its_own);
	tcase_add_test(tests, test_work_ends_with_its_last_asker);
	tcase_add_test(tests, test_full_lane_lets_others_wait_and_go_on);
	tcase_add_test(tests, test_full_lane_does_not_hold_up_the_other);
	tcase_add_test(tests, test_too_many_waiting_are_told);
	tcase_add_test(tests, test_closed_queue_waits_within_the_deadline);
	tcase_add_test(tests, test_server_that_went_away_is_asked_again);
	tcase_add_test(tests, test_asking_again_has_an_end);
	tcase_add_test(tests, test_what_the_provider_cannot_is_told);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
