/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/ldap/parents.h"

#include <check.h>
#include <stdlib.h>

static TALLOC_CTX *mem;
static struct ldap_conf conf;

static void begin(void)
{
	mem = talloc_new(NULL);
	conf = (struct ldap_conf){
		.group_object_class = "posixGroup",
		.group_name = "cn",
		.group_gid_number = "gidNumber",
	};
}

static void end(void)
{
	talloc_free(mem);
}

static const char *filter(const struct asked *asked, size_t n)
{
	char *text = NULL;

	ck_assert_int_eq(parents_filter(mem, &conf, asked, n, &text), 0);
	return text;
}

START_TEST(test_rfc2307_asks_by_name_for_groups_with_a_number)
{
	const struct asked members[] = { { "al*ce" } };

	conf.schema = LDAP_SCHEMA_RFC2307;
	conf.group_member = "memberuid";
	ck_assert_str_eq(filter(members, 1), "(&(memberuid=al\\2ace)(objectclass=posixGroup)(cn=*)"
	                                     "(&(gidNumber=*)(!(gidNumber=0))))");
}
END_TEST

START_TEST(test_rfc2307bis_asks_by_dn_for_any_group)
{
	const struct asked members[] = { { "cn=a,dc=x" }, { "cn=b" } };

	conf.schema = LDAP_SCHEMA_RFC2307BIS;
	conf.group_member = "member";
	ck_assert_str_eq(filter(members, 1),
	                 "(&(member=cn\\3da\\2cdc\\3dx)(objectclass=posixGroup)(cn=*))");
	ck_assert_str_eq(filter(members, 2), "(&(|(member=cn\\3da\\2cdc\\3dx)(member=cn\\3db))"
	                                     "(objectclass=posixGroup)(cn=*))");
}
END_TEST

START_TEST(test_groups_are_asked_for_by_number_as_well)
{
	const struct asked asked[] = { { "cn=a", 7 }, { "cn=b" }, { NULL, 8 } };

	conf.schema = LDAP_SCHEMA_RFC2307BIS;
	conf.group_member = "member";
	ck_assert_str_eq(filter(asked, 3),
	                 "(&(|(gidNumber=7)(gidNumber=8)(member=cn\\3da)(member=cn\\3db))"
	                 "(objectclass=posixGroup)(cn=*))");
	ck_assert_str_eq(filter(asked + 2, 1), "(&(gidNumber=8)(objectclass=posixGroup)(cn=*))");
}
END_TEST

START_TEST(test_group_may_have_either_class)
{
	const struct asked members[] = { { "cn=a" } };

	conf.schema = LDAP_SCHEMA_IPA;
	conf.group_member = "member";
	conf.group_object_class = "ipaUserGroup";
	conf.group_object_class_alt = "posixGroup";
	ck_assert_str_eq(filter(members, 1), "(&(member=cn\\3da)(|(objectclass=ipaUserGroup)"
	                                     "(objectclass=posixGroup))(cn=*))");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parents");
	TCase *tests = tcase_create("filter");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_rfc2307_asks_by_name_for_groups_with_a_number);
	tcase_add_test(tests, test_rfc2307bis_asks_by_dn_for_any_group);
	tcase_add_test(tests, test_groups_are_asked_for_by_number_as_well);
	tcase_add_test(tests, test_group_may_have_either_class);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
