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

/* For how many more seconds it is remembered, and *ret_local_s, which is not less, a local one. 0
 * and 0: it is not. domain_key tells domains apart and is stable for the life of the process. The
 * name in query must be folded already where the domain folds names. What was asked before the
 * epoch since is over. */
uint32_t negative_left_s(const struct negative *negative, uint32_t domain_key,
                         const struct query *query, uint32_t since, uint32_t *ret_local_s);

/* Remembers for timeout_s from now, a local one for local_s if that is longer; 0 and 0 remember
 * nothing. epoch: in which it was asked. */
void negative_add(struct negative *negative, uint32_t domain_key, const struct query *query,
                  uint32_t epoch, uint32_t timeout_s, uint32_t local_s);

void negative_remove(struct negative *negative, uint32_t domain_key, const struct query *query);
/* Forgets what is over, so that it takes no memory. */
void negative_expire(struct negative *negative);

void negative_clear(struct negative *negative);
