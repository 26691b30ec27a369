/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "responders/core/negative.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static const struct query alice = { .kind = QUERY_USER_BY_NAME, .name = "alice" };
static const struct query alice_group = { .kind = QUERY_GROUP_BY_NAME, .name = "alice" };
static const struct query uid_7 = { .kind = QUERY_USER_BY_ID, .id = 7 };
static const struct query gid_7 = { .kind = QUERY_GROUP_BY_ID, .id = 7 };

static bool has_since(const struct negative *negative, uint32_t domain_key,
                      const struct query *query, uint32_t since)
{
	uint32_t local_s;

	return negative_left_s(negative, domain_key, query, since, &local_s) > 0;
}

static bool has(const struct negative *negative, uint32_t domain_key, const struct query *query)
{
	return has_since(negative, domain_key, query, 0);
}

static bool has_local(const struct negative *negative, uint32_t domain_key,
                      const struct query *query)
{
	uint32_t local_s;

	negative_left_s(negative, domain_key, query, 0, &local_s);
	return local_s > 0;
}

START_TEST(test_domain_kind_and_key_tell_answers_apart)
{
	auto_talloc struct negative *negative = negative_new(NULL, 100);

	negative_add(negative, 1, &alice, 5, 60, 0);
	negative_add(negative, 1, &uid_7, 5, 60, 0);

	ck_assert(has(negative, 1, &alice));
	ck_assert(has(negative, 1, &uid_7));
	ck_assert(!has(negative, 2, &alice));
	ck_assert(!has(negative, 1, &alice_group));
	ck_assert(!has(negative, 1, &gid_7));
	ck_assert(!has(negative, 1, &(struct query){ QUERY_USER_BY_NAME, "alic", 0 }));
}
END_TEST

START_TEST(test_what_was_asked_before_it_was_touched_is_over)
{
	auto_talloc struct negative *negative = negative_new(NULL, 100);

	negative_add(negative, 1, &alice, 5, 60, 600);
	ck_assert(has_since(negative, 1, &alice, 5));
	ck_assert(!has_since(negative, 1, &alice, 6));
	negative_add(negative, 1, &alice, 6, 60, 0);
	ck_assert(has_since(negative, 1, &alice, 6));
}
END_TEST

START_TEST(test_a_timeout_of_zero_remembers_nothing)
{
	auto_talloc struct negative *negative = negative_new(NULL, 100);

	negative_add(negative, 1, &alice, 5, 0, 0);
	ck_assert(!has(negative, 1, &alice));
}
END_TEST

START_TEST(test_removed_and_cleared_answers_are_forgotten)
{
	auto_talloc struct negative *negative = negative_new(NULL, 100);

	negative_add(negative, 1, &alice, 5, 60, 0);
	negative_add(negative, 1, &uid_7, 5, 60, 0);
	negative_remove(negative, 1, &alice);
	negative_remove(negative, 1, &alice);
	ck_assert(!has(negative, 1, &alice));
	ck_assert(has(negative, 1, &uid_7));

	negative_clear(negative);
	ck_assert(!has(negative, 1, &uid_7));
}
END_TEST

START_TEST(test_the_oldest_goes_when_it_is_full)
{
	auto_talloc struct negative *negative = negative_new(NULL, 3);

	for (uint32_t id = 1; id <= 5; id++)
		negative_add(negative, 1, &(struct query){ QUERY_USER_BY_ID, NULL, id }, 5, 60, 0);
	for (uint32_t id = 1; id <= 5; id++)
		ck_assert_int_eq(
			has(negative, 1, &(struct query){ QUERY_USER_BY_ID, NULL, id }),
			id > 2);
}
END_TEST

START_TEST(test_adding_again_takes_one_place)
{
	auto_talloc struct negative *negative = negative_new(NULL, 2);

	negative_add(negative, 1, &uid_7, 5, 60, 0);
	for (int i = 0; i < 10; i++)
		negative_add(negative, 1, &alice, 5, 60, 0);
	ck_assert(has(negative, 1, &uid_7));
	ck_assert(has(negative, 1, &alice));
}
END_TEST

START_TEST(test_a_local_one_is_remembered_longer)
{
	auto_talloc struct negative *negative = negative_new(NULL, 100);

	negative_add(negative, 1, &alice, 5, 0, 60);
	negative_add(negative, 1, &uid_7, 5, 60, 0);
	ck_assert(!has(negative, 1, &alice));
	ck_assert(has_local(negative, 1, &alice));
	ck_assert(has(negative, 1, &uid_7));
	ck_assert(has_local(negative, 1, &uid_7));

	negative_expire(negative);
	ck_assert(has_local(negative, 1, &alice));
	negative_clear(negative);
	ck_assert(!has_local(negative, 1, &alice));
	ck_assert(negative_is_empty(negative));
}
END_TEST

START_TEST(test_a_flood_drives_no_local_one_out)
{
	auto_talloc struct negative *negative = negative_new(NULL, 3);

	negative_add(negative, 1, &alice, 5, 60, 600);
	for (uint32_t id = 1; id <= 5; id++)
		negative_add(negative, 1, &(struct query){ QUERY_USER_BY_ID, NULL, id }, 5, 60, 0);
	ck_assert(has(negative, 1, &alice));

	/* But one of its own kind does. */
	for (uint32_t id = 1; id <= 5; id++)
		negative_add(negative, 1, &(struct query){ QUERY_USER_BY_ID, NULL, id }, 5, 60,
		             600);
	ck_assert(!has(negative, 1, &alice));
}
END_TEST

START_TEST(test_a_name_too_long_for_anybody_is_left_out)
{
	auto_talloc struct negative *negative = negative_new(NULL, 2);
	char name[2000];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	negative_add(negative, 1, &(struct query){ QUERY_USER_BY_NAME, name, 0 }, 5, 60, 0);
	ck_assert(!has(negative, 1, &(struct query){ QUERY_USER_BY_NAME, name, 0 }));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("negative");
	TCase *tcase = tcase_create("negative");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_domain_kind_and_key_tell_answers_apart);
	tcase_add_test(tcase, test_what_was_asked_before_it_was_touched_is_over);
	tcase_add_test(tcase, test_a_timeout_of_zero_remembers_nothing);
	tcase_add_test(tcase, test_removed_and_cleared_answers_are_forgotten);
	tcase_add_test(tcase, test_the_oldest_goes_when_it_is_full);
	tcase_add_test(tcase, test_adding_again_takes_one_place);
	tcase_add_test(tcase, test_a_local_one_is_remembered_longer);
	tcase_add_test(tcase, test_a_flood_drives_no_local_one_out);
	tcase_add_test(tcase, test_a_name_too_long_for_anybody_is_left_out);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
