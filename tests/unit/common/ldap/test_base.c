/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ldap/base.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/ldap/dn.h"

static TALLOC_CTX *mem;

static void begin(void)
{
	mem = talloc_new(NULL);
}

static void end(void)
{
	talloc_free(mem);
}

enum { BASE, ONELEVEL, SUBTREE };

/* clang-format off */
static const struct {
	const char *text;
	size_t count;
	struct base bases[3];
} good[] = {
	{ "dc=x", 1, { { "dc=x", SUBTREE, NULL } } },
	{ "", 1, { { "", SUBTREE, NULL } } },
	{ "dc=x?base?", 1, { { "dc=x", BASE, NULL } } },
	{ "dc=x?OneLevel?", 1, { { "dc=x", ONELEVEL, NULL } } },
	{ "dc=x??", 1, { { "dc=x", SUBTREE, NULL } } },
	{ "dc=x?sub?(a=b)", 1, { { "dc=x", SUBTREE, "(a=b)" } } },
	{ "dc=x?subtree?a=b", 1, { { "dc=x", SUBTREE, "(a=b)" } } },
	{ "dc=x?subtree?(&(a=b)(!(c=?)))", 1, { { "dc=x", SUBTREE, "(&(a=b)(!(c=?)))" } } },
	{ "dc=x?one??dc=y?base?(a=b)", 2, { { "dc=x", ONELEVEL, NULL }, { "dc=y", BASE, "(a=b)" } } },
	{ "dc=x?sub?(q=1?2)?dc=y??", 2, { { "dc=x", SUBTREE, "(q=1?2)" }, { "dc=y", SUBTREE, NULL } } },
	{ "dc=x???dc=y???dc=z??", 3,
	  { { "dc=x", SUBTREE, NULL }, { "dc=y", SUBTREE, NULL }, { "dc=z", SUBTREE, NULL } } },
	{ "ou=People, dc=ex ample,dc=com", 1, { { "ou=People, dc=ex ample,dc=com", SUBTREE, NULL } } },
};

static const char *const bad[] = {
	"dc=x?everything",
	"dc=x?everything?",
	"dc=x?sub",
	"dc=x?sub??dc=y?sub",
	"dc=x?sub??dc=y",
	"dc=x?sub?(a=b",
	"dc=x?sub?(a=b))",
	"dc=x?sub?a=b)",
	"dc=x?sub?)a=b(",
	"dc=x?sub?(a=b)(c=d)",
	"dc=x?sub?(a=b)c",
};
/* clang-format on */

START_TEST(test_understood)
{
	struct bases bases;

	ck_assert_int_eq(bases_parse(mem, good[_i].text, &bases), 0);
	ck_assert_uint_eq(bases.count, good[_i].count);
	for (size_t i = 0; i < bases.count; i++) {
		ck_assert_str_eq(bases.items[i].dn, good[_i].bases[i].dn);
		ck_assert_int_eq(bases.items[i].scope, good[_i].bases[i].scope);
		ck_assert_pstr_eq(bases.items[i].filter, good[_i].bases[i].filter);
	}
}
END_TEST

START_TEST(test_refused)
{
	struct bases bases;

	ck_assert_int_eq(bases_parse(mem, bad[_i], &bases), -EINVAL);
}
END_TEST

START_TEST(test_a_dn_is_narrowed)
{
	static const char *const filters[][2] = { { "(a=b)", "(a=b)" },
		                                  { "a=b", "(a=b)" },
		                                  { "(a=?)", "(a=?)" },
		                                  { "", NULL },
		                                  { NULL, NULL } };
	static const char *const refused[] = { "(a=b", "(a=b)(c=d)", "a=b?", "a=b)" };
	struct bases bases;

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		ck_assert_int_eq(bases_of_dn(mem, "dc=x", &bases), 0);
		ck_assert_int_eq(bases_narrow(&bases, ONELEVEL, filters[i][0]), 0);
		ck_assert_int_eq(bases.items[0].scope, ONELEVEL);
		ck_assert_pstr_eq(bases.items[0].filter, filters[i][1]);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ck_assert_int_eq(bases_narrow(&bases, SUBTREE, refused[i]), -EINVAL);
}
END_TEST

START_TEST(test_as_many_as_there_may_be_and_no_more)
{
	char *text = talloc_strdup(mem, "dc=x??");
	struct bases bases;

	for (int i = 1; i < BASES_MAX; i++)
		text = talloc_strdup_append(text, "?dc=x??");
	ck_assert_int_eq(bases_parse(mem, text, &bases), 0);
	ck_assert_uint_eq(bases.count, BASES_MAX);
	text = talloc_strdup_append(text, "?dc=x??");
	ck_assert_int_eq(bases_parse(mem, text, &bases), -EINVAL);
}
END_TEST

START_TEST(test_who_may_be_found_below_a_base)
{
	static const struct {
		const char *base, *dn;
		int r;
	} rows[] = {
		{ "dc=x", "uid=a,dc=x", 0 },
		{ "dc=x", "uid=a,DC=X", 0 },
		{ "dc=x", "uid=a, dc = x", 0 },
		{ "dc=x", "dc=x", 0 },
		{ "dc=x", "uid=a,ou=p,dc=x", 0 },
		{ "dc=x", "uid=a,dc=y", -ENOENT },
		{ "dc=x", "uid=a,adc=x", -ENOENT },
		{ "dc=x", "uid=a\\,dc=x", -ENOENT },
		{ "dc=x", "uid=a\\\\,dc=x", 0 },
		{ "dc=x", "uid=a,dc=x,dc=y", -ENOENT },
		{ "dc=x", "", -ENOENT },
		{ "dc=x", ",dc=x", -ENOENT },
		{ "dc=x", "no DN", -ENOENT },
		{ "dc=x?one?", "uid=a,dc=x", 0 },
		{ "dc=x?one?", "uid=a,ou=p,dc=x", -ENOENT },
		{ "dc=x?one?", "dc=x", -ENOENT },
		{ "dc=x?base?", "dc=x", 0 },
		{ "dc=x?base?", "uid=a,dc=x", -ENOENT },
		{ "", "uid=a,dc=x", 0 },
		{ "", "no DN", 0 },
		{ "what is this", "uid=a,dc=x", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bases bases;

		ck_assert_int_eq(bases_parse(mem, rows[i].base, &bases), 0);
		ck_assert_msg(base_holds(&bases.items[0], rows[i].dn) == rows[i].r, "%s: %s",
		              rows[i].base, rows[i].dn);
	}
}
END_TEST

START_TEST(test_what_bases_hold)
{
	static const struct {
		const char *bases, *dn;
		bool might, would;
	} rows[] = {
		{ "dc=x", "uid=a,dc=x", true, true },
		{ "dc=x", "uid=a,dc=y", false, false },
		{ "dc=x?sub?(a=b)", "uid=a,dc=x", true, false },
		{ "dc=y?sub??dc=x?sub?(a=b)", "uid=a,dc=x", true, false },
		{ "dc=x?sub?(a=b)?dc=x?one?", "uid=a,dc=x", true, true },
		{ "<GUID=1>", "uid=a,dc=x", true, false },
		{ "<WKGUID=1,dc=x>?one?(a=b)", "uid=a,dc=x", true, false },
		{ "dc=y?sub?(a=b)?<GUID=1>?sub?", "uid=a,dc=x", true, false },
		{ "<GUID=1>?sub??dc=x?sub?", "uid=a,dc=x", true, true },
	};
	struct bases none = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bases bases;
		struct dn dn;

		ck_assert_int_eq(bases_parse(mem, rows[i].bases, &bases), 0);
		ck_assert_int_eq(dn_parse(mem, rows[i].dn, &dn), 0);
		ck_assert_msg(bases_hold(&bases, dn.key, false) == rows[i].might, "%s: %s",
		              rows[i].bases, rows[i].dn);
		ck_assert_msg(bases_hold(&bases, dn.key, true) == rows[i].would, "%s: %s",
		              rows[i].bases, rows[i].dn);
	}
	ck_assert(!bases_hold(&none, "uid=a,dc=x", false));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tests = tcase_create("base");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, test_understood, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tests, test_refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tests, test_a_dn_is_narrowed);
	tcase_add_test(tests, test_as_many_as_there_may_be_and_no_more);
	tcase_add_test(tests, test_who_may_be_found_below_a_base);
	tcase_add_test(tests, test_what_bases_hold);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
