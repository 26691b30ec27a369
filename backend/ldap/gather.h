/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gather - groups that come together, from one search or several, made into records of the cache
 *
 * A group that holds other groups has their members, too. When those come as well it costs no
 * search: so the entries are held until all are there.
 *
 * A number may be that of two groups, of which the first by DN is taken (pick.h). So one that was
 * not asked for by its number is only believed for a while.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

struct gather; /* a talloc object */

struct gather *gather_new(TALLOC_CTX *mem, struct ldap_domain *domain);

/* What is to be read of an entry. */
const struct attrs *gather_attrs(const struct gather *gather);

/* Whoever has this number will come: all of them are asked for. Errors: -ENOMEM. */
int gather_want(struct gather *gather, uint32_t gid);

/* Did a group with this number come, or is it wanted? */
bool gather_knows(const struct gather *gather, uint32_t gid);

/* Does the cache have it, and fresh? Then nothing of it needs to be gathered. */
bool gather_is_cached(const struct ldap_domain *domain, uint32_t gid);

/* Takes over values, of a group that is wanted, else one to be believed; with known_only one that
 * is there for the sake of those that hold it. id is borrowed. Errors: -ENOMEM; those of
 * cache_put_group(). */
int gather_entry(struct gather *gather, const struct request_id *id, struct entry_values *values,
                 bool known_only);

/* Makes the records of those whose members are told by now; with all, also of those that are
 * believed. No entry may come meanwhile. */
struct tevent_req *gather_tell_send(TALLOC_CTX *mem, struct gather *gather, bool all);

/* Errors: as above. */
int gather_tell_recv(struct tevent_req *req);

/* The same, and writes the records, if there are any, to the cache. */
struct tevent_req *gather_commit_send(TALLOC_CTX *mem, struct gather *gather, bool all);

/* Errors: as above; those of cache_commit_send(). */
int gather_commit_recv(struct tevent_req *req);

/* Is the group among the records? */
bool gather_told(const struct gather *gather, uint32_t gid);

/* The numbers of the records that are only believed, on mem. Errors: -ENOMEM. */
int gather_believed(const struct gather *gather, TALLOC_CTX *mem, uint32_t **ret_gids,
                    size_t *ret_n_gids);

/* Moves the records to mem; what is told from now on is for the next ones. NULL: there are none. */
struct cache_change *gather_change(struct gather *gather, TALLOC_CTX *mem);
