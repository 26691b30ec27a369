/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Child - see child.h
 */
#include "backend/ldap/child.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/wire/frame.h"

/* The helper's own end comes first, when all is well. */
#define SPARE_MS 1000

struct ask_state {
	int fd;
	struct tevent_fd *fde;
	struct writer out;
	size_t sent;
	uint8_t in[CHILD_MESSAGE_MAX];
	size_t in_size;
};

static void ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data);

static int ask_destroy(struct ask_state *state)
{
	TALLOC_FREE(state->fde);
	close_fd(&state->fd);
	writer_free(&state->out);
	secret_wipe(state->in, state->in_size);
	return 0;
}

struct tevent_req *child_ask_send(TALLOC_CTX *mem, struct tevent_context *ev, const char *socket,
                                  const struct child_request *request)
{
	struct ask_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct ask_state);
	int r;

	if (!req)
		return NULL;
	state->fd = -1;
	state->out = writer_new(CHILD_MESSAGE_MAX);
	talloc_set_destructor(state, ask_destroy);
	child_write_request(&state->out, request);
	r = writer_end(&state->out);
	if (r == 0)
		r = fd_connect_unix(socket, &state->fd);
	if (r < 0)
		return req_finish_now(req, ev, r);

	/* Who waits to write alone does not hear from tevent that the other side is gone. */
	state->fde =
		tevent_add_fd(ev, state, state->fd, TEVENT_FD_READ | TEVENT_FD_WRITE, ready, req);
	if (!state->fde)
		return req_finish_now(req, ev, -ENOMEM);
	req_set_deadline(req, ev, deadline_in_ms((int64_t)request->limit_s * 1000 + SPARE_MS));
	return req;
}

static void send_more(struct tevent_req *req, struct ask_state *state)
{
	ssize_t n = send(state->fd, state->out.bytes + state->sent, state->out.size - state->sent,
	                 MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		req_finish(req, -errno);
		return;
	}
	state->sent += (size_t)n;
	if (state->sent == state->out.size)
		tevent_fd_set_flags(state->fde, TEVENT_FD_READ);
}

static void receive(struct tevent_req *req, struct ask_state *state)
{
	ssize_t n =
		recv(state->fd, state->in + state->in_size, sizeof(state->in) - state->in_size, 0);
	int64_t length;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		req_finish(req, n < 0 ? -errno : -E_DISCONNECTED);
		return;
	}
	state->in_size += (size_t)n;
	length = frame_be_length(state->in, state->in_size, CHILD_MESSAGE_MAX);
	if (length < 0 || (length > 0 && (size_t)length < state->in_size))
		req_finish(req, -EBADMSG);
	else if (length > 0 && (size_t)length == state->in_size)
		req_finish(req, 0);
}

static void ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct tevent_req *req = data;
	struct ask_state *state = tevent_req_data(req, struct ask_state);

	(void)ev;
	(void)fde;
	if (flags & TEVENT_FD_WRITE)
		send_more(req, state);
	else
		receive(req, state);
}

int child_ask_recv(struct tevent_req *req, struct child_reply *ret_reply)
{
	struct ask_state *state = tevent_req_data(req, struct ask_state);
	struct reader in;
	int r = req_result(req);

	if (r < 0)
		return r;
	in = reader_over(state->in + FRAME_BE_SIZE, state->in_size - FRAME_BE_SIZE);
	return child_read_reply(&in, ret_reply);
}
