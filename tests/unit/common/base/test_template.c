/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/template.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

static const struct template_value values[] = {
	{ 'u', "alice" }, { 'e', "" }, { 'P', NULL }, { '\0' }
};

static int appends_left = -1; /* before one for which there is no memory; < 0: never */

/* In the place of talloc's. */
char *talloc_strndup_append_buffer(char *text, const char *more, size_t size)
{
	if (appends_left-- == 0)
		return NULL;
	return talloc_asprintf_append_buffer(text, "%.*s", (int)size, more);
}

START_TEST(test_values_are_filled_in)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "/home", "/home" },
		{ "/home/%u", "/home/alice" },
		{ "%u%u/%e/", "alicealice//" },
		{ "%%u is %u, 100%%", "%u is alice, 100%" },
	};

	for (size_t i = 0; i < str_size(cases); i++) {
		auto_talloc char *filled = NULL;

		ck_assert_int_eq(template_fill(NULL, cases[i][0], values, &filled), 0);
		ck_assert_str_eq(filled, cases[i][1]);
		ck_assert_ptr_null(template_fault(cases[i][0], "ueP"));
	}
}
END_TEST

START_TEST(test_without_memory_nothing_is_left_out)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	char *filled = NULL;

	for (int n = 0; n < 3; n++) {
		appends_left = n;
		ck_assert_int_eq(template_fill(mem, "/home/%u/%u/%e", values, &filled), -ENOMEM);
		ck_assert_ptr_null(filled);
	}
	ck_assert_int_eq(template_fill(mem, "/home/%u/%u/%e", values, &filled), 0);
	ck_assert_str_eq(filled, "/home/alice/alice/");
}
END_TEST

START_TEST(test_a_value_that_is_not_there)
{
	char *filled = NULL;

	ck_assert_int_eq(template_fill(NULL, "/home/%u/%P", values, &filled), -ENODATA);
	ck_assert_ptr_null(filled);
}
END_TEST

START_TEST(test_unknown_letters_are_found)
{
	static const struct {
		const char *text;
		size_t at;
	} cases[] = { { "%q", 0 }, { "/x/%", 3 }, { "%%%", 2 }, { "%u%U", 2 }, { "% u", 0 } };

	for (size_t i = 0; i < str_size(cases); i++) {
		char *filled = NULL;

		ck_assert_ptr_eq(template_fault(cases[i].text, "ueP"), cases[i].text + cases[i].at);
		ck_assert_int_eq(template_fill(NULL, cases[i].text, values, &filled), -EINVAL);
		ck_assert_ptr_null(filled);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("template");
	TCase *tcase = tcase_create("template");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_values_are_filled_in);
	tcase_add_test(tcase, test_without_memory_nothing_is_left_out);
	tcase_add_test(tcase, test_a_value_that_is_not_there);
	tcase_add_test(tcase, test_unknown_letters_are_found);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
