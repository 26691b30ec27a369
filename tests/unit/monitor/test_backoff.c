/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/backoff.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#define S 1000000ll

START_TEST(test_waits_grow_to_ten_seconds_and_stay)
{
	static const int64_t waits_ms[] = { 0, 100, 1000, 2000, 4000, 8000, 10000, 10000, 10000 };
	struct backoff backoff = { 0 };

	for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
		backoff_started(&backoff, 100 * S);
		ck_assert_int_eq(backoff_ended(&backoff, 101 * S), waits_ms[i]);
	}
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(backoff_ended(&backoff, 101 * S), 10000);
}
END_TEST

START_TEST(test_life_of_thirty_seconds_begins_anew)
{
	struct backoff backoff = { 0 };

	backoff_started(&backoff, 1 * S);
	backoff_ended(&backoff, 2 * S);
	backoff_ended(&backoff, 3 * S);
	backoff_started(&backoff, 10 * S);
	ck_assert_int_eq(backoff_ended(&backoff, 40 * S - 1), 1000);
	backoff_started(&backoff, 50 * S);
	ck_assert_int_eq(backoff_ended(&backoff, 80 * S), 0);
}
END_TEST

START_TEST(test_orderly_end_is_no_failure_unless_at_once)
{
	struct backoff backoff = { 0 };

	for (int i = 0; i < 10; i++) {
		backoff_started(&backoff, 10 * S);
		backoff_orderly(&backoff, 11 * S);
		ck_assert_int_eq(backoff_ended(&backoff, 11 * S), 0);
	}
	backoff_orderly(&backoff, 11 * S - 1);
	ck_assert_int_eq(backoff_ended(&backoff, 11 * S - 1), 100);
	backoff_orderly(&backoff, 11 * S - 1);
	ck_assert_int_eq(backoff_ended(&backoff, 11 * S - 1), 1000);
}
END_TEST

START_TEST(test_kill_is_no_failure_however_short_the_life)
{
	struct backoff backoff = { 0 };

	ck_assert(backoff_is_kill(W_EXITCODE(0, SIGKILL)));
	ck_assert(backoff_is_kill(W_EXITCODE(0, SIGTERM)));
	ck_assert(!backoff_is_kill(W_EXITCODE(0, SIGSEGV)));
	ck_assert(!backoff_is_kill(W_EXITCODE(SIGKILL, 0)));
	for (int i = 0; i < 10; i++) {
		backoff_started(&backoff, 10 * S);
		backoff_forgive(&backoff);
		ck_assert_int_eq(backoff_ended(&backoff, 10 * S + 1), 0);
	}
}
END_TEST

START_TEST(test_second_crash_within_a_minute_is_suspect)
{
	struct backoff backoff = { 0 };

	ck_assert(!backoff_crashed(&backoff, 10 * S));
	ck_assert(!backoff_crashed(&backoff, 70 * S + 1));
	ck_assert(backoff_crashed(&backoff, 130 * S + 1));
	ck_assert(backoff_crashed(&backoff, 131 * S));
}
END_TEST

static const struct {
	int status;
	bool we_ended_it, crash;
} ends[] = {
	{ W_EXITCODE(0, 0), false, false },       { W_EXITCODE(1, 0), false, false },
	{ W_EXITCODE(0, SIGSEGV), false, true },  { W_EXITCODE(0, SIGBUS), false, true },
	{ W_EXITCODE(0, SIGABRT), false, true },  { W_EXITCODE(0, SIGTERM), false, false },
	{ W_EXITCODE(0, SIGKILL), false, false }, { W_EXITCODE(0, SIGKILL), true, true },
	{ W_EXITCODE(0, SIGTERM), true, true },   { W_EXITCODE(0, 0), true, false },
	{ W_EXITCODE(0, SIGSEGV) | 0x80, false, true }, /* with a core */
};

START_TEST(test_what_counts_as_a_crash)
{
	ck_assert(backoff_is_crash(ends[_i].status, ends[_i].we_ended_it) == ends[_i].crash);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backoff");
	TCase *backoff = tcase_create("backoff");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(backoff, test_waits_grow_to_ten_seconds_and_stay);
	tcase_add_test(backoff, test_life_of_thirty_seconds_begins_anew);
	tcase_add_test(backoff, test_orderly_end_is_no_failure_unless_at_once);
	tcase_add_test(backoff, test_kill_is_no_failure_however_short_the_life);
	tcase_add_test(backoff, test_second_crash_within_a_minute_is_suspect);
	tcase_add_loop_test(backoff, test_what_counts_as_a_crash, 0,
	                    (int)(sizeof(ends) / sizeof(ends[0])));
	suite_add_tcase(suite, backoff);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
