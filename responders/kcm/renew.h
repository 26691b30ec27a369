/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewals - which tickets are due, asked for at the helper, and put back
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/conf/options.h"
#include "responders/kcm/store.h"

struct renewals; /* a talloc object; freeing it gives up what is under way */

/* store   where it is found whenever there is one
 * socket  borrowed; the helper's
 * changed is called when a conversation has ended: renewals_run() may have more to do. */
struct renewals *renewals_new(TALLOC_CTX *mem, struct tevent_context *ev, struct kcm_store **store,
                              const char *socket, void (*changed)(void *data), void *data);

void renewals_configure(struct renewals *renewals, const struct kcm_conf *conf);

/* Begins what is due, a few at a time and of one user fewer, and none of one whose last ones failed
 * just now. ret_next_s is when there will be more to do: 0 = nothing, or not before changed is
 * called. Errors: those of the store. */
int renewals_run(struct renewals *renewals, int64_t now_s, int64_t *ret_next_s);

/* Gives up what is under way; from now on renewals_run() only tells. */
void renewals_end(struct renewals *renewals);

/* Is a conversation under way? */
bool renewals_busy(const struct renewals *renewals);
