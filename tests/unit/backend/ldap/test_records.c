/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries as a directory may hold them, sane and not, made without one.
 */
#include "backend/ldap/records.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static TALLOC_CTX *mem;
static struct entry_values *values;
static const struct id_range any = { 1, 0 };

static void set_bytes(size_t attr, const void *bytes, size_t size)
{
	struct berval *array = values->values[attr];
	size_t n = 0;

	while (array && array[n].bv_val)
		n++;
	array = talloc_realloc(values, array, struct berval, (unsigned)n + 2);
	array[n].bv_val = talloc_size(values, size + 1);
	memcpy(array[n].bv_val, bytes, size);
	array[n].bv_val[size] = '\0';
	array[n].bv_len = size;
	array[n + 1] = (struct berval){ 0 };
	values->values[attr] = array;
}

/* Adds a value. */
static void set(size_t attr, const char *text)
{
	set_bytes(attr, text, strlen(text));
}

static void reset(const char *dn)
{
	talloc_free(values);
	values = talloc_zero(mem, struct entry_values);
	values->dn = talloc_strdup(values, dn);
}

static void begin(void)
{
	mem = talloc_new(NULL);
	values = NULL;
	reset("uid=alice,ou=people,dc=x");
}

static void end(void)
{
	talloc_free(mem);
}

static void alice(void)
{
	set(USER_NAME, "alice");
	set(USER_UID, "10001");
	set(USER_GID, "10002");
	set(USER_GECOS, "Alice A.");
	set(USER_HOME, "/home/alice");
	set(USER_SHELL, "/bin/bash");
	set(USER_PRINCIPAL, "alice@X");
	set(USER_FULLNAME, "Alice");
}

static struct user_rules rules;

static const char *user(const char *asked, struct user *ret_user)
{
	return user_from(values, values, "uid", asked, &any, &rules, ret_user);
}

static void expect_names(const struct names *names, const char *const *expected)
{
	const char *name = NULL;

	while ((name = names_next(names, name))) {
		ck_assert_ptr_nonnull(*expected);
		ck_assert_str_eq(name, *expected++);
	}
	ck_assert_ptr_null(*expected);
}

START_TEST(test_whole_user)
{
	struct user u;

	alice();
	ck_assert_pstr_eq(user("alice", &u), NULL);
	ck_assert_str_eq(u.name, "alice");
	ck_assert_uint_eq(u.uid, 10001);
	ck_assert_uint_eq(u.gid, 10002);
	ck_assert_str_eq(u.gecos, "Alice A.");
	ck_assert_str_eq(u.home, "/home/alice");
	ck_assert_str_eq(u.shell, "/bin/bash");
	ck_assert_str_eq(u.upn, "alice@X");
	ck_assert_str_eq(u.dn, "uid=alice,ou=people,dc=x");
	expect_names(&u.aliases, (const char *const[]){ "alice@X", "alice@x", NULL });
}
END_TEST

START_TEST(test_extra_attributes_are_kept_as_names_and_values)
{
	static char long_value[5000];
	struct user u;

	rules = (struct user_rules){ .extra = { "phone", "photo" }, .n_extra = 2 };
	memset(long_value, 'x', sizeof(long_value) - 1);
	alice();
	set(N_USER_ATTRS, "+1 23");
	set(N_USER_ATTRS, "");
	set(N_USER_ATTRS, "a: b\nc");
	set(N_USER_ATTRS, long_value);
	set_bytes(N_USER_ATTRS + 1, "a\0b", 3);
	set(N_USER_ATTRS + 1, "\xff\xd8");
	set(N_USER_ATTRS + 1, "Ærlig");
	ck_assert_pstr_eq(user("alice", &u), NULL);
	ck_assert_uint_eq(u.attrs.count, 8);
	expect_names(&u.attrs, (const char *const[]){ "phone", "+1 23", "phone", "", "phone",
	                                              "a: b\nc", "photo", "Ærlig", NULL });
	rules = (struct user_rules){ 0 };
}
END_TEST

START_TEST(test_extra_attributes_have_a_limit)
{
	char value[4001];
	struct user u;

	rules = (struct user_rules){ .extra = { "x" }, .n_extra = 1 };
	memset(value, 'x', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	alice();
	for (int i = 0; i < 100; i++)
		set(N_USER_ATTRS, value);
	ck_assert_pstr_eq(user("alice", &u), NULL);
	ck_assert_uint_eq(u.attrs.count, 2 * 16);
	rules = (struct user_rules){ 0 };
}
END_TEST

START_TEST(test_a_realm_in_capitals)
{
	struct user u;

	rules = (struct user_rules){ .upper_case_realm = true };
	set(USER_NAME, "alice");
	set(USER_UID, "10001");
	set(USER_GID, "10002");
	set(USER_PRINCIPAL, "al@ice@example.Com");
	ck_assert_pstr_eq(user("alice", &u), NULL);
	ck_assert_str_eq(u.upn, "al@ice@EXAMPLE.COM");
	rules = (struct user_rules){ 0 };
}
END_TEST

START_TEST(test_what_a_user_is_also_called)
{
	struct user u;

	set(USER_NAME, "alice");
	set(USER_NAME, "Ally");
	set(USER_NAME, "al@Home");
	set(USER_UID, "10001");
	set(USER_GID, "10002");
	set(USER_PRINCIPAL, "alice@REALM");
	set(USER_PRINCIPAL, "alice/admin@REALM");
	set(USER_EMAIL, "alice@example.com");
	set(USER_EMAIL, "A.Example@Example.com");
	set(USER_EMAIL, "alice");
	set(USER_EMAIL, "bob");
	set(USER_PRINCIPAL, "root");
	ck_assert_pstr_eq(user("alice", &u), NULL);
	ck_assert_str_eq(u.name, "alice");
	ck_assert_str_eq(u.upn, "alice@REALM");
	ck_assert_uint_eq(u.aliases.count, 8);
	expect_names(&u.aliases, (const char *const[]){ "Ally", "al@Home", "al@home", "alice@REALM",
	                                                "alice@realm", "alice@example.com",
	                                                "A.Example@Example.com",
	                                                "a.example@example.com", NULL });
}
END_TEST

START_TEST(test_private_groups_need_no_other)
{
	static const struct id_range range = { 1, 0, .private_groups = true };
	static const char *const gids[] = { NULL, "0", "many", "65535", "42" };

	for (size_t i = 0; i < sizeof(gids) / sizeof(*gids); i++) {
		struct user u;

		reset("uid=alice,dc=x");
		set(USER_NAME, "alice");
		set(USER_UID, "10001");
		if (gids[i])
			set(USER_GID, gids[i]);
		ck_assert_ptr_null(user_from(values, values, "uid", NULL, &range, NULL, &u));
		ck_assert_uint_eq(u.gid, i == 4 ? 42 : 10001);
		values->values[USER_UID] = NULL;
		ck_assert_ptr_nonnull(user_from(values, values, "uid", NULL, &range, NULL, &u));
	}
}
END_TEST

START_TEST(test_user_with_the_least)
{
	struct user u;

	set(USER_NAME, "alice");
	set(USER_UID, "10001");
	set(USER_GID, "10002");
	ck_assert_pstr_eq(user("alice", &u), NULL);
	ck_assert_str_eq(u.gecos, "");
	ck_assert_str_eq(u.home, "");
	ck_assert_str_eq(u.shell, "");
	ck_assert_str_eq(u.upn, "");
}
END_TEST

START_TEST(test_full_name_stands_in_for_gecos)
{
	struct user u;

	set(USER_NAME, "alice");
	set(USER_UID, "10001");
	set(USER_GID, "10002");
	set(USER_FULLNAME, "Alice");
	ck_assert_pstr_eq(user(NULL, &u), NULL);
	ck_assert_str_eq(u.gecos, "Alice");
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *uid, *gid;
} refused[] = {
	{ NULL, "1", "1" },
	{ "alice", NULL, "1" },
	{ "alice", "1", NULL },
	{ "alice", "0", "1" },
	{ "alice", "1", "0" },
	{ "alice", "65535", "1" },
	{ "alice", "4294967295", "1" },
	{ "alice", "4294967296", "1" },
	{ "alice", "1", "4294967296" },
	{ "alice", "18446744073709551616", "1" },
	{ "alice", "-1", "1" },
	{ "alice", "+1", "1" },
	{ "alice", " 1", "1" },
	{ "alice", "1 ", "1" },
	{ "alice", "0x10", "1" },
	{ "alice", "1e3", "1" },
	{ "alice", "", "1" },
	{ "", "1", "1" },
	{ ".", "1", "1" },
	{ "..", "1", "1" },
	{ "12345", "1", "1" },
	{ "a/b", "1", "1" },
	{ "a:b", "1", "1" },
	{ "a\nb", "1", "1" },
	{ "a\xff", "1", "1" },
};
/* clang-format on */

START_TEST(test_senseless_user_is_refused_with_a_reason)
{
	struct user u;
	const char *reason;

	if (refused[_i].name)
		set(USER_NAME, refused[_i].name);
	if (refused[_i].uid)
		set(USER_UID, refused[_i].uid);
	if (refused[_i].gid)
		set(USER_GID, refused[_i].gid);
	reason = user(NULL, &u);
	ck_assert_ptr_nonnull(reason);
	ck_assert_uint_gt(strlen(reason), 5);
}
END_TEST

START_TEST(test_range_of_the_domain_holds_for_uid_and_gid)
{
	static const struct id_range range = { 10002, 20000 };
	struct user u;

	alice();
	ck_assert_ptr_nonnull(user_from(mem, values, "uid", NULL, &range, NULL, &u));
	reset("uid=alice,dc=x");
	set(USER_NAME, "alice");
	set(USER_UID, "10002");
	set(USER_GID, "20001");
	ck_assert_ptr_nonnull(user_from(mem, values, "uid", NULL, &range, NULL, &u));
	reset("uid=alice,dc=x");
	set(USER_NAME, "alice");
	set(USER_UID, "10002");
	set(USER_GID, "20000");
	ck_assert_ptr_null(user_from(mem, values, "uid", NULL, &range, NULL, &u));
}
END_TEST

START_TEST(test_nobody_gets_our_own_ids_or_local_names)
{
	static const struct id_range range = { 1, 0, .own_uid = 997, .own_gid = 996 };
	static const char *const cases[][3] = { { "eve", "997", "5" }, { "eve", "5", "996" },
		                                { "sssd", "5", "5" },  { "Root", "5", "5" },
		                                { "eve", "5", "5" } };
	const char *const *one = cases[_i];
	const char *reason;
	struct user u;

	set(USER_NAME, one[0]);
	set(USER_UID, one[1]);
	set(USER_GID, one[2]);
	reason = user_from(mem, values, "uid", NULL, &range, NULL, &u);
	ck_assert_int_eq(!reason, _i == 4);
}
END_TEST

START_TEST(test_huge_text_is_refused)
{
	char *huge = talloc_size(mem, 65536);
	struct user u;

	memset(huge, 'x', 65536);
	set(USER_NAME, "alice");
	set(USER_UID, "1");
	set(USER_GID, "1");
	set_bytes(USER_HOME + _i, huge, 65536);
	ck_assert_ptr_nonnull(user(NULL, &u));
}
END_TEST

START_TEST(test_texts_that_would_break_a_line_are_cleaned)
{
	struct user u;

	set(USER_NAME, "alice");
	set(USER_UID, "1");
	set(USER_GID, "1");
	set(USER_GECOS, "A:B\nC");
	set(USER_HOME, "/home/a:b");
	ck_assert_pstr_eq(user(NULL, &u), NULL);
	ck_assert_str_eq(u.gecos, "A?B?C");
	ck_assert_str_eq(u.home, "/home/a?b");
}
END_TEST

START_TEST(test_name_with_a_nul_inside_is_refused)
{
	struct user u;

	set_bytes(USER_NAME, "alice\0root", 10);
	set(USER_UID, "1");
	set(USER_GID, "1");
	ck_assert_ptr_nonnull(user(NULL, &u));
}
END_TEST

START_TEST(test_number_with_a_nul_inside_is_refused)
{
	struct user u;

	set(USER_NAME, "alice");
	set_bytes(USER_UID,
	          "10\0"
	          "99",
	          5);
	set(USER_GID, "1");
	ck_assert_ptr_nonnull(user(NULL, &u));
}
END_TEST

static void two_names(const char *dn)
{
	reset(dn);
	set(USER_NAME, "first");
	set(USER_NAME, "second");
	set(USER_NAME, "third");
	set(USER_UID, "1");
	set(USER_GID, "1");
}

START_TEST(test_of_several_names_the_one_in_the_rdn)
{
	const char *alias = NULL;
	struct user u;

	two_names("UID=second,ou=people,dc=x");
	ck_assert_pstr_eq(user("third", &u), NULL);
	ck_assert_str_eq(u.name, "second");
	ck_assert_uint_eq(u.aliases.count, 2);
	alias = names_next(&u.aliases, alias);
	ck_assert_str_eq(alias, "first");
	alias = names_next(&u.aliases, alias);
	ck_assert_str_eq(alias, "third");
}
END_TEST

START_TEST(test_member_is_a_user_we_would_take)
{
	static const struct id_range range = { 1, 20 };
	const char *name = NULL;

	two_names("uid=second,ou=people,dc=x");
	ck_assert_ptr_null(member_from(mem, values, "uid", &range, &name));
	ck_assert_str_eq(name, "second");
	set(USER_UID, "2");
	ck_assert_ptr_null(member_from(mem, values, "uid", &range, &name));

	reset("uid=alice,dc=x");
	ck_assert_ptr_nonnull(member_from(mem, values, "uid", &range, &name));
	set(USER_NAME, "alice");
	ck_assert_ptr_nonnull(member_from(mem, values, "uid", &range, &name));
	set(USER_UID, "21");
	ck_assert_ptr_nonnull(member_from(mem, values, "uid", &range, &name));

	reset("uid=b,dc=x");
	set(USER_NAME, "b/d");
	set(USER_UID, "7");
	ck_assert_ptr_nonnull(member_from(mem, values, "uid", &range, &name));
}
END_TEST

START_TEST(test_else_the_one_asked_for_else_the_first)
{
	struct user u;

	two_names("cn=Alice,dc=x");
	ck_assert_pstr_eq(user("third", &u), NULL);
	ck_assert_str_eq(u.name, "third");
	two_names("cn=Alice,dc=x");
	ck_assert_pstr_eq(user(NULL, &u), NULL);
	ck_assert_str_eq(u.name, "first");
	two_names("uid=gone,dc=x");
	ck_assert_pstr_eq(user("THIRD", &u), NULL);
	ck_assert_str_eq(u.name, "first");
	two_names("no DN at all");
	ck_assert_pstr_eq(user(NULL, &u), NULL);
	ck_assert_str_eq(u.name, "first");
}
END_TEST

START_TEST(test_escaped_and_multi_valued_rdn)
{
	struct user u;

	reset("cn=Alice+uid=a\\2Cb,dc=x");
	set(USER_NAME, "other");
	set(USER_NAME, "a,b");
	set(USER_UID, "1");
	set(USER_GID, "1");
	ck_assert_pstr_eq(user(NULL, &u), NULL);
	ck_assert_str_eq(u.name, "a,b");
}
END_TEST

START_TEST(test_dns_are_not_taken_for_names)
{
	struct group g;

	set(GROUP_NAME, "staff");
	set(GROUP_GID, "50");
	set(GROUP_MEMBER_DN, "uid=alice");
	ck_assert_ptr_null(group_from(mem, values, "cn", "staff", &any, &g));
	ck_assert_uint_eq(g.members.count, 0);
}
END_TEST

START_TEST(test_group_with_members)
{
	const char *member = NULL;
	struct group g;

	reset("cn=staff,dc=x");
	set(GROUP_NAME, "staff");
	set(GROUP_GID, "50");
	set(GROUP_MEMBER, "alice");
	set(GROUP_MEMBER, "b/d");
	set_bytes(GROUP_MEMBER, "ro\0ot", 5);
	set(GROUP_MEMBER, "carol");
	ck_assert_ptr_null(group_from(mem, values, "cn", "staff", &any, &g));
	ck_assert_str_eq(g.name, "staff");
	ck_assert_uint_eq(g.gid, 50);
	ck_assert_uint_eq(g.members.count, 2);
	member = names_next(&g.members, member);
	ck_assert_str_eq(member, "alice");
	member = names_next(&g.members, member);
	ck_assert_str_eq(member, "carol");
	ck_assert_ptr_null(names_next(&g.members, member));
}
END_TEST

START_TEST(test_group_without_members)
{
	struct group g;

	reset("cn=staff,dc=x");
	set(GROUP_NAME, "staff");
	set(GROUP_GID, "50");
	ck_assert_ptr_null(group_from(mem, values, "cn", NULL, &any, &g));
	ck_assert_uint_eq(g.members.count, 0);
	ck_assert_uint_eq(g.aliases.count, 0);
}
END_TEST

START_TEST(test_senseless_group_is_refused)
{
	struct group g;
	uint32_t gid;

	reset("cn=wheel,dc=x");
	set(GROUP_NAME, "wheel");
	set(GROUP_GID, "0");
	ck_assert_ptr_nonnull(group_from(mem, values, "cn", NULL, &any, &g));
	ck_assert_ptr_nonnull(gid_from(values, &any, &gid));
	reset("cn=wheel,dc=x");
	set(GROUP_GID, "7");
	ck_assert_ptr_nonnull(group_from(mem, values, "cn", NULL, &any, &g));
	ck_assert_ptr_null(gid_from(values, &any, &gid));
	ck_assert_uint_eq(gid, 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("records");
	TCase *users = tcase_create("users"), *groups = tcase_create("groups");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(users, begin, end);
	tcase_add_test(users, test_whole_user);
	tcase_add_test(users, test_extra_attributes_are_kept_as_names_and_values);
	tcase_add_test(users, test_extra_attributes_have_a_limit);
	tcase_add_test(users, test_a_realm_in_capitals);
	tcase_add_test(users, test_what_a_user_is_also_called);
	tcase_add_test(users, test_private_groups_need_no_other);
	tcase_add_test(users, test_user_with_the_least);
	tcase_add_test(users, test_full_name_stands_in_for_gecos);
	tcase_add_loop_test(users, test_senseless_user_is_refused_with_a_reason, 0,
	                    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(users, test_range_of_the_domain_holds_for_uid_and_gid);
	tcase_add_loop_test(users, test_nobody_gets_our_own_ids_or_local_names, 0, 5);
	tcase_add_loop_test(users, test_huge_text_is_refused, -1, 3);
	tcase_add_test(users, test_texts_that_would_break_a_line_are_cleaned);
	tcase_add_test(users, test_name_with_a_nul_inside_is_refused);
	tcase_add_test(users, test_number_with_a_nul_inside_is_refused);
	tcase_add_test(users, test_of_several_names_the_one_in_the_rdn);
	tcase_add_test(users, test_member_is_a_user_we_would_take);
	tcase_add_test(users, test_else_the_one_asked_for_else_the_first);
	tcase_add_test(users, test_escaped_and_multi_valued_rdn);
	suite_add_tcase(suite, users);

	tcase_add_checked_fixture(groups, begin, end);
	tcase_add_test(groups, test_dns_are_not_taken_for_names);
	tcase_add_test(groups, test_group_with_members);
	tcase_add_test(groups, test_group_without_members);
	tcase_add_test(groups, test_senseless_group_is_refused);
	suite_add_tcase(suite, groups);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
