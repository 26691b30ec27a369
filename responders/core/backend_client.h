/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backend client - ask the backend of a domain, over sbus
 *
 * What it learns is in the cache when the answer comes. Equal questions share one call.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/log.h"
#include "common/base/time.h"
#include "common/ident/query.h"

struct backend_client; /* a talloc object; connects when it is first asked */

struct backend_client *backend_client_new(TALLOC_CTX *mem, struct tevent_context *ev,
                                          const char *run_dir, const char *domain);

/* Has the backend look query up at its server. An equal question that was asked in another epoch of
 * the cache (cache_epoch()) is not joined. Gives up at deadline; the call itself goes on, so
 * that its answer is cached for the next one.
 * Errors of recv: -E_NO_BACKEND nobody listens there (known at once); -E_OFFLINE its servers cannot
 * be reached; -ETIMEDOUT; -E_BACKEND and others the backend gave. */
struct tevent_req *backend_ask_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                    struct backend_client *backend, const struct query *query,
                                    uint32_t epoch, struct deadline deadline,
                                    const struct request_id *id);

/* ret_environment: the cache file the backend wrote to; 0 after a failure. */
int backend_ask_recv(struct tevent_req *req, uint64_t *ret_environment);

/* How long its answer is waited for before that of a later domain is given: long in comparison with
 * what it usually takes, so that a server that is merely slow loses no name. 0: it has been silent,
 * and nothing was heard of it since. */
int64_t backend_share_ms(const struct backend_client *backend);

/* It did not answer in its share of time what it was asked at asked_us (monotonic_us()). */
void backend_is_late(struct backend_client *backend, int64_t asked_us);

/* backend_ask_send() without anybody waiting: an ageing entry is renewed behind its answer. */
void backend_refresh(struct backend_client *backend, const struct query *query, uint32_t epoch,
                     const struct request_id *id);
