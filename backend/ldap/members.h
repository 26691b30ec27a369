/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Members - the DNs that a group lists, as names of users, those of groups within it included
 *
 * Levels of groups in groups are followed as far as ldap_group_nesting_level says.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"
#include "common/base/map.h"

/* Finds the names behind GROUP_MEMBER_DN of group, an entry that is borrowed like id. A member that
 * is not there, or is nobody we take, is left out. */
struct tevent_req *members_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                const struct request_id *id, const struct entry_values *group);

/* Each name once, below mem. Errors: those of search_recv(), and of rest_recv() for a group that is
 * given in parts: nothing less than all is given. */
int members_recv(struct tevent_req *req, TALLOC_CTX *mem, struct names *ret_names);

/* The same without asking anybody: the DNs of group tell all names, or are those of groups that are
 * known: keys of DNs (dn.h) → struct entry_values with GROUP_MEMBER_DN and GROUP_CLASS; NULL none
 * is. Errors: -EAGAIN they do not, or are too many to be read at once; -ENOMEM. */
int members_told(TALLOC_CTX *mem, const struct ldap_domain *domain,
                 const struct entry_values *group, const struct map *known,
                 struct names *ret_names);

/* Borrowed from req. */
const char *members_wait_for(struct tevent_req *req);
