/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests - tevent_req with our error convention
 */
#include "common/event/req.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

void req_finish(struct tevent_req *req, int r)
{
	assert(r <= 0);

	if (r < 0)
		tevent_req_error(req, (uint64_t)-r);
	else
		tevent_req_done(req);
}

struct tevent_req *req_finish_now(struct tevent_req *req, struct tevent_context *ev, int r)
{
	req_finish(req, r);
	return tevent_req_post(req, ev);
}

int req_result(struct tevent_req *req)
{
	enum tevent_req_state state;
	uint64_t code;

	if (!tevent_req_is_error(req, &state, &code))
		return 0;

	switch (state) {
	case TEVENT_REQ_USER_ERROR:
		return -(int)code;
	case TEVENT_REQ_TIMED_OUT:
		return -ETIMEDOUT;
	case TEVENT_REQ_NO_MEMORY:
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}
