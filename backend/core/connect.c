/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connect - see connect.h
 *
 *   connect_send ─▶ next_address ─┬─ refused ─────────▶ next_address
 *                                 ├─ silent for 250 ms ─▶ next_address, both go on
 *                                 └─ connected ─▶ connect_recv, the others are closed
 */
#include "backend/core/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/event/req.h"
#include "common/event/timer.h"

#define NEXT_AFTER_MS 250

/* A peer that went without a word is noticed by the kernel, without a wake-up of ours: idle, after
 * 60 + 3 × 10 s; with bytes on the way, after 15 s. */
#define KEEPALIVE_IDLE_S  60
#define KEEPALIVE_EACH_S  10
#define KEEPALIVE_PROBES  3
#define UNACKNOWLEDGED_MS 15000u

struct attempt {
	struct tevent_req *req;
	int fd; /* owned, -1 when closed */
	int result;
	struct tevent_fd *fde;
};

struct connect_state {
	struct tevent_context *ev; /* borrowed */
	struct address *addresses; /* owned */
	struct attempt *attempts;  /* owned, one for each address */
	size_t count, begun, open;
	struct timer *next; /* armed while an attempt is silent and another address is left */
	int error;          /* of the last that failed */
	int fd;             /* owned until received */
};

static void next_address(struct tevent_req *req);
static void attempt_writable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                             void *data);

static void attempt_close(struct connect_state *state, struct attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	TALLOC_FREE(attempt->fde);
	close(attempt->fd);
	attempt->fd = -1;
	state->open--;
}

static void connect_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct connect_state *state = tevent_req_data(req, struct connect_state);

	for (size_t i = 0; i < state->begun; i++)
		attempt_close(state, &state->attempts[i]);
	if (req_state == TEVENT_REQ_RECEIVED && state->fd >= 0) {
		close(state->fd);
		state->fd = -1;
	}
}

struct tevent_req *connect_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                const struct address *addresses, size_t count, int64_t timeout_ms)
{
	struct connect_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct connect_state);
	if (!req)
		return NULL;
	state->ev = ev;
	state->fd = -1;
	state->count = count;
	state->error = -EADDRNOTAVAIL;
	state->addresses = talloc_memdup(state, addresses, count * sizeof(*addresses));
	state->attempts = talloc_zero_array(state, struct attempt, (unsigned)count);
	if (!state->addresses || !state->attempts)
		return req_finish_now(req, ev, -ENOMEM);
	for (size_t i = 0; i < count; i++)
		state->attempts[i] = (struct attempt){ .fd = -1, .result = -EAGAIN };
	tevent_req_set_cleanup_fn(req, connect_cleanup);

	r = req_set_deadline(req, ev, deadline_in_ms(timeout_ms));
	if (r < 0)
		return req_finish_now(req, ev, r);

	tevent_req_defer_callback(req, ev);
	next_address(req);
	return req;
}

static void set_options(int fd, int family)
{
	int one = 1, idle = KEEPALIVE_IDLE_S, each = KEEPALIVE_EACH_S, probes = KEEPALIVE_PROBES;
	unsigned unacknowledged = UNACKNOWLEDGED_MS;

	if (family == AF_UNIX)
		return;

	/* All of these only help; a kernel that refuses one still connects. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &each, sizeof(each));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof(unacknowledged));
}

static void finish_connected(struct tevent_req *req, struct attempt *attempt)
{
	struct connect_state *state = tevent_req_data(req, struct connect_state);

	TALLOC_FREE(attempt->fde);
	state->fd = attempt->fd;
	attempt->fd = -1;
	attempt->result = 0;
	state->open--;
	req_finish(req, 0);
}

/* 0 it is under way or connected already, else the errno. */
static int attempt_begin(struct tevent_req *req, struct attempt *attempt,
                         const struct address *address)
{
	struct connect_state *state = tevent_req_data(req, struct connect_state);
	int r;

	attempt->req = req;
	attempt->result = -EINPROGRESS;
	attempt->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0)
		return -errno;
	state->open++;
	set_options(attempt->fd, address->any.sa_family);

	if (connect(attempt->fd, &address->any, address->size) == 0) {
		finish_connected(req, attempt);
		return 0;
	}
	/* EAGAIN: the queue of a local socket is full. To whom we report, it means "not tried". */
	r = errno == EINPROGRESS ? 0 : errno == EAGAIN ? -ECONNREFUSED : -errno;
	if (r == 0) {
		/* tevent tells of errors only those who also wait to read. */
		attempt->fde =
			tevent_add_fd(state->ev, state, attempt->fd,
		                      TEVENT_FD_READ | TEVENT_FD_WRITE, attempt_writable, attempt);
		if (!attempt->fde)
			r = -ENOMEM;
	}
	if (r < 0)
		attempt_close(state, attempt);
	return r;
}

static void silent(void *data)
{
	struct tevent_req *req = data;
	struct connect_state *state = tevent_req_data(req, struct connect_state);

	state->next = NULL;
	next_address(req);
}

static void next_address(struct tevent_req *req)
{
	struct connect_state *state = tevent_req_data(req, struct connect_state);

	TALLOC_FREE(state->next);
	while (state->begun < state->count) {
		size_t i = state->begun++;
		int r = attempt_begin(req, &state->attempts[i], &state->addresses[i]);

		if (!tevent_req_is_in_progress(req))
			return;
		if (r < 0) {
			state->error = state->attempts[i].result = r;
			continue;
		}
		if (state->begun < state->count)
			state->next = timer_once(state, state->ev, NEXT_AFTER_MS, silent, req);
		return;
	}
	if (state->open == 0)
		req_finish(req, state->error);
}

static void attempt_writable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                             void *data)
{
	struct attempt *attempt = data;
	struct tevent_req *req = attempt->req;
	struct connect_state *state = tevent_req_data(req, struct connect_state);
	socklen_t size = sizeof(int);
	int error = 0;

	(void)ev;
	(void)fde;
	(void)flags;
	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0) {
		finish_connected(req, attempt);
		return;
	}

	state->error = attempt->result = -error;
	attempt_close(state, attempt);
	next_address(req);
}

int connect_recv(struct tevent_req *req, int *ret_fd, int *ret_results)
{
	struct connect_state *state = tevent_req_data(req, struct connect_state);
	int r = req_result(req);

	for (size_t i = 0; i < state->count && ret_results; i++)
		ret_results[i] = state->attempts ? state->attempts[i].result : -EAGAIN;
	if (r == 0) {
		*ret_fd = state->fd;
		state->fd = -1;
	}
	tevent_req_received(req);
	return r;
}
