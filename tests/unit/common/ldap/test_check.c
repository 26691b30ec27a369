/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ldap/check.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/base/str.h"
#include "common/conf/opt.h"
#include "common/ldap/attr.h"

/* What one finds of it with file and line, tests/unit/monitor/test_check.c has. */

static TALLOC_CTX *mem;
static struct ldap_conf conf;

static void begin(void)
{
	mem = talloc_new(NULL);
	memset(&conf, 0, sizeof(conf));
	for (const struct opt *opt = ldap_opts; opt->name; opt++) {
		char *reason;

		ck_assert_int_eq(opt_set(mem, opt, opt->fallback, &conf, &reason), 0);
	}
}

static void end(void)
{
	TALLOC_FREE(mem);
}

static int remember(const struct ldap_fault *fault, void *data)
{
	char **told = data;

	*told = talloc_asprintf_append(*told, "%c %s|", "WE"[fault->kind], fault->option);
	return 0;
}

static const char *faults(void)
{
	char *told = talloc_strdup(mem, "");

	ck_assert_int_eq(ldap_check(&conf, "domain/A", remember, &told), 0);
	return told;
}

START_TEST(test_defaults_are_good)
{
	ck_assert_str_eq(faults(), "");
}
END_TEST

static int give_up(const struct ldap_fault *fault, void *data)
{
	(void)fault;
	++*(unsigned *)data;
	return -EPIPE;
}

START_TEST(test_all_are_told_or_as_many_as_are_wanted)
{
	static char bad[] = "http://a", worse[] = "ldap://a:0";
	static char *uris[] = { bad, worse, NULL };
	unsigned n = 0;

	conf.uri = uris;
	conf.user_name = "u id";
	ck_assert_str_eq(faults(), "E ldap_uri|E ldap_uri|E ldap_user_name|");
	ck_assert_int_eq(ldap_check(&conf, "domain/A", give_up, &n), -EPIPE);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(test_where_to_search_must_be_known)
{
	conf.read_rootdse = LDAP_ROOTDSE_NEVER;
	ck_assert_str_eq(faults(), "E ldap_read_rootdse|");
	conf.user_search_base = "dc=x";
	ck_assert_str_eq(faults(), "E ldap_read_rootdse|");
	conf.group_search_base = "dc=x";
	ck_assert_str_eq(faults(), "");
	conf.user_search_base = conf.group_search_base = NULL;
	conf.search_base = "dc=x";
	ck_assert_str_eq(faults(), "");
}
END_TEST

/* A base with a "?" has its own. */
START_TEST(test_filter_counts_where_it_is_used)
{
	conf.user_search_filter = "(a=b";
	ck_assert_str_eq(faults(), "E ldap_user_search_filter|");
	conf.search_base = "dc=x??";
	ck_assert_str_eq(faults(), "");
	conf.user_search_base = "dc=x";
	ck_assert_str_eq(faults(), "E ldap_user_search_filter|");
}
END_TEST

START_TEST(test_password_of_the_bind)
{
	conf.bind_dn = "cn=reader";
	ck_assert_str_eq(faults(), "E ldap_default_bind_dn|");
	conf.sasl_mech = "GSSAPI";
	ck_assert_str_eq(faults(), "");
	ck_assert_int_eq(secret_new(mem, "word", 4, &conf.bind_password), 0);
	conf.sasl_mech = NULL;
	ck_assert_str_eq(faults(), "");
	conf.authtok_type = LDAP_AUTHTOK_OBFUSCATED;
	ck_assert_str_eq(faults(), "E ldap_default_authtok|");
}
END_TEST

START_TEST(test_as_many_extra_attributes_as_there_may_be)
{
	static char item[] = "mail";
	char *items[EXTRA_ATTRS_MAX + 2] = { NULL };

	for (size_t i = 0; i < EXTRA_ATTRS_MAX; i++)
		items[i] = item;
	conf.user_extra_attrs = items;
	ck_assert_str_eq(faults(), "");
	items[EXTRA_ATTRS_MAX] = item;
	ck_assert_str_eq(faults(), "E ldap_user_extra_attrs|");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ldap check");
	TCase *tests = tcase_create("ldap check");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_defaults_are_good);
	tcase_add_test(tests, test_all_are_told_or_as_many_as_are_wanted);
	tcase_add_test(tests, test_where_to_search_must_be_known);
	tcase_add_test(tests, test_filter_counts_where_it_is_used);
	tcase_add_test(tests, test_password_of_the_bind);
	tcase_add_test(tests, test_as_many_extra_attributes_as_there_may_be);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
