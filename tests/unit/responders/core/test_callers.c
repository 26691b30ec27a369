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

/* ---- turns ---- */

#define LONG_US 1000000 /* longer than any pause between two that are ready, and alone */

/* A client asks while those that are ready are looked at. */
static bool goes(struct callers *callers, struct caller *caller, struct turn *turn)
{
	list_init(&turn->node);
	if (caller_may_go(callers, caller, turn, true, 0))
		return true;
	caller_lines_up(callers, caller, turn);
	return false;
}

START_TEST(test_one_request_of_each_uid_in_a_round)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *a = callers_came(callers, SOMEBODY);
	struct caller *b = callers_came(callers, SOMEBODY + 1);
	struct caller *c = callers_came(callers, SOMEBODY + 2);
	struct turn a1 = { 0 }, a2 = { 0 }, a3 = { 0 }, a4 = { 0 }, b1 = { 0 }, b2 = { 0 },
	            b3 = { 0 }, c1 = { 0 };

	ck_assert(goes(callers, a, &a1));
	ck_assert(!goes(callers, a, &a2));
	ck_assert(!goes(callers, a, &a3));
	ck_assert(!goes(callers, a, &a4));
	ck_assert(goes(callers, b, &b1));
	ck_assert(!goes(callers, b, &b2));
	ck_assert_ptr_null(callers_turn(callers));
	callers_begin_round(callers);
	ck_assert_ptr_eq(callers_turn(callers), &a2);
	/* It was served in this round already, and then one is before it. */
	ck_assert(!goes(callers, b, &b3));
	ck_assert(goes(callers, c, &c1));
	ck_assert(!goes(callers, c, &c1));
	ck_assert_ptr_eq(callers_turn(callers), &b2);
	ck_assert_ptr_null(callers_turn(callers));
	callers_begin_round(callers);
	ck_assert_ptr_eq(callers_turn(callers), &a3);
	ck_assert_ptr_eq(callers_turn(callers), &c1);
	ck_assert_ptr_eq(callers_turn(callers), &b3);
	callers_begin_round(callers);
	ck_assert_ptr_eq(callers_turn(callers), &a4);
	ck_assert(!callers_in_line(callers));
}
END_TEST

START_TEST(test_a_round_is_over_when_one_asks_again_or_nothing_was_to_be_done)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *a = callers_came(callers, SOMEBODY);
	struct caller *b = callers_came(callers, SOMEBODY + 1);
	struct turn a1 = { 0 }, a2 = { 0 }, b1 = { 0 };

	ck_assert(goes(callers, a, &a1));
	ck_assert(goes(callers, a, &a1));
	ck_assert(goes(callers, b, &b1));
	list_init(&a2.node);
	ck_assert(!caller_may_go(callers, a, &a2, true, 10));
	ck_assert(!caller_may_go(callers, a, &a1, false, 20)); /* that was here before */
	ck_assert(caller_may_go(callers, a, &a2, true, LONG_US));
	ck_assert(!caller_may_go(callers, a, &a1, true, LONG_US));
	caller_lines_up(callers, a, &a1);
	/* Somebody is in line: the round is not over before those had their turn. */
	ck_assert(caller_may_go(callers, b, &b1, true, LONG_US));
	ck_assert(!caller_may_go(callers, b, &b1, true, 2 * LONG_US));
}
END_TEST

START_TEST(test_one_that_is_alone_has_some_time_in_each_round)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *a = callers_came(callers, SOMEBODY);
	struct caller *b = callers_came(callers, SOMEBODY + 1);
	struct turn turns[4] = { 0 };

	ck_assert(goes(callers, a, &turns[0]));
	callers_served(callers, a, 0, 10);
	ck_assert(!goes(callers, a, &turns[1]));
	callers_begin_round(callers);
	ck_assert_ptr_eq(callers_turn(callers), &turns[1]);
	callers_served(callers, a, LONG_US, LONG_US + CALLER_TURN_US - 1);
	ck_assert(caller_may_go(callers, a, &turns[2], true, LONG_US + CALLER_TURN_US));
	callers_served(callers, a, LONG_US + CALLER_TURN_US, LONG_US + CALLER_TURN_US + 1);
	ck_assert(!caller_may_go(callers, a, &turns[3], true, LONG_US + CALLER_TURN_US + 1));

	callers_begin_round(callers);
	ck_assert(caller_may_go(callers, a, &turns[3], true, LONG_US + CALLER_TURN_US + 1));
	ck_assert(caller_may_go(callers, b, &turns[0], true, LONG_US + CALLER_TURN_US + 1));
	callers_served(callers, b, LONG_US + CALLER_TURN_US + 1, LONG_US + CALLER_TURN_US + 2);
	ck_assert(!caller_may_go(callers, a, &turns[1], true, LONG_US + CALLER_TURN_US + 2));
}
END_TEST

START_TEST(test_a_uid_whose_last_one_leaves_is_not_in_line)
{
	auto_talloc struct callers *callers = callers_new(NULL);
	struct caller *a = callers_came(callers, SOMEBODY);
	struct turn a1 = { 0 }, a2 = { 0 }, a3 = { 0 };

	ck_assert(goes(callers, a, &a1));
	caller_leaves_line(a, &a1);
	ck_assert(!goes(callers, a, &a2));
	ck_assert(!goes(callers, a, &a3));
	caller_leaves_line(a, &a2);
	ck_assert(callers_in_line(callers));
	caller_leaves_line(a, &a3);
	ck_assert(!callers_in_line(callers));
	callers_begin_round(callers);
	ck_assert_ptr_null(callers_turn(callers));
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
	tcase_add_test(tcase, test_one_request_of_each_uid_in_a_round);
	tcase_add_test(tcase, test_a_round_is_over_when_one_asks_again_or_nothing_was_to_be_done);
	tcase_add_test(tcase, test_one_that_is_alone_has_some_time_in_each_round);
	tcase_add_test(tcase, test_a_uid_whose_last_one_leaves_is_not_in_line);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
