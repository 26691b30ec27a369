/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

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

int main(void)
{
	const TTest *const tests[] = {
		test_what_expired_long_ago_goes,
		test_a_user_takes_its_groups_along,
		test_a_clock_set_forward_removes_nothing,
		test_questions_go_between_slices,
		test_closing_ends_a_sweep,
		NULL,
	};

	return run_suite("cache_sweep", tests);
}
