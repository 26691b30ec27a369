/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/conf/naming.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"

/* upstream's default, written out; and the form of AD */
#define AT    "^((?P<name>.+)@(?P<domain>[^@]*)|(?P<name>[^@]+))$"
#define SLASH "^((?P<domain>[^\\\\]*)\\\\(?P<name>.+)|(?P<name>[^\\\\]+))$"

static const struct {
	const char *expression, *text, *name, *domain; /* name NULL: it is none */
} splits[] = {
	{ NULL, "alice", "alice", NULL },
	{ NULL, "alice@LDAP", "alice", "LDAP" },
	{ NULL, "a@b@LDAP", "a@b", "LDAP" },
	{ NULL, "alice@", "alice", NULL },
	{ NULL, "@LDAP", NULL, NULL },
	{ NULL, "", NULL, NULL },
	{ AT, "alice", "alice", NULL },
	{ AT, "alice@LDAP", "alice", "LDAP" },
	{ AT, "a@b@LDAP", "a@b", "LDAP" },
	{ AT, "alice@", "alice", NULL },
	{ AT, "@LDAP", NULL, NULL },
	{ AT, "", NULL, NULL },
	{ AT, "Ærlig@Ø", "Ærlig", "Ø" },
	{ SLASH, "LDAP\\alice", "alice", "LDAP" },
	{ SLASH, "alice@LDAP", "alice@LDAP", NULL },
	{ SLASH, "\\alice", "alice", NULL },
	{ "(?<name>[a-z]+)", "12alice", "alice", NULL },
	{ "(?<name>x*)", "alice", NULL, NULL },
	{ "(?<name>a\\Kb)", "ab", "ab", NULL }, /* the match begins within the group */
	{ "(?<name>(a+)+)$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
	  NULL },
};

START_TEST(test_split)
{
	auto_talloc struct name_pattern *pattern = NULL;
	struct name_parts parts;
	char *reason;
	bool is_name;

	if (splits[_i].expression)
		ck_assert_int_eq(name_pattern_new(NULL, splits[_i].expression, &pattern, &reason),
		                 0);
	is_name = name_split(pattern, splits[_i].text, &parts);
	ck_assert_msg(is_name == (splits[_i].name != NULL), "%s", splits[_i].text);
	if (!is_name)
		return;
	ck_assert_uint_eq(parts.name_size, strlen(splits[_i].name));
	ck_assert_mem_eq(parts.name, splits[_i].name, parts.name_size);
	ck_assert((parts.domain == NULL) == (splits[_i].domain == NULL));
	ck_assert_uint_eq(parts.domain_size, splits[_i].domain ? strlen(splits[_i].domain) : 0);
	if (parts.domain)
		ck_assert_mem_eq(parts.domain, splits[_i].domain, parts.domain_size);
}
END_TEST

START_TEST(test_what_is_no_expression)
{
	static const char *const bad[] = { "(",  "(?P<name>",      "[a-",
		                           ".+", "(?P<domain>.+)", "(?P<name>\\C)",
		                           "" };

	for (size_t i = 0; i < str_size(bad); i++) {
		auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
		struct name_pattern *pattern = NULL;
		char *reason = NULL;

		ck_assert_int_eq(name_pattern_new(mem, bad[i], &pattern, &reason), -E_CONFIG);
		ck_assert_ptr_null(pattern);
		ck_assert_ptr_nonnull(reason);
		ck_assert_ptr_eq(talloc_parent(reason), mem);
	}
}
END_TEST

static char *written(TALLOC_CTX *mem, const char *format)
{
	struct name_format_walk walk = { format, 0 };
	char *text = talloc_strdup(mem, "");
	struct name_piece piece;

	while (name_format_next(&walk, &piece))
		text = piece.argument ? talloc_asprintf_append(text, "<%u>", piece.argument)
		                      : talloc_strndup_append(text, piece.text, piece.size);
	return text;
}

START_TEST(test_formats)
{
	static const char *const cases[][2] = {
		{ NAME_FORMAT_DEFAULT, "<1>@<2>" }, { "%1$s", "<1>" },
		{ "%3$s\\%1$s", "<3>\\<1>" },       { "%s@%s", "<1>@<2>" },
		{ "%2$s%%%1$s%%", "<2>%<1>%" },
	};

	for (size_t i = 0; i < str_size(cases); i++) {
		auto_talloc char *text = written(NULL, cases[i][0]);

		ck_assert_ptr_null(name_format_fault(cases[i][0]));
		ck_assert_str_eq(text, cases[i][1]);
	}
}
END_TEST

START_TEST(test_what_is_no_format)
{
	static const char *const bad[] = { "",         "name", "%2$s",    "%1$s%",  "%1$d",
		                           "%4$s",     "%0$s", "%1$s %n", "%1$10s", "%*s",
		                           "%s%s%s%s", "%1s$", "%1$s@%2" };

	for (size_t i = 0; i < str_size(bad); i++) {
		auto_talloc char *text = written(NULL, bad[i]);

		ck_assert_ptr_nonnull(text); /* the walk ends */
		ck_assert_msg(name_format_fault(bad[i]) != NULL, "%s", bad[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("naming");
	TCase *tcase = tcase_create("naming");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, test_split, 0, (int)str_size(splits));
	tcase_add_test(tcase, test_what_is_no_expression);
	tcase_add_test(tcase, test_formats);
	tcase_add_test(tcase, test_what_is_no_format);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
