/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setup - from a server's URI to a connection that may be used
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/conn.h"
#include "backend/ldap/domain.h"

/* Resolves the name (once in a round), connects to an address that was not tried in this round,
 * puts TLS on, binds, reads the root DSE and looks at the search bases: only a server that has
 * answered, and lets us search below a base of users, counts. What is learnt about the addresses
 * goes into their health. While the request lives, server must. */
struct tevent_req *setup_send(TALLOC_CTX *mem, struct ldap_domain *domain, struct server *server);

/* What came of it: a connection, and search bases that were not configured are known. */
struct ready {
	struct conn *conn;
	struct address address; /* it leads to */
	uint32_t left_s;        /* how long it may last; UINT32_MAX: as long as it likes */
	uint64_t lacking;       /* search bases that are not to be had there (domain.h) */
};

/* On failure, and where bases are lacking, ret_reason, on mem, says in words what is wrong; so is
 * the connection. Errors: any; they only matter as a reason. */
int setup_recv(struct tevent_req *req, TALLOC_CTX *mem, struct ready *ret_ready,
               char **ret_reason);

/* What it waits for: "the TLS handshake with ldap://a:389". Borrowed from req. */
const char *setup_waits_for(struct tevent_req *req);

/* For how long it has been waiting for that. */
int64_t setup_silent_us(struct tevent_req *req);

/* It took too long: what it has come to is passed over for a while. */
void setup_pass_over(struct tevent_req *req, const char *reason);
