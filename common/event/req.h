/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests - tevent_req with our error convention
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

/* Finish req: r is 0 or the negative code that req_result() will give. */
void req_finish(struct tevent_req *req, int r);

/* The same inside foo_send(), before the caller could set its callback: the callback
 * runs from the event loop. Returns req, so foo_send() can end with it. */
struct tevent_req *req_finish_now(struct tevent_req *req, struct tevent_context *ev, int r);

/* What a finished request came to: 0 or a negative code. -ETIMEDOUT and -ENOMEM also
 * stand for tevent's own two endings. */
int req_result(struct tevent_req *req);
