/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets - with which a domain binds to its servers by GSSAPI
 *
 * ldap_child gets them; here they are kept, in memory alone, where libkrb5 finds them when libsasl2
 * asks for them: in a credential cache without a name. So a handshake finds all it needs and no KDC
 * is asked in this process, unless ldap_sasl_canonicalize makes the server's name a matter of DNS.
 *
 * A ticket in the last quarter of its life is used, and another one fetched behind it. One that is
 * about to end is not: the connection would end with it. One that a server refused is used again
 * only where no other can be had.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

struct tickets; /* a talloc object */

/* Says to this process's libkrb5 where the tickets are: for one domain only, before its first
 * thread. domain is borrowed. Errors: errno of memfd_create(2). */
int tickets_new(TALLOC_CTX *mem, struct ldap_domain *domain, struct tickets **ret_tickets);

/* Sees that there is a ticket for host, the name by which the server's key is known; "": the TGT
 * alone. tickets must outlive the request. */
struct tevent_req *tickets_get_send(TALLOC_CTX *mem, struct tickets *tickets, const char *host);

/* ret_left_s: how long a connection may last that is made with it. Else ret_reason, on mem, says
 * why there is none. */
int tickets_get_recv(struct tevent_req *req, TALLOC_CTX *mem, uint32_t *ret_left_s,
                     char **ret_reason);

/* The server refused it. It may have another key than when the ticket was made, or be starting just
 * now: another one is asked for, and until it has come this one is not thrown away. */
void tickets_doubt(struct tickets *tickets, const char *host);
