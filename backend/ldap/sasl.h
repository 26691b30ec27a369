/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SASL - the bind with a mechanism of libsasl2 (RFC 4513 section 5.2)
 *
 * Its steps wait for the server, and some mechanisms for others (DNS, a KDC), so it runs on a
 * thread of the pool, and is abandoned by shutdown(2) of the socket.
 */
#pragma once

#include <ldap.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/core/pool.h"
#include "common/conf/options.h"

/* What may be the name of a mechanism (RFC 4422 section 3.1)? */
bool sasl_is_mechanism(const char *name);

/* Does it need Kerberos tickets? */
bool sasl_needs_tickets(const char *mechanism);

/* Binds as conf says on ld, which it owns from now on, whatever the result, and fd in it. conf is
 * borrowed, also by a thread that outlives the request. */
struct tevent_req *sasl_bind_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                  LDAP *ld, int fd, const struct ldap_conf *conf);

/* Errors: -E_BIND or another; ret_reason, on mem, says in words what went wrong. */
int sasl_bind_recv(struct tevent_req *req, TALLOC_CTX *mem, LDAP **ret_ld, char **ret_reason);
