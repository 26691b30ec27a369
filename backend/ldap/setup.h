/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setup - from a server's URI to a connection that may be used
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/conn.h"
#include "backend/ldap/domain.h"

/* Resolves, connects, puts TLS on, binds, reads the root DSE and looks at the search base: only a
 * server that has answered, and has what we need, counts. uri belongs to domain. */
struct tevent_req *setup_send(TALLOC_CTX *mem, struct ldap_domain *domain, const struct uri *uri);

/* On success ret_conn, on mem, and search bases that were not configured are known. Else
 * ret_reason, on mem, says in words what went wrong. Errors: any; they only matter as a reason. */
int setup_recv(struct tevent_req *req, TALLOC_CTX *mem, struct conn **ret_conn, char **ret_reason);

/* What it waits for: "the TLS handshake with ldap://a:389". Borrowed from req. */
const char *setup_waits_for(struct tevent_req *req);
