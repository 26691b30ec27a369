/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Groups and the groups of a user over the socket
 */
#include <check.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"
#include "tests/unit/clientlibs/responder.h"

static struct group group;
static char buffer[1024];
static int error;

static void listen_and_start(void)
{
	responder_listen(8);
	responder_start(script_directory);
}

START_TEST(test_found_by_name_and_by_id)
{
	for (int by_id = 0; by_id < 2; by_id++) {
		memset(&group, 0, sizeof(group));
		ck_assert_int_eq(
			by_id ? _nss_sss_getgrgid_r(20004, &group, buffer, sizeof(buffer), &error)
			      : _nss_sss_getgrnam_r("group4", &group, buffer, sizeof(buffer),
		                                    &error),
			NSS_STATUS_SUCCESS);
		ck_assert_str_eq(group.gr_name, "group4");
		ck_assert_str_eq(group.gr_passwd, "*");
		ck_assert_uint_eq(group.gr_gid, 20004);
		ck_assert_str_eq(group.gr_mem[0], "user0");
		ck_assert_str_eq(group.gr_mem[1], "user1");
		ck_assert_str_eq(group.gr_mem[2], "user2");
		ck_assert_ptr_null(group.gr_mem[3]);
	}
}
END_TEST

START_TEST(test_what_is_not_asked_for)
{
	gid_t *groups = NULL;
	long start = 0, size = 0;

	error = 0;
	ck_assert_int_eq(_nss_sss_getgrnam_r("root", &group, buffer, sizeof(buffer), &error),
	                 NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(_nss_sss_getgrnam_r("sssd", &group, buffer, sizeof(buffer), &error),
	                 NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(_nss_sss_getgrgid_r(0, &group, buffer, sizeof(buffer), &error),
	                 NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(_nss_sss_initgroups_dyn("root", 0, &start, &size, &groups, -1, &error),
	                 NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(_nss_sss_initgroups_dyn("sssd", 0, &start, &size, &groups, -1, &error),
	                 NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(_nss_sss_initgroups_dyn("", 0, &start, &size, &groups, -1, &error),
	                 NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, EINVAL);
	ck_assert_uint_eq(seen->connections, 0);
}
END_TEST

/* As glibc does it: 1 KiB, doubled until it fits. */
START_TEST(test_a_growing_buffer_asks_once)
{
	enum nss_status status = NSS_STATUS_TRYAGAIN;
	char *grown = NULL;
	size_t size = 512;
	unsigned calls = 0;

	while (status == NSS_STATUS_TRYAGAIN) {
		size *= 2;
		grown = realloc(grown, size);
		status = _nss_sss_getgrnam_r("big", &group, grown, size, &error);
		calls++;
		if (status == NSS_STATUS_TRYAGAIN)
			ck_assert_int_eq(error, ERANGE);
	}
	ck_assert_int_eq(status, NSS_STATUS_SUCCESS);
	ck_assert_str_eq(group.gr_name, "big");
	ck_assert_str_eq(group.gr_mem[4999], "user4999");
	ck_assert_ptr_null(group.gr_mem[5000]);
	ck_assert_uint_gt(calls, 5);
	ck_assert_uint_eq(seen->requests, 1);
	free(grown);
}
END_TEST

START_TEST(test_the_member_list_is_aligned_in_any_buffer)
{
	size_t needed = 4 * sizeof(char *) + sizeof("group4\0*\0user0\0user1\0user2");
	char *raw = malloc(needed + 2 * alignof(char *));

	for (size_t shift = 0; shift < 2 * alignof(char *); shift++) {
		size_t gap = -shift % alignof(char *);

		ck_assert_int_eq(_nss_sss_getgrnam_r("group4", &group, raw + shift,
		                                     needed + gap - 1, &error),
		                 NSS_STATUS_TRYAGAIN);
		ck_assert_int_eq(
			_nss_sss_getgrnam_r("group4", &group, raw + shift, needed + gap, &error),
			NSS_STATUS_SUCCESS);
		ck_assert_uint_eq((uintptr_t)group.gr_mem % alignof(char *), 0);
		ck_assert_str_eq(group.gr_mem[2], "user2");
	}
	free(raw);
}
END_TEST

START_TEST(test_initgroups_appends_and_skips_the_primary_group)
{
	long start = 1, size = 2;
	gid_t *groups = malloc(2 * sizeof(gid_t));

	groups[0] = 77;
	ck_assert_int_eq(
		_nss_sss_initgroups_dyn("user9", 20003, &start, &size, &groups, -1, &error),
		NSS_STATUS_SUCCESS);
	ck_assert_int_eq(start, 10); /* 77, and ten groups without one */
	ck_assert_int_ge(size, start);
	ck_assert_uint_eq(groups[0], 77);
	ck_assert_uint_eq(groups[1], 20000);
	ck_assert_uint_eq(groups[4], 20004);
	ck_assert_uint_eq(groups[9], 20009);

	ck_assert_int_eq(_nss_sss_initgroups_dyn("nosuch", 0, &start, &size, &groups, -1, &error),
	                 NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(start, 10);
	free(groups);
}
END_TEST

START_TEST(test_initgroups_stops_at_the_limit)
{
	for (long limit = 1; limit < 14; limit++) {
		long start = 1, size = 1;
		gid_t *groups = malloc(sizeof(gid_t));

		ck_assert_int_eq(
			_nss_sss_initgroups_dyn("user9", 1, &start, &size, &groups, limit, &error),
			NSS_STATUS_SUCCESS);
		ck_assert_int_eq(start, limit < 11 ? limit : 11);
		ck_assert_int_le(size, limit);
		if (start > 1)
			ck_assert_uint_eq(groups[start - 1], 20000 + (gid_t)start - 2);
		free(groups);
	}
}
END_TEST

static const char entry[] = "\x64\0\0\0\2\0\0\0"
			    "wheel\0*\0al\0bo"; /* and a NUL */

START_TEST(test_an_entry_cut_anywhere_is_refused)
{
	for (size_t size = 0; size < sizeof(entry); size++) {
		uint8_t *copy = malloc(size ? size : 1);
		struct reader in;

		memcpy(copy, entry, size);
		in = reader_over(copy, size);
		ck_assert_int_eq(group_read(&in, &group, buffer, sizeof(buffer)), -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(test_a_lying_member_count_is_refused)
{
	static const uint32_t lies[] = { 3, 255, 0x7fffffff, 0xffffffff };
	char changed[sizeof(entry)];
	struct reader in;

	memcpy(changed, entry, sizeof(entry));
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		memcpy(changed + 4, &lies[i], 4);
		in = reader_over(changed, sizeof(changed));
		ck_assert_int_eq(group_read(&in, &group, buffer, sizeof(buffer)), -EBADMSG);
	}
}
END_TEST

START_TEST(test_root_is_in_no_answer)
{
	static const uint32_t ids[] = { 3, 0, 10, 0, 20 };
	char changed[sizeof(entry)];
	struct reader in;
	long start = 0, size = 4;
	gid_t *groups = malloc(4 * sizeof(gid_t));

	memcpy(changed, entry, sizeof(entry));
	memset(changed, 0, 4);
	in = reader_over(changed, sizeof(changed));
	ck_assert_int_eq(group_read(&in, &group, buffer, sizeof(buffer)), 0);

	in = reader_over(ids, sizeof(ids));
	ck_assert_int_eq(initgroups_read(&in, 1, &start, &size, &groups, -1), 1);
	ck_assert_int_eq(start, 2);
	ck_assert_uint_eq(groups[0], 10);
	ck_assert_uint_eq(groups[1], 20);
	free(groups);
}
END_TEST

START_TEST(test_initgroups_with_a_lying_count_changes_nothing)
{
	uint32_t ids[] = { 0, 0, 10, 20, 30 };
	uint32_t *copy = malloc(sizeof(ids));
	gid_t *groups = NULL;
	long start = 0, size = 0;
	struct reader in;

	for (uint32_t lie = 4; lie > 3; lie = lie < 1u << 31 ? lie * 2 : 0) {
		memcpy(copy, ids, sizeof(ids));
		copy[0] = lie;
		in = reader_over(copy, sizeof(ids));
		ck_assert_int_eq(initgroups_read(&in, 1, &start, &size, &groups, -1), -EBADMSG);
		ck_assert_int_eq(start, 0);
		ck_assert_ptr_null(groups);
	}

	/* A longer packet is how upstream's server sends it. */
	copy[0] = 2;
	in = reader_over(copy, sizeof(ids));
	ck_assert_int_eq(initgroups_read(&in, 1, &start, &size, &groups, -1), 1);
	ck_assert_int_eq(start, 2);
	free(groups);
	free(copy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("group");
	TCase *results = tcase_create("results"), *bytes = tcase_create("bytes");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(results, listen_and_start, responder_clean);
	tcase_add_test(results, test_found_by_name_and_by_id);
	tcase_add_test(results, test_what_is_not_asked_for);
	tcase_add_test(results, test_a_growing_buffer_asks_once);
	tcase_add_test(results, test_the_member_list_is_aligned_in_any_buffer);
	tcase_add_test(results, test_initgroups_appends_and_skips_the_primary_group);
	tcase_add_test(results, test_initgroups_stops_at_the_limit);
	suite_add_tcase(suite, results);

	tcase_add_test(bytes, test_an_entry_cut_anywhere_is_refused);
	tcase_add_test(bytes, test_a_lying_member_count_is_refused);
	tcase_add_test(bytes, test_root_is_in_no_answer);
	tcase_add_test(bytes, test_initgroups_with_a_lying_count_changes_nothing);
	suite_add_tcase(suite, bytes);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
