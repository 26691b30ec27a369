/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sbus - D-Bus messages over private peer connections (design §6), libdbus on tevent
 *
 * There is no bus in between and so no Hello: one side listens on a socket it bound itself in
 * /run/sssd, the other connects. Everything is at object path /sssd. Interfaces are described once,
 * in common/sbus/interfaces/NAME.xml; generate.py writes iface_NAME.[ch] with a typed sender,
 * receiver and reply for each method, so nobody packs arguments by hand. Nothing here ever blocks.
 * Only uid 0 and our own uid may connect. Messages are at most 1 MiB.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/fd.h"

#define SBUS_DIR          "/run/sssd"
#define SBUS_MONITOR_PATH SBUS_DIR "/sbus-monitor"
/* A backend's is SBUS_DIR "/sbus-dp_" and the domain, escaped (sbus_escape()). */

/* Path-safe form of a name: letters and digits stay, every other byte is _ and two lower-case hex
 * digits. On mem. */
char *sbus_escape(TALLOC_CTX *mem, const char *name);
char *sbus_backend_path(TALLOC_CTX *mem, const char *dir, const char *domain);

/* ---- a connection, from either side: a talloc object, freeing it closes ---- */

struct sbus_conn;

/* Ends a connection's life; called once, from the loop. Requests in flight have failed with
 * -E_DISCONNECTED by then. conn is freed after it, unless the callee has done so. */
typedef void sbus_closed(struct sbus_conn *conn, void *data);

/* Who is at the other end, by the socket's credentials. */
void sbus_conn_peer(const struct sbus_conn *conn, struct peer *ret_peer);
void sbus_conn_on_close(struct sbus_conn *conn, sbus_closed *closed, void *data);

/* One pointer for the owner's use. */
void sbus_conn_set_data(struct sbus_conn *conn, void *data);
void *sbus_conn_data(const struct sbus_conn *conn);

/* ---- the listening side ---- */

struct sbus_server; /* a talloc object */

/* Called for each peer that authenticated. Register its interfaces here. */
typedef void sbus_accepted(struct sbus_server *server, struct sbus_conn *conn, void *data);

/* Binds path itself (what a dead process left there is replaced), mode 0600, and listens.
 * Errors: -EADDRINUSE a live process listens there; -ENAMETOOLONG; -EACCES, -ENOENT; -E_BUS. */
int sbus_server_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path,
                    sbus_accepted *accepted, void *data, struct sbus_server **ret_server);

/* ---- the connecting side: never gives up ---- */

struct sbus_client; /* a talloc object */

/* Called with a new connection each time one stands, and with NULL each time it is lost (a lazy
 * client also when one under way is lost before it stood); from the loop. The connection is the
 * client's: it frees it. */
typedef void sbus_connected(struct sbus_client *client, struct sbus_conn *conn, void *data);

/* Keeps a connection to path: at once, then again after 50 ms doubling to 5 s with jitter. When the
 * socket file is absent it waits the same way (no wake-ups more often than every 5 s). With lazy
 * true it connects only when asked by sbus_client_wake(), and after a loss only then again. */
int sbus_client_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path, bool lazy,
                    sbus_connected *connected, void *data, struct sbus_client **ret_client);

/* The standing connection, or NULL. */
struct sbus_conn *sbus_client_conn(const struct sbus_client *client);

/* Tries now, whatever the back-off says. True when an attempt is under way or a connection stands
 * (also when the peer's backlog is full: it is tried again by itself); false means that nobody
 * listens there at this moment (ENOENT, ECONNREFUSED). */
bool sbus_client_wake(struct sbus_client *client);

/* ---- serving calls: the generated NAME_serve() registers, NAME_METHOD_reply() answers ---- */

/* One call waiting for its answer: a talloc object on its connection, freed soon after the answer
 * (from the loop, never inside the reply). When the caller is gone meanwhile, replying does
 * nothing, and what hangs below the call is freed with the connection. Freeing an unanswered call
 * answers with an error. */
struct sbus_call;

struct sbus_conn *sbus_call_conn(const struct sbus_call *call);

/* Answers with an error; r is one of our negative codes and travels with its text. */
void sbus_call_fail(struct sbus_call *call, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
