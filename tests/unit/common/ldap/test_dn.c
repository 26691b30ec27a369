/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ldap/dn.h"

#include <check.h>
#include <errno.h>
#include <ldap.h>
#include <stdlib.h>
#include <string.h>

#include "common/ldap/base.h"

static TALLOC_CTX *mem;

static void begin(void)
{
	mem = talloc_new(NULL);
}

static void end(void)
{
	talloc_free(mem);
}

static const char *key(const char *text)
{
	struct dn dn;

	ck_assert_int_eq(dn_parse(mem, text, &dn), 0);
	return dn.key;
}

/* clang-format off */
static const struct {
	const char *text, *same;
} equal[] = {
	{ "uid=alice,ou=people,dc=x", "uid=alice,ou=people,dc=x" },
	{ "uid=alice,ou=people,dc=x", "UID=Alice, OU=People , DC=X" },
	{ "cn=a  b,dc=x", "cn= a b ,dc=x" },
	{ "cn=a\\2cb,dc=x", "cn=A\\,B,dc=x" },
	{ "cn=\\C3\\86rlig,dc=x", "cn=\xc3\xa6rlig,dc=x" },
	{ "cn=a+uid=b,dc=x", "UID=B+cn=a,dc=x" },
	{ "", "" },
};

static const struct {
	const char *text, *other;
} unequal[] = {
	{ "uid=alice,dc=x", "uid=alice2,dc=x" },
	{ "uid=alice,dc=x", "cn=alice,dc=x" },
	{ "cn=a\\,dc\\=x", "cn=a,dc=x" },
	{ "cn=a\\+uid\\=b,dc=x", "cn=a+uid=b,dc=x" },
	{ "cn=ab,dc=x", "cn=a b,dc=x" },
	{ "cn=\\ff,dc=x", "cn=\\fe,dc=x" },
	{ "cn=\\23ff,dc=x", "cn=\\ff,dc=x" },
};

static const char *const bad[] = {
	"alice", "uid", "uid=alice,", ",dc=x", "uid=alice,,dc=x", "=alice,dc=x", "uid=a\\", "uid=\"a",
	"uid=#zz,dc=x", "uid=alice,ou", "cn=\"a,b\",dc=x",
};

static const struct {
	const char *text, *base;
	int scope;
	bool in;
} scopes[] = {
	{ "uid=a,ou=p,dc=x", "ou=p,dc=x", LDAP_SCOPE_ONELEVEL, true },
	{ "uid=a,ou=p,dc=x", "dc=x", LDAP_SCOPE_ONELEVEL, false },
	{ "uid=a,ou=p,dc=x", "dc=x", LDAP_SCOPE_SUBTREE, true },
	{ "uid=a,ou=p,dc=x", "uid=a,ou=p,dc=x", LDAP_SCOPE_SUBTREE, true },
	{ "uid=a,ou=p,dc=x", "uid=a,ou=p,dc=x", LDAP_SCOPE_BASE, true },
	{ "uid=a,ou=p,dc=x", "uid=a,ou=p,dc=x", LDAP_SCOPE_ONELEVEL, false },
	{ "uid=a,ou=p,dc=x", "ou=p,dc=x", LDAP_SCOPE_BASE, false },
	{ "uid=a,dc=xx", "dc=x", LDAP_SCOPE_SUBTREE, false },
	{ "uid=a,adc=x", "dc=x", LDAP_SCOPE_SUBTREE, false },
	{ "uid=a\\,dc\\=x", "dc=x", LDAP_SCOPE_SUBTREE, false },
	{ "dc=x", "uid=a,dc=x", LDAP_SCOPE_SUBTREE, false },
	{ "uid=a,dc=x", "", LDAP_SCOPE_SUBTREE, true },
	{ "dc=x", "", LDAP_SCOPE_ONELEVEL, true },
	{ "uid=a,dc=x", "", LDAP_SCOPE_ONELEVEL, false },
	{ "", "", LDAP_SCOPE_BASE, true },
	{ "", "", LDAP_SCOPE_ONELEVEL, false },
};
/* clang-format on */

START_TEST(test_same_entry_same_key)
{
	ck_assert_str_eq(key(equal[_i].text), key(equal[_i].same));
}
END_TEST

START_TEST(test_other_entry_other_key)
{
	ck_assert_str_ne(key(unequal[_i].text), key(unequal[_i].other));
}
END_TEST

START_TEST(test_what_is_no_dn_is_refused)
{
	struct dn dn = { 0 };

	ck_assert_int_eq(dn_parse(mem, bad[_i], &dn), -EINVAL);
	ck_assert_ptr_null(dn.key);
}
END_TEST

START_TEST(test_the_longest_is_taken_and_one_byte_more_is_not)
{
	char text[DN_MAX + 2] = "cn=";
	struct dn dn;

	memset(text + 3, 'x', DN_MAX - 3);
	ck_assert_int_eq(dn_parse(mem, text, &dn), 0);
	ck_assert_uint_eq(strlen(dn.value), DN_MAX - 3);
	text[DN_MAX] = 'x';
	ck_assert_int_eq(dn_parse(mem, text, &dn), -EINVAL);
}
END_TEST

START_TEST(test_first_rdn)
{
	struct dn dn;

	ck_assert_int_eq(dn_parse(mem, "CN=Smith\\, John,dc=x", &dn), 0);
	ck_assert_str_eq(dn.attr, "CN");
	ck_assert_str_eq(dn.value, "Smith, John");
	ck_assert(dn.single);

	ck_assert_int_eq(dn_parse(mem, "cn=\\ff+uid=b+sn=c,dc=x", &dn), 0);
	ck_assert_str_eq(dn.attr, "uid");
	ck_assert_str_eq(dn.value, "b");
	ck_assert(!dn.single);
}
END_TEST

/* Nothing to search for: bytes that are not text, a NUL, no RDN at all. */
START_TEST(test_no_first_rdn)
{
	static const char *const texts[] = { "cn=#04026869,dc=x", "cn=\\ff,dc=x", "cn=a\\00b,dc=x",
		                             "" };
	struct dn dn;

	ck_assert_int_eq(dn_parse(mem, texts[_i], &dn), 0);
	ck_assert_ptr_null(dn.attr);
	ck_assert_ptr_null(dn.value);
}
END_TEST

START_TEST(test_scope)
{
	ck_assert_int_eq(
		dn_is_in_scope(key(scopes[_i].text), key(scopes[_i].base), scopes[_i].scope),
		scopes[_i].in);
}
END_TEST

START_TEST(test_bases)
{
	struct bases bases;

	ck_assert_int_eq(bases_parse(mem, "ou=P, dc=x?one??ou=q,dc=x?sub?(a=b)", &bases), 0);
	ck_assert(bases_hold(&bases, key("uid=a,ou=p,dc=x"), true));
	ck_assert(!bases_hold(&bases, key("uid=a,ou=r,ou=p,dc=x"), false));
	ck_assert(bases_hold(&bases, key("uid=a,ou=r,ou=q,dc=x"), false));
	ck_assert(!bases_hold(&bases, key("uid=a,ou=r,ou=q,dc=x"), true));
	ck_assert(!bases_hold(&bases, key("uid=a,dc=y"), false));

	ck_assert_int_eq(bases_of_dn(mem, "dc=X", &bases), 0);
	ck_assert(bases_hold(&bases, key("uid=a,ou=p,dc=x"), true));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dn");
	TCase *tests = tcase_create("dn");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, test_same_entry_same_key, 0, sizeof(equal) / sizeof(equal[0]));
	tcase_add_loop_test(tests, test_other_entry_other_key, 0,
	                    sizeof(unequal) / sizeof(unequal[0]));
	tcase_add_loop_test(tests, test_what_is_no_dn_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tests, test_the_longest_is_taken_and_one_byte_more_is_not);
	tcase_add_test(tests, test_first_rdn);
	tcase_add_loop_test(tests, test_no_first_rdn, 0, 4);
	tcase_add_loop_test(tests, test_scope, 0, sizeof(scopes) / sizeof(scopes[0]));
	tcase_add_test(tests, test_bases);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
