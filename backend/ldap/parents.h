/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parents - the groups that hold a user, the groups that hold those, and so on
 *
 * Only numbers are read, never who else is in a group (field-report P4): unless somebody is going
 * to ask for the groups themselves. Then each level brings those of the level below as well, and
 * who is in them.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

struct gather;

/* How far the search has got; a talloc object. */
struct parents;

/* For the groups of member: the name of a user with schema rfc2307, else the DN. */
struct parents *parents_new(TALLOC_CTX *mem, struct ldap_domain *domain, const char *member);

/* The groups themselves are wanted, too, and the one with primary_gid. Not with rfc2307, nor where
 * members are not read, or groups in groups not followed. Errors: -ENOMEM. */
int parents_gather(struct parents *parents, uint32_t primary_gid);

/* Finds them, at most n_levels levels from where it is. A group without a usable number is followed
 * and not given. parents and id are borrowed. */
struct tevent_req *parents_send(TALLOC_CTX *mem, struct parents *parents,
                                const struct request_id *id, unsigned n_levels);

/* Errors: those of search_recv(): what was found is of no use then. */
int parents_recv(struct tevent_req *req);

/* The numbers, in no order, some more than once; moved to mem. */
void parents_take(struct parents *parents, TALLOC_CTX *mem, uint32_t **ret_gids,
                  size_t *ret_n_gids);

/* What came of the groups themselves; NULL: they are not wanted, or there are too many. */
struct gather *parents_gathered(const struct parents *parents);

/* Borrowed from req. */
const char *parents_wait_for(struct tevent_req *req);

/* A group, or a user, whose own groups are asked for. */
struct asked {
	const char *member; /* name or DN; NULL: they are not */
	uint32_t gid;       /* and the group with this number itself; 0 = none */
};

/* The filter for groups that have one of n members, or one of the numbers, as in
 * (&(memberuid=alice)(objectclass=posixGroup)(cn=*)(&(gidNumber=*)(!(gidNumber=0)))). */
int parents_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, const struct asked *asked,
                   size_t n, char **ret_filter);
