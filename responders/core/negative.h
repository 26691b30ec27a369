/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Negative - what the server said a moment ago it does not have
 *
 * Only a full "no" of a domain's server enters; a time-out or an error never does. Bounded: the
 * oldest answers go first, so that nobody can fill the memory by asking. Those about whom the files
 * of this machine know (locals.h) are kept longer, and go last.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "common/ident/query.h"

struct negative; /* a talloc object */

struct negative *negative_new(TALLOC_CTX *mem, size_t max_entries);

bool negative_is_empty(const struct negative *negative);

/* domain_key tells domains apart and is stable for the life of the process. The name in query
 * must be folded already where the domain folds names. */
bool negative_has(const struct negative *negative, uint32_t domain_key, const struct query *query);

/* The same for the time beyond that for which a local one is remembered, if it still is one. */
bool negative_has_local(const struct negative *negative, uint32_t domain_key,
                        const struct query *query);

/* For how many more seconds it is so, and a local one beyond that: *ret_local_s is not less. */
uint32_t negative_left_s(const struct negative *negative, uint32_t domain_key,
                         const struct query *query, uint32_t *ret_local_s);

/* Remembers for timeout_s from now, a local one for local_s if that is longer; 0 and 0 remember
 * nothing. */
void negative_add(struct negative *negative, uint32_t domain_key, const struct query *query,
                  uint32_t timeout_s, uint32_t local_s);

void negative_remove(struct negative *negative, uint32_t domain_key, const struct query *query);
/* Forgets what is over, so that it takes no memory. */
void negative_expire(struct negative *negative);

void negative_clear(struct negative *negative);
