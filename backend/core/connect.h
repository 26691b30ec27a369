/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connect - a TCP or unix connection to the first address that answers
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/core/resolve.h"

/* Tries addresses in order. The next one is begun when one fails, and beside it when it was silent
 * for 250 ms (RFC 8305): one dead address, or one dead family, costs no more than that. */
struct tevent_req *connect_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                const struct address *addresses, size_t count, int64_t timeout_ms);

/* A connected, non-blocking, close-on-exec socket with TCP_NODELAY and keep-alive, the caller's.
 * ret_results, if not NULL, has a place for each address: 0 this is the one, -EINPROGRESS it has
 * said nothing until now, -EAGAIN it was not tried, else why not.
 * Errors: -ETIMEDOUT; errno of connect(2) for the address that failed last. */
int connect_recv(struct tevent_req *req, int *ret_fd, int *ret_results);
