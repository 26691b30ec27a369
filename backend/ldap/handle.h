/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handle - libldap's handle over a connected socket, TLS and a SASL bind on it: all that may block
 *
 * libldap initialises itself with the first handle of a process and asks for this host's own name
 * meanwhile; loading certificates, the TLS handshake and the steps of a SASL bind block as well. So
 * all of it runs on a thread of the pool, and is abandoned by shutdown(2) of the socket.
 */
#pragma once

#include <ldap.h>
#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/core/failover.h"
#include "backend/core/pool.h"
#include "common/conf/options.h"

/* A handle for fd, which it owns from now on, whatever the result; with tls, TLS stands on it
 * (ldaps). name is copied, and of conf what is needed. */
struct tevent_req *handle_open_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                    int fd, const struct server_name *name,
                                    const struct ldap_conf *conf, bool tls);

/* Puts TLS on ld, which it owns from now on, after the server agreed to StartTLS. */
struct tevent_req *handle_tls_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                   LDAP *ld, int fd, const struct server_name *name,
                                   const struct ldap_conf *conf);

/* Binds on ld, which it owns from now on, with ldap_sasl_mech. */
struct tevent_req *handle_bind_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                    LDAP *ld, int fd, const struct server_name *name,
                                    const struct ldap_conf *conf);

/* For all. Errors: -E_TLS the handshake failed; -E_DISCONNECTED and -ETIMEDOUT nothing is known of
 * the bind; -E_BIND and others of it; -ENOMEM. What is known of it in words is in ret_reason, on
 * mem. */
int handle_recv(struct tevent_req *req, TALLOC_CTX *mem, LDAP **ret_ld, char **ret_reason);
