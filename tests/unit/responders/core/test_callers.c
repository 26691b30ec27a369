/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "responders/core/callers.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"

#define SOMEBODY 4242u

START_TEST(test_connections_of_one_uid_are_capped)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *caller = NULL;

	for (int i = 0; i < CALLER_CONNECTIONS; i++)
		ck_assert_ptr_nonnull(caller = callers_came(callers, SOMEBODY));
	ck_assert_ptr_null(callers_came(callers, SOMEBODY));
	ck_assert_ptr_nonnull(callers_came(callers, SOMEBODY + 1));

	callers_left(callers, caller);
	ck_assert_ptr_eq(callers_came(callers, SOMEBODY), caller);
}
END_TEST

START_TEST(test_connections_that_take_the_place_of_others_are_capped_too)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *caller = NULL;

	ck_assert_ptr_null(callers_came_over(callers, SOMEBODY));
	for (int i = 0; i < CALLER_CONNECTIONS; i++)
		ck_assert_ptr_nonnull(caller = callers_came(callers, SOMEBODY));
	for (int i = 0; i < CALLER_LEAVING; i++)
		ck_assert_ptr_eq(callers_came_over(callers, SOMEBODY), caller);
	ck_assert_ptr_null(callers_came_over(callers, SOMEBODY));

	callers_left(callers, caller);
	ck_assert_ptr_null(callers_came(callers, SOMEBODY));
	ck_assert_ptr_eq(callers_came_over(callers, SOMEBODY), caller);
}
END_TEST

START_TEST(test_root_and_ourselves_are_exempt)
{
	auto_talloc struct callers *callers = callers_new(NULL);

	for (int i = 0; i < 2 * CALLER_CONNECTIONS; i++) {
		ck_assert_ptr_nonnull(callers_came(callers, 0));
		ck_assert_ptr_nonnull(callers_came(callers, getuid()));
	}
	for (int i = 0; i < 2 * CALLER_REQUESTS; i++)
		ck_assert(caller_begins(callers_came(callers, 0)));
}
END_TEST

START_TEST(test_requests_beyond_the_cap_wait_their_turn)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *caller = callers_came(callers, SOMEBODY);
	struct list first, second;

	for (int i = 0; i < CALLER_REQUESTS; i++)
		ck_assert(caller_begins(caller));
	ck_assert(!caller_begins(caller));
	list_init(&first);
	list_init(&second);
	list_append(&caller->waiting, &first);
	list_append(&caller->waiting, &second);
	ck_assert_ptr_null(callers_next(callers));

	caller_finished(caller);
	ck_assert_ptr_eq(callers_next(callers), &first);
	list_remove(&first);
	ck_assert(caller_begins(caller));
	ck_assert_ptr_null(callers_next(callers));
}
END_TEST

START_TEST(test_who_has_most_idle_connections_pays_and_root_comes_last)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *root = callers_came(callers, 0), *few, *many;

	ck_assert_ptr_null(callers_greediest(callers));
	root->idle = 10;
	ck_assert_ptr_eq(callers_greediest(callers), root);

	few = callers_came(callers, SOMEBODY);
	many = callers_came(callers, SOMEBODY + 1);
	ck_assert_ptr_eq(callers_greediest(callers), root);
	few->idle = 1;
	ck_assert_ptr_eq(callers_greediest(callers), few);
	many->idle = 2;
	ck_assert_ptr_eq(callers_greediest(callers), many);

	callers_count_idle(callers);
	ck_assert_ptr_null(callers_greediest(callers));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("callers");
	TCase *tcase = tcase_create("callers");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_connections_of_one_uid_are_capped);
	tcase_add_test(tcase, test_connections_that_take_the_place_of_others_are_capped_too);
	tcase_add_test(tcase, test_root_and_ourselves_are_exempt);
	tcase_add_test(tcase, test_requests_beyond_the_cap_wait_their_turn);
	tcase_add_test(tcase, test_who_has_most_idle_connections_pays_and_root_comes_last);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
