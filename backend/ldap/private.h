/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private - the group that is made up for one user (sssd.conf(5), auto_private_groups)
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"
#include "common/ident/group.h"

/* Finds the user whose private group query, for a group, may mean: one of that name, or whose uid
 * is that gid. With hybrid it is only one whose uid and gid are the same, and no other group must
 * have that number; that none has query's own name or number the caller knows. Not for domains
 * without private groups. query and id are borrowed. */
struct tevent_req *private_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                const struct query *query, const struct request_id *id);

/* The group, below mem. Errors: -ENOENT there is no such user; those of search_recv(). */
int private_recv(struct tevent_req *req, TALLOC_CTX *mem, struct group *ret_group);

/* Borrowed from req. */
const char *private_waits_for(struct tevent_req *req);
