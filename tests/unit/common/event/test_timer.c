/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Times are checked from below only: on a busy machine anything may come late.
 */
#include "common/event/timer.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/event/req.h"

static struct tevent_context *ev;
static char fired[64]; /* the letters of what fired, in order */

static void begin(void)
{
	ev = tevent_context_init(NULL);
	memset(fired, 0, sizeof(fired));
}

static void end(void)
{
	talloc_free(ev);
}

static void note(void *data)
{
	fired[strlen(fired)] = *(const char *)data;
}

static void run_until(size_t n)
{
	while (strlen(fired) < n)
		tevent_loop_once(ev);
}

static void stop(void *data)
{
	*(bool *)data = true;
}

static void run_for(int64_t ms)
{
	bool is_over = false;

	timer_once(ev, ev, ms, stop, &is_over);
	while (!is_over)
		tevent_loop_once(ev);
}

/* The line of /proc/self/fdinfo that says when our one timerfd will expire. */
static void read_timerfd(char *ret_line, size_t size)
{
	char path[300], target[64], line[200];
	struct dirent *item;
	DIR *fds = opendir("/proc/self/fd");
	FILE *info;
	ssize_t n;

	*ret_line = '\0';
	while ((item = readdir(fds)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", item->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0 || strncmp(target, "anon_inode:[timerfd]", (size_t)n) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", item->d_name);
		info = fopen(path, "r");
		while (fgets(line, sizeof(line), info))
			if (strncmp(line, "it_value", 8) == 0)
				snprintf(ret_line, size, "%s", line);
		fclose(info);
	}
	closedir(fds);
}

static bool is_armed(void)
{
	char line[200];

	read_timerfd(line, sizeof(line));
	ck_assert_str_ne(line, "");
	return strcmp(line, "it_value: (0, 0)\n") != 0;
}

START_TEST(test_fires_by_time_not_by_creation)
{
	timer_once(ev, ev, 30, note, "c");
	timer_once(ev, ev, 10, note, "a");
	timer_once(ev, ev, 40, note, "d");
	timer_once(ev, ev, 20, note, "b");
	run_until(4);
	ck_assert_str_eq(fired, "abcd");
}
END_TEST

START_TEST(test_equal_times_fire_in_order_of_setting)
{
	for (int i = 0; i < 26; i++)
		timer_once(ev, ev, 0, note, &"abcdefghijklmnopqrstuvwxyz"[i]);
	run_until(26);
	ck_assert_str_eq(fired, "abcdefghijklmnopqrstuvwxyz");
}
END_TEST

START_TEST(test_never_early)
{
	int64_t begun = monotonic_us();

	timer_once(ev, ev, 25, note, "a");
	run_until(1);
	ck_assert_int_ge(monotonic_us() - begun, 25000);
}
END_TEST

START_TEST(test_waits_for_the_loop_even_without_delay)
{
	timer_once(ev, ev, 0, note, "a");
	timer_once(ev, ev, -5, note, "b");
	ck_assert_str_eq(fired, "");
	run_until(2);
	ck_assert_str_eq(fired, "ab");
}
END_TEST

START_TEST(test_once_is_freed_after_it_fired)
{
	TALLOC_CTX *mem = talloc_new(ev);

	timer_once(mem, ev, 0, note, "a");
	ck_assert_uint_eq(talloc_total_blocks(mem), 2);
	run_until(1);
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);
}
END_TEST

START_TEST(test_freeing_cancels)
{
	struct timer *timer = timer_once(ev, ev, 5, note, "a");

	timer_once(ev, ev, 10, note, "b");
	talloc_free(timer);
	run_for(20);
	ck_assert_str_eq(fired, "b");
}
END_TEST

static void note_and_free(void *data)
{
	struct timer **timer = data;

	note("x");
	TALLOC_FREE(*timer);
}

START_TEST(test_callback_may_cancel_itself_and_others)
{
	struct timer *self, *other;

	self = timer_once(ev, ev, 0, note_and_free, &self);
	timer_once(ev, ev, 0, note_and_free, &other);
	other = timer_once(ev, ev, 0, note, "a");
	timer_once(ev, ev, 0, note, "b");
	run_for(10);
	ck_assert_str_eq(fired, "xxb");
}
END_TEST

static void note_and_free_all(void *data)
{
	note("x");
	talloc_free(data);
}

START_TEST(test_callback_may_free_what_its_timer_hangs_below)
{
	TALLOC_CTX *mem = talloc_new(ev);

	timer_once(mem, ev, 0, note_and_free_all, mem);
	timer_once(mem, ev, 0, note, "a");
	timer_once(ev, ev, 0, note, "b");
	run_for(10);
	ck_assert_str_eq(fired, "xb");
}
END_TEST

/* A chain of timers without delay, each set by the one before. */
static void note_and_chain(void *data)
{
	note(data);
	timer_once(ev, ev, 0, note_and_chain, data);
}

static void pipe_readable(struct tevent_context *context, struct tevent_fd *fde, uint16_t flags,
                          void *data)
{
	(void)context;
	(void)flags;
	(void)data;
	note("p");
	talloc_free(fde);
}

START_TEST(test_what_a_callback_sets_waits_for_the_next_iteration)
{
	int ends[2];

	timer_once(ev, ev, 0, note_and_chain, "a");
	for (size_t i = 1; i < 5; i++) {
		do
			tevent_loop_once(ev);
		while (strlen(fired) < i);
		ck_assert_uint_eq(strlen(fired), i);
	}

	/* So a socket gets its turn however many timers are due. */
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
	tevent_add_fd(ev, ev, ends[0], TEVENT_FD_READ, pipe_readable, NULL);
	for (int i = 0; i < 10 && !strchr(fired, 'p'); i++)
		tevent_loop_once(ev);
	ck_assert_ptr_nonnull(strchr(fired, 'p'));
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(test_every_fires_until_freed)
{
	int64_t begun = monotonic_us();
	struct timer *timer = timer_every(ev, ev, 5, 0, note, "a");

	run_until(4);
	ck_assert_int_ge(monotonic_us() - begun, 20000);
	talloc_free(timer);
	run_for(15);
	ck_assert_str_eq(fired, "aaaa");
}
END_TEST

START_TEST(test_every_may_be_freed_by_its_callback)
{
	struct timer *timer;

	timer = timer_every(ev, ev, 1, 0, note_and_free, &timer);
	run_for(15);
	ck_assert_str_eq(fired, "x");
	ck_assert_ptr_null(timer);
}
END_TEST

START_TEST(test_jitter_only_lengthens)
{
	int64_t before, wait, longest = 0;

	timer_every(ev, ev, 4, 40, note, "a");
	for (size_t i = 1; i <= 10; i++) {
		before = monotonic_us();
		run_until(i);
		wait = monotonic_us() - before;
		/* Counted from when we looked, a little after it was set. */
		ck_assert_int_ge(wait, 3500);
		if (wait > longest)
			longest = wait;
	}
	/* Ten dice of 0 to 40 that are all below 5: once in 10^9 runs. */
	ck_assert_int_ge(longest, 9000);
}
END_TEST

START_TEST(test_again_moves_to_later_and_to_earlier)
{
	struct timer *late, *early;

	early = timer_once(ev, ev, 5, note, "e");
	late = timer_once(ev, ev, 10000, note, "l");
	timer_once(ev, ev, 20, note, "m");
	timer_again(early, 40);
	timer_again(late, 10);
	run_until(3);
	ck_assert_str_eq(fired, "lme");
}
END_TEST

struct repeat {
	struct timer *timer;
	int left;
};

static void repeat(void *data)
{
	struct repeat *state = data;

	note("r");
	if (--state->left > 0)
		timer_again(state->timer, 1);
}

START_TEST(test_once_may_set_itself_again)
{
	TALLOC_CTX *mem = talloc_new(ev);
	struct repeat state = { .left = 3 };

	state.timer = timer_once(mem, ev, 1, repeat, &state);
	run_for(20);
	ck_assert_str_eq(fired, "rrr");
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);
}
END_TEST

START_TEST(test_no_timer_leaves_nothing_armed)
{
	struct timer *a = timer_once(ev, ev, 100000, note, "a");
	struct timer *b = timer_once(ev, ev, 200000, note, "b");

	ck_assert(is_armed());
	talloc_free(a);
	ck_assert(is_armed());
	talloc_free(b);
	ck_assert(!is_armed());

	timer_once(ev, ev, 30, note, "c");
	run_until(1);
	ck_assert(!is_armed());
}
END_TEST

static int n_waits;

static void count_waits(enum tevent_trace_point point, void *data)
{
	(void)data;
	if (point == TEVENT_TRACE_AFTER_WAIT)
		n_waits++;
}

START_TEST(test_cancelled_first_costs_one_wakeup)
{
	struct timer *first = timer_once(ev, ev, 5, note, "a");

	timer_once(ev, ev, 30, note, "b");
	talloc_free(first);
	tevent_set_trace_callback(ev, count_waits, NULL);
	n_waits = 0;
	run_until(1);
	ck_assert_str_eq(fired, "b");
	ck_assert_int_le(n_waits, 2);
}
END_TEST

/* When it is due, as seen from both sides of the call that set it. */
struct planned {
	struct timer *timer;
	int64_t earliest_us, latest_us;
};

static int64_t reached_us; /* the latest of what fired cannot have been due before this */
static int n_fired;

static void check_order(void *data)
{
	struct planned *planned = data;

	ck_assert_int_ge(planned->latest_us, reached_us);
	if (planned->earliest_us > reached_us)
		reached_us = planned->earliest_us;
	n_fired++;
}

static void set_planned(struct planned *planned, int64_t after_ms)
{
	planned->earliest_us = monotonic_us() + after_ms * 1000 - 1;
	if (planned->timer)
		timer_again(planned->timer, after_ms);
	else
		planned->timer = timer_once(ev, ev, after_ms, check_order, planned);
	planned->latest_us = monotonic_us() + after_ms * 1000 + 1;
}

START_TEST(test_two_thousand_moved_and_cancelled_fire_in_order)
{
	static struct planned planned[2000];
	unsigned dice = 1;

	reached_us = n_fired = 0;
	for (size_t i = 0; i < 2000; i++) {
		dice = dice * 1103515245 + 12345;
		set_planned(&planned[i], 1000 + (dice >> 16 & 1023));
	}
	for (size_t i = 0; i < 2000; i += 3)
		talloc_free(planned[i].timer);
	for (size_t i = 1; i < 2000; i++) {
		dice = dice * 1103515245 + 12345;
		if (i % 3 != 0)
			set_planned(&planned[i], dice >> 16 & 31);
	}
	while (n_fired < 1333)
		tevent_loop_once(ev);
	ck_assert(!is_armed());
}
END_TEST

START_TEST(test_room_is_used_again)
{
	size_t size;

	talloc_free(timer_once(ev, ev, 1000, note, "a"));
	size = talloc_total_size(ev);
	for (int i = 0; i < 10000; i++)
		talloc_free(timer_once(ev, ev, 1000, note, "a"));
	ck_assert_uint_eq(talloc_total_size(ev), size);
}
END_TEST

START_TEST(test_the_far_future_does_not_overflow)
{
	timer_once(ev, ev, INT64_MAX, note, "a");
	timer_every(ev, ev, INT64_MAX / 2, 10, note, "b");
	timer_once(ev, ev, 1, note, "c");
	run_for(10);
	ck_assert_str_eq(fired, "c");
}
END_TEST

START_TEST(test_timers_outlive_their_context)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct timer *timer;

	timer = timer_once(mem, ev, 0, note, "a");
	timer_once(mem, ev, 10, note, "b");
	TALLOC_FREE(ev);
	timer_again(timer, 0);
	talloc_free(mem);

	/* A new context may well get the address of the old one. */
	ev = tevent_context_init(NULL);
	timer_once(ev, ev, 0, note, "c");
	run_until(1);
	ck_assert_str_eq(fired, "c");
}
END_TEST

START_TEST(test_contexts_do_not_mix)
{
	struct tevent_context *other = tevent_context_init(NULL);

	timer_once(other, other, 0, note, "o");
	timer_once(ev, ev, 0, note, "a");
	run_until(1);
	ck_assert_str_eq(fired, "a");
	while (strlen(fired) < 2)
		tevent_loop_once(other);
	ck_assert_str_eq(fired, "ao");
	talloc_free(other);
}
END_TEST

START_TEST(test_prepared_context_needs_no_descriptor)
{
	struct tevent_context *unprepared = tevent_context_init(NULL);
	struct rlimit limit, none;

	ck_assert_int_eq(timer_prepare(ev), 0);
	ck_assert_int_eq(timer_prepare(ev), 0);

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	ck_assert_ptr_null(timer_once(unprepared, unprepared, 0, note, "u"));
	ck_assert_int_eq(timer_prepare(unprepared), -EMFILE);
	ck_assert_ptr_nonnull(timer_once(ev, ev, 0, note, "a"));
	run_until(1);
	setrlimit(RLIMIT_NOFILE, &limit);
	talloc_free(unprepared);
}
END_TEST

/* ---- deadlines ---- */

struct nothing {
	int unused;
};

static int n_finished;

static void finished(struct tevent_req *req)
{
	(void)req;
	n_finished++;
}

static struct tevent_req *req_with_deadline(struct deadline deadline)
{
	struct nothing *state;
	struct tevent_req *req = tevent_req_create(ev, &state, struct nothing);

	n_finished = 0;
	tevent_req_set_callback(req, finished, NULL);
	ck_assert_int_eq(req_set_deadline(req, ev, deadline), 0);
	return req;
}

START_TEST(test_deadline_ends_a_request)
{
	int64_t begun = monotonic_us();
	struct tevent_req *req = req_with_deadline(deadline_in_ms(20));

	while (n_finished == 0)
		tevent_loop_once(ev);
	ck_assert_int_ge(monotonic_us() - begun, 19999);
	ck_assert_int_eq(req_result(req), -ETIMEDOUT);
}
END_TEST

START_TEST(test_deadline_in_the_past_ends_it_from_the_loop)
{
	struct tevent_req *req = req_with_deadline((struct deadline){ 1 });

	ck_assert(tevent_req_is_in_progress(req));
	while (n_finished == 0)
		tevent_loop_once(ev);
	ck_assert_int_eq(req_result(req), -ETIMEDOUT);
}
END_TEST

START_TEST(test_deadline_leaves_a_finished_request_alone)
{
	struct tevent_req *req = req_with_deadline(deadline_in_ms(5));

	req_finish(req, -ENOENT);
	run_for(20);
	ck_assert_int_eq(n_finished, 1);
	ck_assert_int_eq(req_result(req), -ENOENT);
}
END_TEST

START_TEST(test_deadline_goes_with_its_request)
{
	talloc_free(req_with_deadline(deadline_in_ms(5)));
	ck_assert(!is_armed());
	run_for(15);
	ck_assert_int_eq(n_finished, 0);
}
END_TEST

static void free_req(struct tevent_req *req)
{
	talloc_free(req);
	n_finished++;
}

START_TEST(test_callback_may_free_the_request_whose_deadline_passed)
{
	struct tevent_req *req = req_with_deadline(deadline_in_ms(1));

	tevent_req_set_callback(req, free_req, NULL);
	run_for(15);
	ck_assert_int_eq(n_finished, 1);
}
END_TEST

START_TEST(test_no_deadline_is_none)
{
	struct tevent_req *req = req_with_deadline((struct deadline){ 0 });
	char line[200];

	read_timerfd(line, sizeof(line));
	ck_assert_str_eq(line, ""); /* not even a descriptor was made */
	run_for(10);
	ck_assert(tevent_req_is_in_progress(req));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timer");
	TCase *timer = tcase_create("timer"), *deadline = tcase_create("deadline");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(timer, begin, end);
	tcase_add_test(timer, test_fires_by_time_not_by_creation);
	tcase_add_test(timer, test_equal_times_fire_in_order_of_setting);
	tcase_add_test(timer, test_never_early);
	tcase_add_test(timer, test_waits_for_the_loop_even_without_delay);
	tcase_add_test(timer, test_once_is_freed_after_it_fired);
	tcase_add_test(timer, test_freeing_cancels);
	tcase_add_test(timer, test_callback_may_cancel_itself_and_others);
	tcase_add_test(timer, test_callback_may_free_what_its_timer_hangs_below);
	tcase_add_test(timer, test_what_a_callback_sets_waits_for_the_next_iteration);
	tcase_add_test(timer, test_every_fires_until_freed);
	tcase_add_test(timer, test_every_may_be_freed_by_its_callback);
	tcase_add_test(timer, test_jitter_only_lengthens);
	tcase_add_test(timer, test_again_moves_to_later_and_to_earlier);
	tcase_add_test(timer, test_once_may_set_itself_again);
	tcase_add_test(timer, test_no_timer_leaves_nothing_armed);
	tcase_add_test(timer, test_cancelled_first_costs_one_wakeup);
	tcase_add_test(timer, test_two_thousand_moved_and_cancelled_fire_in_order);
	tcase_add_test(timer, test_room_is_used_again);
	tcase_add_test(timer, test_the_far_future_does_not_overflow);
	tcase_add_test(timer, test_timers_outlive_their_context);
	tcase_add_test(timer, test_contexts_do_not_mix);
	tcase_add_test(timer, test_prepared_context_needs_no_descriptor);
	suite_add_tcase(suite, timer);

	tcase_add_checked_fixture(deadline, begin, end);
	tcase_add_test(deadline, test_deadline_ends_a_request);
	tcase_add_test(deadline, test_deadline_in_the_past_ends_it_from_the_loop);
	tcase_add_test(deadline, test_deadline_leaves_a_finished_request_alone);
	tcase_add_test(deadline, test_deadline_goes_with_its_request);
	tcase_add_test(deadline, test_callback_may_free_the_request_whose_deadline_passed);
	tcase_add_test(deadline, test_no_deadline_is_none);
	suite_add_tcase(suite, deadline);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
