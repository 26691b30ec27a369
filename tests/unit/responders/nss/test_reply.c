/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replies of the nss responder, byte by byte (client-protocol.md §7, §14; little endian)
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf/options.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

static char *no_root[] = { "root", "carol@LDAP", "dave@OTHER", NULL };

static struct nss conf;
static struct domain domain;
static struct entry entry;
static struct answer answer;
static struct writer out;

static void setup_case(void)
{
	conf = (struct nss){ .conf = { .pwfield = "*",
		                       .homedir_substring = "/home",
		                       .shell_fallback = "/bin/sh",
		                       .filter_users = no_root,
		                       .filter_groups = no_root,
		                       .filter_users_in_groups = true } };
	domain = (struct domain){ .name = "LDAP" };
	entry = (struct entry){ 0 };
	answer = (struct answer){ .domain = &domain, .entry = &entry };
	out = writer_new(1 << 20);
}

static void teardown_case(void)
{
	writer_free(&out);
}

static void expect(const void *bytes, size_t size)
{
	ck_assert_int_eq(writer_end(&out), 0);
	ck_assert_uint_eq(out.size, size);
	ck_assert_mem_eq(out.bytes, bytes, size);
}
#define EXPECT(text) expect(text, sizeof(text) - 1)

START_TEST(test_not_found_is_two_zeros_for_every_kind)
{
	void (*const replies[])(struct writer *, const struct answer *,
	                        const void *) = { reply_user, reply_group, reply_initgroups };

	replies[_i](&out, NULL, &conf);
	EXPECT("\0\0\0\0\0\0\0\0");
}
END_TEST

START_TEST(test_user)
{
	entry = (struct entry){ .kind = ENTRY_USER,
		                .user = { .name = "al",
		                          .uid = 1000,
		                          .gid = 100,
		                          .gecos = "",
		                          .home = "/h",
		                          .shell = "/s" } };
	reply_user(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\xe8\3\0\0\x64\0\0\0al\0*\0\0/h\0/s\0");
}
END_TEST

START_TEST(test_qualified_domains_show_it)
{
	domain.naming.format = NAME_FORMAT_DEFAULT;
	entry = (struct entry){ .kind = ENTRY_USER,
		                .user = { .name = "al",
		                          .uid = 1000,
		                          .gid = 100,
		                          .gecos = "G",
		                          .home = "",
		                          .shell = "" } };
	reply_user(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\xe8\3\0\0\x64\0\0\0al@LDAP\0*\0G\0\0\0");
}
END_TEST

static void set_members(const char *bytes, size_t size, uint32_t count)
{
	entry = (struct entry){ .kind = ENTRY_GROUP, .group = { .name = "g", .gid = 7 } };
	entry.group.members = (struct names){ bytes, size, count };
}

START_TEST(test_group_members_are_copied_as_they_lie)
{
	set_members("alice\0bob", 10, 2);
	reply_group(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\7\0\0\0\2\0\0\0g\0*\0alice\0bob\0");
}
END_TEST

START_TEST(test_hidden_members_are_left_out_wherever_they_stand)
{
	static const char first[] = "root\0alice\0bob", middle[] = "alice\0carol\0bob",
			  last[] = "alice\0bob\0root";
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = { { first, sizeof(first) },
		      { middle, sizeof(middle) },
		      { last, sizeof(last) } };

	set_members(cases[_i].bytes, cases[_i].size, 3);
	reply_group(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\7\0\0\0\2\0\0\0g\0*\0alice\0bob\0");
}
END_TEST

START_TEST(test_hidden_members_stay_when_told_so)
{
	conf.conf.filter_users_in_groups = false;
	set_members("root\0bob", 9, 2);
	reply_group(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\7\0\0\0\2\0\0\0g\0*\0root\0bob\0");
}
END_TEST

START_TEST(test_members_are_qualified_and_filtered)
{
	domain.naming.format = NAME_FORMAT_DEFAULT;
	set_members("root\0bob\0dave", 14, 3);
	reply_group(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\7\0\0\0\2\0\0\0g@LDAP\0*\0bob@LDAP\0dave@LDAP\0");
}
END_TEST

START_TEST(test_group_without_members)
{
	set_members(NULL, 0, 0);
	reply_group(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0g\0*\0");
}
END_TEST

START_TEST(test_members_can_be_ignored)
{
	domain.conf.ignore_group_members = true;
	set_members("alice\0bob", 10, 2);
	reply_group(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0g\0*\0");
}
END_TEST

START_TEST(test_initgroups)
{
	static const uint8_t gids[] = { 10, 0, 0, 0, 20, 0, 0, 0 };

	entry = (struct entry){ .kind = ENTRY_INITGROUPS,
		                .initgroups = { .name = "al", .n_gids = 2, .gids = gids } };
	reply_initgroups(&out, &answer, &conf);
	EXPECT("\2\0\0\0\0\0\0\0\x0a\0\0\0\x14\0\0\0");
}
END_TEST

START_TEST(test_private_groups_take_the_place_of_the_primary_one)
{
	static const uint8_t gids[] = { 10, 0, 0, 0 };

	domain.conf.auto_private_groups = PRIVATE_GROUPS_TRUE;
	entry = (struct entry){
		.kind = ENTRY_INITGROUPS,
		.initgroups = { .name = "al", .primary_gid = 7, .n_gids = 1, .gids = gids }
	};
	reply_initgroups(&out, &answer, &conf);
	EXPECT("\2\0\0\0\0\0\0\0\x0a\0\0\0\7\0\0\0");

	writer_reset(&out);
	entry = (struct entry){ .kind = ENTRY_USER,
		                .user = { .name = "al",
		                          .uid = 1000,
		                          .gid = 7,
		                          .gecos = "",
		                          .home = "/h",
		                          .shell = "/s" } };
	reply_user(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\xe8\3\0\0\xe8\3\0\0al\0*\0\0/h\0/s\0");

	writer_reset(&out);
	domain.conf.override_gid = 5;
	reply_user(&out, &answer, &conf);
	EXPECT("\1\0\0\0\0\0\0\0\xe8\3\0\0\5\0\0\0al\0*\0\0/h\0/s\0");
}
END_TEST

START_TEST(test_filter_respects_domain_and_case)
{
	ck_assert(nss_hides(&conf, &domain, ENTRY_USER, "root"));
	ck_assert(nss_hides(&conf, &domain, ENTRY_USER, "carol"));
	ck_assert(!nss_hides(&conf, &domain, ENTRY_USER, "dave"));
	ck_assert(!nss_hides(&conf, &domain, ENTRY_USER, "roo"));
	ck_assert(!nss_hides(&conf, &domain, ENTRY_USER, "rooty"));
	ck_assert(!nss_hides(&conf, &domain, ENTRY_USER, "ROOT"));
	domain.conf.case_sensitive = CASE_FALSE;
	ck_assert(nss_hides(&conf, &domain, ENTRY_USER, "ROOT"));
	conf.conf.filter_groups = NULL;
	ck_assert(!nss_hides(&conf, &domain, ENTRY_GROUP, "root"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reply");
	TCase *tcase = tcase_create("reply");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup_case, teardown_case);
	tcase_add_loop_test(tcase, test_not_found_is_two_zeros_for_every_kind, 0, 3);
	tcase_add_test(tcase, test_user);
	tcase_add_test(tcase, test_qualified_domains_show_it);
	tcase_add_test(tcase, test_group_members_are_copied_as_they_lie);
	tcase_add_loop_test(tcase, test_hidden_members_are_left_out_wherever_they_stand, 0, 3);
	tcase_add_test(tcase, test_hidden_members_stay_when_told_so);
	tcase_add_test(tcase, test_members_are_qualified_and_filtered);
	tcase_add_test(tcase, test_group_without_members);
	tcase_add_test(tcase, test_members_can_be_ignored);
	tcase_add_test(tcase, test_initgroups);
	tcase_add_test(tcase, test_private_groups_take_the_place_of_the_primary_one);
	tcase_add_test(tcase, test_filter_respects_domain_and_case);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
