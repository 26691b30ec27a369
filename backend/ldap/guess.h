/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guess - who asks for a user and then for the primary group is id(1), and wants all groups next
 *
 * Then the groups are searched for at once, and the primary one comes with the others: so many
 * questions are saved to the server. A login does not ask so. Where groups list names there is
 * nothing to be saved.
 *
 *   id(1) asks for    is searched for                         remembered for the next question
 *   the user          the user                                guess_note(): who it was
 *   the primary group its groups, and theirs, with members    guess_take(): how far that got
 *   the groups        the levels above that                   ahead_note(): which they are
 *   each group        all that are missing yet, at once
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"
#include "common/ident/user.h"

struct guess; /* a talloc object */
struct parents;

struct guess *guess_new(TALLOC_CTX *mem);

/* Somebody asked for this user by name, and the server was asked. */
void guess_note(struct guess *guess, const struct user *user);

/* Is gid the primary group of a user who was noted just now, so that guess_send() is worth it? */
bool guess_expects(const struct ldap_domain *domain, uint32_t gid);

/* Searches for the groups of that user, the first two levels of them, and commits those that hold
 * the user themselves, and gid. id is borrowed. Ends within AHEAD_MS, but for the commit. */
struct tevent_req *guess_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, uint32_t gid);

/* 0: gid itself is in the cache now. Errors: -ENOENT it must be looked up by itself; those of
 * search_recv() and cache_commit_recv(). */
int guess_recv(struct tevent_req *req);

/* What guess_send() found of the groups of the user with this DN a moment ago, moved to mem; NULL
 * when nothing was, or it is of no use by now. */
struct parents *guess_take(struct ldap_domain *domain, TALLOC_CTX *mem, const char *dn);

/* Borrowed from req. */
const char *guess_waits_for(struct tevent_req *req);
