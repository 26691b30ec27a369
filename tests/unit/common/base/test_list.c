/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/list.h"

#include <check.h>
#include <stdlib.h>

struct item {
	int number;
	struct list node;
};

static struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
static struct list head;

static void fill(void)
{
	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_append(&head, &items[i].node);
}

/* The numbers in the list as decimal digits. */
static int digits(void)
{
	struct item *item;
	int sum = 0;

	list_for_each(item, &head, node)
		sum = sum * 10 + item->number;
	return sum;
}

START_TEST(test_items_come_in_the_order_they_were_appended)
{
	fill();
	ck_assert_int_eq(digits(), 123);
	ck_assert(!list_empty(&head));
}
END_TEST

START_TEST(test_an_empty_list_has_no_items)
{
	list_init(&head);
	ck_assert(list_empty(&head));
	ck_assert_int_eq(digits(), 0);
}
END_TEST

START_TEST(test_removing_twice_is_harmless)
{
	fill();
	list_remove(&items[1].node);
	list_remove(&items[1].node);
	ck_assert_int_eq(digits(), 13);
	list_append(&head, &items[1].node);
	ck_assert_int_eq(digits(), 132);
}
END_TEST

START_TEST(test_a_loop_may_remove_its_item)
{
	struct item *item;
	int seen = 0;

	fill();
	list_for_each(item, &head, node) {
		seen++;
		list_remove(&item->node);
	}
	ck_assert_int_eq(seen, 3);
	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(test_break_leaves_the_loop)
{
	struct item *item;
	int seen = 0;

	fill();
	list_for_each(item, &head, node) {
		seen++;
		if (item->number == 2)
			break;
	}
	ck_assert_int_eq(seen, 2);
	ck_assert_int_eq(item->number, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("list");
	TCase *list = tcase_create("list");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(list, test_items_come_in_the_order_they_were_appended);
	tcase_add_test(list, test_an_empty_list_has_no_items);
	tcase_add_test(list, test_removing_twice_is_harmless);
	tcase_add_test(list, test_a_loop_may_remove_its_item);
	tcase_add_test(list, test_break_leaves_the_loop);
	suite_add_tcase(suite, list);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
