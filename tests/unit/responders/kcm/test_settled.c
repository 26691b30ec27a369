/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Settled time: which steps of the wall clock are believed, and when
 */
#include "responders/kcm/settled.h"

#include <check.h>
#include <stdlib.h>

#define WALL 1000000
#define BOOT 5000

static struct settled settled;

static void setup(void)
{
	settled = settled_begin((struct walltime){ WALL }, (struct boottime){ BOOT });
}

/* What is believed boot_s after the beginning, the clock being step_s ahead of what it was; without
 * WALL. */
static int64_t at(int64_t boot_s, int64_t step_s)
{
	return settled_s(&settled, (struct walltime){ WALL + boot_s + step_s },
	                 (struct boottime){ BOOT + boot_s }) -
	       WALL;
}

START_TEST(test_time_passes)
{
	ck_assert_int_eq(at(0, 0), 0);
	ck_assert_int_eq(at(100, 0), 100);
	ck_assert_int_eq(at(90000, 5), 90005);
	ck_assert_int_eq(at(90001, 30), 90031);
}
END_TEST

START_TEST(test_a_short_step_is_never_believed)
{
	ck_assert_int_eq(at(10, 43200), 10);
	ck_assert_int_eq(at(70, 43200), 70);
	ck_assert_int_eq(at(80, 0), 80);
	/* What was seen of one says nothing about the next. */
	ck_assert_int_eq(at(80 + SETTLED_S, 43200), 80 + SETTLED_S);
	ck_assert_int_eq(at(90 + SETTLED_S, 0), 90 + SETTLED_S);
}
END_TEST

START_TEST(test_a_step_that_lasts_is_believed)
{
	ck_assert_int_eq(at(10, 43200), 10);
	ck_assert_int_eq(at(9 + SETTLED_S, 43201), 9 + SETTLED_S);
	ck_assert_int_eq(at(10 + SETTLED_S, 43200), 10 + SETTLED_S + 43200);
	ck_assert_int_eq(at(11 + SETTLED_S, 43200), 11 + SETTLED_S + 43200);
}
END_TEST

START_TEST(test_a_clock_that_goes_on_stepping_is_not_believed)
{
	for (int i = 1; i < 100; i++)
		ck_assert_int_eq(at(i * 60, i * 3600), i * 60);
}
END_TEST

START_TEST(test_a_step_back_is_believed_at_once)
{
	ck_assert_int_eq(at(10, -43200), 10 - 43200);
	ck_assert_int_eq(at(20, 0), 20 - 43200);
	ck_assert_int_eq(at(20 + SETTLED_S, 0), 20 + SETTLED_S);
}
END_TEST

static void begin_again(int64_t boot_s, int64_t step_s, const struct writer *record)
{
	settled = settled_begin((struct walltime){ WALL + boot_s + step_s },
	                        (struct boottime){ BOOT + boot_s });
	settled_read(&settled, reader_over(record->bytes, record->size));
}

START_TEST(test_the_next_process_believes_no_more)
{
	struct writer record = writer_new(64);

	ck_assert_uint_ne(boot_id(), 0);
	settled_write(&settled, &record);
	begin_again(100, 43200, &record);
	ck_assert_int_eq(at(100, 43200), 100);
	ck_assert_int_eq(at(100 + SETTLED_S, 43200), 100 + SETTLED_S + 43200);
	begin_again(100, -43200, &record);
	ck_assert_int_eq(at(100, -43200), 100 - 43200);
	writer_free(&record);
}
END_TEST

/* Empty is what the file was before it said this. */
START_TEST(test_other_records_say_nothing)
{
	struct writer record = writer_new(64);

	begin_again(100, 43200, &record);
	ck_assert_int_eq(at(100, 43200), 100 + 43200);
	writer_u64(&record, boot_id() + 1);
	writer_u64(&record, WALL - BOOT);
	begin_again(100, 43200, &record);
	ck_assert_int_eq(at(100, 43200), 100 + 43200);
	writer_reset(&record);
	writer_u64(&record, boot_id());
	writer_u64(&record, (uint64_t)INT64_MIN);
	begin_again(100, 43200, &record);
	ck_assert_int_eq(at(100, 43200), 100 + 43200);
	writer_reset(&record);
	writer_u64(&record, boot_id());
	writer_u64(&record, WALL - BOOT);
	writer_u8(&record, 0);
	begin_again(100, 43200, &record);
	ck_assert_int_eq(at(100, 43200), 100 + 43200);
	writer_free(&record);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settled");
	TCase *tcase = tcase_create("settled");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_time_passes);
	tcase_add_test(tcase, test_a_short_step_is_never_believed);
	tcase_add_test(tcase, test_a_step_that_lasts_is_believed);
	tcase_add_test(tcase, test_a_clock_that_goes_on_stepping_is_not_believed);
	tcase_add_test(tcase, test_a_step_back_is_believed_at_once);
	tcase_add_test(tcase, test_the_next_process_believes_no_more);
	tcase_add_test(tcase, test_other_records_say_nothing);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
