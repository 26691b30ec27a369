/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Turns: one at a time, in order; one that was lent may be gone; what nobody takes is passed on.
 */
#include "backend/ldap/turn.h"

#include <check.h>
#include <stdlib.h>

static struct tevent_context *ev;
static struct turns *turns;

struct one {
	struct tevent_req *req;
	struct turn *turn; /* NULL: it is waited for */
};

static void end(void)
{
	TALLOC_FREE(ev);
}

static void has_come(struct tevent_req *req)
{
	struct one *one = tevent_req_callback_data_void(req);

	ck_assert_int_eq(turn_wait_recv(req, ev, &one->turn), 0);
	TALLOC_FREE(one->req);
}

static void wait_for(struct one *one)
{
	*one = (struct one){ .req = turn_wait_send(ev, turns) };
	ck_assert_ptr_nonnull(one->req);
	tevent_req_set_callback(one->req, has_come, one);
}

/* All that happens by itself. */
static void run(void)
{
	for (int i = 0; i < 10; i++)
		tevent_loop_once(ev);
}

static void nothing(struct tevent_context *context, struct tevent_immediate *immediate, void *data)
{
	(void)data;
	tevent_schedule_immediate(immediate, context, nothing, NULL);
}

static void begin(void)
{
	ev = tevent_context_init(NULL);
	turns = turns_new(ev, ev);
	ck_assert_ptr_nonnull(turns);

	/* So that the loop never sleeps. */
	tevent_schedule_immediate(tevent_create_immediate(ev), ev, nothing, NULL);
}

START_TEST(test_one_at_a_time)
{
	struct one first, second, third;

	ck_assert(turns_are_free(turns));
	wait_for(&first);
	wait_for(&second);
	wait_for(&third);
	ck_assert(!turns_are_free(turns));
	run();
	ck_assert(first.turn && !second.turn && !third.turn);
	TALLOC_FREE(first.turn);
	run();
	ck_assert(second.turn && !third.turn);
	TALLOC_FREE(second.turn);
	run();
	ck_assert_ptr_nonnull(third.turn);
	TALLOC_FREE(third.turn);
	ck_assert(turns_are_free(turns));
}
END_TEST

START_TEST(test_lent_and_not_wanted)
{
	struct one first, second;

	wait_for(&first);
	run();
	turn_lend(first.turn);
	ck_assert(!turns_are_free(turns));
	ck_assert(turn_take_back(first.turn));
	wait_for(&second);
	run();
	ck_assert_ptr_null(second.turn);
}
END_TEST

START_TEST(test_lent_and_gone)
{
	struct one first, second, third;

	wait_for(&first);
	wait_for(&second);
	run();
	turn_lend(first.turn);
	run();
	ck_assert_ptr_nonnull(second.turn);
	ck_assert(!turn_take_back(first.turn));
	wait_for(&third);
	TALLOC_FREE(first.turn); /* which was none any more */
	run();
	ck_assert_ptr_null(third.turn);
	TALLOC_FREE(second.turn);
	run();
	ck_assert_ptr_nonnull(third.turn);
}
END_TEST

START_TEST(test_lent_before_somebody_comes)
{
	struct one first, second;

	wait_for(&first);
	run();
	turn_lend(first.turn);
	wait_for(&second);
	run();
	ck_assert_ptr_nonnull(second.turn);
	TALLOC_FREE(second.turn);
	ck_assert(!turn_take_back(first.turn));
}
END_TEST

START_TEST(test_whoever_gives_up_is_passed_over)
{
	struct one first, second, third;

	wait_for(&first);
	wait_for(&second);
	wait_for(&third);
	TALLOC_FREE(second.req);
	TALLOC_FREE(first.req); /* it had come, and was not taken */
	run();
	ck_assert_ptr_nonnull(third.turn);
	TALLOC_FREE(third.turn);
	ck_assert(turns_are_free(turns));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("turn");
	TCase *tests = tcase_create("turn");
	SRunner *runner;
	int n_bad;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_one_at_a_time);
	tcase_add_test(tests, test_lent_and_not_wanted);
	tcase_add_test(tests, test_lent_and_gone);
	tcase_add_test(tests, test_lent_before_somebody_comes);
	tcase_add_test(tests, test_whoever_gives_up_is_passed_over);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
