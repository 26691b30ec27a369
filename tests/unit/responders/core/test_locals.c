/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "responders/core/locals.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

static char passwd[] = "/tmp/test_locals_XXXXXX", group[] = "/tmp/test_locals_XXXXXX";

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static bool has_name(struct locals *locals, enum query_kind kind, const char *name)
{
	return locals_have(locals, &(struct query){ .kind = kind, .name = name });
}

static bool has_id(struct locals *locals, enum query_kind kind, uint32_t id)
{
	return locals_have(locals, &(struct query){ .kind = kind, .id = id });
}

START_TEST(test_names_and_numbers_of_each_file)
{
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct locals *locals = locals_new(ev, ev, passwd, group);

	write_file(passwd, "root:x:0:0:root:/root:/bin/sh\nlocal:x:500:501::/:/bin/sh");
	write_file(group, "wheel:x:10:local,other\nshort:x:11\n");

	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "local"));
	ck_assert(has_name(locals, QUERY_INITGROUPS, "local"));
	ck_assert(has_id(locals, QUERY_USER_BY_ID, 500));
	ck_assert(has_name(locals, QUERY_GROUP_BY_NAME, "wheel"));
	ck_assert(has_id(locals, QUERY_GROUP_BY_ID, 10));
	ck_assert(has_id(locals, QUERY_GROUP_BY_ID, 11));

	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "LOCAL"));
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "loca"));
	ck_assert(!has_name(locals, QUERY_GROUP_BY_NAME, "local"));
	ck_assert(!has_id(locals, QUERY_USER_BY_ID, 501));
	ck_assert(!has_id(locals, QUERY_GROUP_BY_ID, 500));
}
END_TEST

START_TEST(test_what_is_no_line_of_it_is_skipped)
{
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct locals *locals = locals_new(ev, ev, passwd, group);

	write_file(passwd, "\n:x:1:1::/:\nnumber\nnumber:\nnumber:x\nnumber:x:y:1::/:\n"
	                   "+\n+:x::::\nhuge:x:99999999999:1::/:\nlast:x:7:7::/:\n");
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "last"));
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "number"));
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "+"));
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "huge"));
	ck_assert(!has_id(locals, QUERY_USER_BY_ID, 1));
}
END_TEST

START_TEST(test_another_file_is_read_anew)
{
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct locals *locals = locals_new(ev, ev, passwd, group);

	write_file(passwd, "one:x:1:1::/:\n");
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "one"));
	write_file(passwd, "one:x:1:1::/:\nsecond:x:2:2::/:\n");
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "second"));
	write_file(passwd, "");
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "one"));

	unlink(passwd);
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "one"));
	write_file(passwd, "one:x:1:1::/:\n");
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "one"));
}
END_TEST

#define LONG 100000

static void write_long_file(const char *path)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	for (int n = 0; n < LONG; n++)
		fprintf(file, "user%d:x:%d:1::/:/bin/sh\n", n, 1000 + n);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(test_a_long_file_is_read_in_slices)
{
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct locals *locals = locals_new(ev, ev, passwd, group);
	unsigned turns = 0;
	char last[32];

	snprintf(last, sizeof(last), "user%d", LONG - 1);
	write_long_file(passwd);
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "user0"));
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, last));
	for (; !has_name(locals, QUERY_USER_BY_NAME, last); turns++) {
		ck_assert_uint_lt(turns, LONG);
		ck_assert_int_eq(tevent_loop_once(ev), 0);
	}
	ck_assert_uint_ge(turns, LONG / 2000);
	for (int n = 0; n < LONG; n += 97) {
		char name[32];

		snprintf(name, sizeof(name), "user%d", n);
		ck_assert(has_name(locals, QUERY_USER_BY_NAME, name));
		ck_assert(has_id(locals, QUERY_USER_BY_ID, 1000 + (uint32_t)n));
	}
	ck_assert(!has_id(locals, QUERY_USER_BY_ID, 1000 + LONG));
	write_file(passwd, "one:x:1:1::/:\n");
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "one"));
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, last));
}
END_TEST

START_TEST(test_a_long_file_that_is_replaced_while_it_is_read)
{
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct locals *locals = locals_new(ev, ev, passwd, group);

	write_long_file(passwd);
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "user0"));
	ck_assert_int_eq(tevent_loop_once(ev), 0);
	write_file(passwd, "one:x:1:1::/:\n");
	ck_assert(!has_name(locals, QUERY_USER_BY_NAME, "user0"));
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "one"));
	write_long_file(passwd);
	ck_assert(has_name(locals, QUERY_USER_BY_NAME, "user0")); /* and it is freed meanwhile */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("locals");
	TCase *tcase = tcase_create("locals");
	SRunner *runner = srunner_create(suite);
	int failed;

	close(mkstemp(passwd));
	close(mkstemp(group));
	tcase_add_test(tcase, test_names_and_numbers_of_each_file);
	tcase_add_test(tcase, test_what_is_no_line_of_it_is_skipped);
	tcase_add_test(tcase, test_another_file_is_read_anew);
	tcase_add_test(tcase, test_a_long_file_is_read_in_slices);
	tcase_add_test(tcase, test_a_long_file_that_is_replaced_while_it_is_read);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(passwd);
	unlink(group);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
