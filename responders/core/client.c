/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clients - accept, credentials, framing, limits
 *
 * A warm request costs three system calls: epoll_wait, recv, send. Everything else happens only
 * when something is unusual: a reply that does not fit, a request in pieces, an end.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "responders/core/core.h"

#define IN_ROOM         1024 /* to begin with; holds every usual request */
#define ACCEPTS_AT_ONCE 4    /* before those who are here are looked at again */
#define TURN_US         200  /* of those in line, likewise */

static void client_ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                         void *data);

/* ---- whose turn it is ---- */

static void client_work(struct client *client, bool arrived);
static bool client_serve(struct client *client, uint32_t size, int64_t now_us);
static void client_flush(struct client *client, int64_t now_us);
static int64_t whole_request(struct client *client);

/* Requests of a uid ended: those that wait for that are dispatched once more, maybe the answer is
 * in the cache by now. Run from the loop and not from where the request ended, so that nothing is
 * re-entered. */
static void take_turns(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	struct core *core = data;
	struct list *node;

	(void)ev;
	(void)im;
	while ((node = callers_next(core->callers)) != NULL) {
		struct client *client = list_item(node, struct client, waiting);

		list_remove(node);
		core->n_waiting--;
		dispatch(client, client->request_size);
		if (!client->busy)
			client_work(client, false);
	}
}

bool client_takes_turn(struct client *client)
{
	if (caller_begins(client->caller)) {
		client->counted = true;
		return true;
	}
	list_append(&client->caller->waiting, &client->waiting);
	client->core->n_waiting++;
	return false;
}

static void turn_ends(struct client *client)
{
	struct core *core = client->core;

	if (!client->counted)
		return;
	caller_finished(client->caller);
	client->counted = false;
	if (core->n_waiting)
		tevent_schedule_immediate(core->turn, core->ev, take_turns, core);
}

/* ---- the line of those that are ready ---- */

static void line_up(struct client *client)
{
	struct core *core = client->core;

	if (!callers_in_line(core->callers))
		tevent_fd_set_flags(core->line, TEVENT_FD_READ);
	caller_lines_up(core->callers, client->caller, &client->turn);
}

static bool is_in_line(const struct client *client)
{
	return !list_empty(&client->turn.node);
}

/* A descriptor that is always ready comes after all that were when it came last: epoll(7) gives
 * each its turn. So whoever may be served before those in line was. */
static void line_moves(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct core *core = data;
	struct turn *turn = callers_turn(core->callers);
	int64_t began_us = monotonic_us();

	(void)ev;
	(void)flags;
	if (!turn) {
		callers_begin_round(core->callers);
		turn = callers_turn(core->callers);
	}
	for (int64_t now_us = began_us; turn;) {
		struct client *client = list_item(turn, struct client, turn);

		if (client->sending)
			client_flush(client, now_us);
		else if (client_serve(client, (uint32_t)whole_request(client), now_us) &&
		         !client->busy)
			client_work(client, false);
		now_us = monotonic_us();
		turn = now_us - began_us > TURN_US ? NULL : callers_turn(core->callers);
	}
	if (!callers_in_line(core->callers))
		tevent_fd_set_flags(fde, 0);
}

int clients_start(struct core *core)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	core->line = tevent_add_fd(core->ev, core, fd, 0, line_moves, core);
	if (!core->line) {
		close(fd);
		return -ENOMEM;
	}
	tevent_fd_set_auto_close(core->line);
	return 0;
}

/* ---- coming and going ---- */

static void wipe(const struct client *client, void *bytes, size_t size)
{
	if (client->core->resp->secretive && size > 0)
		secret_wipe(bytes, size);
}

static int client_gone(struct client *client)
{
	struct core *core = client->core;

	TALLOC_FREE(client->lookup);
	list_remove(&client->node);
	if (!list_empty(&client->waiting))
		core->n_waiting--;
	list_remove(&client->waiting);
	caller_leaves_line(client->caller, &client->turn);
	turn_ends(client);
	client->caller->unsent -= client->unsent;
	if (client->in_room > IN_ROOM)
		client->caller->taken -= client->in_room - IN_ROOM;
	wipe(client, client->in, client->in_size);
	callers_left(core->callers, client->caller);
	writer_free(&client->out);
	TALLOC_FREE(client->fde);
	close(client->fd);
	core->n_clients--;
	return 0;
}

void client_free(struct client *client)
{
	struct core *core = client->core;

	talloc_free(client);
	core_client_left(core);
}

static bool is_idle(const struct client *client)
{
	return !client->busy && !is_in_line(client);
}

/* Descriptors ran out: the uid that has most idle connections loses the one that was quiet longest.
 */
static bool make_room(struct core *core)
{
	struct caller *greediest;
	struct client *client;

	callers_count_idle(core->callers);
	list_for_each(client, &core->clients, node)
		if (is_idle(client))
			client->caller->idle++;
	greediest = callers_greediest(core->callers);
	if (!greediest)
		return false;
	list_for_each(client, &core->clients, node)
		if (client->caller == greediest && is_idle(client)) {
			log_warn("out of descriptors: uid %u, which holds %u idle connections, "
			         "loses one",
			         (unsigned)greediest->uid, greediest->idle);
			client_free(client);
			return true;
		}
	return false;
}

/* The one that was quiet longest makes place. What it says at this very moment is still answered,
 * so it is there for a moment longer. */
static bool dismiss_one(struct core *core, const struct caller *caller)
{
	struct client *client;

	list_for_each(client, &core->clients, node)
		if (client->caller == caller && is_idle(client) && !client->dismissed) {
			client->dismissed = true;
			client_half_close(client);
			return true;
		}
	return false;
}

/* One that was dismissed and does not read its answer would be there until it is quiet for too
 * long. */
static bool drop_dismissed(struct core *core, uid_t uid)
{
	struct client *client;

	list_for_each(client, &core->clients, node)
		if (client->peer.uid == uid && client->dismissed && client->sending) {
			log_info("uid %u does not read its answers: one is dropped", (unsigned)uid);
			client_free(client);
			return true;
		}
	return false;
}

/* A uid has all the connections it may have: another of them makes place, while not too many that
 * did are still there. */
static struct caller *instead_of_another(struct core *core, uid_t uid)
{
	struct caller *caller = callers_came_over(core->callers, uid);

	if (!caller && drop_dismissed(core, uid))
		caller = callers_came_over(core->callers, uid);
	if (caller && !dismiss_one(core, caller)) {
		callers_left(core->callers, caller);
		return NULL;
	}
	return caller;
}

static bool is_gone(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void client_new(struct core *core, int fd)
{
	struct client *client;
	struct peer peer;

	if (fd_peer(fd, &peer) < 0) {
		close(fd);
		return;
	}
	client = talloc_zero(core, struct client);
	if (!client) {
		close(fd);
		return;
	}
	client->caller = callers_came(core->callers, peer.uid);
	/* Nobody is dismissed for one that connected and left, however often it does. */
	if (!client->caller && !is_gone(fd))
		client->caller = instead_of_another(core, peer.uid);
	if (!client->caller) {
		log_debug("uid %u: no more connections for now", (unsigned)peer.uid);
		close(fd);
		talloc_free(client);
		return;
	}

	client->core = core;
	client->fd = fd;
	client->peer = peer;
	client->active_us = monotonic_us();
	client->out = writer_new(reply_max(core));
	client->out.secretive = core->resp->secretive;
	list_init(&client->waiting);
	list_init(&client->turn.node);
	list_init(&client->node);
	list_append(&core->clients, &client->node);
	core->n_clients++;
	talloc_set_destructor(client, client_gone);

	client->in = talloc_size(client, IN_ROOM);
	client->in_room = IN_ROOM;
	client->fde = tevent_add_fd(core->ev, client, fd, TEVENT_FD_READ, client_ready, client);
	if (!client->in || !client->fde) {
		client_free(client);
		return;
	}
	clients_watch_idle(core);
}

void client_accept(struct core *core, int listen_fd, bool *ret_exhausted)
{
	*ret_exhausted = false;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd;

		if (core->n_clients >= core->clients_max) {
			/* Only for somebody who is certainly there. */
			*ret_exhausted = i == 0 && !make_room(core);
			if (i > 0 || *ret_exhausted)
				return;
		}
		fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			client_new(core, fd);
			continue;
		}
		if ((errno == EMFILE || errno == ENFILE) && make_room(core))
			continue;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			log_error("accept: %s", error_text(-errno));
		/* Out of descriptors and nobody to take one from: the event would come back at
		 * once, so the caller takes a rest. */
		*ret_exhausted = errno == EMFILE || errno == ENFILE;
		return;
	}
}

/* ---- quiet clients ---- */

static void close_quiet_clients(void *data)
{
	struct core *core = data;
	int64_t limit_us = (int64_t)core->setup->service.client_idle_timeout_s * 1000000;
	int64_t now_us = monotonic_us();
	struct client *client;

	core->client_timer = NULL;
	list_for_each(client, &core->clients, node) {
		if (now_us - client->active_us < limit_us)
			break;
		/* What a quiet one says at this very moment is still answered. */
		if (!client->busy)
			client_half_close(client);
		else if (client->sending)
			client_free(client);
	}
	negative_expire(core->lookups.negative);
	clients_watch_idle(core);
}

void clients_watch_idle(struct core *core)
{
	int64_t limit_us = (int64_t)core->setup->service.client_idle_timeout_s * 1000000;
	struct client *quietest;
	int64_t wait_us;

	if (core->client_timer || list_empty(&core->clients))
		return;
	quietest = list_item(core->clients.next, struct client, node);
	wait_us = quietest->active_us + limit_us - monotonic_us();
	if (wait_us < 1000000)
		wait_us = 1000000;
	core->client_timer =
		timer_once(core, core->ev, wait_us / 1000 + 1, close_quiet_clients, core);
}

static void client_is_active(struct client *client, int64_t now_us)
{
	client->active_us = now_us;
	list_remove(&client->node);
	list_append(&client->core->clients, &client->node);
}

/* ---- requests ---- */

/* Moves what came to a buffer of that size. What is beyond the usual counts for the uid: whoever
 * begins many long requests and ends none would have all our memory. */
static int resize(struct client *client, size_t room)
{
	struct caller *caller = client->caller;
	size_t taken = caller->taken - (client->in_room - IN_ROOM) + (room - IN_ROOM);
	uint8_t *in;

	if (!caller->exempt && room > client->in_room && taken > CALLER_TAKEN) {
		log_info("uid %u: too many unfinished requests", (unsigned)caller->uid);
		return -EDQUOT;
	}
	in = talloc_size(client, room);
	if (!in)
		return -ENOMEM;
	memcpy(in, client->in, client->in_size);
	wipe(client, client->in, client->in_size);
	talloc_free(client->in);
	client->in = in;
	client->in_room = room;
	caller->taken = taken;
	return 0;
}

/* The size of the whole request at the start of the buffer; 0 when it is not there yet. The buffer
 * grows with what comes, not with what is announced, and never reads beyond a long request.
 * Errors: of request_length(); -ENOMEM; -EDQUOT. */
static int64_t whole_request(struct client *client)
{
	int64_t length = request_length(client);
	size_t room = 2 * client->in_room;
	int r;

	if (length <= 0 || (size_t)length <= client->in_size)
		return length;
	if ((size_t)length <= client->in_room || client->in_size < client->in_room)
		return 0;
	r = resize(client, room < (size_t)length ? room : (size_t)length);
	return r < 0 ? r : 0;
}

/* Which events matter now. tevent tells of a client that hung up only where bytes are wanted of it,
 * so they are wanted of one that does not read its answer, even without room for them. That one in
 * line takes more of its answer need not be told again and again. */
static void want_bytes(struct client *client)
{
	bool room = client->sending || client->in_size < client->in_room;

	tevent_fd_set_flags(client->fde,
	                    (!client->at_end && room ? TEVENT_FD_READ : 0) |
	                            (client->sending && !is_in_line(client) ? TEVENT_FD_WRITE : 0));
}

/* Takes up the request at the start of the buffer, or goes on with it. False: the client went. */
static bool client_serve(struct client *client, uint32_t size, int64_t now_us)
{
	struct core *core = client->core;

	client->busy = true;
	client->request_size = size;
	core->last_request_us = now_us;
	if (!client->unfinished)
		client_is_active(client, now_us);
	if (!dispatch(client, size)) {
		client_free(client);
		return false;
	}
	if (client->unfinished) {
		client->busy = false;
		core->last_request_us = monotonic_us();
		line_up(client);
	}
	callers_served(core->callers, client->caller, now_us, core->last_request_us);
	return true;
}

/* Takes up requests until one has to wait, or none is left. arrived: bytes came. */
static void client_work(struct client *client, bool arrived)
{
	struct callers *callers = client->core->callers;

	while (!client->busy && !is_in_line(client)) {
		int64_t size = whole_request(client), now_us;

		if (size < 0) {
			log_info("uid %u pid %d: malformed message: %s", (unsigned)client->peer.uid,
			         (int)client->peer.pid, error_text((int)size));
			client_free(client);
			return;
		}
		if (size == 0) {
			if (client->at_end)
				client_free(client);
			return;
		}
		now_us = monotonic_us();
		if (!caller_may_go(callers, client->caller, &client->turn, arrived, now_us))
			line_up(client);
		else if (!client_serve(client, (uint32_t)size, now_us))
			return;
		arrived = false;
	}
	want_bytes(client);
}

/* The request is answered in full: make place for the next one. */
static void request_ends(struct client *client)
{
	client->busy = client->sending = false;
	client->core->last_request_us = monotonic_us();
	if (!client->greeting) {
		client->served = true;
		metrics_request(client->kind, client->result,
		                client->core->last_request_us - client->active_us);
	}
	client->greeting = false;
	client->in_size -= client->request_size;
	wipe(client, client->in, client->request_size);
	memmove(client->in, client->in + client->request_size, client->in_size);
	wipe(client, client->in + client->in_size, client->request_size);
	if (client->in_room > IN_ROOM && client->in_size <= IN_ROOM)
		resize(client, IN_ROOM);
	want_bytes(client);
	writer_reset(&client->out);
	client->out_sent = 0;
	client->caller->unsent -= client->unsent;
	client->unsent = 0;
	if (client->core->draining && client->served)
		client_half_close(client);
}

/* Sends what it can. Errors: errno of send(2). 0: everything is out, or the rest waits. */
static int client_send(struct client *client)
{
	while (client->out_sent < client->out.size) {
		ssize_t n = send(client->fd, client->out.bytes + client->out_sent,
		                 client->out.size - client->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		client->out_sent += (size_t)n;
	}
	return 0;
}

/* Answers that nobody reads take our memory. A uid that leaves too many of them loses the one that
 * has waited longest. */
static void count_unsent(struct client *client)
{
	struct core *core = client->core;
	struct client *other;

	client->unsent = client->out.size - client->out_sent;
	client->caller->unsent += client->unsent;
	if (client->caller->exempt || client->caller->unsent <= CALLER_UNSENT)
		return;
	list_for_each(other, &core->clients, node)
		if (other != client && other->caller == client->caller && other->sending) {
			log_info("uid %u does not read its answers: one is dropped",
			         (unsigned)client->caller->uid);
			client_free(other);
			return;
		}
}

void client_replied(struct client *client)
{
	turn_ends(client); /* one that does not read its answer is in nobody's way */
	if (client_send(client) < 0) {
		client->at_end = true; /* it went away: nobody is left to be answered */
		client->in_size = client->request_size;
		client->out_sent = client->out.size;
	}
	if (client->out_sent < client->out.size) {
		if (!client->sending)
			count_unsent(client);
		client->sending = true;
		want_bytes(client);
		return;
	}
	request_ends(client);
}

/* More of an answer can be sent, which is work like that on a request. */
static void client_flush(struct client *client, int64_t now_us)
{
	client_replied(client);
	callers_served(client->core->callers, client->caller, now_us, monotonic_us());
	if (!client->sending)
		client_work(client, false);
}

/* ---- bytes ---- */

/* Is nobody left to read an answer? shutdown(2) of one direction is no hang-up (poll(2)). */
static bool has_hung_up(const struct client *client)
{
	struct pollfd state = { .fd = client->fd };

	return poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR));
}

static void client_receive(struct client *client)
{
	ssize_t n;

	if (client->in_size == client->in_room) {
		log_info("uid %u pid %d: asks on and does not read the answers",
		         (unsigned)client->peer.uid, (int)client->peer.pid);
		client_free(client);
		return;
	}
	n = recv(client->fd, client->in + client->in_size, client->in_room - client->in_size,
	         MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_free(client);
		return;
	}
	if (n == 0 && has_hung_up(client) && !client->lookup) {
		client_free(client);
		return;
	}
	/* The end of what it says, or ours by client_half_close(): what was asked is answered all
	 * the same. One that hung up keeps its turn until its server has answered, or a uid could
	 * ask for more than its share by not waiting for answers. */
	if (n == 0)
		client->at_end = true;
	client->in_size += (size_t)n;
	client_work(client, true);
}

static void client_ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                         void *data)
{
	struct client *client = data;

	(void)ev;
	(void)fde;
	if ((flags & TEVENT_FD_WRITE) && !is_in_line(client)) {
		int64_t now_us = monotonic_us();

		if (caller_may_go(client->core->callers, client->caller, &client->turn, true,
		                  now_us)) {
			client_flush(client, now_us);
		} else {
			line_up(client);
			want_bytes(client);
		}
		return;
	}
	if (flags & TEVENT_FD_READ)
		client_receive(client);
}

void client_replied_later(struct client *client)
{
	client_replied(client);
	if (!client->busy)
		client_work(client, false);
}

void client_half_close(struct client *client)
{
	/* From here a send of the client fails with EPIPE, so it knows that nothing was taken, and
	 * repeats; what it sent before stays readable (unix(7)). */
	shutdown(client->fd, SHUT_RD);
}
