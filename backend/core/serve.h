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

struct serve_hooks {
	/* A question found the cache damaged, or marked suspect by somebody who did; it is not
	 * answered. */
	void (*cache_damaged)(void *data);

	/* As in provider.h; no call for each while there is no provider. */
	void (*servers)(void *data, void (*each)(const struct server *server, void *data),
	                void *each_data);
};

/* Listens at path. queue NULL: the domain's configuration cannot be used; every question is
 * answered with -E_CONFIG. host, queue borrowed. */
int serve_new(TALLOC_CTX *mem, const struct provider_host *host, const char *path,
              struct queue *queue, const struct serve_hooks *hooks, void *data,
              struct serve **ret_serve);
