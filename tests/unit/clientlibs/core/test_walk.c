/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Enumeration: all entries once, in order, or an error
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"
#include "tests/unit/clientlibs/responder.h"

static struct passwd user;
static struct group group;
static char buffer[1024];
static int error;

static enum nss_status next_user(void)
{
	error = 0;
	return _nss_sss_getpwent_r(&user, buffer, sizeof(buffer), &error);
}

static enum nss_status next_group(void)
{
	error = 0;
	return _nss_sss_getgrent_r(&group, buffer, sizeof(buffer), &error);
}

static void listen_and_start(void)
{
	responder_listen(8);
	responder_start(script_directory);
}

/* Users first to last - 1 come now, in this order. */
static void expect_users(unsigned first, unsigned last)
{
	char name[16];

	for (unsigned i = first; i < last; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		ck_assert_int_eq(next_user(), NSS_STATUS_SUCCESS);
		ck_assert_str_eq(user.pw_name, name);
	}
}

START_TEST(test_all_users_once_and_in_order)
{
	for (int round = 0; round < 2; round++) {
		_nss_sss_setpwent(0);
		expect_users(0, 300);
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(next_user(), NSS_STATUS_NOTFOUND);
			ck_assert_int_eq(error, 0);
		}
		_nss_sss_endpwent();
	}
	/* set and four portions, twice */
	ck_assert_uint_eq(seen->requests, 10);
	ck_assert_uint_eq(seen->connections, 2);
}
END_TEST

START_TEST(test_all_groups_once_and_in_order)
{
	char name[16];

	for (unsigned i = 0; i < 300; i++) { /* setgrent is optional */
		snprintf(name, sizeof(name), "group%u", i);
		ck_assert_int_eq(next_group(), NSS_STATUS_SUCCESS);
		ck_assert_str_eq(group.gr_name, name);
		ck_assert_str_eq(group.gr_mem[2], "user2");
	}
	ck_assert_int_eq(next_group(), NSS_STATUS_NOTFOUND);
}
END_TEST

START_TEST(test_set_and_end_alone_disturb_nobody)
{
	ck_assert_int_eq(_nss_sss_setpwent(1), NSS_STATUS_SUCCESS);
	ck_assert_int_eq(_nss_sss_endpwent(), NSS_STATUS_SUCCESS);
	ck_assert_int_eq(_nss_sss_setgrent(0), NSS_STATUS_SUCCESS);
	ck_assert_int_eq(_nss_sss_endgrent(), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(seen->connections, 0);
}
END_TEST

START_TEST(test_a_small_buffer_loses_no_entry)
{
	for (unsigned i = 0; i < 300; i++) {
		ck_assert_int_eq(_nss_sss_getpwent_r(&user, buffer, 5, &error),
		                 NSS_STATUS_TRYAGAIN);
		ck_assert_int_eq(error, ERANGE);
		expect_users(i, i + 1);
	}
}
END_TEST

START_TEST(test_lookups_between_entries_do_not_disturb)
{
	struct passwd other;
	char texts[256];

	for (unsigned i = 0; i < 300; i++) {
		expect_users(i, i + 1);
		ck_assert_int_eq(
			_nss_sss_getpwuid_r(user.pw_uid, &other, texts, sizeof(texts), &error),
			NSS_STATUS_SUCCESS);
		ck_assert_str_eq(other.pw_name, user.pw_name);
	}
	ck_assert_int_eq(next_user(), NSS_STATUS_NOTFOUND);
}
END_TEST

START_TEST(test_a_lost_connection_is_an_error_and_no_end)
{
	expect_users(0, 150);
	responder_kill();
	responder_start(script_directory);
	expect_users(150, 200); /* they are here already */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(next_user(), NSS_STATUS_UNAVAIL);
		ck_assert_int_ne(error, 0);
	}
	_nss_sss_setpwent(0);
	expect_users(0, 300);
}
END_TEST

START_TEST(test_a_forked_child_has_lost_its_place_and_the_parent_not)
{
	pid_t child;
	int status;

	expect_users(0, 100);
	child = fork();
	if (child == 0) {
		if (next_user() != NSS_STATUS_UNAVAIL)
			_exit(1);
		_nss_sss_setpwent(0);
		expect_users(0, 100);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);

	/* The scripted responder has one place for all, and the child moved it to 100 as well. */
	expect_users(100, 300);
	ck_assert_int_eq(next_user(), NSS_STATUS_NOTFOUND);
}
END_TEST

/* Two entries, the first of them root's, the second cut short if the knob is set. */
static bool script_odd(const struct call *call)
{
	struct writer out = writer_new(PROTO_REPLY_MAX);

	if (call->command == PROTO_GET_VERSION)
		return answer_version(call);
	if (call->command == PROTO_GETPWENT) {
		writer_u32(&out, 2);
		writer_u32(&out, 0);
		put_user(&out, "toor", 0, 20000);
		put_user(&out, "user1", 1001, 20000);
	}
	answer(call, 0, out.bytes, out.size - seen->knob, 0);
	writer_free(&out);
	return true;
}

START_TEST(test_root_is_passed_over)
{
	responder_kill();
	responder_start(script_odd);
	ck_assert_int_eq(next_user(), NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_name, "user1");
}
END_TEST

START_TEST(test_a_senseless_entry_ends_the_walk_with_an_error)
{
	responder_kill();
	responder_start(script_odd);
	ck_assert_int_eq(next_user(), NSS_STATUS_SUCCESS);
	seen->knob = 1;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(next_user(), NSS_STATUS_UNAVAIL);
		ck_assert_int_eq(error, EBADMSG);
	}
}
END_TEST

static bool script_slow(const struct call *call)
{
	usleep(50 * 1000);
	return script_directory(call);
}

static void *walk_until_cancelled(void *nothing)
{
	pthread_cleanup_push(forget_frames, NULL);
	for (;;) {
		next_user();
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return nothing;
}

/* LeakSanitizer looks for what is left. */
START_TEST(test_a_cancelled_thread_leaves_nothing_of_its_walk)
{
	pthread_t thread;
	void *result;

	responder_kill();
	responder_start(script_slow);
	ck_assert_int_eq(pthread_create(&thread, NULL, walk_until_cancelled, NULL), 0);
	while (__atomic_load_n(&seen->requests, __ATOMIC_RELAXED) < 2)
		usleep(1000);
	ck_assert_int_eq(pthread_cancel(thread), 0);
	pthread_join(thread, &result);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	expect_users(0, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("walk");
	TCase *walk = tcase_create("walk");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(walk, listen_and_start, responder_clean);
	tcase_add_test(walk, test_all_users_once_and_in_order);
	tcase_add_test(walk, test_all_groups_once_and_in_order);
	tcase_add_test(walk, test_set_and_end_alone_disturb_nobody);
	tcase_add_test(walk, test_a_small_buffer_loses_no_entry);
	tcase_add_test(walk, test_lookups_between_entries_do_not_disturb);
	tcase_add_test(walk, test_a_lost_connection_is_an_error_and_no_end);
	tcase_add_test(walk, test_a_forked_child_has_lost_its_place_and_the_parent_not);
	tcase_add_test(walk, test_root_is_passed_over);
	tcase_add_test(walk, test_a_senseless_entry_ends_the_walk_with_an_error);
	tcase_add_test(walk, test_a_cancelled_thread_leaves_nothing_of_its_walk);
	suite_add_tcase(suite, walk);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
