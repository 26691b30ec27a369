/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ldap/attr.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "common/base/str.h"

START_TEST(test_attribute_names)
{
	ck_assert(attr_is_valid("uid"));
	ck_assert(attr_is_valid("userCertificate;binary"));
	ck_assert(attr_is_valid("1.3.6.1.4.1"));
	ck_assert(!attr_is_valid(""));
	ck_assert(!attr_is_valid("uid=*)(x"));
	ck_assert(!attr_is_valid("two words"));
}
END_TEST

static const struct {
	const char *item;
	const char *name, *attr; /* NULL: refused */
} extras[] = {
	{ "mail", "mail", "mail" },
	{ "cell:mobile", "cell", "mobile" },
	{ ":mail" },
	{ "mail:" },
	{ "a)(b" },
	{ "a:b:c" },
	{ "a b:c" },
};

START_TEST(test_extra_attributes)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *name = NULL, *attr = NULL;
	int r = attr_split_extra(mem, extras[_i].item, &name, &attr);

	ck_assert_int_eq(r, extras[_i].name ? 0 : -EINVAL);
	ck_assert_pstr_eq(name, extras[_i].name);
	ck_assert_pstr_eq(attr, extras[_i].attr);
	talloc_free(mem);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attr");
	TCase *tests = tcase_create("attr");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, test_attribute_names);
	tcase_add_loop_test(tests, test_extra_attributes, 0, (int)str_size(extras));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
