/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/str.h"

#include <check.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unistr.h>

#include "common/base/mem.h"

#define LAST_CODE_POINT 0x1ffff /* no letter above has a case */

/* CaseFolding.txt, lines of the statuses C and S; what only F or T has must not change. */
/* clang-format off */
static const struct {
	const char *text, *folded;
} cases[] = {
	{ "", "" },
	{ "alice", "alice" },
	{ "Alice@EXAMPLE.COM", "alice@example.com" },
	{ "@[`{_-.0", "@[`{_-.0" }, /* the neighbours of A-Z and a-z */
	{ "JÜRGEN", "jürgen" },
	{ "Straße", "straße" },     /* F: strasse */
	{ "STRAẞE", "straße" },     /* S */
	{ "İ", "İ" },               /* F and T only */
	{ "ı", "ı" },
	{ "I", "i" },               /* T: ı */
	{ "ΣΊΣΥΦΟΣ", "σίσυφοσ" },
	{ "σίσυφος", "σίσυφοσ" },   /* the final sigma folds */
	{ "ǅ", "ǆ" },               /* title case */
	{ "K", "k" },               /* U+212A, the Kelvin sign */
	{ "ſ", "s" },               /* U+017F */
	{ "µ", "μ" },               /* U+00B5 to U+03BC */
	{ "ЁЖИК", "ёжик" },
	{ "ꭰ", "Ꭰ" },               /* Cherokee folds to upper case */
	{ "ᏸ", "Ᏸ" },
	{ "Ⱥ", "ⱥ" },               /* two bytes become three */
	{ "ȺȺȺȺȺȺȺȺ", "ⱥⱥⱥⱥⱥⱥⱥⱥ" },
	{ "𐐀", "𐐨" },               /* outside the first plane */
	{ "漢字", "漢字" },
};
/* clang-format on */

START_TEST(test_fold)
{
	auto_talloc char *folded = NULL;

	ck_assert_int_eq(str_fold(NULL, cases[_i].text, &folded), 0);
	ck_assert_str_eq(folded, cases[_i].folded);
}
END_TEST

START_TEST(test_what_is_not_utf8_is_refused)
{
	static const char *const bad[] = { "alice\xff", "\xc3", "\xc0\xaf", "a\xed\xa0\x80z" };
	auto_talloc void *mem = talloc_new(NULL);
	char *folded = NULL;

	for (size_t i = 0; i < str_size(bad); i++)
		ck_assert_int_eq(str_fold(mem, bad[i], &folded), -EILSEQ);
	ck_assert_ptr_null(folded);
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);
}
END_TEST

START_TEST(test_the_locale_does_not_matter)
{
	auto_talloc char *folded = NULL;

	if (!setlocale(LC_ALL, "tr_TR.UTF-8"))
		setlocale(LC_ALL, "C"); /* not installed: setenv() is what libunistring looks at */
	setenv("LC_ALL", "tr_TR.UTF-8", 1);
	ck_assert_int_eq(str_fold(NULL, "IİıiÜI", &folded), 0);
	ck_assert_str_eq(folded, "iİıiüi");
}
END_TEST

/* The folded form of one code point, by str_fold(). */
static ucs4_t fold(ucs4_t c)
{
	auto_talloc char *folded = NULL;
	uint8_t text[8] = { 0 };
	ucs4_t result;

	if (u8_uctomb(text, c, sizeof(text)) < 0)
		return c; /* a surrogate */
	ck_assert_int_eq(str_fold(NULL, (char *)text, &folded), 0);
	ck_assert_int_eq(u8_strmbtouc(&result, (uint8_t *)folded), strlen(folded));
	return result;
}

START_TEST(test_what_is_folded_stays)
{
	for (ucs4_t c = 1; c <= LAST_CODE_POINT; c++) {
		ucs4_t folded = fold(c);

		if (folded != c)
			ck_assert_uint_eq(fold(folded), folded);
	}
}
END_TEST

/* A second opinion from libunistring's case mappings, which do not come from CaseFolding.txt. */
static ucs4_t mapped(ucs4_t c)
{
	return uc_tolower(uc_toupper(c));
}

START_TEST(test_what_folds_together_has_the_same_lower_case)
{
	size_t folding = 0;

	for (ucs4_t c = 1; c <= LAST_CODE_POINT; c++) {
		ucs4_t folded = fold(c);

		if (folded == c)
			continue;
		folding++;
		/* An older library may not know the pair at all. */
		if (mapped(c) != c || mapped(folded) != folded)
			ck_assert_uint_eq(mapped(c), mapped(folded));
	}
	ck_assert_uint_ge(folding, 1454); /* Unicode 15.0 */
}
END_TEST

/* No row of the table is missing where no library differs: scripts that had case long ago. */
START_TEST(test_what_has_a_lower_case_folds)
{
	for (ucs4_t c = 1; c < 0x1c80; c++) {
		bool cherokee = c >= 0x13a0 && c <= 0x13ff, turkish = c == 0x130 || c == 0x131;

		if (mapped(c) != c && !cherokee && !turkish)
			ck_assert_uint_ne(fold(c), c);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fold");
	TCase *folding = tcase_create("fold");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(folding, 60);
	tcase_add_loop_test(folding, test_fold, 0, (int)str_size(cases));
	tcase_add_test(folding, test_what_is_not_utf8_is_refused);
	tcase_add_test(folding, test_the_locale_does_not_matter);
	tcase_add_test(folding, test_what_is_folded_stays);
	tcase_add_test(folding, test_what_folds_together_has_the_same_lower_case);
	tcase_add_test(folding, test_what_has_a_lower_case_folds);
	suite_add_tcase(suite, folding);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
