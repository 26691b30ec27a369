/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/str.h"
#include "tests/unit/common/cache/fixture.h"

/* 600 s to live. */
static void put_some(const char *prefix, uint32_t first_uid, uint32_t n)
{
	struct cache_change *change = new_change();
	char name[16];

	for (uint32_t i = 0; i < n; i++) {
		struct user user = some_user(name, first_uid + i);

		snprintf(name, sizeof(name), "%s%u", prefix, i);
		ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	}
	ck_assert_int_eq(commit(change), 0);
}

START_TEST(test_what_expired_long_ago_goes)
{
	struct entry entry;
	uint64_t removed;

	fixture_open();
	put_some("old", 1000, 10);
	fake_later_s = 1000;
	put_some("new", 2000, 10);
	ck_assert_int_eq(sweep(500, &removed), 0); /* expired for 400 s */
	ck_assert_uint_eq(removed, 0);
	fake_later_s = 1101;
	ck_assert_int_eq(sweep(500, &removed), 0);
	ck_assert_uint_eq(removed, 10);
	ck_assert_uint_eq(stats().entries, 10);
	ck_assert_int_eq(FIND_USER("old3", &entry), -ENOENT);
	ck_assert_int_eq(FIND_UID(1003, &entry), -ENOENT);
	ck_assert_int_eq(FIND_USER("new3", &entry), 0);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

START_TEST(test_a_user_takes_its_groups_along)
{
	struct initgroups groups = some_initgroups("old0", 1, NULL, 0);
	struct cache_change *change = new_change();
	struct entry entry;
	uint64_t removed;

	fixture_open();
	put_some("old", 1000, 1);
	ck_assert_int_eq(cache_put_initgroups(change, &groups, 5000), 0);
	ck_assert_int_eq(commit(change), 0);
	fake_later_s = 1000;
	ck_assert_int_eq(sweep(0, &removed), 0);
	ck_assert_uint_eq(removed, 2);
	ck_assert_int_eq(FIND_LISTS("old0", &entry), -ENOENT);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

START_TEST(test_a_clock_set_forward_removes_nothing)
{
	uint64_t removed;

	fixture_open();
	put_some("u", 1000, 10);
	fake_wall_later_s = 100000000;
	ck_assert_int_eq(sweep(0, &removed), 0);
	ck_assert_uint_eq(removed, 0);

	/* After a reboot there is only the wall clock. */
	fake_boot = 4711;
	ck_assert_int_eq(sweep(0, &removed), 0);
	ck_assert_uint_eq(removed, 10);
}
END_TEST

START_TEST(test_questions_go_between_slices)
{
	struct tevent_req *sweeping, *storing;
	struct user alice = some_user("alice", 1);
	struct cache_change *change = new_change();
	uint64_t removed, groups;

	fixture_open();
	put_some("old", 1000, 300);
	fake_later_s = 10000;
	fake_slow = true; /* one record in each slice */
	groups = stats().groups;
	sweeping = cache_sweep_send(fixture.ev, fixture.ev, fixture.writer, 0);
	ck_assert_int_eq(tevent_loop_once(fixture.ev), 0);
	ck_assert_int_eq(cache_put_user(change, &alice, 600), 0);
	storing = cache_commit_send(fixture.ev, fixture.ev, fixture.writer, change);
	ck_assert(tevent_req_poll(storing, fixture.ev));
	ck_assert_int_eq(cache_commit_recv(storing), 0);
	ck_assert(tevent_req_is_in_progress(sweeping));

	ck_assert(tevent_req_poll(sweeping, fixture.ev));
	ck_assert_int_eq(cache_sweep_recv(sweeping, &removed), 0);
	ck_assert_uint_eq(removed, 300);
	ck_assert_uint_ge(stats().groups, groups + 300);
}
END_TEST

START_TEST(test_closing_ends_a_sweep)
{
	struct tevent_req *sweeping;
	uint64_t removed;

	fixture_open();
	put_some("old", 1000, 300);
	fake_later_s = 10000;
	fake_slow = true;
	sweeping = cache_sweep_send(fixture.ev, fixture.ev, fixture.writer, 0);
	ck_assert_int_eq(tevent_loop_once(fixture.ev), 0);
	fixture_close();
	ck_assert(tevent_req_poll(sweeping, fixture.ev));
	ck_assert_int_eq(cache_sweep_recv(sweeping, &removed), -ECANCELED);
	ck_assert_int_eq(checked(), 0);
}
END_TEST

/* ---- a cache that is full ---- */

static void open_small(void)
{
	fixture.options.max_size = 256 * 1024;
	fixture_open();
}

/* As many users as go in, each 600 s to live, each with a list of groups if lists. How many. */
static uint32_t fill(const char *prefix, uint32_t first_uid, bool lists)
{
	struct initgroups list = some_initgroups("", 1, NULL, 0);
	char name[16];

	for (uint32_t n = 0;; n++) {
		struct cache_change *change = new_change();
		struct user user = some_user(name, first_uid + n);
		int r;

		snprintf(name, sizeof(name), "%s%u", prefix, n);
		list.name = name;
		ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
		if (lists)
			ck_assert_int_eq(cache_put_initgroups(change, &list, 600), 0);
		r = commit(change);
		if (r == -E_CACHE_QUOTA)
			return n;
		ck_assert_int_eq(r, 0);
		ck_assert_uint_lt(n, 10000);
	}
}

static int put_one(const char *name, uint32_t uid)
{
	struct cache_change *change = new_change();
	struct user user = some_user(name, uid);

	ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	return commit(change);
}

START_TEST(test_the_oldest_that_expired_make_room)
{
	struct entry entry;
	uint32_t n;

	open_small();
	put_some("old", 50000, 100);
	fake_later_s = 300;
	n = fill("u", 1000, false);
	ck_assert_int_eq(cache_set_listed(fixture.writer, true), 0);
	ck_assert_int_eq(put_one("new", 9), -E_CACHE_QUOTA); /* all are fresh */
	ck_assert_int_eq(FIND_USER("old0", &entry), 0);
	ck_assert(cache_is_listed(cache_writer_reader(fixture.writer)));

	fake_later_s = 601;
	ck_assert_int_eq(put_one("new", 9), 0);
	ck_assert_int_eq(FIND_USER("new", &entry), 0);
	ck_assert_int_eq(FIND_USER("old0", &entry), -ENOENT);
	ck_assert(!cache_is_listed(cache_writer_reader(fixture.writer)));

	fake_later_s = 2000; /* all have expired: no more go than must */
	for (uint32_t i = 0; i < n / 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "new%u", i);
		ck_assert_int_eq(put_one(name, 20000 + i), 0);
		ck_assert_uint_lt(stats().bytes_used, stats().bytes_max + 16 * 1024);
		ck_assert_uint_gt(stats().bytes_used, stats().bytes_max * 9 / 10);
	}
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

START_TEST(test_what_a_login_needs_makes_no_room)
{
	struct cache_change *change;
	struct group group = some_group("staff", 7);
	struct entry entry;

	open_small();
	change = new_change();
	ck_assert_int_eq(cache_put_group(change, &group, 600), 0);
	ck_assert_int_eq(commit(change), 0);
	put_some("plain", 50000, 100);
	fill("u", 1000, true);

	fake_later_s = 10 * 86400;
	ck_assert_int_eq(put_one("new", 9), 0);
	fill("more", 60000, false);
	ck_assert_int_eq(FIND_USER("plain99", &entry), -ENOENT);
	ck_assert_int_eq(FIND_USER("u0", &entry), 0);
	ck_assert_int_eq(FIND_LISTS("u0", &entry), 0);
	ck_assert_int_eq(FIND_GROUP("staff", &entry), 0);
}
END_TEST

START_TEST(test_nor_does_it_for_ever)
{
	open_small();
	fill("u", 1000, true);
	fake_later_s = 31 * 86400;
	ck_assert_int_eq(put_one("new", 9), 0);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

/* Whatever comes after it waits, too: the last word on "new" counts. */
START_TEST(test_what_waits_for_room_keeps_its_place)
{
	static const char *const words[][2] = {
		{ "new", "First" }, { "new", "Second" }, { "other", "" }, { "new", "Last" }
	};
	struct tevent_req *reqs[str_size(words)];
	struct entry entry;

	open_small();
	fill("u", 1000, false);
	fake_later_s = 10000;
	for (size_t i = 0; i < str_size(words); i++) {
		struct cache_change *change = new_change();
		struct user user = some_user(words[i][0], (uint32_t)strlen(words[i][0]));

		user.gecos = words[i][1];
		ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
		reqs[i] = cache_commit_send(fixture.ev, fixture.ev, fixture.writer, change);
	}
	for (size_t i = 0; i < str_size(words); i++) {
		ck_assert(tevent_req_poll(reqs[i], fixture.ev));
		ck_assert_int_eq(cache_commit_recv(reqs[i]), 0);
	}
	ck_assert_int_eq(FIND_USER("new", &entry), 0);
	ck_assert_str_eq(entry.user.gecos, "Last");
	ck_assert_int_eq(FIND_USER("other", &entry), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_what_expired_long_ago_goes,
		test_a_user_takes_its_groups_along,
		test_a_clock_set_forward_removes_nothing,
		test_questions_go_between_slices,
		test_closing_ends_a_sweep,
		test_the_oldest_that_expired_make_room,
		test_what_a_login_needs_makes_no_room,
		test_nor_does_it_for_ever,
		test_what_waits_for_room_keeps_its_place,
		NULL,
	};

	return run_suite("cache_sweep", tests);
}
