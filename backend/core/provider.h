/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Provider - what code that speaks a protocol says about itself, and what the process gives it
 *
 * A provider answers a query by learning what the server says and committing it to the cache; the
 * result is a status. It never replies to a responder and never decides whether the domain is
 * online: it reports what it met (online.h) and core draws the conclusions.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/core/failover.h"
#include "backend/core/online.h"
#include "backend/core/pool.h"
#include "common/base/log.h"
#include "common/cache/cache.h"
#include "common/conf/conf.h"
#include "common/conf/options.h"
#include "common/ident/query.h"

/* What SASL_PATH is set to before any provider starts, so that libsasl2 loads no plug-in. A
 * provider that needs one takes it away before its first thread. */
#define PROVIDER_NO_SASL_PATH "/run/sss"

/* Lives longer than every provider. All borrowed. */
struct provider_host {
	struct tevent_context *ev;
	const char *domain;
	const struct conf *conf;
	const char *section; /* "domain/NAME" */
	const struct domain_conf *options;
	struct online *online;
	struct pool *pool;
	struct cache_writer *writer; /* NULL until the cache is open; no query runs before that */
	int cache_error;             /* why it cannot be opened for now, else 0 */

	/* To be called when work that nobody waits for finds the cache damaged: ends the process,
	 * so that the next one has it checked. */
	void (*cache_damaged)(void *data);
	void *data;
};

/* Questions of one lane never wait for those of the other. */
enum lane {
	LANE_IDENTITY,
	LANE_AUTHENTICATION, /* nothing uses it yet */
	N_LANES,
};

struct provider_op {
	enum query_kind kind;
	enum lane lane;

	/* Learns what query names and commits it. query and id live as long as the request; query's
	 * unasked becomes false when somebody wants to know after all; freeing it abandons the
	 * work. Results: 0 the cache says what the server says, also when that is "not there";
	 * -E_OFFLINE no server could be reached; -E_SERVER, -E_SIZE_LIMIT the server did not give
	 * the whole answer, nothing was stored; -E_DISCONNECTED it went away in the middle,
	 * -E_CACHE_REPLACED the cache did, -E_CHANGED an entry was not the same any more: in these
	 * three cases the queue asks again. */
	struct tevent_req *(*send)(TALLOC_CTX *mem, void *data, const struct query *query,
	                           const struct request_id *id);
	int (*recv)(struct tevent_req *req);

	/* What the request waits for just now ("the connection to ldap://a"): for the log line of
	 * one that ran out of time. Borrowed from req. */
	const char *(*waits_for)(struct tevent_req *req);
};

struct provider {
	const char *name; /* as in id_provider */

	/* Reads its options and makes itself ready; must not block and need not reach a server.
	 * data hangs below mem. Errors: -E_CONFIG, after it logged what is wrong. */
	int (*start)(TALLOC_CTX *mem, const struct provider_host *host, void **ret_data);

	/* Try to reach a server now and tell online.h how it went; an attempt under way is enough.
	 */
	void (*probe)(void *data);

	/* Addresses or routes changed: what stands may be dead without knowing it. */
	void (*network_changed)(void *data);

	/* Drop the connections: the administrator wants to be offline. */
	void (*disconnect)(void *data);

	/* Calls each for all servers, in the order in which they are asked. */
	void (*servers)(void *data, void (*each)(const struct server *server, void *data),
	                void *each_data);

	const struct provider_op *ops; /* ends with kind 0 */
};

/* What a module exports: MODULE_DIR/libsss_NAME.so has this one symbol. */
extern const struct provider sssd_provider;
