/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connection - see conn.h
 *
 * A wake-up takes all the messages there are, at most SLICE_MESSAGES or SLICE_US: a result of
 * thousands of entries is read in turns with everything else the loop has to do. The clock is read
 * after each, for it may be a group whose thousand members were written down meanwhile.
 */
#include "backend/ldap/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "backend/ldap/error.h"
#include "backend/ldap/sockbuf.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"

#define SLICE_MESSAGES 256
#define SLICE_US       4000

/* Callers have 5 s. A server may take 3 s for everything and still be of use; one that is silent
 * for longer leaves just enough time to try another. */
#define ASK_AFTER_US  2500000
#define LOST_AFTER_US 4000000
#define LOOK_MIN_MS   50

/* Where there is another server the answer shall still come within the caller's time when two are
 * silent. One that is far away, or slow, is not doubted for that. */
#define EAGER_AFTER_US 1000000
#define USUAL_TIMES    4

static_assert(CONN_SLOW_US * USUAL_TIMES >= ASK_AFTER_US, "as conn.h says");

struct conn {
	struct tevent_context *ev; /* borrowed */
	LDAP *ld;                  /* owned, as is the descriptor in it */
	struct tevent_fd *fde;
	struct sockbuf_layer *layer; /* in ld */
	conn_lost *lost;
	conn_doubted *doubted;     /* NULL: nobody else could be asked */
	void *data;                /* of both */
	struct list sent, waiting; /* of struct conn_op */
	unsigned n_sent;
	struct timer *look;  /* armed while something is under way */
	int64_t look_us;     /* when it fires, of CLOCK_MONOTONIC */
	struct timer *more;  /* armed while messages are left from a slice */
	struct timer *end;   /* closed: frees us from the loop */
	const char *watched; /* borrowed: the base for signs of life; NULL = silence is fine */
	bool doubt;
	bool retired;
	bool broken; /* nothing may be sent any more */
	bool closed;
	int64_t heard_us, used_us; /* of CLOCK_MONOTONIC */
	int64_t usual_us;          /* that an operation takes, a running average */
	struct conn_op sign;       /* the question for a sign of life */
};

static void ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data);
static void take_messages(void *data);
static void look(void *data);

/* ---- life ---- */

static void forget_fd(struct conn *conn)
{
	sockbuf_close(conn->layer);
	TALLOC_FREE(conn->fde);
}

static int conn_destroy(struct conn *conn)
{
	forget_fd(conn);
	if (conn->ld)
		ldap_unbind_ext(conn->ld, NULL, NULL);
	return 0;
}

int conn_new(TALLOC_CTX *mem, struct tevent_context *ev, LDAP *ld, int fd, conn_lost *lost,
             void *data, struct conn **ret_conn)
{
	struct conn *conn = talloc_zero(mem, struct conn);
	int r;

	if (!conn)
		return -ENOMEM;
	conn->ev = ev;
	conn->lost = lost;
	conn->data = data;
	list_init(&conn->sent);
	list_init(&conn->waiting);
	list_init(&conn->sign.node);
	conn->heard_us = conn->used_us = monotonic_us();
	conn->fde = tevent_add_fd(ev, conn, fd, TEVENT_FD_READ, ready, conn);
	r = conn->fde ? sockbuf_add(conn, ld, conn->fde, &conn->layer) : -ENOMEM;
	if (r < 0) {
		talloc_free(conn);
		return r;
	}
	conn->ld = ld;
	talloc_set_destructor(conn, conn_destroy);
	*ret_conn = conn;
	return 0;
}

void conn_give(struct conn *conn, TALLOC_CTX *mem, conn_lost *lost, void *data)
{
	talloc_steal(mem, conn);
	conn->lost = lost;
	conn->data = data;
}

static void free_conn(void *data)
{
	struct conn *conn = data;

	conn->end = NULL;
	talloc_free(conn);
}

/* Nothing more happens here. Somebody up the stack may still hold conn: it is freed by the loop. */
static void conn_end(struct conn *conn)
{
	conn->closed = true;
	conn->lost = NULL;
	conn->doubted = NULL;
	forget_fd(conn);
	TALLOC_FREE(conn->look);
	TALLOC_FREE(conn->more);
	conn->end = timer_once(conn, conn->ev, 0, free_conn, conn);
}

LDAP *conn_take(struct conn *conn)
{
	LDAP *ld = take_ptr(conn->ld);

	conn_end(conn);
	sockbuf_remove(conn->layer); /* a thread has no loop */
	return ld;
}

static void op_off(struct conn_op *op)
{
	if (op->msgid != 0)
		op->conn->n_sent--;
	list_remove(&op->node);
	op->conn = NULL;
}

static void fail_all(struct list *ops, int r)
{
	while (!list_empty(ops)) {
		struct conn_op *op = list_item(ops->next, struct conn_op, node);

		op_off(op);
		op->type->failed(op, r);
	}
}

void conn_close(struct conn *conn)
{
	if (conn->closed)
		return;
	conn_end(conn);
	fail_all(&conn->sent, -E_DISCONNECTED);
	fail_all(&conn->waiting, -E_DISCONNECTED);
}

/* reason: what it looks like, unless the layer knows better. */
static void conn_break(struct conn *conn, const char *reason)
{
	const char *known = sockbuf_reason(conn->layer);
	conn_lost *lost = conn->lost;

	if (conn->closed)
		return;
	conn->broken = true;
	conn->lost = NULL;
	conn->doubted = NULL;
	if (lost)
		lost(conn, known ? known : reason, conn->data);
	conn_close(conn);
}

static void close_if_done(struct conn *conn)
{
	if (conn->retired && conn_is_idle(conn))
		conn_close(conn);
}

void conn_retire(struct conn *conn)
{
	conn->retired = true;
	close_if_done(conn);
}

bool conn_is_idle(const struct conn *conn)
{
	return list_empty(&conn->sent) && list_empty(&conn->waiting);
}

int64_t conn_used_us(const struct conn *conn)
{
	return conn->used_us;
}

/* ---- operations ---- */

/* Has look() run no later than after_us from now. */
static void look_later(struct conn *conn, int64_t after_us)
{
	int64_t after_ms = after_us / 1000 + 1;
	int64_t at_us = monotonic_us() + after_us;

	if (conn->closed)
		return;
	if (after_ms < LOOK_MIN_MS)
		after_ms = LOOK_MIN_MS;
	if (!conn->look) {
		conn->look = timer_once(conn, conn->ev, after_ms, look, conn);
		conn->look_us = at_us;
	} else if (at_us < conn->look_us) {
		timer_again(conn->look, after_ms);
		conn->look_us = at_us;
	}
}

/* For how long the server may be silent before it is asked for a sign of life. */
static int64_t ask_after_us(const struct conn *conn)
{
	int64_t us = conn->usual_us * USUAL_TIMES;

	if (!conn->doubted || us > ASK_AFTER_US)
		return ASK_AFTER_US;
	return us > EAGER_AFTER_US ? us : EAGER_AFTER_US;
}

static int64_t doubt_after_us(const struct conn *conn)
{
	return ask_after_us(conn) + ask_after_us(conn) / 2;
}

static void op_send(struct conn *conn, struct conn_op *op)
{
	int msgid = 0, r;

	list_append(&conn->sent, &op->node);
	op->sent_us = conn->used_us = monotonic_us();
	r = op->type->send(op, conn->ld, &msgid);
	if (r < 0) {
		op_off(op);
		op->type->failed(op, r);
		if (r == -E_DISCONNECTED)
			conn_break(conn, "the connection was closed");
		return;
	}
	op->msgid = msgid;
	conn->n_sent++;
	look_later(conn, conn->watched && op->timeout_ms * 1000 > ask_after_us(conn)
	                         ? ask_after_us(conn)
	                         : op->timeout_ms * 1000);
}

static void send_waiting(struct conn *conn)
{
	while (!conn->closed && conn->n_sent < CONN_OPS_MAX && !list_empty(&conn->waiting)) {
		struct conn_op *op = list_item(conn->waiting.next, struct conn_op, node);

		list_remove(&op->node);
		op_send(conn, op);
	}
}

void conn_submit(struct conn *conn, struct conn_op *op)
{
	op->msgid = 0;
	if (conn->closed) {
		op->type->failed(op, -E_DISCONNECTED);
		return;
	}
	op->conn = conn;
	if (conn->n_sent < CONN_OPS_MAX) {
		op_send(conn, op);
		return;
	}
	list_append(&conn->waiting, &op->node);
}

void conn_op_cancel(struct conn_op *op)
{
	struct conn *conn = op->conn;
	int msgid = op->msgid;

	if (!conn)
		return;
	op_off(op);
	if (msgid != 0 && !conn->broken && !conn->closed)
		ldap_abandon_ext(conn->ld, msgid, NULL, NULL);
	send_waiting(conn);
	close_if_done(conn);
}

/* ---- messages ---- */

static void ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct conn *conn = data;

	(void)ev;
	(void)fde;
	if (flags & TEVENT_FD_WRITE)
		sockbuf_flush(conn->layer);
	if (flags & TEVENT_FD_READ)
		take_messages(conn);
}

static struct conn_op *find_op(struct conn *conn, int msgid)
{
	struct conn_op *op;

	list_for_each(op, &conn->sent, node)
		if (op->msgid == msgid)
			return op;
	return NULL;
}

static void take_message(struct conn *conn, LDAPMessage *msg)
{
	int type = ldap_msgtype(msg);
	bool last = type != LDAP_RES_SEARCH_ENTRY && type != LDAP_RES_SEARCH_REFERENCE &&
	            type != LDAP_RES_INTERMEDIATE;
	struct conn_op *op = find_op(conn, ldap_msgid(msg));

	/* What was abandoned a moment ago, or a notice (RFC 4511 section 4.4). */
	if (!op) {
		ldap_msgfree(msg);
		return;
	}
	if (last) {
		conn->usual_us += (conn->heard_us - op->sent_us - conn->usual_us) / 8;
		op_off(op);
	}
	op->type->message(op, conn->ld, msg, last);
}

static void set_doubt(struct conn *conn, bool doubt)
{
	if (conn->doubt == doubt)
		return;
	conn->doubt = doubt;
	if (conn->doubted)
		conn->doubted(conn, doubt, conn->data);
}

/* Are there bytes that were read from the socket and not yet looked at? libldap takes a long
 * message piece by piece, one for each call, and epoll(7) does not know what lies in its buffers.
 */
static bool bytes_left(struct conn *conn)
{
	Sockbuf *sockbuf = NULL;

	return ldap_get_option(conn->ld, LDAP_OPT_SOCKBUF, &sockbuf) == LDAP_OPT_SUCCESS &&
	       ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_DATA_READY, NULL) > 0;
}

static void take_messages(void *data)
{
	struct conn *conn = data;
	struct timeval now = { 0 };
	int64_t began_us = monotonic_us();

	TALLOC_FREE(conn->more); /* the server said more before it fired */
	conn->heard_us = began_us;
	sockbuf_begin_turn(conn->layer);
	for (unsigned n = 0; !conn->closed; n++) {
		LDAPMessage *msg = NULL;
		int r;

		/* What was asked for has come: one system call less to find that there is no more.
		 * The first turn is for what comes unasked, the end of the connection above all. */
		if (n > 0 && list_empty(&conn->sent))
			break;
		if (n == SLICE_MESSAGES || (n > 0 && monotonic_us() - began_us > SLICE_US)) {
			conn->more = timer_once(conn, conn->ev, 0, take_messages, conn);
			break;
		}

		r = ldap_result(conn->ld, LDAP_RES_ANY, LDAP_MSG_ONE, &now, &msg);
		if (r < 0) {
			conn_break(conn, "the server closed the connection");
			return;
		}
		set_doubt(conn, false); /* a piece of a message will do */
		if (r == 0 && !bytes_left(conn))
			break;
		if (r == 0)
			continue;
		take_message(conn, msg);
	}
	if (conn->closed)
		return;
	conn->used_us = began_us;
	send_waiting(conn);
	close_if_done(conn);
}

/* ---- silence ---- */

static int sign_send(struct conn_op *op, LDAP *ld, int *ret_msgid)
{
	static char no_attrs[] = LDAP_NO_ATTRS;
	char *attrs[] = { no_attrs, NULL };

	metrics_count(METRICS_SEARCHES_CONNECTION);
	return ldap_error(ldap_search_ext(ld, op->conn->watched, LDAP_SCOPE_BASE, NULL, attrs, 0,
	                                  NULL, NULL, NULL, LDAP_NO_LIMIT, ret_msgid));
}

static void sign_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last)
{
	(void)op;
	(void)ld;
	(void)last;
	ldap_msgfree(msg);
}

static void sign_failed(struct conn_op *op, int r)
{
	(void)op;
	(void)r;
}

static const struct conn_op_type sign_type = {
	.send = sign_send,
	.message = sign_message,
	.failed = sign_failed,
};

void conn_check(struct conn *conn)
{
	if (conn->closed || conn->sign.conn || !conn->watched)
		return;
	conn->sign =
		(struct conn_op){ .type = &sign_type, .timeout_ms = LOST_AFTER_US / 1000 + 1000 };
	list_init(&conn->sign.node);
	conn_submit(conn, &conn->sign);
}

void conn_watch(struct conn *conn, const char *base, int64_t usual_us, conn_doubted *doubted)
{
	conn->watched = base;
	conn->doubted = doubted;
	if (usual_us > conn->usual_us)
		conn->usual_us = usual_us;
}

int64_t conn_usual_us(const struct conn *conn)
{
	return conn->usual_us;
}

/* Since when the server owes us something and has said nothing. */
static int64_t silent_since(const struct conn *conn)
{
	const struct conn_op *oldest = list_item(conn->sent.next, struct conn_op, node);

	return oldest->sent_us > conn->heard_us ? oldest->sent_us : conn->heard_us;
}

/* Ends what is overdue; the time until the next will be, or -1. */
static int64_t end_overdue(struct conn *conn, int64_t now_us)
{
	struct conn_op *op;
	int64_t next_us = -1;

	list_for_each(op, &conn->sent, node) {
		int64_t left_us = op->sent_us + op->timeout_ms * 1000 - now_us;

		if (left_us <= 0) {
			int msgid = op->msgid;

			op_off(op);
			ldap_abandon_ext(conn->ld, msgid, NULL, NULL);
			op->type->failed(op, -ETIMEDOUT);
			return 0; /* anything may have happened: look again */
		}
		if (next_us < 0 || left_us < next_us)
			next_us = left_us;
	}
	return next_us;
}

/* After how much silence there is something to do. */
static int64_t next_stage_us(const struct conn *conn, int64_t silent_us)
{
	if (silent_us < ask_after_us(conn))
		return ask_after_us(conn);
	if (conn->doubted && silent_us < doubt_after_us(conn))
		return doubt_after_us(conn);
	return LOST_AFTER_US;
}

static void look(void *data)
{
	struct conn *conn = data;
	int64_t now_us = monotonic_us(), next_us, silent_us;

	conn->look = NULL;
	if (conn->watched && !list_empty(&conn->sent)) {
		silent_us = now_us - silent_since(conn);
		if (silent_us >= LOST_AFTER_US) {
			conn_break(conn, "the server does not answer");
			return;
		}
		if (silent_us >= ask_after_us(conn))
			conn_check(conn);
		if (conn->doubted && silent_us >= doubt_after_us(conn))
			set_doubt(conn, true);
	}

	do
		next_us = conn->closed ? -1 : end_overdue(conn, now_us);
	while (next_us == 0);
	if (conn->closed)
		return;
	send_waiting(conn);
	close_if_done(conn);
	if (conn->closed || list_empty(&conn->sent))
		return;

	if (conn->watched) {
		silent_us = now_us - silent_since(conn);
		silent_us = next_stage_us(conn, silent_us) - silent_us;
		if (next_us < 0 || silent_us < next_us)
			next_us = silent_us;
	}
	look_later(conn, next_us);
}
