/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state machine with times of milliseconds; they are checked from below, and against each
 * other.
 */
#include "backend/core/online.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/time.h"
#include "common/event/timer.h"

static struct tevent_context *ev;
static struct online *online;
static unsigned probes, changes;
static bool server_works;

static void probe(void *data)
{
	(void)data;
	probes++;
	if (server_works)
		online_succeeded(online, "ldap://a");
	else
		online_failed(online, "refused");
}

static void changed(void *data)
{
	(void)data;
	changes++;
}

static void begin_with(struct online_times times)
{
	static const struct online_hooks hooks = { probe, changed };

	ev = tevent_context_init(NULL);
	online = online_new(ev, ev, times, &hooks, NULL);
	probes = changes = 0;
	server_works = false;
}

static void begin(void)
{
	begin_with((struct online_times){ .probe_ms = 30, .question_ms = 60, .forced_ms = 50 });
}

static void end(void)
{
	talloc_free(ev);
}

static void stop(void *data)
{
	*(bool *)data = true;
}

static void run_for(int64_t ms)
{
	bool over = false;

	timer_once(ev, ev, ms, stop, &over);
	while (!over)
		tevent_loop_once(ev);
}

START_TEST(test_questions_go_through_before_anything_is_known)
{
	ck_assert_int_eq(online_state(online), ONLINE_UNKNOWN);
	ck_assert(online_may_ask(online));
	ck_assert_uint_eq(probes, 0);
}
END_TEST

START_TEST(test_failure_makes_offline_with_its_reason)
{
	online_failed(online, "connection refused");
	ck_assert_int_eq(online_state(online), ONLINE_NO);
	ck_assert(!online_may_ask(online));
	ck_assert_ptr_nonnull(strstr(online_text(online), "offline since "));
	ck_assert_ptr_nonnull(strstr(online_text(online), ": connection refused"));
	ck_assert_uint_eq(changes, 1);
}
END_TEST

START_TEST(test_later_reason_keeps_the_time)
{
	char since[sizeof("offline since YYYY-MM-DD HH:MM:SS")] = "";

	online_failed(online, "first");
	memcpy(since, online_text(online), sizeof(since) - 1);
	run_for(10);
	online_failed(online, "second");
	ck_assert_mem_eq(online_text(online), since, sizeof(since) - 1);
	ck_assert_str_eq(online_text(online) + sizeof(since) - 1, ": second");
	ck_assert_uint_eq(changes, 2);
	online_failed(online, "second");
	ck_assert_uint_eq(changes, 2);
}
END_TEST

START_TEST(test_probes_until_the_server_is_back)
{
	online_failed(online, "refused");
	run_for(110);
	ck_assert_uint_ge(probes, 2);
	ck_assert_int_eq(online_state(online), ONLINE_NO);

	server_works = true;
	run_for(80);
	ck_assert_int_eq(online_state(online), ONLINE_YES);
	ck_assert(online_may_ask(online));
}
END_TEST

/* 30, 60, 120, 120 ms …, and from 30 again. */
START_TEST(test_waits_grow_as_far_as_they_may)
{
	struct online_times times = { .probe_ms = 30, .probe_max_ms = 120, .question_ms = 100000 };
	int64_t began_us;

	online_set_times(online, times);
	for (int i = 0; i < 2; i++) {
		began_us = monotonic_us();
		probes = 0;
		online_failed(online, "refused");
		while (probes < 6)
			ck_assert_int_eq(tevent_loop_once(ev), 0);
		ck_assert_int_ge(monotonic_us() - began_us, (30 + 60 + 4 * 120) * 1000);
		ck_assert_int_lt(monotonic_us() - began_us, 1500000);
		online_succeeded(online, "ldap://a");
	}

	times.probe_max_ms = 0;
	online_set_times(online, times);
	began_us = monotonic_us();
	probes = 0;
	online_failed(online, "refused");
	while (probes < 6)
		ck_assert_int_eq(tevent_loop_once(ev), 0);
	ck_assert_int_lt(monotonic_us() - began_us, (30 + 60 + 4 * 120) * 1000);
}
END_TEST

START_TEST(test_online_arms_no_timer)
{
	server_works = true;
	online_failed(online, "refused");
	run_for(80);
	ck_assert_int_eq(online_state(online), ONLINE_YES);
	probes = 0;
	run_for(120);
	ck_assert_uint_eq(probes, 0);
}
END_TEST

START_TEST(test_question_starts_a_probe_but_not_each)
{
	talloc_free(online);
	end();
	begin_with((struct online_times){ .probe_ms = 100000, .question_ms = 40, .forced_ms = 50 });
	online_failed(online, "refused");
	for (int i = 0; i < 100; i++)
		ck_assert(!online_may_ask(online));
	ck_assert_uint_eq(probes, 0); /* it has just been tried */
	run_for(50);
	for (int i = 0; i < 100; i++)
		ck_assert(!online_may_ask(online));
	ck_assert_uint_eq(probes, 1);
}
END_TEST

START_TEST(test_question_may_find_the_server_back)
{
	online_failed(online, "refused");
	server_works = true;
	run_for(0);
	online_retry(online, false);
	ck_assert(online_may_ask(online));
}
END_TEST

START_TEST(test_event_is_tried_at_once_and_again)
{
	talloc_free(online);
	end();
	begin_with((struct online_times){ .probe_ms = 100000, .question_ms = 100000 });
	online_failed(online, "refused");
	online_retry(online, false);
	ck_assert_uint_eq(probes, 1);
	run_for(1100);
	ck_assert_uint_eq(probes, 2);
	server_works = true;
	run_for(2100);
	ck_assert_uint_eq(probes, 3);
	ck_assert_int_eq(online_state(online), ONLINE_YES);
}
END_TEST

START_TEST(test_event_while_online_does_nothing)
{
	online_succeeded(online, "ldap://a");
	online_retry(online, true);
	ck_assert_uint_eq(probes, 0);
	ck_assert_int_eq(online_state(online), ONLINE_YES);
}
END_TEST

START_TEST(test_forced_off_holds_against_success_and_events)
{
	server_works = true;
	online_succeeded(online, "ldap://a");
	online_force_off(online);
	online_succeeded(online, "ldap://a");
	online_retry(online, false);
	ck_assert(!online_may_ask(online));
	ck_assert_int_eq(online_state(online), ONLINE_FORCED_OFF);
	ck_assert_uint_eq(probes, 0);
}
END_TEST

START_TEST(test_forced_off_ends_by_command)
{
	server_works = true;
	online_force_off(online);
	online_retry(online, true);
	ck_assert_int_eq(online_state(online), ONLINE_YES);
}
END_TEST

START_TEST(test_forced_off_ends_by_time)
{
	server_works = true;
	online_force_off(online);
	run_for(100);
	ck_assert_int_eq(online_state(online), ONLINE_YES);
}
END_TEST

START_TEST(test_same_server_again_is_no_change)
{
	online_succeeded(online, "ldap://a");
	online_succeeded(online, "ldap://a");
	ck_assert_uint_eq(changes, 1);
	online_succeeded(online, "ldap://b");
	ck_assert_uint_eq(changes, 2);
	ck_assert_ptr_nonnull(strstr(online_text(online), ", ldap://b"));
}
END_TEST

/* Back within 30 s without an event, whatever the options say. */
START_TEST(test_options_never_make_it_wait_longer_than_30_s)
{
	static const uint32_t values[] = { 0, 1, 20, 60, 3600, UINT32_MAX };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
			struct online_times times = online_times(values[i], values[j], values[j]);

			ck_assert_int_gt(times.probe_ms, 0);
			ck_assert_int_le(times.probe_max_ms + times.jitter_ms, 25000);
			ck_assert_int_le(times.probe_ms + times.jitter_ms, 25000);
		}
	ck_assert_int_eq(online_times(60, 0, 30).forced_ms, 60000);
}
END_TEST

START_TEST(test_a_question_starts_a_probe_every_5_s_whatever_the_options_say)
{
	ck_assert_int_eq(online_times(60, 3600, 30).question_ms, 5000);
	ck_assert_int_eq(online_times(0, 0, 0).question_ms, 5000);
	ck_assert_int_eq(online_times(UINT32_MAX, UINT32_MAX, UINT32_MAX).question_ms, 5000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("online");
	TCase *tests = tcase_create("online");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_questions_go_through_before_anything_is_known);
	tcase_add_test(tests, test_failure_makes_offline_with_its_reason);
	tcase_add_test(tests, test_later_reason_keeps_the_time);
	tcase_add_test(tests, test_probes_until_the_server_is_back);
	tcase_add_test(tests, test_waits_grow_as_far_as_they_may);
	tcase_add_test(tests, test_online_arms_no_timer);
	tcase_add_test(tests, test_question_starts_a_probe_but_not_each);
	tcase_add_test(tests, test_question_may_find_the_server_back);
	tcase_add_test(tests, test_event_is_tried_at_once_and_again);
	tcase_add_test(tests, test_event_while_online_does_nothing);
	tcase_add_test(tests, test_forced_off_holds_against_success_and_events);
	tcase_add_test(tests, test_forced_off_ends_by_command);
	tcase_add_test(tests, test_forced_off_ends_by_time);
	tcase_add_test(tests, test_same_server_again_is_no_change);
	tcase_add_test(tests, test_options_never_make_it_wait_longer_than_30_s);
	tcase_add_test(tests, test_a_question_starts_a_probe_every_5_s_whatever_the_options_say);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
