/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One connection: what a lookup comes to when the responder stops, restarts, lies or says nothing
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "clientlibs/core/conn.h"
#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"
#include "tests/unit/clientlibs/responder.h"

static struct passwd user;
static char buffer[1024];
static int error;

static enum nss_status lookup(void)
{
	error = 0;
	return _nss_sss_getpwnam_r("user1", &user, buffer, sizeof(buffer), &error);
}

static void start_listening(void)
{
	responder_listen(64);
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

START_TEST(test_without_a_responder_the_answer_is_immediate)
{
	int64_t start = conn_now_ms();

	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(lookup(), NSS_STATUS_UNAVAIL);
	ck_assert_int_eq(error, ENOENT);
	ck_assert_int_lt(conn_now_ms() - start, 100);
}
END_TEST

START_TEST(test_with_a_socket_nobody_listens_to_the_answer_is_immediate)
{
	int64_t start = conn_now_ms();

	responder_listen(1);
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	ck_assert_int_eq(lookup(), NSS_STATUS_UNAVAIL);
	ck_assert_int_eq(error, ECONNREFUSED);
	ck_assert_int_lt(conn_now_ms() - start, 100);
	responder_clean();
}
END_TEST

/* The knob is how often a connection is lost, and where. */
static bool script_lose_in_handshake(const struct call *call)
{
	return call->connection > seen->knob && script_directory(call);
}

static bool script_lose_request(const struct call *call)
{
	if (call->connection <= seen->knob && call->command != PROTO_GET_VERSION)
		return false;
	return script_directory(call);
}

static bool script_lose_half_a_reply(const struct call *call)
{
	if (call->connection <= seen->knob && call->command != PROTO_GET_VERSION) {
		ck_assert_int_eq(send(call->fd, "\x2c\0\0\0\x11\0", 6, 0), 6);
		return false;
	}
	return script_directory(call);
}

START_TEST(test_two_lost_connections_do_not_show_and_three_do)
{
	script_fn *scripts[] = { script_lose_in_handshake, script_lose_request,
		                 script_lose_half_a_reply };

	for (seen->knob = 0; seen->knob < 4; seen->knob++) {
		seen->connections = seen->requests = 0;
		responder_start(scripts[_i]);
		if (seen->knob < 3) {
			ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
			ck_assert_str_eq(user.pw_name, "user1");
			ck_assert_uint_eq(seen->connections, seen->knob + 1);
		} else {
			ck_assert_int_eq(lookup(), NSS_STATUS_UNAVAIL);
			ck_assert_int_eq(error, ECONNRESET);
			ck_assert_uint_eq(seen->connections, 3);
		}
		responder_kill();
		ck_assert_int_eq(fcntl(64, F_GETFD) < 0, seen->knob == 3);
	}
}
END_TEST

/* As a responder on its way out: it takes nothing more, and answers what it has. */
static bool script_drain(const struct call *call)
{
	if (call->command != PROTO_GET_VERSION)
		shutdown(call->fd, SHUT_RD);
	return script_directory(call);
}

START_TEST(test_a_drained_connection_is_replaced)
{
	responder_start(script_drain);
	for (unsigned i = 1; i <= 20; i++) {
		ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
		ck_assert_uint_eq(seen->connections, i);
		ck_assert_uint_eq(seen->requests, i);
	}
}
END_TEST

/* An idle connection closed by the responder costs nothing: it may be lost twice more. */
static bool script_close_after_reply(const struct call *call)
{
	return script_directory(call) && call->command == PROTO_GET_VERSION;
}

START_TEST(test_a_connection_closed_while_idle_is_replaced)
{
	responder_start(script_close_after_reply);
	for (unsigned i = 1; i <= 20; i++)
		ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(seen->connections, 20);
}
END_TEST

static bool script_hold(const struct call *call)
{
	if (call->command == PROTO_GET_VERSION)
		return answer_version(call);
	seen->knob = 1;
	return true;
}

static void *kill_and_restart(void *unused)
{
	(void)unused;
	while (!*(volatile unsigned *)&seen->knob)
		sleep_ms(5);
	responder_kill();
	sleep_ms(150);
	responder_start(script_directory);
	return NULL;
}

START_TEST(test_a_kill_in_the_middle_of_a_request_does_not_show)
{
	pthread_t thread;

	responder_start(script_hold);
	ck_assert_int_eq(pthread_create(&thread, NULL, kill_and_restart, NULL), 0);
	ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
	ck_assert_str_eq(user.pw_name, "user1");
	pthread_join(thread, NULL);
}
END_TEST

static void *start_late(void *unused)
{
	(void)unused;
	sleep_ms(150);
	responder_start(script_directory);
	return NULL;
}

static void *lookup_thread(void *ret_status)
{
	struct passwd found;
	char texts[256];
	int e;

	*(enum nss_status *)ret_status =
		_nss_sss_getpwnam_r("user1", &found, texts, sizeof(texts), &e);
	return NULL;
}

START_TEST(test_a_full_backlog_is_waited_for)
{
	enum nss_status status[20];
	pthread_t thread[20], starter;

	responder_listen(2);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, lookup_thread, &status[i]), 0);
	ck_assert_int_eq(pthread_create(&starter, NULL, start_late, NULL), 0);
	for (int i = 0; i < 20; i++) {
		pthread_join(thread[i], NULL);
		ck_assert_int_eq(status[i], NSS_STATUS_SUCCESS);
	}
	pthread_join(starter, NULL);
	responder_clean();
}
END_TEST

static bool script_in_pieces(const struct call *call)
{
	struct writer out = writer_new(PROTO_REPLY_MAX);
	uint32_t version = PROTO_NSS_VERSION;

	if (call->command == PROTO_GET_VERSION) {
		answer(call, 0, &version, sizeof(version), seen->knob);
		return true;
	}
	writer_u32(&out, 1);
	writer_u32(&out, 0);
	put_user(&out, "user1", 1001, 20000);
	answer(call, 0, out.bytes, out.size, seen->knob);
	writer_free(&out);
	return true;
}

START_TEST(test_a_reply_may_come_in_pieces)
{
	responder_start(script_in_pieces);
	for (seen->knob = 1; seen->knob < 40; seen->knob++) {
		ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
		ck_assert_str_eq(user.pw_shell, "/bin/sh");
	}
	ck_assert_uint_eq(seen->connections, 1);
}
END_TEST

/* Messages that are none; the knob says which. */
static const struct {
	const char *bytes;
	size_t size;
} broken[] = {
/* clang-format off */
#define MESSAGE(text) { text, sizeof(text) - 1 }
	MESSAGE("\0\0\0\0\x11\0\0\0\0\0\0\0\0\0\0\0"),
	MESSAGE("\x0f\0\0\0\x11\0\0\0\0\0\0\0\0\0\0\0"),
	MESSAGE("\xff\xff\xff\xff\x11\0\0\0\0\0\0\0\0\0\0\0"),
	MESSAGE("\1\0\0\x10\x11\0\0\0\0\0\0\0\0\0\0\0"), /* PROTO_REPLY_MAX + 1 */
	MESSAGE("\x18\0\0\0\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), /* another command's */
	MESSAGE("\x18\0\0\0\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0?"), /* a byte too many */
#undef MESSAGE
	/* clang-format on */
};

static bool script_broken(const struct call *call)
{
	if (call->command == PROTO_GET_VERSION)
		return answer_version(call);
	send(call->fd, broken[seen->knob].bytes, broken[seen->knob].size, MSG_NOSIGNAL);
	return true;
}

START_TEST(test_what_is_no_message_closes_the_connection)
{
	responder_start(script_broken);
	for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		seen->knob = i;
		ck_assert_int_eq(lookup(), NSS_STATUS_UNAVAIL);
		ck_assert_int_eq(error, EBADMSG);
		ck_assert_uint_eq(seen->connections, i + 1);
		ck_assert_int_lt(fcntl(64, F_GETFD), 0);
	}
}
END_TEST

static bool script_other_version(const struct call *call)
{
	uint32_t version = PROTO_NSS_VERSION + 1;

	switch (seen->knob) {
	case 0:
		answer(call, 0, &version, sizeof(version), 0);
		return true;
	case 1:
		answer(call, 0, NULL, 0, 0);
		return true;
	default:
		answer(call, EBUSY, NULL, 0, 0);
		return true;
	}
}

START_TEST(test_another_version_is_not_spoken_to)
{
	responder_start(script_other_version);
	for (seen->knob = 0; seen->knob < 3; seen->knob++) {
		ck_assert_int_eq(lookup(), NSS_STATUS_UNAVAIL);
		ck_assert_int_eq(error, EFAULT);
		ck_assert_uint_eq(seen->requests, 0);
	}
	ck_assert_uint_eq(seen->connections, 3);
}
END_TEST

/* A few bytes of a reply that claims to be huge. */
static bool script_claim(const struct call *call)
{
	if (call->command == PROTO_GET_VERSION)
		return answer_version(call);
	send(call->fd, "\0\0\0\x10\x11\0\0\0\0\0\0\0\0\0\0\0", 16, MSG_NOSIGNAL);
	return false;
}

START_TEST(test_a_claimed_length_costs_nothing)
{
	ssize_t room;
	struct conn conn = conn_new();
	struct writer request = writer_new(PROTO_REQUEST_MAX);

	responder_start(script_claim);
	writer_u32(&request, 20);
	writer_u32(&request, PROTO_GETPWUID);
	writer_u32(&request, 0);
	writer_u32(&request, 0);
	writer_u32(&request, 1001);
	ck_assert_int_eq(conn_open(&conn, conn_now_ms() + 1000), 0);
	ck_assert_int_eq(conn_ask(&conn, &request, conn_now_ms() + 1000, false), -ECONNRESET);
	room = (ssize_t)conn.reply_room;
	ck_assert_int_le(room, 64 << 10);
	conn_free(&conn);
	writer_free(&request);
}
END_TEST

static void on_alarm(int signal)
{
	(void)signal;
}

/* A program whose timer fires every millisecond and interrupts every call. */
static void start_storm(void)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction interrupt = { .sa_handler = on_alarm }; /* no SA_RESTART */

	ck_assert_int_eq(sigaction(SIGALRM, &interrupt, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static bool script_slow(const struct call *call)
{
	sleep_ms(20);
	return script_directory(call);
}

START_TEST(test_signals_do_not_disturb)
{
	responder_start(script_slow);
	start_storm();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(seen->connections, 1);
	ck_assert_uint_eq(seen->requests, 20);
}
END_TEST

/* With signals and without: ten seconds, not more. */
START_TEST(test_a_silent_responder_is_given_up_in_time)
{
	int64_t start;

	responder_start(script_directory);
	ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
	responder_kill();
	responder_start(script_hold);
	if (_i == 1)
		start_storm();

	start = conn_now_ms();
	ck_assert_int_eq(lookup(), NSS_STATUS_UNAVAIL);
	ck_assert_int_eq(error, ETIMEDOUT);
	ck_assert_int_ge(conn_now_ms() - start, 9990);
	ck_assert_int_le(conn_now_ms() - start, 10500);
	ck_assert_int_lt(fcntl(64, F_GETFD), 0);
}
END_TEST

/* The one test whose process dies if we fail: SIGPIPE has its default action. */
START_TEST(test_no_sigpipe)
{
	signal(SIGPIPE, SIG_DFL);
	responder_start(script_close_after_reply);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(lookup(), NSS_STATUS_SUCCESS);
		sleep_ms(2);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn");
	TCase *alone = tcase_create("alone"), *served = tcase_create("served");
	TCase *patient = tcase_create("patient");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(alone, test_without_a_responder_the_answer_is_immediate);
	tcase_add_test(alone, test_with_a_socket_nobody_listens_to_the_answer_is_immediate);
	tcase_add_test(alone, test_a_full_backlog_is_waited_for);
	suite_add_tcase(suite, alone);

	tcase_add_checked_fixture(served, start_listening, responder_clean);
	tcase_add_loop_test(served, test_two_lost_connections_do_not_show_and_three_do, 0, 3);
	tcase_add_test(served, test_a_drained_connection_is_replaced);
	tcase_add_test(served, test_a_connection_closed_while_idle_is_replaced);
	tcase_add_test(served, test_a_kill_in_the_middle_of_a_request_does_not_show);
	tcase_add_test(served, test_a_reply_may_come_in_pieces);
	tcase_add_test(served, test_what_is_no_message_closes_the_connection);
	tcase_add_test(served, test_another_version_is_not_spoken_to);
	tcase_add_test(served, test_a_claimed_length_costs_nothing);
	tcase_add_test(served, test_signals_do_not_disturb);
	tcase_add_test(served, test_no_sigpipe);
	suite_add_tcase(suite, served);

	tcase_add_checked_fixture(patient, start_listening, responder_clean);
	tcase_add_loop_test(patient, test_a_silent_responder_is_given_up_in_time, 0, 2);
	tcase_set_timeout(patient, 20);
	suite_add_tcase(suite, patient);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
