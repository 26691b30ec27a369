/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connection - from authentication to its end
 */
#include "common/sbus/conn.h"

#include <errno.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/sbus/value.h"

static void conn_turn(struct sbus_conn *conn, uint16_t flags);
static void conn_end(struct sbus_conn *conn);

/* ---- the beginning ---- */

static void fd_ready(uint16_t flags, void *data)
{
	conn_turn(data, flags);
}

static void turn_again(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	(void)ev;
	(void)im;
	conn_turn(data, 0);
}

/* libdbus queued something: in a turn, which looks by itself, or in a write of ours that found the
 * peer gone. */
static void dispatch_needed(DBusConnection *dbus, DBusDispatchStatus status, void *data)
{
	struct sbus_conn *conn = data;

	(void)dbus;
	if (status == DBUS_DISPATCH_DATA_REMAINS && !conn->turning)
		tevent_schedule_immediate(conn->again, conn->ev, turn_again, conn);
}

/* tevent does not tell of a hang-up to who waits for writing only, as libdbus does before each line
 * of the authentication. They are short: written at once, and then it waits for reading. */
static void write_auth(struct sbus_conn *conn)
{
	if (watch_wants(conn->watch) == TEVENT_FD_WRITE)
		watch_handle(conn->watch, TEVENT_FD_WRITE);
}

static void auth_late(void *data)
{
	struct sbus_conn *conn = data;

	log_debug("pid %d does not authenticate", (int)conn->peer.pid);
	conn->auth_timer = NULL; /* freed by its firing */
	conn_end(conn);
}

struct sbus_life *sbus_conn_hold(struct sbus_conn *conn)
{
	conn->life->holders++;
	return conn->life;
}

bool sbus_life_release(struct sbus_life *life)
{
	bool gone = life->gone;

	life->holders--;
	if (gone && life->holders == 0)
		talloc_free(life);
	return gone;
}

static int conn_free(struct sbus_conn *conn)
{
	struct sbus_life *life = sbus_conn_hold(conn);

	life->gone = true;
	sbus_life_release(life);
	conn->ended = true;
	sbus_forget_requests(conn);
	if (conn->lost)
		conn->lost(conn, conn->maker);

	dbus_connection_set_dispatch_status_function(conn->dbus, NULL, NULL, NULL);
	dbus_connection_close(conn->dbus);
	dbus_connection_set_watch_functions(conn->dbus, NULL, NULL, NULL, NULL, NULL);
	dbus_connection_unref(conn->dbus);
	return 0;
}

static void close_unref(DBusConnection *dbus)
{
	dbus_connection_close(dbus);
	dbus_connection_unref(dbus);
}
DEFINE_CLEANUP(DBusConnection *, close_unref)

int sbus_conn_new(TALLOC_CTX *mem, struct tevent_context *ev, DBusConnection *dbus,
                  void (*stood)(struct sbus_conn *conn, void *maker),
                  void (*lost)(struct sbus_conn *conn, void *maker), void *maker,
                  struct sbus_conn **ret_conn)
{
	cleanup_with(close_unref) DBusConnection *owned = dbus;
	auto_talloc struct sbus_conn *conn = NULL;
	struct peer peer;
	int r, fd;

	if (!dbus_connection_get_socket(dbus, &fd))
		return -E_DISCONNECTED;
	r = fd_peer(fd, &peer);
	if (r < 0)
		return r;
	conn = talloc_zero(mem, struct sbus_conn);
	if (!conn)
		return -ENOMEM;
	conn->life = talloc_zero(NULL, struct sbus_life);
	if (!conn->life)
		return -ENOMEM;

	conn->ev = ev;
	conn->peer = peer;
	list_init(&conn->requests);
	conn->dbus = take_ptr(owned);
	talloc_set_destructor(conn, conn_free);

	dbus_connection_set_exit_on_disconnect(dbus, FALSE);
	dbus_connection_set_max_message_size(dbus, SBUS_MESSAGE_MAX);
	dbus_connection_set_max_received_size(dbus, SBUS_QUEUE_MAX);
	dbus_connection_set_dispatch_status_function(dbus, dispatch_needed, conn, NULL);

	conn->again = tevent_create_immediate(conn);
	conn->auth_timer = timer_once(conn, ev, SBUS_AUTH_MS, auth_late, conn);
	conn->watch = watch_new(conn, ev, fd_ready, conn);
	if (!conn->again || !conn->auth_timer || !conn->watch)
		return -ENOMEM;
	r = watch_connection(conn->watch, dbus);
	if (r < 0)
		return r;
	write_auth(conn);
	r = watch_settle(conn->watch);
	if (r < 0)
		return r;

	conn->stood = stood;
	conn->lost = lost;
	conn->maker = maker;
	*ret_conn = take_ptr(conn);
	return 0;
}

/* ---- its life ---- */

/* One turn: read, deliver, notice the end. Any callee may free conn. */
static void conn_turn(struct sbus_conn *conn, uint16_t flags)
{
	struct sbus_life *life = sbus_conn_hold(conn);

	conn->turning = true;
	if (flags)
		watch_handle(conn->watch, flags);
	if (!conn->standing)
		write_auth(conn);

	if (!conn->standing && dbus_connection_get_is_authenticated(conn->dbus)) {
		conn->standing = true;
		TALLOC_FREE(conn->auth_timer);
		conn->stood(conn, conn->maker);
	}

	/* Not dbus_connection_dispatch(): its filters and object tree would only lie between the
	 * message and our table. How many there can be is bounded by one read of libdbus (2 KiB).
	 */
	while (!life->gone) {
		cleanup_with(dbus_message_unref) DBusMessage *message =
			dbus_connection_pop_message(conn->dbus);

		if (!message)
			break;
		sbus_deliver(conn, message);
	}
	if (sbus_life_release(life))
		return;
	conn->turning = false;

	if (!dbus_connection_get_is_connected(conn->dbus) || watch_settle(conn->watch) < 0)
		conn_end(conn);
}

int sbus_conn_write(struct sbus_conn *conn, DBusMessage *message, uint32_t *ret_serial)
{
	if (conn->ended || !dbus_connection_get_is_connected(conn->dbus))
		return -E_DISCONNECTED;
	if (dbus_connection_get_outgoing_size(conn->dbus) > SBUS_QUEUE_MAX)
		return -EBUSY;
	if (!dbus_connection_send(conn->dbus, message, ret_serial))
		return -ENOMEM;
	return watch_settle(conn->watch);
}

static void conn_end(struct sbus_conn *conn)
{
	struct sbus_life *life = sbus_conn_hold(conn);

	conn->ended = true;
	dbus_connection_close(conn->dbus);

	sbus_fail_requests(conn);
	if (!life->gone && conn->closed)
		conn->closed(conn, conn->closed_data);
	if (!sbus_life_release(life))
		talloc_free(conn);
}

/* ---- asked by its users ---- */

void sbus_conn_peer(const struct sbus_conn *conn, struct peer *ret_peer)
{
	*ret_peer = conn->peer;
}

void sbus_conn_on_close(struct sbus_conn *conn, sbus_closed *closed, void *data)
{
	conn->closed = closed;
	conn->closed_data = data;
}

void sbus_conn_set_data(struct sbus_conn *conn, void *data)
{
	conn->data = data;
}

void *sbus_conn_data(const struct sbus_conn *conn)
{
	return conn->data;
}
