/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parents - the groups that hold a user, the groups that hold those, and so on
 *
 * Only numbers are read, never who else is in a group (field-report P4).
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

/* Finds the groups of member: the name of a user with schema rfc2307, else the DN. A group without
 * a usable number is followed and not given. id is borrowed. */
struct tevent_req *parents_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                const struct request_id *id, const char *member);

/* All of them, on mem, in no order, some more than once. Errors: those of search_recv(): nothing
 * less than all is given. */
int parents_recv(struct tevent_req *req, TALLOC_CTX *mem, uint32_t **ret_gids, size_t *ret_n_gids);

/* Borrowed from req. */
const char *parents_wait_for(struct tevent_req *req);

/* The filter for groups that have one of n members, as in
 * (&(memberuid=alice)(objectclass=posixGroup)(cn=*)(&(gidNumber=*)(!(gidNumber=0)))). */
int parents_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, char *const *members, size_t n,
                   char **ret_filter);
