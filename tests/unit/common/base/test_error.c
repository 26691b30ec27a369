/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/error.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "common/base/str.h"

START_TEST(test_our_codes_have_their_texts)
{
	static const struct {
		int code;
		const char *name, *text;
	} expected[] = {
#define X(code, text) { code, #code, text },
		ERROR_LIST(X)
#undef X
	};

	for (size_t i = 0; i < str_size(expected); i++) {
		ck_assert_int_gt(expected[i].code, ERROR_FIRST);
		ck_assert_str_eq(error_text(-expected[i].code), expected[i].text);
		ck_assert_str_eq(error_name(-expected[i].code), expected[i].name);
	}
}
END_TEST

START_TEST(test_errno_has_its_own)
{
	ck_assert_str_eq(error_text(-ENOENT), "No such file or directory");
	ck_assert_str_eq(error_name(-ENOENT), "ENOENT");
	ck_assert_str_eq(error_name(-ETIMEDOUT), "ETIMEDOUT");
	ck_assert_str_eq(error_text(0), "Success");
}
END_TEST

START_TEST(test_what_is_no_code_is_unknown)
{
	static const int codes[] = { 5, ERROR_FIRST, -ERROR_FIRST, -1000, -3000, INT_MIN, INT_MAX };

	for (size_t i = 0; i < str_size(codes); i++) {
		ck_assert_str_eq(error_text(codes[i]), "unknown error");
		ck_assert_str_eq(error_name(codes[i]), "UNKNOWN");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *error = tcase_create("error");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(error, test_our_codes_have_their_texts);
	tcase_add_test(error, test_errno_has_its_own);
	tcase_add_test(error, test_what_is_no_code_is_unknown);
	suite_add_tcase(suite, error);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
