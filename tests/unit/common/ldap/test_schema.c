/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ldap/schema.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/conf/ini.h"

static TALLOC_CTX *mem;

static void begin(void)
{
	mem = talloc_new(NULL);
}

static void end(void)
{
	TALLOC_FREE(mem);
}

/* What a domain with these lines reads. */
static struct ldap_conf read_domain(const char *lines)
{
	char *text = talloc_asprintf(mem, "[domain/A]\nid_provider = ldap\n%s", lines);
	struct conf *conf = conf_new(mem);
	struct conf_problem problem;
	struct ldap_conf ldap = { 0 };
	struct ini_error error;
	struct ini *ini;

	ck_assert_int_eq(ini_parse(mem, text, strlen(text), INI_LINE_MAX, &ini, &error), 0);
	ck_assert_int_eq(conf_add(conf, "sssd.conf", ini, text), 0);
	ck_assert_int_eq(conf_seal(conf), 0);
	ck_assert_int_eq(conf_read(conf, mem, "domain/A", ldap_opts, &ldap, &problem), 0);
	schema_set_defaults(conf, "domain/A", &ldap);
	return ldap;
}

/* Upstream's defaults (sssd-ldap-attributes(5)), by schema. */
static const struct {
	const char *option;
	size_t offset;
	const char *names[4]; /* in the order of enum ldap_schema */
} maps[] = {
#define MAP(field) "ldap_" #field, offsetof(struct ldap_conf, field)
	{ MAP(user_object_class), { "posixAccount", "posixAccount", "posixAccount", "user" } },
	{ MAP(user_name), { "uid", "uid", "uid", "sAMAccountName" } },
	{ MAP(user_uid_number), { "uidNumber", "uidNumber", "uidNumber", "uidNumber" } },
	{ MAP(user_gid_number), { "gidNumber", "gidNumber", "gidNumber", "gidNumber" } },
	{ MAP(user_gecos), { "gecos", "gecos", "gecos", "gecos" } },
	{ MAP(user_home_directory),
	  { "homeDirectory", "homeDirectory", "homeDirectory", "unixHomeDirectory" } },
	{ MAP(user_shell), { "loginShell", "loginShell", "loginShell", "loginShell" } },
	{ MAP(user_principal),
	  { "krbPrincipalName", "krbPrincipalName", "krbPrincipalName", "userPrincipalName" } },
	{ MAP(user_fullname), { "cn", "cn", "cn", "name" } },
	{ MAP(user_email), { "mail", "mail", "mail", "mail" } },
	{ MAP(group_object_class), { "posixGroup", "posixGroup", "ipaUserGroup", "group" } },
	{ MAP(group_object_class_alt), { NULL, NULL, "posixGroup", NULL } },
	{ MAP(group_name), { "cn", "cn", "cn", "sAMAccountName" } },
	{ MAP(group_gid_number), { "gidNumber", "gidNumber", "gidNumber", "gidNumber" } },
	{ MAP(group_member), { "memberuid", "member", "member", "member" } },
};
static const char *const schemas[] = { "rfc2307", "rfc2307bis", "ipa", "AD" };

static const char *field(const struct ldap_conf *ldap, size_t offset)
{
	const char *name;

	memcpy(&name, (const char *)ldap + offset, sizeof(name));
	return name;
}

START_TEST(test_defaults_follow_the_schema)
{
	struct ldap_conf ldap =
		read_domain(talloc_asprintf(mem, "ldap_schema = %s\n", schemas[_i]));

	ck_assert_int_eq(ldap.schema, _i);
	for (size_t i = 0; i < str_size(maps); i++)
		ck_assert_pstr_eq(field(&ldap, maps[i].offset), maps[i].names[_i]);
}
END_TEST

START_TEST(test_what_is_written_wins)
{
	for (size_t i = 0; i < str_size(maps); i++) {
		struct ldap_conf ldap = read_domain(talloc_asprintf(
			mem, "ldap_schema = %s\n%s = other\n", schemas[_i], maps[i].option));

		for (size_t k = 0; k < str_size(maps); k++)
			ck_assert_pstr_eq(field(&ldap, maps[k].offset),
			                  k == i ? "other" : maps[k].names[_i]);
	}
}
END_TEST

START_TEST(test_the_default_of_another_schema_may_be_written)
{
	struct ldap_conf ldap = read_domain("ldap_schema = AD\nLDAP_USER_NAME = uid\n"
	                                    "ldap_group_member = memberuid\nldap_user_shell =\n");

	ck_assert_str_eq(ldap.user_name, "uid");
	ck_assert_str_eq(ldap.group_member, "memberuid");
	ck_assert_str_eq(ldap.user_shell, "loginShell");
}
END_TEST

START_TEST(test_only_rfc2307_lists_names)
{
	struct ldap_conf ldap =
		read_domain(talloc_asprintf(mem, "ldap_schema = %s\n", schemas[_i]));

	ck_assert(schema_lists_dns(&ldap) == (_i != LDAP_SCHEMA_RFC2307));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ldap schema");
	TCase *tests = tcase_create("ldap schema");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, test_defaults_follow_the_schema, 0, 4);
	tcase_add_loop_test(tests, test_what_is_written_wins, 0, 4);
	tcase_add_test(tests, test_the_default_of_another_schema_may_be_written);
	tcase_add_loop_test(tests, test_only_rfc2307_lists_names, 0, 4);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
