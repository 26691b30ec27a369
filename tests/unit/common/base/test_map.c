/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/map.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define MANY 10000

static int values[MANY];

static void fill(struct map *map, int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(map_set(map, &i, sizeof(i), &values[i]), 0);
}

START_TEST(test_what_was_set_is_found)
{
	auto_talloc struct map *map = map_new(NULL);

	fill(map, MANY);
	ck_assert_uint_eq(map_count(map), MANY);
	for (int i = 0; i < MANY; i++)
		ck_assert_ptr_eq(map_get(map, &i, sizeof(i)), &values[i]);
	ck_assert_ptr_null(map_get(map, "alice", 5));
}
END_TEST

START_TEST(test_a_key_set_again_has_the_new_value)
{
	auto_talloc struct map *map = map_new(NULL);

	map_set(map, "alice", 5, &values[0]);
	map_set(map, "alice", 5, &values[1]);
	ck_assert_ptr_eq(map_get(map, "alice", 5), &values[1]);
	ck_assert_uint_eq(map_count(map), 1);
}
END_TEST

START_TEST(test_the_key_is_copied)
{
	auto_talloc struct map *map = map_new(NULL);
	char key[] = "alice";

	map_set(map, key, 5, &values[0]);
	memset(key, 'x', 5);
	ck_assert_ptr_eq(map_get(map, "alice", 5), &values[0]);
	ck_assert_ptr_null(map_get(map, key, 5));
}
END_TEST

START_TEST(test_keys_are_bytes_of_any_length)
{
	static const char zeros[40];
	auto_talloc struct map *map = map_new(NULL);

	for (size_t size = 0; size <= sizeof(zeros); size++) {
		char *exact = malloc(size ? size : 1); /* AddressSanitizer guards its end */

		memset(exact, 0, size);
		ck_assert_int_eq(map_set(map, exact, size, &values[size]), 0);
		free(exact);
	}
	for (size_t size = 0; size <= sizeof(zeros); size++)
		ck_assert_ptr_eq(map_get(map, zeros, size), &values[size]);
	ck_assert_ptr_eq(map_get(map, NULL, 0), &values[0]);
}
END_TEST

START_TEST(test_removed_is_gone)
{
	auto_talloc struct map *map = map_new(NULL);

	fill(map, MANY);
	for (int i = 0; i < MANY; i += 2)
		ck_assert_ptr_eq(map_remove(map, &i, sizeof(i)), &values[i]);
	for (int i = 0; i < MANY; i += 2)
		ck_assert_ptr_null(map_remove(map, &i, sizeof(i)));
	ck_assert_uint_eq(map_count(map), MANY / 2);
	for (int i = 0; i < MANY; i++)
		ck_assert_ptr_eq(map_get(map, &i, sizeof(i)), i % 2 ? &values[i] : NULL);
}
END_TEST

struct walk {
	struct map *map;
	int seen[MANY], n, order[100];
};

static void note(const void *key, size_t size, void *value, void *data)
{
	struct walk *walk = data;
	int i;

	ck_assert_uint_eq(size, sizeof(i));
	memcpy(&i, key, sizeof(i));
	ck_assert_ptr_eq(value, &values[i]);
	walk->seen[i]++;
	if (walk->n < 100)
		walk->order[walk->n] = i;
	walk->n++;
}

static void note_and_remove(const void *key, size_t size, void *value, void *data)
{
	struct walk *walk = data;

	note(key, size, value, data);
	ck_assert_ptr_eq(map_remove(walk->map, key, size), value);
}

START_TEST(test_each_comes_to_every_pair_once)
{
	auto_talloc struct map *map = map_new(NULL);
	static struct walk walk;

	fill(map, MANY);
	map_each(map, note, &walk);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(walk.seen[i], 1);
}
END_TEST

START_TEST(test_each_may_remove_its_pair)
{
	auto_talloc struct map *map = map_new(NULL);
	static struct walk walk;

	fill(map, MANY);
	walk.map = map;
	map_each(map, note_and_remove, &walk);
	ck_assert_int_eq(walk.n, MANY);
	ck_assert_uint_eq(map_count(map), 0);
}
END_TEST

/* With one hash for all, a client could choose names that share a chain. */
START_TEST(test_each_map_has_a_hash_of_its_own)
{
	auto_talloc struct map *one = map_new(NULL), *other = map_new(NULL);
	static struct walk walk_one, walk_other;

	fill(one, 100);
	fill(other, 100);
	map_each(one, note, &walk_one);
	map_each(other, note, &walk_other);
	ck_assert(memcmp(walk_one.order, walk_other.order, sizeof(walk_one.order)) != 0);
}
END_TEST

START_TEST(test_everything_goes_with_the_map)
{
	auto_talloc void *mem = talloc_new(NULL);
	struct map *map = map_new(mem);

	fill(map, 100);
	talloc_free(map);
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *map = tcase_create("map");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(map, test_what_was_set_is_found);
	tcase_add_test(map, test_a_key_set_again_has_the_new_value);
	tcase_add_test(map, test_the_key_is_copied);
	tcase_add_test(map, test_keys_are_bytes_of_any_length);
	tcase_add_test(map, test_removed_is_gone);
	tcase_add_test(map, test_each_comes_to_every_pair_once);
	tcase_add_test(map, test_each_may_remove_its_pair);
	tcase_add_test(map, test_each_map_has_a_hash_of_its_own);
	tcase_add_test(map, test_everything_goes_with_the_map);
	suite_add_tcase(suite, map);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
