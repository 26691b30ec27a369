/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ident/query.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	struct query query;
	uint32_t entry_type;
	const char *filter;
	const char *text;
} forms[] = {
	{ { QUERY_USER_BY_NAME, "alice", 0 }, 1, "name=alice", "user alice" },
	{ { QUERY_USER_BY_ID, NULL, 1000 }, 1, "idnumber=1000", "uid 1000" },
	{ { QUERY_USER_BY_ID, NULL, UINT32_MAX }, 1, "idnumber=4294967295", "uid 4294967295" },
	{ { QUERY_GROUP_BY_NAME, "a=b", 0 }, 2, "name=a=b", "group a=b" },
	{ { QUERY_GROUP_BY_ID, NULL, 0 }, 2, "idnumber=0", "gid 0" },
	{ { QUERY_ALL, NULL, 0 }, 1, "all", "all users and groups" },
	{ { QUERY_INITGROUPS, "name=x", 0 }, 3, "name=name=x", "groups of name=x" },
	{ { QUERY_USER_BY_NAME, "Andr\xc3\xa9 (*)\\", 0 }, 1, "name=Andr\xc3\xa9 (*)\\", NULL },
};

START_TEST(test_there_and_back)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct query *query = &forms[_i].query;
	struct query back;

	ck_assert_uint_eq(query_entry_type(query), forms[_i].entry_type);
	ck_assert_str_eq(query_filter(mem, query), forms[_i].filter);
	ck_assert_int_eq(query_parse(mem, forms[_i].entry_type, forms[_i].filter, &back), 0);
	ck_assert_int_eq(back.kind, query->kind);
	ck_assert_uint_eq(back.id, query->id);
	ck_assert_pstr_eq(back.name, query->name);
	if (forms[_i].text)
		ck_assert_str_eq(query_text(mem, query), forms[_i].text);
	talloc_free(mem);
}
END_TEST

static const struct {
	uint32_t entry_type;
	const char *filter;
	int r;
} refused[] = {
	{ 1, "", -EINVAL },
	{ 1, "alice", -EINVAL },
	{ 1, "all=", -EINVAL },
	{ 2, "all", -EINVAL },
	{ 1, "name", -EINVAL },
	{ 1, "name=", -EINVAL },
	{ 1, "Name=alice", -EINVAL },
	{ 1, " name=alice", -EINVAL },
	{ 1, "name=\xff", -EINVAL },
	{ 1, "name=\xc3", -EINVAL },
	{ 1, "idnumber=", -EINVAL },
	{ 1, "idnumber=-1", -EINVAL },
	{ 1, "idnumber=+1", -EINVAL },
	{ 1, "idnumber= 1", -EINVAL },
	{ 1, "idnumber=1 ", -EINVAL },
	{ 1, "idnumber=0x10", -EINVAL },
	{ 1, "idnumber=4294967296", -EINVAL },
	{ 1, "idnumber=18446744073709551617", -EINVAL },
	{ 0, "name=alice", -EINVAL },
	{ 0, "secid=S-1-5-32", -EINVAL },
	{ 10, "name=alice", -EINVAL },
	{ 0x15, "name=alice", -EINVAL },
	{ UINT32_MAX, "name=alice", -EINVAL },
	{ 3, "idnumber=1000", -ENOTSUP },
	{ 4, "name=net", -ENOTSUP },
	{ 0x11, "secid=S-1-5-32", -ENOTSUP },
	{ 0x14, "cert=AA", -ENOTSUP },
	{ 1, "wildcard=a*", -ENOTSUP },
	{ 2, "uuid=1", -ENOTSUP },
};

START_TEST(test_what_is_no_question_is_refused)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct query query = { .id = 42 };
	int r = query_parse(mem, refused[_i].entry_type, refused[_i].filter, &query);

	ck_assert_msg(r == refused[_i].r, "%u %s: %d", refused[_i].entry_type, refused[_i].filter,
	              r);
	ck_assert_uint_eq(query.id, 42);
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);
	talloc_free(mem);
}
END_TEST

START_TEST(test_names_end_at_255_bytes)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char filter[5 + 256 + 1] = "name=";
	struct query query;

	memset(filter + 5, 'a', 255);
	ck_assert_int_eq(query_parse(mem, 1, filter, &query), 0);
	ck_assert_uint_eq(strlen(query.name), 255);
	filter[5 + 255] = 'a';
	ck_assert_int_eq(query_parse(mem, 1, filter, &query), -EINVAL);
	talloc_free(mem);
}
END_TEST

START_TEST(test_text_for_logs_holds_no_control_bytes)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct query query = { QUERY_USER_BY_NAME, "a\nb\033[31m", 0 };
	char *text = query_text(mem, &query);

	ck_assert_ptr_null(strchr(text, '\n'));
	ck_assert_ptr_null(strchr(text, '\033'));
	ck_assert_ptr_nonnull(strstr(text, "user a"));
	talloc_free(mem);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("query");
	TCase *text = tcase_create("text");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(text, test_there_and_back, 0, sizeof(forms) / sizeof(forms[0]));
	tcase_add_loop_test(text, test_what_is_no_question_is_refused, 0,
	                    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(text, test_names_end_at_255_bytes);
	tcase_add_test(text, test_text_for_logs_holds_no_control_bytes);
	suite_add_tcase(suite, text);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
