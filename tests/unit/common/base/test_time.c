/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/time.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

START_TEST(test_a_deadline_ahead_has_time_left)
{
	struct deadline deadline = deadline_in_ms(100000);

	ck_assert_int_gt(deadline_left_ms(deadline), 90000);
	ck_assert_int_le(deadline_left_ms(deadline), 100000);
	ck_assert(!deadline_passed(deadline));
}
END_TEST

START_TEST(test_a_deadline_behind_has_none)
{
	struct deadline now = deadline_in_ms(0), before = deadline_in_ms(-5000);

	ck_assert(deadline_passed(now));
	ck_assert_int_eq(deadline_left_ms(now), 0);
	ck_assert(deadline_passed(before));
	ck_assert_int_eq(deadline_left_ms(before), 0);
}
END_TEST

/* Whoever sleeps for what is left must not wake up too early. */
START_TEST(test_what_is_left_is_rounded_up)
{
	for (int i = 0; i < 100; i++) {
		struct deadline deadline = { .us = monotonic_us() + 1000999 };
		int64_t left = deadline_left_ms(deadline);

		ck_assert_int_ge(monotonic_us() + left * 1000, deadline.us);
	}
}
END_TEST

START_TEST(test_no_deadline_never_passes)
{
	struct deadline none = { 0 }, some = deadline_in_ms(5);

	ck_assert(!deadline_passed(none));
	ck_assert_int_eq(deadline_left_ms(none), INT64_MAX);
	ck_assert_int_eq(deadline_earlier(none, some).us, some.us);
	ck_assert_int_eq(deadline_earlier(some, none).us, some.us);
	ck_assert_int_eq(deadline_earlier(none, none).us, 0);
}
END_TEST

START_TEST(test_the_earlier_deadline_wins)
{
	struct deadline soon = deadline_in_ms(5), late = deadline_in_ms(500);

	ck_assert_int_eq(deadline_earlier(soon, late).us, soon.us);
	ck_assert_int_eq(deadline_earlier(late, soon).us, soon.us);
}
END_TEST

/* -1 is "forever" to some callers' configuration; nothing may wrap to "none" or to the past. */
START_TEST(test_huge_times_do_not_wrap)
{
	ck_assert_int_eq(deadline_in_ms(INT64_MAX).us, INT64_MAX);
	ck_assert(!deadline_passed(deadline_in_ms(INT64_MAX / 1000)));
	ck_assert(deadline_passed(deadline_in_ms(INT64_MIN)));
	ck_assert_int_eq(deadline_in_ms(INT64_MIN).us, 1);
}
END_TEST

START_TEST(test_clocks_are_the_kernels)
{
	struct timespec mono, boot;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	ck_assert_int_ge(monotonic_us(), (int64_t)mono.tv_sec * 1000000);
	ck_assert_int_le(monotonic_us(), ((int64_t)mono.tv_sec + 60) * 1000000);
	ck_assert_int_ge(boottime_now().s, boot.tv_sec);
	ck_assert_int_le(boottime_now().s, boot.tv_sec + 60);
	ck_assert_int_le(llabs(walltime_now().s - (int64_t)time(NULL)), 1);
}
END_TEST

START_TEST(test_boot_id_is_the_first_half_of_the_kernels)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	uint64_t a, b, c;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%8" SCNx64 "-%4" SCNx64 "-%4" SCNx64, &a, &b, &c), 3);
	fclose(file);
	ck_assert_uint_eq(boot_id(), a << 32 | b << 16 | c);
	ck_assert_uint_eq(boot_id(), a << 32 | b << 16 | c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("time");
	TCase *clocks = tcase_create("time");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(clocks, test_a_deadline_ahead_has_time_left);
	tcase_add_test(clocks, test_a_deadline_behind_has_none);
	tcase_add_test(clocks, test_what_is_left_is_rounded_up);
	tcase_add_test(clocks, test_no_deadline_never_passes);
	tcase_add_test(clocks, test_the_earlier_deadline_wins);
	tcase_add_test(clocks, test_huge_times_do_not_wrap);
	tcase_add_test(clocks, test_clocks_are_the_kernels);
	tcase_add_test(clocks, test_boot_id_is_the_first_half_of_the_kernels);
	suite_add_tcase(suite, clocks);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
