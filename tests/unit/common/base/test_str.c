/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/str.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* clang-format off */
static const struct {
	const char *text;
	int r;
	uint64_t value;
} numbers[] = {
	{ "0", 0, 0 },
	{ "007", 0, 7 },
	{ "4294967295", 0, UINT32_MAX },
	{ "4294967296", 0, 4294967296 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "99999999999999999999999999", -ERANGE, 0 },
	{ "0x0", 0, 0 },
	{ "0X1f", 0, 31 },
	{ "0xFfFfFfFfFfFfFfFf", 0, UINT64_MAX },
	{ "0x10000000000000000", -ERANGE, 0 },
	{ NULL, -EINVAL, 0 },
	{ "", -EINVAL, 0 },
	{ "0x", -EINVAL, 0 },
	{ "x1", -EINVAL, 0 },
	{ "1f", -EINVAL, 0 },
	{ "0xg", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "1.5", -EINVAL, 0 },
	{ "99999999999999999999999999x", -EINVAL, 0 },
	{ "\xd9\xa1", -EINVAL, 0 }, /* U+0661, a digit elsewhere */
};
/* clang-format on */

START_TEST(test_u64)
{
	uint64_t value = 99;

	ck_assert_int_eq(str_to_u64(numbers[_i].text, &value), numbers[_i].r);
	ck_assert_uint_eq(value, numbers[_i].r < 0 ? 99 : numbers[_i].value);
}
END_TEST

START_TEST(test_u32_has_its_own_range)
{
	uint32_t value = 99;

	ck_assert_int_eq(str_to_u32("4294967296", &value), -ERANGE);
	ck_assert_int_eq(str_to_u32("99999999999999999999", &value), -ERANGE);
	ck_assert_int_eq(str_to_u32("one", &value), -EINVAL);
	ck_assert_uint_eq(value, 99);
	ck_assert_int_eq(str_to_u32("4294967295", &value), 0);
	ck_assert_uint_eq(value, UINT32_MAX);
}
END_TEST

START_TEST(test_i64_takes_one_minus)
{
	int64_t value = 99;

	ck_assert_int_eq(str_to_i64("-9223372036854775808", &value), 0);
	ck_assert(value == INT64_MIN);
	ck_assert_int_eq(str_to_i64("9223372036854775807", &value), 0);
	ck_assert(value == INT64_MAX);
	ck_assert_int_eq(str_to_i64("-0", &value), 0);
	ck_assert_int_eq(value, 0);
	ck_assert_int_eq(str_to_i64("-9223372036854775809", &value), -ERANGE);
	ck_assert_int_eq(str_to_i64("9223372036854775808", &value), -ERANGE);
	ck_assert_int_eq(str_to_i64("--1", &value), -EINVAL);
	ck_assert_int_eq(str_to_i64("-", &value), -EINVAL);
	ck_assert_int_eq(str_to_i64(NULL, &value), -EINVAL);
	ck_assert_int_eq(value, 0);
}
END_TEST

START_TEST(test_bool_is_true_or_false_in_any_case)
{
	static const char *const wrong[] = { NULL, "", "yes", "1", "truee", "tru", " true" };
	bool value = false;

	ck_assert_int_eq(str_to_bool("TrUe", &value), 0);
	ck_assert(value);
	for (size_t i = 0; i < str_size(wrong); i++)
		ck_assert_int_eq(str_to_bool(wrong[i], &value), -EINVAL);
	ck_assert(value);
	ck_assert_int_eq(str_to_bool("FALSE", &value), 0);
	ck_assert(!value);
}
END_TEST

/* clang-format off */
static const struct {
	const char *text, *items; /* items with a '|' behind each */
} splits[] = {
	{ "", "" },
	{ ",", "" },
	{ " , \t,", "" },
	{ "nss", "nss|" },
	{ "nss,pam", "nss|pam|" },
	{ "  nss , pam\t,\n", "nss|pam|" },
	{ ",,a b,,c,", "a b|c|" },
};
/* clang-format on */

START_TEST(test_split_trims_and_drops_empty_items)
{
	auto_talloc char **items = NULL;
	char joined[100] = "";

	ck_assert_int_eq(str_split(NULL, splits[_i].text, ',', &items), 0);
	for (char **item = items; *item; item++) {
		strcat(joined, *item);
		strcat(joined, "|");
	}
	ck_assert_str_eq(joined, splits[_i].items);
}
END_TEST

START_TEST(test_a_list_contains_whole_items)
{
	char *const items[] = { (char *)"nss", (char *)"Pam", NULL };

	ck_assert(str_list_contains(items, "nss"));
	ck_assert(str_list_contains(items, "Pam"));
	ck_assert(!str_list_contains(items, "pam"));
	ck_assert(!str_list_contains(items, "ns"));
	ck_assert(!str_list_contains(items, "nsss"));
	ck_assert(!str_list_contains(NULL, "nss"));
	ck_assert(str_list_contains_nocase(items, "pAM"));
	ck_assert(str_list_contains_nocase(items, "NSS"));
	ck_assert(!str_list_contains_nocase(items, "NSSS"));
	ck_assert(!str_list_contains_nocase(items, "NS"));
	ck_assert(!str_list_contains_nocase(NULL, "nss"));
}
END_TEST

/* RFC 3629 section 4, and what it forbids. */
/* clang-format off */
static const struct {
	const char *text;
	bool good;
} utf8[] = {
	{ "", true },
	{ "alice", true },
	{ "\xc2\x80", true },
	{ "\xdf\xbf", true },
	{ "\xe0\xa0\x80", true },
	{ "\xed\x9f\xbf", true },
	{ "\xee\x80\x80", true },
	{ "\xf0\x90\x80\x80", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "\x80", false },             /* continues nothing */
	{ "\xc0\xaf", false },         /* overlong '/' */
	{ "\xc1\xbf", false },
	{ "\xe0\x9f\xbf", false },     /* overlong */
	{ "\xf0\x8f\xbf\xbf", false }, /* overlong */
	{ "\xed\xa0\x80", false },     /* a surrogate */
	{ "\xed\xbf\xbf", false },
	{ "\xf4\x90\x80\x80", false }, /* above U+10FFFF */
	{ "\xf8\x88\x80\x80\x80", false },
	{ "\xfe", false },
	{ "\xff", false },
	{ "a\xc3", false },            /* cut */
	{ "\xe2\x82", false },
	{ "\xc3(", false },
};
/* clang-format on */

START_TEST(test_utf8)
{
	size_t size = strlen(utf8[_i].text);
	char *exact = malloc(size ? size : 1);

	memcpy(exact, utf8[_i].text, size);
	ck_assert_int_eq(str_is_utf8(exact, size), utf8[_i].good);
	free(exact);
}
END_TEST

/* clang-format off */
static const struct {
	const char *a, *b;
	unsigned limit, distance;
} distances[] = {
	{ "", "", 2, 0 },
	{ "ldap_uri", "ldap_uri", 0, 0 },
	{ "ldap_uri", "ldap_url", 2, 1 },
	{ "ldap_uri", "ldap_ur", 2, 1 },
	{ "ldap_uri", "ldap_urii", 2, 1 },
	{ "ldap_uri", "Ldap_uri", 2, 1 },
	{ "ldap_uri", "lapd_uri", 2, 2 }, /* two letters changed places */
	{ "kitten", "sitting", 3, 3 },
	{ "kitten", "sitting", 2, 3 },    /* more than the limit: limit + 1 */
	{ "kitten", "sitting", 9, 3 },
	{ "", "abc", 2, 3 },
	{ "", "ab", 2, 2 },
	{ "access_provider", "id_provider", 2, 3 },
	{ "abc", "xyz", 0, 1 },
};
/* clang-format on */

START_TEST(test_distance)
{
	ck_assert_uint_eq(str_distance(distances[_i].a, distances[_i].b, distances[_i].limit),
	                  distances[_i].distance);
	ck_assert_uint_eq(str_distance(distances[_i].b, distances[_i].a, distances[_i].limit),
	                  distances[_i].distance);
}
END_TEST

/* clang-format off */
static const struct {
	const char *text, *shown;
} printables[] = {
	{ "", "" },
	{ "alice", "alice" },
	{ "J\xc3\xbcrgen", "J\xc3\xbcrgen" },
	{ "a\nb\x1b[31m\x7f", "a\\x0ab\\x1b[31m\\x7f" },
	{ "a\\b", "a\\x5cb" },
	{ "\xff\xc3", "\\xff\\xc3" },
	{ "\xe2\x82 x", "\\xe2\\x82 x" },
	{ "\xc2\x9b" "2J", "\\xc2\\x9b2J" },       /* CSI in one character */
	{ "\xe2\x80\xae" "abc", "\\xe2\\x80\\xae" "abc" }, /* right-to-left override */
	{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },     /* line separator */
};
/* clang-format on */

START_TEST(test_printable_shows_what_would_be_obeyed)
{
	size_t size = strlen(printables[_i].text);
	char *exact = malloc(size ? size : 1);
	auto_talloc char *shown = NULL;

	memcpy(exact, printables[_i].text, size);
	shown = str_printable(NULL, exact, size);
	ck_assert_str_eq(shown, printables[_i].shown);
	free(exact);
}
END_TEST

START_TEST(test_printable_shows_a_nul_too)
{
	auto_talloc char *shown = str_printable(NULL, "a\0b", 3);

	ck_assert_str_eq(shown, "a\\x00b");
}
END_TEST

/* Each text is one that fills the buffer to its last byte, or nearly. */
START_TEST(test_printable_is_cut_after_128_bytes)
{
	char text[1000], expected[200];
	auto_talloc char *plain = NULL, *exact = NULL, *hidden = NULL, *wide = NULL;

	memset(text, 'x', sizeof(text));
	plain = str_printable(NULL, text, sizeof(text));
	memset(expected, 'x', 128);
	strcpy(expected + 128, "...");
	ck_assert_str_eq(plain, expected);
	exact = str_printable(NULL, text, 128);
	ck_assert_uint_eq(strlen(exact), 128);

	memset(text, '\xff', sizeof(text));
	hidden = str_printable(NULL, text, sizeof(text));
	ck_assert_uint_eq(strlen(hidden), 128 + 3);

	/* 127 bytes, then one character that takes 16 */
	memset(text, 'x', 127);
	memcpy(text + 127, "\xf3\xa0\x80\x81", 4); /* U+E0001, a language tag */
	wide = str_printable(NULL, text, sizeof(text));
	ck_assert_str_eq(wide + 127, "\\xf3\\xa0\\x80\\x81...");
}
END_TEST

START_TEST(test_file_name_has_no_path_in_it)
{
	auto_talloc char *plain = str_file_name(NULL, "corp-1.Example");
	auto_talloc char *other = str_file_name(NULL, "../a_b \xc3\xa4");

	ck_assert_str_eq(plain, "corp-1.Example");
	ck_assert_str_eq(other, ".._2fa_5fb_20_c3_a4");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("str");
	TCase *str = tcase_create("str");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(str, test_u64, 0, (int)str_size(numbers));
	tcase_add_test(str, test_u32_has_its_own_range);
	tcase_add_test(str, test_i64_takes_one_minus);
	tcase_add_test(str, test_bool_is_true_or_false_in_any_case);
	tcase_add_loop_test(str, test_split_trims_and_drops_empty_items, 0, (int)str_size(splits));
	tcase_add_test(str, test_a_list_contains_whole_items);
	tcase_add_loop_test(str, test_utf8, 0, (int)str_size(utf8));
	tcase_add_loop_test(str, test_distance, 0, (int)str_size(distances));
	tcase_add_loop_test(str, test_printable_shows_what_would_be_obeyed, 0,
	                    (int)str_size(printables));
	tcase_add_test(str, test_printable_shows_a_nul_too);
	tcase_add_test(str, test_printable_is_cut_after_128_bytes);
	tcase_add_test(str, test_file_name_has_no_path_in_it);
	suite_add_tcase(suite, str);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
