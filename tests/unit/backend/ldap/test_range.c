/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/ldap/range.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

/* On a heap copy, which a sanitizer guards. */
static int parse(const char *description, size_t *ret_size, struct range *ret_range)
{
	size_t size = strlen(description);
	char *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, description, size);
	r = range_parse(copy, size, ret_size, ret_range);
	free(copy);
	return r;
}

static const struct {
	const char *description;
	size_t size;
	uint32_t first, next;
} good[] = {
	{ "member;range=0-1499", 6, 0, 1500 },
	{ "member;range=1500-*", 6, 1500, 0 },
	{ "member;range=0-*", 6, 0, 0 },
	{ "member;range=0-0", 6, 0, 1 },
	{ "member;Range=007-8", 6, 7, 9 },
	{ "userCertificate;binary;RANGE=7-7", 22, 7, 8 },
	{ "member;range=999999998-999999999", 6, 999999998, 1000000000 },
	{ "1.2.3;range=1-2", 5, 1, 3 },
	{ ";range=1-2", 0, 1, 3 },
};

START_TEST(test_range_is_read)
{
	struct range range = { 99, 99 };
	size_t size = 99;

	ck_assert_int_eq(parse(good[_i].description, &size, &range), 0);
	ck_assert_uint_eq(size, good[_i].size);
	ck_assert_uint_eq(range.first, good[_i].first);
	ck_assert_uint_eq(range.next, good[_i].next);
}
END_TEST

/* clang-format off */
static const char *const none[] = {
	"", "member", "member;binary", "range=0-1", "memberrange=0-1", "member;ranges=0-1",
	"member;range", "member;range:0-1", "member range=0-1",
};
/* clang-format on */

START_TEST(test_other_descriptions_have_none)
{
	struct range range = { 99, 99 };
	size_t size = 99;

	ck_assert_int_eq(parse(none[_i], &size, &range), -ENOENT);
	ck_assert_uint_eq(size, 99);
	ck_assert_uint_eq(range.first, 99);
}
END_TEST

/* clang-format off */
static const char *const bad[] = {
	"member;range=", "member;range=-", "member;range=*", "member;range=0", "member;range=0-",
	"member;range=-0", "member;range=*-0", "member;range=*-*", "member;range=1-0",
	"member;range=1500-1499", "member;range=x-9", "member;range=0x0-9", "member;range=0-9x",
	"member;range=0-9 ", "member;range= 0-9", "member;range=+0-9", "member;range=0--9",
	"member;range=0-*9", "member;range=0-**", "member;range=0-9;", "member;range=0-9;binary",
	"member;range=0-9;range=10-19", "member;range=0-1000000000", "member;range=1000000000-*",
	"member;range=0-4294967295", "member;range=4294967296-*",
	"member;range=0-99999999999999999999999999", "member;range=0000000000-1",
};
/* clang-format on */

START_TEST(test_range_that_makes_no_sense)
{
	struct range range = { 99, 99 };
	size_t size = 99;

	ck_assert_int_eq(parse(bad[_i], &size, &range), -EBADMSG);
	ck_assert_uint_eq(size, 6);
	ck_assert_uint_eq(range.first, 99);
	ck_assert_uint_eq(range.next, 99);
}
END_TEST

/* Nothing stands behind the bytes, and a NUL among them does not end them. */
START_TEST(test_range_cut_short)
{
	static const char text[] = "member;range=10-19", with_nul[] = "member;range=0-1\0009";
	struct range range;
	size_t size;

	for (size_t n = strlen("member;range="); n < strlen(text) - 1; n++) {
		char *copy = malloc(n);

		memcpy(copy, text, n);
		ck_assert_int_eq(range_parse(copy, n, &size, &range), -EBADMSG);
		free(copy);
	}
	ck_assert_int_eq(range_parse(with_nul, sizeof(with_nul) - 1, &size, &range), -EBADMSG);
}
END_TEST

START_TEST(test_rest_is_asked_for_by_name)
{
	TALLOC_CTX *mem = talloc_new(NULL);

	ck_assert_str_eq(range_from(mem, "member", 1500), "member;range=1500-*");
	ck_assert_str_eq(range_from(mem, "member;range=1500-*", 3000), "member;range=3000-*");
	ck_assert_str_eq(range_from(mem, "cn;lang-en", 7), "cn;lang-en;range=7-*");
	ck_assert_str_eq(range_from(mem, "member", 1000000000), "member;range=1000000000-*");
	talloc_free(mem);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("range");
	TCase *tests = tcase_create("range");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, test_range_is_read, 0, (int)str_size(good));
	tcase_add_loop_test(tests, test_other_descriptions_have_none, 0, (int)str_size(none));
	tcase_add_loop_test(tests, test_range_that_makes_no_sense, 0, (int)str_size(bad));
	tcase_add_test(tests, test_range_cut_short);
	tcase_add_test(tests, test_rest_is_asked_for_by_name);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
