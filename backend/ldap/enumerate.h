/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Enumeration - all users and groups of the directory, again and again, behind everything else
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

struct enumeration; /* a talloc object */

/* For a domain with enumerate = true: begins to go through the directory soon, and anew each
 * ldap_enumeration_refresh_timeout, or with 0 never. After the first pass cache_is_listed(). */
struct enumeration *enumeration_new(TALLOC_CTX *mem, struct ldap_domain *domain);

/* Has a pass told of everybody, so lately that nobody of them can have expired? */
bool enumeration_vouches(const struct enumeration *enumeration);

/* Finishes with the pass that is under way, or with one that begins now (struct provider_op).
 * Errors: -ENOTSUP the domain is not enumerated. */
struct tevent_req *enumerate_send(TALLOC_CTX *mem, void *data, const struct query *query,
                                  const struct request_id *id);
int enumerate_recv(struct tevent_req *req);
const char *enumerate_waits_for(struct tevent_req *req);
