/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Responder core - shared by the files of this folder, by nobody else
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <tevent.h>

#include "common/base/fd.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/event/daemon.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"
#include "common/wire/proto.h"
#include "common/wire/writer.h"
#include "responders/core/callers.h"
#include "responders/core/lookup.h"
#include "responders/core/resp.h"
#include "responders/core/setup.h"

#define RESP_SOCKETS_MAX 4
#define RESP_OPCODES     0x140 /* one more than the highest command */

struct listing;
struct monitor_client;

struct listener {
	struct core *core;
	int fd;
	struct tevent_fd *fde; /* NULL once we drain */
};

/* One running responder. */
struct core {
	const struct resp *resp;
	const struct resp_cmd *by_opcode[RESP_OPCODES];
	struct resp_paths paths;
	struct daemon *daemon;
	struct tevent_context *ev;
	struct stores *stores;
	struct setup *setup; /* pinned; replaced by a reload */
	struct lookups lookups;
	void *memory; /* what resp->memory made, or NULL */
	struct callers *callers;
	struct monitor_client *monitor;
	void *service; /* of resp->service */

	struct listener listeners[RESP_SOCKETS_MAX];
	size_t n_listeners;
	struct list clients;         /* of struct client, the longest quiet one first */
	size_t n_clients, n_waiting; /* waiting: for their uid's turn */
	size_t clients_max;          /* what the limit of descriptors leaves for clients */
	struct tevent_immediate *turn;
	struct tevent_fd *line;     /* always ready; looked at while anybody is in line */
	struct timer *client_timer; /* runs only while there are clients */

	const char *debug_level; /* from the command line, may be NULL; wins over the files */
	int64_t idle_exit_ms;    /* from the command line, for tests; -1 = as configured */
	int64_t last_request_us;
	struct timer *idle_timer;
	struct timer *untold; /* the monitor has yet to say something of a configuration */
	bool draining;
	bool left_idle; /* that is why */
};

/* A client: one connection. It has at most one request under way; more bytes wait in its buffer. */
struct client {
	struct list node;    /* in core->clients */
	struct list waiting; /* in caller->waiting */
	struct turn turn;    /* in caller->ready while its next request is here and has to wait */
	struct core *core;
	struct caller *caller;
	struct peer peer;
	int fd;
	struct tevent_fd *fde;
	uint8_t *in; /* what came and was not answered yet; a request begins at 0 */
	size_t in_size, in_room;
	struct writer out; /* the reply; sent up to out_sent */
	size_t out_sent;
	size_t unsent;     /* of that, counted in caller->unsent */
	int64_t active_us; /* when the last request began */
	bool served;       /* a question of it was answered: from now on it repeats what it loses */
	bool at_end;       /* no more bytes will come */
	bool dismissed;    /* it made place for another connection of its uid */
	bool sending;      /* the reply did not go out whole */

	struct listing *users, *groups; /* owned; NULL while none is under way */

	/* the request under way */
	bool busy;
	bool counted;  /* in caller->requests */
	bool greeting; /* it is the handshake */
	const struct resp_cmd *cmd;
	uint32_t request_size;
	struct question question;
	struct request_id id;
	struct tevent_req *lookup;
	struct resp_place place; /* of a service's: how far it came … */
	bool unfinished;         /* … and the rest has to line up */
	unsigned kind;           /* for the metrics … */
	int result;              /* … 0 or an error */
};

/* client.c */

/* Before anybody is accepted. Errors: -ENOMEM, errno of eventfd(2). */
int clients_start(struct core *core);

/* Takes in who waits at the socket. ret_exhausted: there are no descriptors left. */
void client_accept(struct core *core, int listen_fd, bool *ret_exhausted);
void client_free(struct client *client);

/* The reply stands in client->out: within dispatch(), or after it returned. */
void client_replied(struct client *client);
void client_replied_later(struct client *client);

/* May the request begin? False: it is dispatched again when its uid's turn comes. */
bool client_takes_turn(struct client *client);

/* SHUT_RD: take no more than what came. */
void client_half_close(struct client *client);
void clients_watch_idle(struct core *core);

/* dispatch.c */

/* How long the request is that begins in client->in; 0 when that cannot be told yet.
 * Errors: -EBADMSG, -EMSGSIZE the client broke the protocol. */
int64_t request_length(const struct client *client);

/* The longest reply there is. */
uint32_t reply_max(const struct core *core);

/* Answers the request at the start of client->in, now or later; or client->unfinished, and it is to
 * be called again.
 * False: the client broke the protocol and must go. */
bool dispatch(struct client *client, uint32_t size);

/* A reply without a body. */
void dispatch_status(struct client *client, int r);

/* list.c: the same for commands that list entries. */
void list_dispatch(struct client *client);

/* Has the client not yet come to the end of a list it began? */
bool list_is_open(const struct client *client);

/* main.c */
/* Takes the compiled configuration, if there is another one. True when it did. */
bool core_reload(struct core *core);
void core_client_left(struct core *core);
void core_drain(struct core *core);
void core_clear_memory(struct core *core);
void core_clear_negative(struct core *core);

/* monitor_client.c */
struct monitor_client *monitor_client_new(struct core *core);

/* Does a monitor know of us, or is it about to? Then it says when a configuration is in force. */
bool monitor_client_is_known(const struct monitor_client *monitor);
