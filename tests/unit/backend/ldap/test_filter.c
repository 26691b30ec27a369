/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/ldap/filter.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static TALLOC_CTX *mem;

static void begin(void)
{
	mem = talloc_new(NULL);
}

static void end(void)
{
	talloc_free(mem);
}

static const char *equal(const char *value)
{
	struct filter filter = filter_new();
	char *text = NULL;

	filter_equal(&filter, "uid", value);
	ck_assert_int_eq(filter_end(&filter, mem, &text), 0);
	return text;
}

START_TEST(test_plain_value_stays_plain)
{
	ck_assert_str_eq(equal("alice"), "(uid=alice)");
	ck_assert_str_eq(equal("a.b-c_d@EXAMPLE 9"), "(uid=a.b-c_d@EXAMPLE 9)");
	ck_assert_str_eq(equal(""), "(uid=)");
}
END_TEST

START_TEST(test_special_bytes_are_escaped)
{
	ck_assert_str_eq(equal("*"), "(uid=\\2a)");
	ck_assert_str_eq(equal("a)(uid=*"), "(uid=a\\29\\28uid\\3d\\2a)");
	ck_assert_str_eq(equal("\\"), "(uid=\\5c)");
	ck_assert_str_eq(equal("\x01\xff\xc3\xa4"), "(uid=\\01\\ff\\c3\\a4)");
}
END_TEST

static int hex(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Whatever the value: it comes out again, and nothing of it can be taken for syntax. */
START_TEST(test_any_bytes_stay_the_value)
{
	unsigned seed = 7;

	for (int round = 0; round < 5000; round++) {
		char value[40], back[40];
		size_t size = (size_t)rand_r(&seed) % (sizeof(value) - 1), n = 0;
		const char *text;

		for (size_t i = 0; i < size; i++)
			value[i] = (char)(rand_r(&seed) % 255 + 1);
		value[size] = '\0';

		text = equal(value);
		ck_assert(strncmp(text, "(uid=", 5) == 0);
		for (text += 5; text[1]; text++) {
			ck_assert(!strchr("()*=&|!<>~/:", *text));
			if (*text == '\\') {
				back[n++] = (char)(hex(text[1]) << 4 | hex(text[2]));
				text += 2;
			} else {
				back[n++] = *text;
			}
		}
		ck_assert_int_eq(*text, ')');
		back[n] = '\0';
		ck_assert_str_eq(back, value);
	}
}
END_TEST

START_TEST(test_parts_make_a_whole)
{
	struct filter filter = filter_new();
	char *text;

	filter_open(&filter, '&');
	filter_equal(&filter, "uid", "alice");
	filter_open(&filter, '|');
	filter_present(&filter, "uidNumber");
	filter_open(&filter, '!');
	filter_equal_number(&filter, "uidNumber", 4294967295u);
	filter_close(&filter);
	filter_close(&filter);
	filter_raw(&filter, "(x=y)");
	filter_raw(&filter, NULL);
	filter_close(&filter);
	ck_assert_int_eq(filter_end(&filter, mem, &text), 0);
	ck_assert_str_eq(text, "(&(uid=alice)(|(uidNumber=*)(!(uidNumber=4294967295)))(x=y))");
}
END_TEST

START_TEST(test_too_long_is_told)
{
	char *value = talloc_size(mem, 400000), *text = NULL;
	struct filter filter = filter_new();

	memset(value, '*', 399999);
	value[399999] = '\0';
	filter_equal(&filter, "uid", value);
	ck_assert_int_eq(filter_end(&filter, mem, &text), -EMSGSIZE);
	ck_assert_ptr_null(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tests = tcase_create("filter");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_plain_value_stays_plain);
	tcase_add_test(tests, test_special_bytes_are_escaped);
	tcase_add_test(tests, test_any_bytes_stay_the_value);
	tcase_add_test(tests, test_parts_make_a_whole);
	tcase_add_test(tests, test_too_long_is_told);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
