/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A connection to a server that is the other end of a socketpair(2): doubt and its end, how long a
 * turn of the loop is, and a server that does not read, or says what nobody asked for.
 */
#include "backend/ldap/conn.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <openldap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/ldap/error.h"
#include "common/base/error.h"
#include "common/base/time.h"
#include "common/event/timer.h"

#define DOUBT_AFTER_US 1500000
#define NOISE_US       2000000 /* what a busy machine takes: less than between the two */
#define SLOW_AFTER_US  3750000

#define ROOM    4096   /* of the socket; the kernel gives some more */
#define BIG     600000 /* of a request, that has no room there; a filter may have more */
#define SOON_US 900000 /* nobody asks for a sign of life until then */
#define LONG_US 500000 /* for a turn of the loop */

static struct tevent_context *ev;
static struct conn *conn;
static LDAP *handle; /* the connection's */
static int server;   /* its end */
static struct conn_op op;
static char *base;         /* of the next searches */
static int64_t message_us; /* that its owner needs for one */
static int n_messages, n_doubts, n_trusts, n_lost, n_failed;
static const char *lost_reason;
static uint8_t heard[4 << 20]; /* by the server */
static size_t heard_size;

static void lost(struct conn *which, const char *reason, void *data)
{
	(void)which;
	(void)data;
	lost_reason = reason;
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
	return ldap_error(ldap_search_ext(ld, base, LDAP_SCOPE_SUBTREE, NULL, NULL, 0, NULL, NULL,
	                                  NULL, LDAP_NO_LIMIT, ret_msgid));
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
	int version = LDAP_VERSION3, ends[2], room = ROOM, ahead = 65536;
	Sockbuf *sockbuf = NULL;
	LDAP *ld;

	signal(SIGPIPE, SIG_IGN);
	message_us = 0;
	heard_size = 0;
	base = strdup("o=x");
	n_messages = n_doubts = n_trusts = n_lost = n_failed = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	server = ends[0];
	ck_assert_int_eq(ldap_init_fd(ends[1], LDAP_PROTO_TCP, "ldap://x", &ld), LDAP_SUCCESS);
	ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));

	/* As handle.c does it. */
	ck_assert_int_eq(ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sockbuf), LDAP_OPT_SUCCESS);
	ck_assert_int_eq(ber_sockbuf_add_io(sockbuf, &ber_sockbuf_io_readahead, 15, &ahead), 0);
	handle = ld;
	ev = tevent_context_init(NULL);
	ck_assert_int_eq(conn_new(ev, ev, ld, ends[1], lost, NULL, &conn), 0);
	conn_watch(conn, "o=x", 0, doubted);
}

static void end(void)
{
	talloc_free(ev);
	close(server);
	free(base);
}

static void ask_with(struct conn_op *which)
{
	*which = (struct conn_op){ .type = &type, .timeout_ms = 60000 };
	list_init(&which->node);
	conn_submit(conn, which);
}

static void ask(void)
{
	ask_with(&op);
}

/* Of what will be asked the request has this many bytes, and some. */
static void ask_about(size_t size)
{
	base = realloc(base, size + 1);
	memset(base, 'x', size);
	base[size] = 0;
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

/* ---- a server that does not read ---- */

/* Reads what there is now, if anything. */
static bool hear(void)
{
	ssize_t size = read(server, heard + heard_size, sizeof(heard) - heard_size);

	ck_assert(size > 0 || errno == EAGAIN);
	if (size > 0)
		heard_size += (size_t)size;
	return size > 0;
}

/* Reads n messages, while the loop runs; they must be whole. Their operations are in ret_tags. */
static void hear_messages(int n, uint8_t *ret_tags)
{
	int64_t began_us = monotonic_us();
	size_t at = 0;

	for (int i = 0; i < n;) {
		size_t left = heard_size - at, size = 0, n_digits;
		const uint8_t *message = heard + at;

		ck_assert_int_lt(monotonic_us() - began_us, SOON_US);
		if (left > 0)
			ck_assert_int_eq(message[0], 0x30);
		n_digits = left > 1 && message[1] & 0x80 ? message[1] & 0x7f : 0;
		for (size_t d = 0; d < n_digits && left > 2 + d; d++)
			size = size << 8 | message[2 + d];
		if (n_digits == 0 && left > 1)
			size = message[1];
		if (left < 2 + n_digits + 3 || left < 2 + n_digits + size) {
			if (!hear())
				ck_assert_int_eq(tevent_loop_once(ev), 0);
			continue;
		}
		ck_assert_int_eq(message[2 + n_digits], 0x02);
		ret_tags[i++] = message[2 + n_digits + 2 + message[2 + n_digits + 1]];
		at += 2 + n_digits + size;
	}
	ck_assert_uint_eq(at, heard_size);
}

START_TEST(test_small_request_goes_at_once)
{
	uint8_t bytes[64];

	ask();
	ck_assert_int_gt(read(server, bytes, sizeof(bytes)), 0);
}
END_TEST

START_TEST(test_rest_follows_when_there_is_room)
{
	uint8_t tag;

	ask_about(BIG);
	ask();
	hear_messages(1, &tag);
	ck_assert_int_eq(tag, LDAP_REQ_SEARCH);
	say_done();
	until(&n_messages);
	ck_assert_int_eq(n_failed + n_lost, 0);
}
END_TEST

START_TEST(test_next_request_waits_behind)
{
	struct conn_op next;
	uint8_t tags[2];

	ask_about(BIG);
	ask();
	ask_with(&next);
	ck_assert_int_eq(n_failed, 0);
	hear_messages(2, tags);
	ck_assert_int_eq(tags[1], LDAP_REQ_SEARCH);
}
END_TEST

START_TEST(test_abandon_waits_behind)
{
	uint8_t tags[3];

	ask_about(BIG);
	ask();
	conn_op_cancel(&op);
	ask();
	hear_messages(3, tags);
	ck_assert_int_eq(tags[0], LDAP_REQ_SEARCH);
	ck_assert_int_eq(tags[1], LDAP_REQ_ABANDON);
	ck_assert_int_eq(tags[2], LDAP_REQ_SEARCH);
	ck_assert_int_eq(n_failed, 0);
}
END_TEST

static bool over;

static void time_over(void *data)
{
	(void)data;
	over = true;
}

/* The loop sleeps until there is room, and when all has gone. */
START_TEST(test_waiting_does_not_spin)
{
	uint8_t tag;

	for (int i = 0; i < 2; i++) {
		int n_turns = 0;

		over = false;
		if (i == 0) {
			ask_about(BIG);
			ask();
		}
		ck_assert_ptr_nonnull(timer_once(ev, ev, 500, time_over, NULL));
		for (; !over; n_turns++)
			ck_assert_int_eq(tevent_loop_once(ev), 0);
		ck_assert_int_lt(n_turns, 10);
		if (i == 0)
			hear_messages(1, &tag);
	}
}
END_TEST

/* What is too much ends the connection, and everybody learns it. */
START_TEST(test_too_much_is_the_end)
{
	struct conn_op ops[16];
	int n_asked = 0;

	ask_about(BIG);
	while (n_asked < 16 && n_lost == 0)
		ask_with(&ops[n_asked++]);
	ck_assert_int_eq(n_lost, 1);
	ck_assert_int_gt(n_asked, 4);
	ck_assert_int_eq(n_failed, n_asked);
	ck_assert_str_eq(lost_reason, "the server does not take what it is sent");
}
END_TEST

START_TEST(test_end_while_something_waits)
{
	ask_about(BIG);
	ask();
	ck_assert_int_eq(shutdown(server, SHUT_RDWR), 0);
	until(&n_lost);
	ck_assert_int_eq(n_failed, 1);
}
END_TEST

/* Who takes the handle cannot write it: nothing may follow what is cut. */
START_TEST(test_handle_is_taken_while_something_waits)
{
	uint8_t bytes[65536];
	size_t size = 0;
	ssize_t n;
	LDAP *ld;
	int r;

	ask_about(BIG);
	ask();
	conn_op_cancel(&op);
	ld = conn_take(conn);
	r = send_search(&op, ld, &op.msgid);
	ck_assert_int_eq(r, -E_DISCONNECTED);
	while ((n = read(server, bytes, sizeof(bytes))) > 0)
		size += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_lt(size, BIG);
	ldap_unbind_ext(ld, NULL, NULL);
}
END_TEST

/* ---- a server that says what nobody asked for ---- */

/* In a process of its own, for a while, as fast as it can: no message ends where a write does, and
 * after the first, which is odd, none where a buffer that was filled again and again would. */
static pid_t babble(void)
{
	static const char first[] = "\x30\x0b\x02\x01\x7f\x64\x06\x04\x02\x61\x61\x30\x00";
	static const char entry[] = "\x30\x0a\x02\x01\x7f\x64\x05\x04\x01\x61\x30\x00";
	static char bytes[5000 * (sizeof(entry) - 1)];
	const size_t half = (sizeof(entry) - 1) / 2;
	int64_t began_us = monotonic_us();
	pid_t pid;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = entry[(i + half) % (sizeof(entry) - 1)];
	ck_assert_int_eq(fcntl(server, F_SETFL, 0), 0);
	say(first, sizeof(first) - 1);
	say(entry, half);

	pid = fork();
	if (pid != 0)
		return pid;
	while (monotonic_us() - began_us < NOISE_US)
		say(bytes, sizeof(bytes));
	say(bytes, sizeof(entry) - 1 - half);
	_exit(0);
}

START_TEST(test_turns_end_whatever_is_said)
{
	pid_t pid = babble();

	usleep(50000); /* until the socket is full */
	ask();
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		int64_t turn_us = monotonic_us();

		ck_assert_int_eq(tevent_loop_once(ev), 0);
		ck_assert_int_lt(monotonic_us() - turn_us, LONG_US);
	}

	/* Nothing was lost of what follows. */
	say_done();
	until(&n_messages);
	ck_assert_int_eq(n_lost + n_failed, 0);
}
END_TEST

/* libldap's TLS does this when the server begins a handshake anew (tlsg_sb_read()). */
START_TEST(test_endless_tries_to_read_end)
{
	int64_t began_us = monotonic_us();
	BerElement *ber = ber_alloc_t(0);
	Sockbuf *sockbuf = NULL;
	ber_len_t size;

	ck_assert_int_eq(ldap_get_option(handle, LDAP_OPT_SOCKBUF, &sockbuf), LDAP_OPT_SUCCESS);
	ask();
	do
		errno = 0;
	while (ber_get_next(sockbuf, &size, ber) == LBER_DEFAULT && errno == EAGAIN &&
	       monotonic_us() - began_us < NOISE_US);
	ck_assert_int_ne(errno, EAGAIN);
	ber_free(ber, 1);
	until(&n_lost);
	ck_assert_str_eq(lost_reason, "the server began a TLS handshake and did not end it");
	ck_assert_int_eq(n_failed, 1);
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
	tcase_add_test(tests, test_small_request_goes_at_once);
	tcase_add_test(tests, test_rest_follows_when_there_is_room);
	tcase_add_test(tests, test_next_request_waits_behind);
	tcase_add_test(tests, test_abandon_waits_behind);
	tcase_add_test(tests, test_waiting_does_not_spin);
	tcase_add_test(tests, test_too_much_is_the_end);
	tcase_add_test(tests, test_end_while_something_waits);
	tcase_add_test(tests, test_handle_is_taken_while_something_waits);
	tcase_add_test(tests, test_turns_end_whatever_is_said);
	tcase_add_test(tests, test_endless_tries_to_read_end);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
