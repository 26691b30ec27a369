/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handle - libldap's handle over a connected socket, and TLS on it: all that may block
 *
 * libldap initialises itself with the first handle of a process and asks for this host's own name
 * meanwhile; loading certificates and the TLS handshake block as well. So both run on a thread of
 * the pool, and are abandoned by shutdown(2) of the socket.
 */
#pragma once

#include <ldap.h>
#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/core/pool.h"
#include "backend/ldap/uri.h"
#include "common/conf/options.h"

/* A handle for fd, which it owns from now on, whatever the result; with tls, TLS stands on it
 * (ldaps). name is copied; conf borrowed, also by a thread that outlives the request: it stays as
 * long as the process does. */
struct tevent_req *handle_open_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                    int fd, const struct server_name *name,
                                    const struct ldap_conf *conf, bool tls);

/* Puts TLS on ld, which it owns from now on, after the server agreed to StartTLS. */
struct tevent_req *handle_tls_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                   LDAP *ld, int fd, const struct server_name *name,
                                   const struct ldap_conf *conf);

/* For both. Errors: -E_TLS the handshake failed, and ret_reason, on mem, says how; -ENOMEM. */
int handle_recv(struct tevent_req *req, TALLOC_CTX *mem, LDAP **ret_ld, char **ret_reason);
