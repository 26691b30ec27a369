/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A connection to a server that is the other end of a socketpair(2): doubt and its end, and how
 * long a turn of the loop is.
 */
#include "backend/ldap/conn.h"

#include <check.h>
#include <openldap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/time.h"

#define DOUBT_AFTER_US 1500000
#define NOISE_US       2000000 /* what a busy machine takes: less than between the two */
#define SLOW_AFTER_US  3750000

static struct tevent_context *ev;
static struct conn *conn;
static int server; /* its end */
static struct conn_op op;
static int64_t message_us; /* that its owner needs for one */
static int n_messages, n_doubts, n_trusts, n_lost, n_failed;

static void lost(struct conn *which, const char *reason, void *data)
{
	(void)which;
	(void)reason;
	(void)data;
	n_lost++;
}

static void doubted(struct conn *which, bool doubt, void *data)
{
	(void)which;
	(void)data;
	if (doubt)
		n_doubts++;
	else
		n_trusts++;
}

static int send_search(struct conn_op *which, LDAP *ld, int *ret_msgid)
{
	(void)which;
	return ldap_search_ext(ld, "o=x", LDAP_SCOPE_SUBTREE, NULL, NULL, 0, NULL, NULL, NULL,
	                       LDAP_NO_LIMIT, ret_msgid);
}

static void take(struct conn_op *which, LDAP *ld, LDAPMessage *msg, bool last)
{
	int64_t began_us = monotonic_us();

	(void)which;
	(void)ld;
	(void)last;
	ldap_msgfree(msg);
	n_messages++;
	while (monotonic_us() - began_us < message_us)
		;
}

static void failed(struct conn_op *which, int r)
{
	(void)which;
	(void)r;
	n_failed++;
}

static struct conn_op_type type = { .send = send_search, .message = take, .failed = failed };

static void begin(void)
{
	int version = LDAP_VERSION3, ends[2];
	LDAP *ld;

	signal(SIGPIPE, SIG_IGN);
	message_us = 0;
	n_messages = n_doubts = n_trusts = n_lost = n_failed = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	server = ends[0];
	ck_assert_int_eq(ldap_init_fd(ends[1], LDAP_PROTO_TCP, "ldap://x", &ld), LDAP_SUCCESS);
	ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	ev = tevent_context_init(NULL);
	ck_assert_int_eq(conn_new(ev, ev, ld, ends[1], lost, NULL, &conn), 0);
	conn_watch(conn, "o=x", 0, doubted);
}

static void end(void)
{
	talloc_free(ev);
	close(server);
}

static void ask(void)
{
	op = (struct conn_op){ .type = &type, .timeout_ms = 60000 };
	list_init(&op.node);
	conn_submit(conn, &op);
}

static void say(const void *bytes, size_t size)
{
	ck_assert_int_eq(write(server, bytes, size), (ssize_t)size);
}

/* An entry "a" without attributes (RFC 4511 section 4.5.2), and the end of the search. */
static void say_entry(void)
{
	uint8_t entry[] = "\x30\x0a\x02\x01?\x64\x05\x04\x01\x61\x30\x00";

	entry[4] = (uint8_t)op.msgid;
	say(entry, sizeof(entry) - 1);
}

static void say_done(void)
{
	uint8_t done[] = "\x30\x0c\x02\x01?\x65\x07\x0a\x01\x00\x04\x00\x04\x00";

	done[4] = (uint8_t)op.msgid;
	say(done, sizeof(done) - 1);
}

/* Runs the loop until *n has become something. */
static void until(const int *n)
{
	while (*n == 0)
		ck_assert_int_eq(tevent_loop_once(ev), 0);
}

static void is_doubted_after(int64_t least_us)
{
	int64_t began_us = monotonic_us(), us;

	ask();
	until(&n_doubts);
	us = monotonic_us() - began_us;
	ck_assert_int_ge(us, least_us);
	ck_assert_int_le(us, least_us + NOISE_US);
}

START_TEST(test_silence_is_doubted)
{
	is_doubted_after(DOUBT_AFTER_US);
	ck_assert_int_eq(n_lost, 0);

	/* A piece of a message is a sign of life. */
	say("\x30", 1);
	until(&n_trusts);
	ck_assert_int_eq(n_messages + n_lost, 0);
	ck_assert_int_eq(n_doubts, 1);
}
END_TEST

START_TEST(test_end_is_no_sign_of_life)
{
	ask();
	until(&n_doubts);
	ck_assert_int_eq(shutdown(server, SHUT_WR), 0);
	until(&n_lost);
	ck_assert_int_eq(n_failed, 1);
	ck_assert_int_eq(n_trusts, 0);
}
END_TEST

START_TEST(test_slow_is_not_silent)
{
	conn_watch(conn, "o=x", CONN_SLOW_US, doubted);
	ck_assert_int_eq(conn_usual_us(conn), CONN_SLOW_US);
	is_doubted_after(SLOW_AFTER_US);
}
END_TEST

START_TEST(test_who_was_slow_may_be_fast)
{
	conn_watch(conn, "o=x", CONN_SLOW_US, doubted);
	for (int n = 0; n < 10; n++) {
		n_messages = 0;
		ask();
		say_done();
		until(&n_messages);
	}
	ck_assert_int_lt(conn_usual_us(conn), 250000);
}
END_TEST

/* The time counts, however few messages there were: an entry may be a group of many members. */
START_TEST(test_turns_are_short)
{
	const int n_entries = 100;

	message_us = 1000;
	ask();
	for (int i = 0; i < n_entries; i++)
		say_entry();
	say_done();
	while (n_messages <= n_entries) {
		int before = n_messages;

		ck_assert_int_eq(tevent_loop_once(ev), 0);
		ck_assert_int_le(n_messages - before, 5);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn");
	TCase *tests = tcase_create("conn");
	SRunner *runner;
	int n_bad;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_silence_is_doubted);
	tcase_add_test(tests, test_end_is_no_sign_of_life);
	tcase_add_test(tests, test_slow_is_not_silent);
	tcase_add_test(tests, test_who_was_slow_may_be_fast);
	tcase_add_test(tests, test_turns_are_short);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
