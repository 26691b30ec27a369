/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ask - see ask.h
 */
#include "common/event/ask.h"

#include <errno.h>
#include <sys/socket.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/wire/frame.h"

struct ask_state {
	int fd;
	struct tevent_fd *fde;
	struct writer out;
	size_t sent;
	uint8_t *in;
	size_t in_size;
	uint32_t max;
};

static void ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data);

static int ask_destroy(struct ask_state *state)
{
	TALLOC_FREE(state->fde);
	close_fd(&state->fd);
	writer_free(&state->out);
	if (state->in)
		secret_wipe(state->in, state->in_size);
	return 0;
}

struct tevent_req *ask_send(TALLOC_CTX *mem, struct tevent_context *ev, int fd,
                            struct writer *message, uint32_t max, int64_t limit_ms)
{
	struct ask_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct ask_state);

	if (!req) {
		close_fd(&fd);
		return NULL;
	}
	state->fd = fd;
	state->out = *message;
	*message = (struct writer){ .max = message->max, .secretive = message->secretive };
	state->max = max;
	talloc_set_destructor(state, ask_destroy);

	state->in = talloc_array(state, uint8_t, max);
	/* Who waits to write alone does not hear from tevent that the other side is gone. */
	state->fde = tevent_add_fd(ev, state, fd, TEVENT_FD_READ | TEVENT_FD_WRITE, ready, req);
	if (!state->in || !state->fde)
		return req_finish_now(req, ev, -ENOMEM);
	req_set_deadline(req, ev, deadline_in_ms(limit_ms));
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
	ssize_t n = recv(state->fd, state->in + state->in_size, state->max - state->in_size, 0);
	int64_t length;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		req_finish(req, n < 0 ? -errno : -E_DISCONNECTED);
		return;
	}
	state->in_size += (size_t)n;
	length = frame_be_length(state->in, state->in_size, state->max);
	if (length < 0)
		req_finish(req, (int)length);
	else if (length > 0 && (size_t)length < state->in_size)
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

int ask_recv(struct tevent_req *req, struct reader *ret_body)
{
	struct ask_state *state = tevent_req_data(req, struct ask_state);
	int r = req_result(req);

	if (r == 0)
		*ret_body =
			reader_over(state->in + FRAME_BE_SIZE, state->in_size - FRAME_BE_SIZE);
	return r;
}
