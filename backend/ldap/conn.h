/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connection - one LDAP connection and the operations under way on it
 *
 * Many operations share a connection; answers are matched by message id (RFC 4511 section 4.1.1).
 * A connection does not survive its first error: libldap would connect anew behind our back, and
 * block. Whoever needs it again asks link.h for another.
 */
#pragma once

#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/list.h"

/* slapd closes an anonymous connection that has 100 operations pending (conn_max_pending). */
#define CONN_OPS_MAX 64

struct conn; /* a talloc object; end it with conn_close() */
struct conn_op;

struct conn_op_type {
	/* Sends the operation and gives its message id. Returns 0 or one of our codes. */
	int (*send)(struct conn_op *op, LDAP *ld, int *ret_msgid);

	/* A message arrived; the callee owns it. When last, op is off the connection already. */
	void (*message)(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last);

	/* It will get no (more) messages: -E_DISCONNECTED, -ETIMEDOUT, what send returned. It is
	 * off the connection already. */
	void (*failed)(struct conn_op *op, int r);
};

/* Part of whoever waits for messages, and borrowed by the connection. */
struct conn_op {
	struct list node;
	const struct conn_op_type *type;
	struct conn *conn; /* NULL while off any */
	int msgid;         /* 0 until sent */
	int64_t sent_us, timeout_ms;
};

/* Why a connection ended, for the one who looks after it: reason in words. conn is being closed. */
typedef void conn_lost(struct conn *conn, const char *reason, void *data);

/* Takes over ld, which is connected through the non-blocking descriptor fd.
 * lost is called once, unless conn_close() comes first. */
int conn_new(TALLOC_CTX *mem, struct tevent_context *ev, LDAP *ld, int fd, conn_lost *lost,
             void *data, struct conn **ret_conn);

/* Gives ld back, for a thread to work with, and frees conn. No operation may be under way. */
LDAP *conn_take(struct conn *conn);

/* Hands the connection to another owner. */
void conn_give(struct conn *conn, TALLOC_CTX *mem, conn_lost *lost, void *data);

/* The server owes an answer, has been asked for a sign of life, and is silent: true. It has said
 * something after all: false. data is conn_lost's. */
typedef void conn_doubted(struct conn *conn, bool doubt, void *data);

/* From now on silence is watched: when something is under way and the server has been silent for
 * 2.5 s it is asked for a sign of life, and after 4 s of silence the connection is lost. base is
 * the DN to ask about, borrowed: one in the database we need, for that may hang alone.
 * usual_us  how long an operation is expected to take, until that is known better
 * doubted   where there is another server, else NULL: then the server is asked after four times
 *           what it usually needs, or 1 s, and when half of that has passed again there is doubt.
 */
void conn_watch(struct conn *conn, const char *base, int64_t usual_us, conn_doubted *doubted);

/* Of whom this is expected is asked after 2.5 s, as if there were nobody else. */
#define CONN_SLOW_US 625000

/* How long an operation takes, on an average of the last ones. */
int64_t conn_usual_us(const struct conn *conn);

/* Asks for a sign of life now. */
void conn_check(struct conn *conn);

/* Sends op, or puts it in line while CONN_OPS_MAX are under way. Ends in message(last) or failed,
 * maybe before this returns. */
void conn_submit(struct conn *conn, struct conn_op *op);

/* Forgets op, wherever it is; the server is told to stop. */
void conn_op_cancel(struct conn_op *op);

/* Closes now: everything under way fails with -E_DISCONNECTED, the object goes from the loop. */
void conn_close(struct conn *conn);

/* Closes when the last operation has ended. */
void conn_retire(struct conn *conn);

/* When the last operation was submitted or answered, of CLOCK_MONOTONIC. */
int64_t conn_used_us(const struct conn *conn);
bool conn_is_idle(const struct conn *conn);
