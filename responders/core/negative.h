/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Negative - what the server said a moment ago it does not have
 *
 * Only a full "no" of a domain's server enters; a time-out or an error never does. Bounded: the
 * oldest answers go first, so that nobody can fill the memory by asking.
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

/* Remembers for timeout_s from now; 0 remembers nothing. */
void negative_add(struct negative *negative, uint32_t domain_key, const struct query *query,
                  uint32_t timeout_s);

void negative_remove(struct negative *negative, uint32_t domain_key, const struct query *query);
/* Forgets what is over, so that it takes no memory. */
void negative_expire(struct negative *negative);

void negative_clear(struct negative *negative);
