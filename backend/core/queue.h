/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Queue - questions to the provider: equal ones run once, lanes do not hold each other up
 *
 * Each asker has a deadline of its own; what they share lives until the last of them has given up.
 * A lane runs at most QUEUE_RUNNING questions at once and lets QUEUE_WAITING wait for a place.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/core/provider.h"
#include "common/base/time.h"

#define QUEUE_RUNNING  64
#define QUEUE_WAITING  4096
#define QUEUE_ATTEMPTS 3 /* when the server or the cache goes away in the middle of a question */

struct queue; /* a talloc object; its requests must be gone before it */

/* ops: of the provider that answers; data: its own. Closed at first. */
struct queue *queue_new(TALLOC_CTX *mem, struct tevent_context *ev, const struct provider_op *ops,
                        void *data);

/* From now on questions run; until then they wait in line, each within its deadline. */
void queue_open(struct queue *queue);

/* How many questions are under way or in line. */
unsigned queue_length(const struct queue *queue);

/* Asks query and finishes with the provider's result. query is copied. Nobody shares a question
 * that was begun in another epoch of the cache (cache_epoch()).
 * Errors: -ETIMEDOUT the deadline passed; -ENOTSUP the provider does not answer such; -EAGAIN too
 * many questions are waiting; the provider's. */
struct tevent_req *queue_ask_send(TALLOC_CTX *mem, struct tevent_context *ev, struct queue *queue,
                                  const struct query *query, uint32_t epoch,
                                  const struct request_id *id, struct deadline deadline);
int queue_ask_recv(struct tevent_req *req);
