/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ident/name.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static const struct {
	const char *text, *name, *domain;
} splits[] = {
	{ "alice", "alice", NULL },
	{ "alice@LDAP", "alice", "LDAP" },
	{ "alice@mail@LDAP", "alice@mail", "LDAP" },
	{ "a@@b", "a@", "b" },
	{ "LDAP\\alice", "LDAP\\alice", NULL },
	{ "Andr\xc3\xa9@LDAP", "Andr\xc3\xa9", "LDAP" },
	{ " @ ", " ", " " },
};

START_TEST(test_the_last_at_separates)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct name_parts parts;

	ck_assert_int_eq(name_split(mem, splits[_i].text, &parts), 0);
	ck_assert_str_eq(parts.name, splits[_i].name);
	ck_assert_pstr_eq(parts.domain, splits[_i].domain);
	talloc_free(mem);
}
END_TEST

START_TEST(test_empty_parts_are_refused)
{
	static const char *const texts[] = { "", "@", "@LDAP", "alice@", "a@b@", "@@" };
	TALLOC_CTX *mem = talloc_new(NULL);
	struct name_parts parts = { "before", "before" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(name_split(mem, texts[i], &parts), -EINVAL);
	ck_assert_str_eq(parts.name, "before");
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);
	talloc_free(mem);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("name");
	TCase *split = tcase_create("split");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(split, test_the_last_at_separates, 0,
	                    sizeof(splits) / sizeof(splits[0]));
	tcase_add_test(split, test_empty_parts_are_refused);
	suite_add_tcase(suite, split);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
