/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Users over the socket: every row of the table of results, and replies that make no sense
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"
#include "tests/unit/clientlibs/responder.h"

#define UNTOUCHED 4711

static struct passwd user;
static char buffer[1024];
static int error;

/* The status, checked for what holds for all: errno itself is not disturbed. */
static enum nss_status by_name(const char *name)
{
	enum nss_status status;

	errno = UNTOUCHED;
	error = 0;
	status = _nss_sss_getpwnam_r(name, &user, buffer, sizeof(buffer), &error);
	ck_assert_int_eq(errno, UNTOUCHED);
	return status;
}

static enum nss_status by_id(uid_t uid)
{
	error = 0;
	return _nss_sss_getpwuid_r(uid, &user, buffer, sizeof(buffer), &error);
}

static void listen_and_start(void)
{
	responder_listen(8);
	responder_start(script_directory);
}

START_TEST(test_found_by_name_and_by_id)
{
	ck_assert_int_eq(by_name("user7"), NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_name, "user7");
	ck_assert_str_eq(user.pw_passwd, "*");
	ck_assert_str_eq(user.pw_gecos, "");
	ck_assert_str_eq(user.pw_dir, "/home/it");
	ck_assert_str_eq(user.pw_shell, "/bin/sh");
	ck_assert_uint_eq(user.pw_uid, 1007);
	ck_assert_uint_eq(user.pw_gid, 20000);

	ck_assert_int_eq(by_id(1008), NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_name, "user8");
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(seen->connections, 1);
	ck_assert_uint_eq(seen->handshakes, 1);
}
END_TEST

START_TEST(test_not_found_leaves_errno_alone)
{
	ck_assert_int_eq(by_name("nosuch"), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(by_id(999999), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(seen->connections, 1);
}
END_TEST

/* Each buffer is exactly as large as it says, so that AddressSanitizer sees a step beyond it. */
START_TEST(test_small_buffers_are_left_as_they_are)
{
	size_t needed = sizeof("user7\0*\0\0/home/it\0/bin/sh");
	char *copy;

	ck_assert_int_eq(_nss_sss_getpwnam_r("user7", &user, NULL, 100, &error),
	                 NSS_STATUS_TRYAGAIN);
	ck_assert_int_eq(error, ERANGE);
	ck_assert_int_eq(_nss_sss_getpwuid_r(1007, &user, buffer, 0, &error), NSS_STATUS_TRYAGAIN);
	ck_assert_int_eq(error, ERANGE);

	for (size_t size = 1; size < needed; size++) {
		copy = calloc(1, size);
		error = 0;
		ck_assert_int_eq(_nss_sss_getpwnam_r("user7", &user, copy, size, &error),
		                 NSS_STATUS_TRYAGAIN);
		ck_assert_int_eq(error, ERANGE);
		for (size_t i = 0; i < size; i++)
			ck_assert_int_eq(copy[i], 0);
		free(copy);
	}

	copy = calloc(1, needed);
	ck_assert_int_eq(_nss_sss_getpwnam_r("user7", &user, copy, needed, &error),
	                 NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_shell, "/bin/sh");
	free(copy);
	ck_assert_uint_eq(seen->requests, 1);
}
END_TEST

START_TEST(test_a_kept_reply_is_for_the_same_question_only)
{
	char small[8];

	ck_assert_int_eq(_nss_sss_getpwnam_r("user7", &user, small, sizeof(small), &error),
	                 NSS_STATUS_TRYAGAIN);
	ck_assert_int_eq(by_name("user8"), NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_name, "user8");
	ck_assert_int_eq(by_name("user7"), NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_name, "user7");
	ck_assert_uint_eq(seen->requests, 3);

	/* Answered in full it is not kept: a minute later it would be wrong. */
	ck_assert_int_eq(by_name("user7"), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(seen->requests, 4);
}
END_TEST

START_TEST(test_impossible_names_are_not_asked_for)
{
	char name[PROTO_NAME_MAX + 2];

	memset(name, 'x', sizeof(name));
	name[PROTO_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(by_name(name), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, EINVAL);
	ck_assert_int_eq(by_name(""), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, EINVAL);
	ck_assert_int_eq(by_name(NULL), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, EINVAL);
	ck_assert_uint_eq(seen->connections, 0);

	name[PROTO_NAME_MAX] = '\0';
	ck_assert_int_eq(by_name(name), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(seen->requests, 1);
}
END_TEST

START_TEST(test_root_and_our_own_user_are_not_asked_for)
{
	ck_assert_int_eq(by_name("root"), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(by_name("sssd"), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(by_id(0), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(seen->connections, 0);
}
END_TEST

START_TEST(test_loop_guards_bar_every_question)
{
	static const struct {
		const char *name, *value;
		bool barred;
	} cases[] = {
		{ "_SSS_LOOPS", "NO", true },
		{ "_SSS_LOOPS", "YES", false },
		{ "_SSS_LOOPS", "", false },
		{ "SYSTEMD_NSS_DYNAMIC_BYPASS", "1", true },
		{ "SYSTEMD_NSS_DYNAMIC_BYPASS", "yes", true },
		{ "SYSTEMD_NSS_DYNAMIC_BYPASS", "True", true },
		{ "SYSTEMD_NSS_DYNAMIC_BYPASS", "on", true },
		{ "SYSTEMD_NSS_DYNAMIC_BYPASS", "0", false },
		{ "SYSTEMD_NSS_DYNAMIC_BYPASS", "off", false },
		{ "SYSTEMD_NSS_DYNAMIC_BYPASS", "", false },
	};
	unsigned asked = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv(cases[i].name, cases[i].value, 1);
		asked += !cases[i].barred;
		ck_assert_int_eq(by_name("user1"),
		                 cases[i].barred ? NSS_STATUS_NOTFOUND : NSS_STATUS_SUCCESS);
		ck_assert_int_eq(error, 0);
		ck_assert_uint_eq(seen->requests, asked);
		unsetenv(cases[i].name);
	}
}
END_TEST

/* A caller may hand over a name that lies in the buffer to be filled. */
START_TEST(test_the_name_may_stand_in_the_buffer)
{
	strcpy(buffer + 4, "user3");
	ck_assert_int_eq(by_name(buffer + 4), NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_name, "user3");
}
END_TEST

/* The answer to each question is status number seen->knob. */
static bool script_status(const struct call *call)
{
	if (call->command == PROTO_GET_VERSION)
		return answer_version(call);
	answer(call, seen->knob, NULL, 0, 0);
	return true;
}

START_TEST(test_a_status_is_passed_on_and_closes_the_connection)
{
	static const struct {
		uint32_t status;
		enum nss_status result;
		int error;
	} cases[] = {
		{ EIO, NSS_STATUS_UNAVAIL, EIO },
		{ ETIMEDOUT, NSS_STATUS_UNAVAIL, ETIMEDOUT },
		{ EINVAL, NSS_STATUS_UNAVAIL, EINVAL },
		{ ENOENT, NSS_STATUS_UNAVAIL, ENOENT },
		{ ENOMEM, NSS_STATUS_UNAVAIL, ENOMEM },
		{ EAGAIN, NSS_STATUS_TRYAGAIN, EAGAIN },
		/* These mean something else inside the library, and to glibc. */
		{ EPIPE, NSS_STATUS_UNAVAIL, EPIPE },
		{ ECONNRESET, NSS_STATUS_UNAVAIL, ECONNRESET },
		{ EBUSY, NSS_STATUS_UNAVAIL, EBUSY },
		{ ERANGE, NSS_STATUS_UNAVAIL, EIO },
		/* No errno at all: upstream's ERR_OFFLINE, and nonsense. */
		{ 0x555D0004, NSS_STATUS_UNAVAIL, EIO },
		{ 0xffffffff, NSS_STATUS_UNAVAIL, EIO },
	};
	const size_t n = sizeof(cases) / sizeof(cases[0]);

	responder_kill();
	responder_start(script_status);
	for (unsigned i = 0; i < n; i++) {
		seen->knob = cases[i].status;
		ck_assert_int_eq(by_name("user1"), cases[i].result);
		ck_assert_int_eq(error, cases[i].error);
		ck_assert_uint_eq(seen->requests, i + 1);
		ck_assert_uint_eq(seen->connections, i + 1);
	}
}
END_TEST

/* Bodies of replies that no responder may send; the knob says which. */
static const struct {
	const char *body;
	size_t size;
} senseless[] = {
/* clang-format off */
#define BODY(text) { text, sizeof(text) - 1 }
	BODY(""),
	BODY("\1\0\0"),
	BODY("\1\0\0\0\0\0\0\0"),
	BODY("\2\0\0\0\0\0\0\0" "\1\0\0\0\1\0\0\0" "a\0*\0\0/\0/\0"
	     "\1\0\0\0\1\0\0\0" "a\0*\0\0/\0/\0"),
	BODY("\xff\xff\xff\xff\0\0\0\0" "\1\0\0\0\1\0\0\0" "a\0*\0\0/\0/\0"),
	BODY("\1\0\0\0\0\0\0\0" "\1\0\0\0\1\0\0\0" "a\0*\0\0/\0"),
	BODY("\1\0\0\0\0\0\0\0" "\1\0\0\0\1\0\0\0" "a\0*\0\0/\0/bin/sh"),
	BODY("\1\0\0\0\0\0\0\0" "\1\0\0\0\1\0\0\0" "\0*\0\0/\0/\0"),
#undef BODY
	/* clang-format on */
};

static bool script_senseless(const struct call *call)
{
	if (call->command == PROTO_GET_VERSION)
		return answer_version(call);
	answer(call, 0, senseless[seen->knob].body, senseless[seen->knob].size, 0);
	return true;
}

START_TEST(test_senseless_replies_close_the_connection)
{
	responder_kill();
	responder_start(script_senseless);
	for (unsigned i = 0; i < sizeof(senseless) / sizeof(senseless[0]); i++) {
		seen->knob = i;
		ck_assert_int_eq(by_name("user1"), NSS_STATUS_UNAVAIL);
		ck_assert_int_eq(error, EBADMSG);
		ck_assert_uint_eq(seen->connections, i + 1);
	}
	ck_assert_uint_eq(seen->requests, seen->connections);
}
END_TEST

static const char entry[] = "\xe8\3\0\0\x64\0\0\0"
			    "al\0*\0Al\0/h\0/s"; /* and a NUL */

/* Message and buffer are exactly as large as they say. */
START_TEST(test_an_entry_cut_anywhere_is_refused)
{
	for (size_t size = 0; size < sizeof(entry); size++) {
		uint8_t *copy = malloc(size ? size : 1);
		struct reader in;

		memcpy(copy, entry, size);
		in = reader_over(copy, size);
		ck_assert_int_eq(passwd_read(&in, &user, buffer, sizeof(buffer)), -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(test_nobody_else_is_root)
{
	char changed[sizeof(entry)];
	struct reader in;

	for (size_t id = 0; id < 8; id += 4) {
		memcpy(changed, entry, sizeof(entry));
		memset(changed + id, 0, 4);
		in = reader_over(changed, sizeof(changed));
		ck_assert_int_eq(passwd_read(&in, &user, buffer, sizeof(buffer)), 0);
		ck_assert_uint_eq(reader_left(&in), 0); /* a walk goes on behind it */
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("passwd");
	TCase *results = tcase_create("results"), *bytes = tcase_create("bytes");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(results, listen_and_start, responder_clean);
	tcase_add_test(results, test_found_by_name_and_by_id);
	tcase_add_test(results, test_not_found_leaves_errno_alone);
	tcase_add_test(results, test_small_buffers_are_left_as_they_are);
	tcase_add_test(results, test_a_kept_reply_is_for_the_same_question_only);
	tcase_add_test(results, test_impossible_names_are_not_asked_for);
	tcase_add_test(results, test_root_and_our_own_user_are_not_asked_for);
	tcase_add_test(results, test_loop_guards_bar_every_question);
	tcase_add_test(results, test_the_name_may_stand_in_the_buffer);
	tcase_add_test(results, test_a_status_is_passed_on_and_closes_the_connection);
	tcase_add_test(results, test_senseless_replies_close_the_connection);
	suite_add_tcase(suite, results);

	tcase_add_test(bytes, test_an_entry_cut_anywhere_is_refused);
	tcase_add_test(bytes, test_nobody_else_is_root);
	suite_add_tcase(suite, bytes);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
