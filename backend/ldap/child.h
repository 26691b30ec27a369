/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Child - one conversation with ldap_child (child_proto.h)
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/child_proto.h"

/* Asks the helper that listens at socket. Request is copied; its limit is the request's deadline,
 * and a little more. */
struct tevent_req *child_ask_send(TALLOC_CTX *mem, struct tevent_context *ev, const char *socket,
                                  const struct child_request *request);

/* ret_reply points into req: before that is freed it has to be used. Errors: -E_DISCONNECTED the
 * helper ended without an answer; -ETIMEDOUT; -EBADMSG; errno of connect(2): it cannot be reached.
 */
int child_ask_recv(struct tevent_req *req, struct child_reply *ret_reply);
