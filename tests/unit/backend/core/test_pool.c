/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/core/pool.h"

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/event/timer.h"

static struct tevent_context *ev;
static struct pool *pool;

/* What a job works on: it waits for a byte from the test. */
struct job {
	int pipe[2];
	bool hurried;
	atomic_bool worked;
	bool dropped, ended;
	struct tevent_req *req;
};

static atomic_int at_work, most_at_work;

static void work(void *data)
{
	struct job *job = data;
	int now = ++at_work, most = most_at_work;
	char byte;

	while (now > most && !atomic_compare_exchange_weak(&most_at_work, &most, now))
		;
	ck_assert_int_ge(read(job->pipe[0], &byte, 1), 0);
	at_work--;
	job->worked = true;
}

static void hurry(void *data)
{
	struct job *job = data;

	job->hurried = true;
	close(job->pipe[1]);
	job->pipe[1] = -1;
}

static void drop(void *data)
{
	struct job *job = data;

	ck_assert(!job->dropped);
	job->dropped = true;
}

static const struct pool_job type = { work, hurry, drop };

static void ended(struct tevent_req *req)
{
	struct job *job = tevent_req_callback_data_void(req);

	ck_assert_int_eq(pool_recv(req), 0);
	job->ended = true;
	TALLOC_FREE(job->req);
}

static void start(struct job *job)
{
	*job = (struct job){ 0 };
	ck_assert_int_eq(pipe(job->pipe), 0);
	job->req = pool_send(ev, ev, pool, &type, job);
	ck_assert_ptr_nonnull(job->req);
	tevent_req_set_callback(job->req, ended, job);
}

static void release(struct job *job)
{
	ck_assert_int_eq(write(job->pipe[1], "x", 1), 1);
}

static void close_job(struct job *job)
{
	close(job->pipe[0]);
	if (job->pipe[1] >= 0)
		close(job->pipe[1]);
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
	pool = pool_new(ev, ev);
	at_work = most_at_work = 0;
}

static void end(void)
{
	talloc_free(ev);
}

START_TEST(test_work_is_done_and_its_data_given_back)
{
	struct job job;

	start(&job);
	release(&job);
	while (!job.ended)
		tevent_loop_once(ev);
	ck_assert(job.worked);
	ck_assert(!job.dropped && !job.hurried);
	close_job(&job);
}
END_TEST

START_TEST(test_no_more_threads_than_allowed)
{
	struct job jobs[POOL_THREADS + 3];

	for (int i = 0; i < POOL_THREADS + 3; i++)
		start(&jobs[i]);
	run_for(30);
	for (int i = 0; i < POOL_THREADS + 3; i++)
		release(&jobs[i]);
	for (int i = 0; i < POOL_THREADS + 3; i++)
		while (!jobs[i].ended)
			tevent_loop_once(ev);
	ck_assert_int_le(most_at_work, POOL_THREADS);
	for (int i = 0; i < POOL_THREADS + 3; i++)
		close_job(&jobs[i]);
}
END_TEST

START_TEST(test_abandoned_work_is_hurried_and_dropped_when_it_returned)
{
	struct job job;

	start(&job);
	run_for(10);
	TALLOC_FREE(job.req);
	ck_assert(job.hurried);
	while (!job.dropped)
		tevent_loop_once(ev);
	ck_assert(job.worked);
	close_job(&job);
}
END_TEST

START_TEST(test_waiting_work_that_is_abandoned_never_begins)
{
	struct job jobs[POOL_THREADS], waiting;

	for (int i = 0; i < POOL_THREADS; i++)
		start(&jobs[i]);
	start(&waiting);
	TALLOC_FREE(waiting.req);
	ck_assert(waiting.dropped && !waiting.hurried);
	for (int i = 0; i < POOL_THREADS; i++)
		release(&jobs[i]);
	for (int i = 0; i < POOL_THREADS; i++)
		while (!jobs[i].ended)
			tevent_loop_once(ev);
	ck_assert(!waiting.worked);
	for (int i = 0; i < POOL_THREADS; i++)
		close_job(&jobs[i]);
	close_job(&waiting);
}
END_TEST

START_TEST(test_abandoned_work_makes_room)
{
	struct job stuck[POOL_THREADS], next;

	for (int i = 0; i < POOL_THREADS; i++)
		start(&stuck[i]);
	start(&next);
	release(&next);
	run_for(10);
	ck_assert(!next.worked);
	TALLOC_FREE(stuck[0].req);
	while (!next.ended)
		tevent_loop_once(ev);
	for (int i = 1; i < POOL_THREADS; i++)
		TALLOC_FREE(stuck[i].req);
	for (int i = 0; i < POOL_THREADS; i++)
		while (!stuck[i].dropped)
			tevent_loop_once(ev);
	for (int i = 0; i < POOL_THREADS; i++)
		close_job(&stuck[i]);
	close_job(&next);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tests = tcase_create("pool");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_work_is_done_and_its_data_given_back);
	tcase_add_test(tests, test_no_more_threads_than_allowed);
	tcase_add_test(tests, test_abandoned_work_is_hurried_and_dropped_when_it_returned);
	tcase_add_test(tests, test_waiting_work_that_is_abandoned_never_begins);
	tcase_add_test(tests, test_abandoned_work_makes_room);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
