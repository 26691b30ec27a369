/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/mem.h"

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>

static int released;

static void release(int *p)
{
	released += *p;
}
DEFINE_CLEANUP(int *, release)

static int number = 5;

static int *lend(bool give_away)
{
	cleanup_with(release) int *p = &number;

	if (give_away)
		return take_ptr(p);
	return NULL;
}

START_TEST(test_the_end_of_the_scope_releases)
{
	ck_assert_ptr_null(lend(false));
	ck_assert_int_eq(released, 5);
}
END_TEST

START_TEST(test_what_was_taken_is_not_released)
{
	ck_assert_ptr_eq(lend(true), &number);
	ck_assert_int_eq(released, 0);
}
END_TEST

START_TEST(test_null_is_not_released)
{
	{
		cleanup_with(release) int *p = NULL;
		auto_talloc char *text = NULL;
		auto_free char *bytes = NULL;

		ck_assert(!p && !text && !bytes);
	}
	ck_assert_int_eq(released, 0);
}
END_TEST

START_TEST(test_talloc_and_descriptors_end_with_their_scope)
{
	auto_talloc void *parent = talloc_new(NULL);
	int kept;

	{
		auto_talloc char *text = talloc_strdup(parent, "alice");
		auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		ck_assert_str_eq(text, "alice");
		ck_assert_int_ge(fd, 0);
		kept = fd;
	}
	ck_assert_uint_eq(talloc_total_blocks(parent), 1);
	ck_assert_int_eq(fcntl(kept, F_GETFD), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem");
	TCase *mem = tcase_create("mem");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(mem, test_the_end_of_the_scope_releases);
	tcase_add_test(mem, test_what_was_taken_is_not_released);
	tcase_add_test(mem, test_null_is_not_released);
	tcase_add_test(mem, test_talloc_and_descriptors_end_with_their_scope);
	suite_add_tcase(suite, mem);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
