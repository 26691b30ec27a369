/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Serve - what responders may ask over sbus (interfaces/dataprovider.xml)
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

#include "backend/core/provider.h"
#include "backend/core/queue.h"
#include "common/sbus/sbus.h"

struct serve; /* a talloc object: freeing it stops listening */

/* Listens at path. queue NULL: the domain's configuration cannot be used; every question is
 * answered with -E_CONFIG. cache_damaged(data) is called when a question finds the cache damaged,
 * or marked suspect by somebody who did; the question is not answered. host, queue borrowed. */
int serve_new(TALLOC_CTX *mem, const struct provider_host *host, const char *path,
              struct queue *queue, void (*cache_damaged)(void *data), void *data,
              struct serve **ret_serve);
