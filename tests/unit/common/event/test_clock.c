/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/event/clock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/event/timer.h"

/* The timer of the wall clock, which no test may set, is a pipe, unless is_real; those of other
 * clocks are real. */
static int clock_pipe[2] = { -1, -1 };
static bool is_real;
static int armed, n_set;

int timerfd_create(clockid_t clock, int flags)
{
	if (clock != CLOCK_REALTIME || is_real)
		return (int)syscall(SYS_timerfd_create, clock, flags);
	ck_assert_int_eq(pipe2(clock_pipe, O_NONBLOCK | O_CLOEXEC), 0);
	return clock_pipe[0];
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *ret_old)
{
	if (flags & TFD_TIMER_CANCEL_ON_SET) {
		/* 0 would disarm it, and a time that a time_t cannot hold may become one. */
		ck_assert_int_eq(flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
		ck_assert_int_ge(when->it_value.tv_sec, INT32_MAX);
		armed++;
	}
	if (fd != clock_pipe[0])
		return (int)syscall(SYS_timerfd_settime, fd, flags, when, ret_old);
	errno = ECANCELED;
	return -1;
}

static void was_set(void *data)
{
	ck_assert_ptr_eq(data, &n_set);
	n_set++;
}

static void stop(void *data)
{
	*(bool *)data = true;
}

static void run_ms(struct tevent_context *ev, int64_t ms)
{
	bool over = false;

	ck_assert_ptr_nonnull(timer_once(ev, ev, ms, stop, &over));
	while (!over)
		tevent_loop_once(ev);
}

START_TEST(test_each_step_is_told_and_the_next_one_watched_for)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	TALLOC_CTX *mem = talloc_new(ev);

	ck_assert_int_eq(clock_watch(mem, ev, was_set, &n_set), 0);
	ck_assert_int_eq(armed, 1);
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(write(clock_pipe[1], "12345678", 8), 8);
		run_ms(ev, 20);
		ck_assert_int_eq(n_set, i);
		ck_assert_int_eq(armed, 1 + i);
	}

	talloc_free(mem);
	ck_assert_int_eq(fcntl(clock_pipe[0], F_GETFD), -1);
	ck_assert_int_eq(write(clock_pipe[1], "12345678", 8), -1);
	close(clock_pipe[1]);
	run_ms(ev, 20);
	ck_assert_int_eq(n_set, 3);
	talloc_free(ev);
}
END_TEST

/* The real one: it is accepted, and not due. */
START_TEST(test_clock_that_nobody_sets)
{
	struct tevent_context *ev = tevent_context_init(NULL);

	is_real = true;
	ck_assert_int_eq(clock_watch(ev, ev, was_set, &n_set), 0);
	run_ms(ev, 50);
	ck_assert_int_eq(armed, 1);
	ck_assert_int_eq(n_set, 0);
	talloc_free(ev);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");
	SRunner *runner = srunner_create(suite);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_test(tcase, test_each_step_is_told_and_the_next_one_watched_for);
	tcase_add_test(tcase, test_clock_that_nobody_sets);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
