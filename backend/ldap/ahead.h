/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ahead - the groups of a user are fetched together when the first of them is asked for by number
 *
 * Whoever learns the groups of a user often wants their names next, one after the other: id(1),
 * ls(1), shells. A login does not, so that nothing is fetched before somebody asks.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

struct ahead; /* a talloc object */

struct ahead *ahead_new(TALLOC_CTX *mem);

#define AHEAD_S 30 /* seconds */

/* A search for many groups may take so long, waiting for a connection included. Whoever asks has 5
 * s, and for one group alone much less may do. */
#define AHEAD_MS 1000

/* That was not enough, or nobody waited for so long: for a minute many are not worth asking for. */
void ahead_was_slow(struct ahead *ahead);
bool ahead_is_slow(const struct ahead *ahead);

/* These are the groups of a user, and the primary one. For so long ahead_send() knows. */
void ahead_note(struct ahead *ahead, const uint32_t *gids, size_t n_gids, uint32_t primary_gid,
                uint32_t for_s);

/* Is gid one of several groups of a user who was noted, which are worth fetching? */
bool ahead_expects(const struct ahead *ahead, uint32_t gid);

/* Fetches gid and up to 999 groups of the same user that the cache does not have fresh, with one
 * search, and commits those of which the entries, taken together, tell all. id is borrowed. Ends
 * within AHEAD_MS, but for the commit. */
struct tevent_req *ahead_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, uint32_t gid);

/* 0: gid itself is in the cache now. Errors: -ENOENT it must be looked up by itself; those of
 * search_recv() and cache_commit_recv(). */
int ahead_recv(struct tevent_req *req);

/* Borrowed from req. */
const char *ahead_waits_for(struct tevent_req *req);
