/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Server - a private listener on a path it binds itself
 *
 * libdbus binds, listens and makes the socket 0777, in this order. So it does that under a name of
 * our own first; the socket gets its mode and takes its place with rename(2), which also replaces
 * what a killed process left there: nobody finds nothing, or too much, at path at any moment.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/sbus/conn.h"
#include "common/sbus/value.h"

/* More processes than a host has of ours, fewer than descriptors. */
#define CONNS_MAX 256

#define BACKLOG 256

struct sbus_server {
	struct tevent_context *ev; /* borrowed */
	DBusServer *dbus;          /* owned */
	struct watch *watch;       /* owned */
	char *path;                /* owned */
	struct stat bound;         /* the socket file we made */
	unsigned n_conns;
	sbus_accepted *accepted;
	void *data;
};

static void conn_stood(struct sbus_conn *conn, void *maker)
{
	struct sbus_server *server = maker;

	server->accepted(server, conn, server->data);
}

static void conn_lost(struct sbus_conn *conn, void *maker)
{
	struct sbus_server *server = maker;

	(void)conn;
	server->n_conns--;
}

static bool uid_allowed(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* The same rule where libdbus applies its own, which is not documented for root. */
static dbus_bool_t auth_allowed(DBusConnection *dbus, unsigned long uid, void *data)
{
	(void)dbus;
	(void)data;
	return uid_allowed((uid_t)uid);
}

/* Called by libdbus for an accepted socket, which it closes unless we keep a reference. */
static void conn_arrived(DBusServer *dbus_server, DBusConnection *dbus, void *data)
{
	struct sbus_server *server = data;
	struct sbus_conn *conn;
	struct peer peer;
	int r, fd;

	(void)dbus_server;
	if (!dbus_connection_get_socket(dbus, &fd) || fd_peer(fd, &peer) < 0)
		return;
	if (!uid_allowed(peer.uid)) {
		log_debug("%s: uid %u is not let in", server->path, (unsigned)peer.uid);
		return;
	}
	if (server->n_conns >= CONNS_MAX) {
		log_debug("%s: too many connections", server->path);
		return;
	}

	dbus_connection_set_unix_user_function(dbus, auth_allowed, NULL, NULL);
	r = sbus_conn_new(server, server->ev, dbus_connection_ref(dbus), conn_stood, conn_lost,
	                  server, &conn);
	if (r < 0) {
		log_debug("%s: %s", server->path, error_text(r));
		return;
	}
	server->n_conns++;
}

static void fd_ready(uint16_t flags, void *data)
{
	struct sbus_server *server = data;

	watch_handle(server->watch, flags);
}

static int server_free(struct sbus_server *server)
{
	struct stat now;

	if (server->bound.st_ino && lstat(server->path, &now) == 0 &&
	    now.st_ino == server->bound.st_ino && now.st_dev == server->bound.st_dev)
		unlink(server->path);
	dbus_server_disconnect(server->dbus);
	dbus_server_set_watch_functions(server->dbus, NULL, NULL, NULL, NULL, NULL);
	dbus_server_unref(server->dbus);
	return 0;
}

/* -EADDRINUSE when a live process listens at path: two of a kind must not take it from each other
 * in turns. A full backlog is a sign of life too. */
static int nobody_listens(const char *path)
{
	auto_close int fd = -1;
	int r = fd_connect_unix(path, &fd);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return 0;
	return r == 0 || r == -EAGAIN ? -EADDRINUSE : r;
}

static int dbus_listen(const char *path, DBusServer **ret_dbus)
{
	static const char *const mechanisms[] = { "EXTERNAL", NULL };
	auto_talloc char *address = NULL;
	char *escaped = dbus_address_escape_value(path);
	DBusServer *dbus;
	DBusError error;
	int r;

	if (!escaped)
		return -ENOMEM;
	address = talloc_asprintf(NULL, "unix:path=%s", escaped);
	dbus_free(escaped);
	if (!address)
		return -ENOMEM;

	dbus_error_init(&error);
	dbus = dbus_server_listen(address, &error);
	if (!dbus) {
		r = dbus_error_has_name(&error, DBUS_ERROR_ACCESS_DENIED)    ? -EACCES
		    : dbus_error_has_name(&error, DBUS_ERROR_NO_MEMORY)      ? -ENOMEM
		    : dbus_error_has_name(&error, DBUS_ERROR_FILE_NOT_FOUND) ? -ENOENT
		                                                             : -E_BUS;
		log_debug("%s: %s", path, error.message);
		dbus_error_free(&error);
		return r;
	}
	/* Not DBUS_COOKIE_SHA1, which looks for home directories. */
	dbus_server_set_auth_mechanisms(dbus, (const char **)mechanisms);
	*ret_dbus = dbus;
	return 0;
}

int sbus_server_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path,
                    sbus_accepted *accepted, void *data, struct sbus_server **ret_server)
{
	auto_talloc struct sbus_server *server = NULL;
	auto_talloc char *aside = NULL;
	int r, fd;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	r = nobody_listens(path);
	if (r < 0)
		return r;

	server = talloc_zero(mem, struct sbus_server);
	if (!server)
		return -ENOMEM;
	server->ev = ev;
	server->accepted = accepted;
	server->data = data;
	server->path = talloc_strdup(server, path);
	server->watch = watch_new(server, ev, fd_ready, server);
	aside = talloc_asprintf(NULL, "%.*s.sbus-%d", (int)(strrchr(path, '/') + 1 - path), path,
	                        (int)getpid());
	if (!server->path || !server->watch || !aside)
		return -ENOMEM;

	unlink(aside); /* of a process that had our pid and died here */
	r = dbus_listen(aside, &server->dbus);
	if (r < 0)
		return r;
	talloc_set_destructor(server, server_free);

	if (chmod(aside, 0600) < 0 || lstat(aside, &server->bound) < 0 || rename(aside, path) < 0) {
		r = -errno;
		unlink(aside);
		return r;
	}

	dbus_server_set_new_connection_function(server->dbus, conn_arrived, server, NULL);
	r = watch_server(server->watch, server->dbus);
	if (r == 0)
		r = watch_settle(server->watch);
	if (r < 0)
		return r;

	/* libdbus listens with a backlog of 30; saying it again only changes the number. */
	fd = watch_fd(server->watch);
	if (fd >= 0 && listen(fd, BACKLOG) < 0)
		return -errno;

	*ret_server = take_ptr(server);
	return 0;
}
