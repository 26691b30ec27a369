/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Refresh - asks the servers again for what will soon expire in the cache, or has, so that nobody
 * has to wait for it (sssd.conf(5), refresh_expired_interval)
 */
#pragma once

#include <stdint.h>
#include <talloc.h>

#include "backend/core/provider.h"
#include "backend/core/queue.h"

struct refresh; /* a talloc object; to be freed before the queue */

/* Every interval_s, and a random 0 to offset_s, goes through the cache and asks through queue for
 * what is past two thirds of its life. Passes over it while the domain is not online. NULL without
 * memory. */
struct refresh *refresh_new(TALLOC_CTX *mem, const struct provider_host *host, struct queue *queue,
                            uint32_t interval_s, uint32_t offset_s);
