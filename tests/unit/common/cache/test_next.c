/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One entry after the other, and the mark that says that they are all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/unit/common/cache/fixture.h"

/* The names behind place, with a blank behind each; at most max. */
static const char *names_behind(enum entry_kind kind, struct cache_place *place, unsigned max)
{
	static char names[8192];
	struct cache *cache = cache_writer_reader(fixture.writer);
	struct entry entry;
	int r = 0;

	names[0] = '\0';
	ck_assert_int_eq(cache_begin(cache), 0);
	for (unsigned n = 0; n < max; n++) {
		r = cache_next(cache, kind, place, &entry);
		if (r < 0)
			break;
		strncat(names, kind == ENTRY_USER ? entry.user.name : entry.group.name, 300);
		strncat(names, " ", 2);
	}
	cache_end(cache);
	ck_assert(r == 0 || r == -ENOENT);
	return names;
}

static void put_users(const char *names)
{
	auto_talloc char *copy = talloc_strdup(NULL, names);
	uint32_t uid = 1000;

	for (char *name = strtok(copy, " "); name; name = strtok(NULL, " ")) {
		struct user user = some_user(name, uid++);

		ck_assert_int_eq(put_user(&user), 0);
	}
}

START_TEST(test_in_the_order_of_names)
{
	struct group group = some_group("wheel", 7);
	struct cache_place place = { 0 };

	fixture_open();
	put_users("carol Bob alice");
	ck_assert_int_eq(put_group(&group), 0);
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 100), "alice Bob carol ");
	place = (struct cache_place){ 0 };
	ck_assert_str_eq(names_behind(ENTRY_GROUP, &place, 100), "wheel ");
}
END_TEST

START_TEST(test_of_none_and_behind_the_last)
{
	struct cache_place place = { 0 };

	fixture_open();
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 100), "");
	put_users("alice");
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 100), "alice ");
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 100), "");
}
END_TEST

START_TEST(test_a_place_stays_good)
{
	struct cache_change *change;
	struct cache_place place = { 0 };

	fixture_open();
	put_users("a aa b c d");
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 1), "a ");
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 2), "aa b ");

	change = new_change();
	cache_remove(change, &(struct query){ .kind = QUERY_USER_BY_NAME, .name = "b" });
	cache_remove(change, &(struct query){ .kind = QUERY_USER_BY_NAME, .name = "c" });
	ck_assert_int_eq(commit(change), 0);
	put_users("bb e");
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 100), "bb d e ");
}
END_TEST

START_TEST(test_longest_name)
{
	char name[256] = "";
	struct cache_place place = { 0 };
	struct user user;

	for (size_t i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "\xc8\xba", 2); /* folds to three bytes */
	user = some_user(name, 1);
	fixture_open();
	ck_assert_int_eq(put_user(&user), 0);
	ck_assert_uint_eq(strlen(names_behind(ENTRY_USER, &place, 100)), strlen(name) + 1);
	ck_assert_str_eq(names_behind(ENTRY_USER, &place, 100), "");
}
END_TEST

static bool is_listed(void)
{
	return cache_is_listed(cache_writer_reader(fixture.writer));
}

START_TEST(test_the_mark_is_of_this_environment)
{
	fixture_open();
	ck_assert(!is_listed());
	ck_assert_int_eq(cache_set_listed(fixture.writer, true), 0);
	ck_assert(is_listed());
	fixture_close();
	fixture_open();
	ck_assert(is_listed());
	fixture_close();

	ck_assert_int_eq(cache_set_aside(&fixture.options), 0);
	fixture_open();
	ck_assert(!is_listed());
	ck_assert_int_eq(cache_set_listed(fixture.writer, true), 0);
	ck_assert_int_eq(cache_set_listed(fixture.writer, false), 0);
	ck_assert_int_eq(cache_set_listed(fixture.writer, false), 0);
	ck_assert(!is_listed());
}
END_TEST

/* A power cut: not closed in order, and another boot. The check finds the file sound. */
START_TEST(test_the_mark_does_not_outlive_what_may_be_lost)
{
	fixture_open();
	ck_assert_int_eq(cache_set_listed(fixture.writer, true), 0);
	fixture_close();
	ck_assert_int_eq(cache_mark_checked(&fixture.options), 0);
	fixture_open();
	ck_assert(!is_listed());
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_in_the_order_of_names,
		test_of_none_and_behind_the_last,
		test_a_place_stays_good,
		test_longest_name,
		test_the_mark_is_of_this_environment,
		test_the_mark_does_not_outlive_what_may_be_lost,
		NULL,
	};

	return run_suite("cache_next", tests);
}
