/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Client - keeps a connection to a path, and never blocks doing so
 *
 * dbus_connection_open_private() connects with a blocking socket: on a listener whose backlog is
 * full (its process is stopped) that lasts until somebody accepts. It has no way to be given a
 * descriptor either. So we connect ourselves, without blocking; let libdbus open a connection to
 * a listener of our own, which is always done at once; and put our socket in the place of that one
 * (dup3(2)). This is sound because libdbus sends its first byte when the watches are served, not
 * before, and keeps nothing of the socket but its number.
 *
 * The listener is an autobound abstract one (unix(7)), lives for the few microseconds in between
 * and accepts nobody, so it does not matter who else connects to it.
 *
 *   idle ─ wake ─▶ attempt ─▶ authenticating ─▶ standing ─▶ lost ─▶ (back-off) attempt, or idle
 *                     └─ refused, absent, full, 5 s ─▶ (back-off) attempt, or idle
 *
 * Who is not lazy waits for the path to change as well (inotify(7)): a monitor that comes back and
 * leaves again at once would otherwise never hear of those that are in a long pause.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/event/pathwatch.h"
#include "common/sbus/conn.h"
#include "common/sbus/value.h"

#define WAIT_FIRST_MS 50
#define WAIT_MAX_MS   5000

struct sbus_client {
	struct tevent_context *ev; /* borrowed */
	char *path;                /* owned */
	bool lazy;
	sbus_connected *connected;
	void *data;

	struct sbus_conn *conn;        /* owned; NULL between two attempts */
	struct timer *retry;           /* owned; NULL unless we wait */
	struct pathwatch *appears;     /* owned; the path; rests while a connection stands; may be
	                                * NULL */
	struct tevent_immediate *news; /* owned: the connection was lost, tell so */
	int64_t wait_ms;               /* before the next attempt, without the jitter */
};

static void retry_now(void *data);
static int attempt_or_wait(struct sbus_client *client);

/* ---- a connection of libdbus over a socket of ours ---- */

/* A listener nobody knows, and its name: without the leading NUL, always five hex digits. */
static int listen_abstract(int *ret_fd, char *ret_name, size_t name_size)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	size_t length;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) < 0 ||
	    listen(fd, SOMAXCONN) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;

	length = size - offsetof(struct sockaddr_un, sun_path);
	if (length < 2 || length > name_size)
		return -EINVAL;
	memcpy(ret_name, address.sun_path + 1, length - 1);
	ret_name[length - 1] = '\0';
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int open_over(int fd, DBusConnection **ret_dbus)
{
	auto_close int listener = -1;
	char name[16], address[64];
	DBusConnection *dbus;
	int r, dbus_fd;

	r = listen_abstract(&listener, name, sizeof(name));
	if (r < 0)
		return r;
	snprintf(address, sizeof(address), "unix:abstract=%s", name);
	dbus = dbus_connection_open_private(address, NULL);
	if (!dbus)
		return -E_BUS;

	if (!dbus_connection_get_socket(dbus, &dbus_fd) || dup3(fd, dbus_fd, O_CLOEXEC) < 0) {
		dbus_connection_close(dbus);
		dbus_connection_unref(dbus);
		return -E_BUS;
	}
	*ret_dbus = dbus;
	return 0;
}

/* ---- one attempt ---- */

static void conn_stood(struct sbus_conn *conn, void *maker)
{
	struct sbus_client *client = maker;

	client->wait_ms = WAIT_FIRST_MS;
	if (client->appears)
		pathwatch_rest(client->appears);
	client->connected(client, conn, client->data);
}

static void path_changed(void *data)
{
	struct sbus_client *client = data;

	if (client->conn)
		return;
	client->wait_ms = WAIT_FIRST_MS; /* it may be bound and not listen yet */
	TALLOC_FREE(client->retry);
	attempt_or_wait(client);
}

/* The directory may be another one by now. */
static void watch_path(struct sbus_client *client)
{
	int r = client->appears ? pathwatch_resume(client->appears)
	                        : pathwatch_new(client, client->ev, client->path, 0, path_changed,
	                                        client, &client->appears);

	if (r < 0)
		log_debug("%s: looked for by time only", client->path);
}

static int wait_and_retry(struct sbus_client *client)
{
	/* The clock's microseconds differ enough between processes that lost the same peer. */
	int64_t wait_ms = client->wait_ms + monotonic_us() % (client->wait_ms / 4 + 1);

	client->wait_ms = client->wait_ms * 2 < WAIT_MAX_MS ? client->wait_ms * 2 : WAIT_MAX_MS;
	TALLOC_FREE(client->retry);
	client->retry = timer_once(client, client->ev, wait_ms, retry_now, client);
	if (!client->lazy)
		watch_path(client);
	return client->retry ? 0 : -ENOMEM;
}

static void tell_lost(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	struct sbus_client *client = data;

	(void)ev;
	(void)im;
	client->connected(client, NULL, client->data);
}

static void conn_lost(struct sbus_conn *conn, void *maker)
{
	struct sbus_client *client = maker;

	client->conn = NULL;
	if (!client->lazy)
		wait_and_retry(client);
	if (conn->standing || client->lazy)
		tevent_schedule_immediate(client->news, client->ev, tell_lost, client);
}

/* Root may ask anybody; the others trust root and their like. */
static int check_listener(int fd)
{
	struct peer peer;
	int r = fd_peer(fd, &peer);

	if (r < 0)
		return r;
	return geteuid() == 0 || peer.uid == 0 || peer.uid == geteuid() ? 0 : -EACCES;
}

static int attempt(struct sbus_client *client)
{
	auto_close int fd = -1;
	DBusConnection *dbus;
	int r;

	r = fd_connect_unix(client->path, &fd);
	if (r == 0)
		r = check_listener(fd);
	if (r == 0)
		r = open_over(fd, &dbus);
	if (r == 0)
		r = sbus_conn_new(client, client->ev, dbus, conn_stood, conn_lost, client,
		                  &client->conn);
	return r;
}

static bool nobody_there(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED;
}

/* An attempt, and what follows from its end. */
static int attempt_or_wait(struct sbus_client *client)
{
	int r = attempt(client), waits;

	if (r == 0)
		return 0;
	if (!nobody_there(r))
		log_debug("%s: %s", client->path, error_text(r));
	if (client->lazy && nobody_there(r))
		return r;
	waits = wait_and_retry(client);
	return waits < 0 ? waits : r;
}

static void retry_now(void *data)
{
	struct sbus_client *client = data;

	client->retry = NULL; /* freed by its firing */
	attempt_or_wait(client);
}

/* ---- asked by its user ---- */

static int client_free(struct sbus_client *client)
{
	if (client->conn)
		client->conn->lost = NULL;
	return 0;
}

int sbus_client_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path, bool lazy,
                    sbus_connected *connected, void *data, struct sbus_client **ret_client)
{
	auto_talloc struct sbus_client *client = talloc_zero(mem, struct sbus_client);

	if (!client)
		return -ENOMEM;
	client->ev = ev;
	client->lazy = lazy;
	client->connected = connected;
	client->data = data;
	client->wait_ms = WAIT_FIRST_MS;
	client->path = talloc_strdup(client, path);
	client->news = tevent_create_immediate(client);
	if (!client->path || !client->news)
		return -ENOMEM;
	talloc_set_destructor(client, client_free);

	if (!lazy && attempt_or_wait(client) < 0 && !client->retry)
		return -ENOMEM;
	*ret_client = take_ptr(client);
	return 0;
}

struct sbus_conn *sbus_client_conn(const struct sbus_client *client)
{
	return client->conn && client->conn->standing && !client->conn->ended ? client->conn : NULL;
}

bool sbus_client_wake(struct sbus_client *client)
{
	int r;

	if (client->conn)
		return true;
	TALLOC_FREE(client->retry);
	r = attempt_or_wait(client);
	return r == 0 || !nobody_there(r);
}
