/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connection - what client.c, server.c and call.c share of it
 *
 *   sbus_conn_new ─▶ (authenticates) ─▶ stood ─▶ calls, both ways ─▶ ended: peer gone, bad message
 *                         └─ 5 s ─▶ ended
 *
 * Nothing of ours runs inside libdbus: its callbacks only note that there is something to do. So a
 * callee may free anything, the connection it was called for included.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include <dbus/dbus.h>

#include "common/base/list.h"
#include "common/base/time.h"
#include "common/event/timer.h"
#include "common/sbus/sbus.h"
#include "common/sbus/watch.h"

#define SBUS_AUTH_MS 5000

/* Unread messages, and answers the peer does not take, each in bytes. */
#define SBUS_QUEUE_MAX (4l << 20)

/* Outlives the connection while one of our loops over callbacks holds it: those may free the
 * connection, and the loop has to know. */
struct sbus_life {
	unsigned holders;
	bool gone;
};

struct sbus_conn {
	struct sbus_life *life;         /* shared with its holders */
	struct tevent_context *ev;      /* borrowed */
	DBusConnection *dbus;           /* owned */
	struct watch *watch;            /* owned */
	struct tevent_immediate *again; /* owned: messages were queued outside of a turn */
	struct timer *auth_timer;       /* owned; NULL once it stands */
	struct peer peer;
	bool standing, ended;
	bool turning; /* conn_turn() is under way and will look at what libdbus queues */

	sbus_closed *closed;
	void *closed_data;
	void *data;

	/* The maker's. stood: authenticated. lost: being freed, by whomever; only notes that. */
	void (*stood)(struct sbus_conn *conn, void *maker);
	void (*lost)(struct sbus_conn *conn, void *maker);
	void *maker; /* borrowed */

	/* call.c's */
	struct list requests;        /* struct request_state.node */
	struct timer *request_timer; /* owned; fires at or before the earliest deadline */
	struct deadline request_due; /* when it fires */
	struct served *served;       /* owned: interfaces of ours */
};

/* Takes over the reference to dbus, whatever comes of it. Errors: -ENOMEM; those of fd_peer(). */
int sbus_conn_new(TALLOC_CTX *mem, struct tevent_context *ev, DBusConnection *dbus,
                  void (*stood)(struct sbus_conn *conn, void *maker),
                  void (*lost)(struct sbus_conn *conn, void *maker), void *maker,
                  struct sbus_conn **ret_conn);

/* Puts message into the queue and writes what the socket takes. ret_serial may be NULL.
 * Errors: -E_DISCONNECTED; -EBUSY the peer does not read; -ENOMEM. */
int sbus_conn_write(struct sbus_conn *conn, DBusMessage *message, uint32_t *ret_serial);

struct sbus_life *sbus_conn_hold(struct sbus_conn *conn);

/* True when the connection was freed meanwhile. */
bool sbus_life_release(struct sbus_life *life);

/* In call.c: one message from the peer; the connection ended (may run callbacks, any of which may
 * free it); the connection is being freed (runs none). */
void sbus_deliver(struct sbus_conn *conn, DBusMessage *message);
void sbus_fail_requests(struct sbus_conn *conn);
void sbus_forget_requests(struct sbus_conn *conn);
