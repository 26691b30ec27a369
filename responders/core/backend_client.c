/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backend client - ask the backend of a domain, over sbus
 *
 *   backend_ask_send ─▶ ask (new, or one under way) ─▶ (sbus) ─▶ ask_answered ─▶ every waiter
 *                        └─ connection lost: again, every RETRY_MS, the backend is being restarted
 */
#include "responders/core/backend_client.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/sbus/iface_dataprovider.h"
#include "common/sbus/sbus.h"

#define ASK_BUDGET_MS     5000 /* identity, design §3 */
#define REFRESH_BUDGET_MS 60000
#define JOIN_US           1000000 /* a call that ends so much too early is joined all the same */
#define RETRY_MS          50
#define RETRIES           40
#define RESTART_US        (RETRIES * RETRY_MS * 1000) /* so long it is expected back */

/* Of its usual time, within these limits. Over a line of 300 ms, TCP, TLS, a bind and two searches
 * are five times that, and so long has one of whom nothing is known. */
#define SHARE_FACTOR 4
#define SHARE_MIN_MS 500
#define SHARE_MAX_MS 2000

struct backend_client {
	struct tevent_context *ev;
	struct sbus_client *sbus;
	const char *domain;
	struct map *asks;   /* key of query → struct ask that may be joined */
	struct list unsent; /* asks that wait for the connection */
	int64_t lost_us;    /* when the last connection ended; 0 = there was none */
	int64_t heard_us;   /* when it last said anything; 0 = never */
	int64_t usual_us;   /* the slowest of its last answers, 0 = there was none */
	bool silent;        /* it was late, and nothing was heard since */
};

/* One call, under way or about to be. */
struct ask {
	struct backend_client *backend;
	struct list node;    /* in unsent, or alone */
	struct list waiters; /* of struct waiter */
	struct query query;  /* name is owned */
	uint32_t epoch;
	struct request_id id;
	struct deadline deadline;
	int64_t sent_us;
	unsigned retries;
	struct tevent_req *call; /* owned; NULL while it is not sent */
	void *key;
	size_t key_size;
};

struct waiter {
	struct list node;
	struct tevent_req *req;
	uint64_t environment;
};

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data);
static void ask_again(void *data);
static void ask_answered(struct tevent_req *subreq);

struct backend_client *backend_client_new(TALLOC_CTX *mem, struct tevent_context *ev,
                                          const char *run_dir, const char *domain)
{
	struct backend_client *backend = talloc_zero(mem, struct backend_client);
	char *path;

	if (!backend)
		return NULL;
	backend->ev = ev;
	list_init(&backend->unsent);
	backend->domain = talloc_strdup(backend, domain);
	backend->asks = map_new(backend);
	path = sbus_backend_path(backend, run_dir, domain);
	if (!backend->domain || !backend->asks || !path ||
	    sbus_client_new(backend, ev, path, true, connected, backend, &backend->sbus) < 0) {
		talloc_free(backend);
		return NULL;
	}
	talloc_free(path);
	return backend;
}

/* ---- the end of an ask ---- */

static int ask_gone(struct ask *ask)
{
	/* A waiter outlives it where the backend client goes with the waiter's own setup. */
	while (!list_empty(&ask->waiters))
		list_remove(ask->waiters.next);
	list_remove(&ask->node);
	if (ask->key && map_get(ask->backend->asks, ask->key, ask->key_size) == ask)
		map_remove(ask->backend->asks, ask->key, ask->key_size);
	return 0;
}

static void ask_finish(struct ask *ask, int r, uint64_t environment)
{
	/* Nobody joins any more, and a waiter's callback may free the backend client and with it
	 * this ask: the waiters are told from a list of their own. */
	struct list waiters;

	list_init(&waiters);
	list_move(&waiters, &ask->waiters);
	talloc_free(ask);

	while (!list_empty(&waiters)) {
		struct waiter *waiter = list_item(waiters.next, struct waiter, node);

		list_remove(&waiter->node);
		waiter->environment = environment;
		req_finish(waiter->req, r);
	}
}

static void ask_late(void *data)
{
	struct ask *ask = data;

	if (ask->sent_us)
		backend_is_late(ask->backend, ask->sent_us);
	ask_finish(ask, -ETIMEDOUT, 0);
}

/* ---- how long it takes ---- */

/* A slow answer is forgotten after a few quick ones. */
static void heard(struct ask *ask, int r)
{
	struct backend_client *backend = ask->backend;
	int64_t now_us = monotonic_us(), took_us = now_us - ask->sent_us;

	backend->heard_us = now_us;
	backend->silent = false;
	if (r < 0)
		return;
	backend->usual_us -= backend->usual_us / 8;
	if (took_us > backend->usual_us)
		backend->usual_us = took_us;
}

int64_t backend_share_ms(const struct backend_client *backend)
{
	int64_t share_ms = backend->usual_us * SHARE_FACTOR / 1000;

	if (backend->silent)
		return 0;
	if (backend->usual_us == 0 || share_ms > SHARE_MAX_MS)
		return SHARE_MAX_MS;
	return share_ms < SHARE_MIN_MS ? SHARE_MIN_MS : share_ms;
}

void backend_is_late(struct backend_client *backend, int64_t asked_us)
{
	/* Others may have been answered meanwhile: then this question is a hard one. */
	if (backend->heard_us < asked_us)
		backend->silent = true;
}

/* ---- sending ---- */

static int ask_call(struct ask *ask, struct sbus_conn *conn)
{
	int64_t left_ms = deadline_left_ms(ask->deadline);
	struct dataprovider_get_account_info_in in = {
		.entry_type = query_entry_type(&ask->query),
		.filter = query_filter(ask, &ask->query),
		.domain = ask->backend->domain,
		.extra = "",
		.request = ask->id.text,
		.remaining_ms = (uint32_t)left_ms,
	};

	if (!in.filter)
		return -ENOMEM;
	ask->sent_us = monotonic_us();
	ask->call = dataprovider_get_account_info_send(ask, ask->backend->ev, conn, &in,
	                                               (uint32_t)left_ms + 100);
	if (!ask->call)
		return -ENOMEM;
	tevent_req_set_callback(ask->call, ask_answered, ask);
	return 0;
}

/* After a moment, when that makes sense: it was there a moment ago, so whoever keeps it starts it
 * again (a reload does that, too). */
static int ask_later(struct ask *ask)
{
	int64_t lost_us = ask->backend->lost_us;

	if (lost_us == 0 || monotonic_us() - lost_us > RESTART_US || ask->retries++ >= RETRIES)
		return -E_NO_BACKEND;
	return timer_once(ask, ask->backend->ev, RETRY_MS, ask_again, ask) ? 0 : -ENOMEM;
}

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	struct backend_client *backend = data;
	struct list unsent;

	(void)client;
	if (!conn)
		backend->lost_us = monotonic_us();

	/* The end of an ask may end the last user of this backend, and with it the rest of them:
	 * they take themselves out of the list, and backend is not looked at again. */
	list_init(&unsent);
	list_move(&unsent, &backend->unsent);
	while (!list_empty(&unsent)) {
		struct ask *ask = list_item(unsent.next, struct ask, node);
		int r;

		list_remove(&ask->node);
		r = conn ? ask_call(ask, conn) : ask_later(ask);
		if (r < 0)
			ask_finish(ask, r, 0);
	}
}

/* Sends, or waits for the connection. -E_NO_BACKEND: there is nobody to connect to. */
static int ask_start(struct ask *ask)
{
	struct backend_client *backend = ask->backend;
	struct sbus_conn *conn = sbus_client_conn(backend->sbus);

	if (conn)
		return ask_call(ask, conn);
	list_append(&backend->unsent, &ask->node);
	if (sbus_client_wake(backend->sbus))
		return 0;
	list_remove(&ask->node);
	return -E_NO_BACKEND;
}

static void ask_again(void *data)
{
	struct ask *ask = data;
	int r = ask_start(ask);

	if (r == -E_NO_BACKEND)
		r = ask_later(ask);
	if (r < 0)
		ask_finish(ask, r, 0);
}

static void ask_answered(struct tevent_req *subreq)
{
	struct ask *ask = tevent_req_callback_data(subreq, struct ask);
	struct dataprovider_get_account_info_out out = { 0 };
	int r;

	r = dataprovider_get_account_info_recv(subreq, ask, &out);
	TALLOC_FREE(ask->call);

	if (r == -E_DISCONNECTED) {
		ask->backend->lost_us = monotonic_us(); /* connected() has yet to hear of it */
		r = ask_later(ask);
		if (r == 0)
			return;
	}
	if (r < 0) {
		ask_finish(ask, r, 0);
		return;
	}

	if (out.dp_error == 1)
		r = -E_OFFLINE;
	else if (out.dp_error == 2)
		r = -ETIMEDOUT;
	else if (out.dp_error != 0)
		r = out.error > 0 && out.error < 4096 ? -(int)out.error : -E_BACKEND;
	if (r < 0 && r != -E_OFFLINE)
		log_at(LEVEL_INFO, &ask->id, "backend of %s: %s", ask->backend->domain,
		       out.message);
	if (r == -ETIMEDOUT)
		backend_is_late(ask->backend, ask->sent_us);
	else
		heard(ask, r);
	ask_finish(ask, r, out.environment);
}

/* ---- asking ---- */

/* | kind: u32 | id: u32 | name | */
static void *ask_key(TALLOC_CTX *mem, const struct query *query, size_t *ret_size)
{
	uint32_t numbers[2] = { query->kind, query->id };
	size_t name_size = query->name ? strlen(query->name) : 0;
	uint8_t *key = talloc_size(mem, sizeof(numbers) + name_size);

	if (!key)
		return NULL;
	memcpy(key, numbers, sizeof(numbers));
	if (name_size)
		memcpy(key + sizeof(numbers), query->name, name_size);
	*ret_size = sizeof(numbers) + name_size;
	return key;
}

static struct ask *ask_new(struct backend_client *backend, const struct query *query,
                           uint32_t epoch, const struct request_id *id, int64_t budget_ms)
{
	struct ask *ask = talloc_zero(backend, struct ask);

	if (!ask)
		return NULL;
	ask->backend = backend;
	list_init(&ask->node);
	list_init(&ask->waiters);
	ask->query = *query;
	ask->epoch = epoch;
	ask->id = *id;
	ask->deadline = deadline_in_ms(budget_ms);
	ask->key = ask_key(ask, query, &ask->key_size);
	if (query->name)
		ask->query.name = talloc_strdup(ask, query->name);
	if (!ask->key || (query->name && !ask->query.name) ||
	    map_set(backend->asks, ask->key, ask->key_size, ask) < 0) {
		talloc_free(ask);
		return NULL;
	}
	talloc_set_destructor(ask, ask_gone);
	if (!timer_once(ask, backend->ev, budget_ms, ask_late, ask)) {
		talloc_free(ask);
		return NULL;
	}
	return ask;
}

/* The one under way, if it goes on for about budget_ms, or a new one, started. Errors: -ENOMEM;
 * -E_NO_BACKEND. */
static int ask_find(struct backend_client *backend, const struct query *query, uint32_t epoch,
                    const struct request_id *id, int64_t budget_ms, struct ask **ret_ask)
{
	size_t key_size;
	void *key = ask_key(backend, query, &key_size);
	struct ask *ask;
	int r;

	if (!key)
		return -ENOMEM;
	ask = map_get(backend->asks, key, key_size);
	talloc_free(key);
	if (ask && ask->epoch == epoch &&
	    ask->deadline.us + JOIN_US >= deadline_in_ms(budget_ms).us) {
		*ret_ask = ask;
		return 0;
	}

	ask = ask_new(backend, query, epoch, id, budget_ms);
	if (!ask)
		return -ENOMEM;
	r = ask_start(ask);
	if (r == -E_NO_BACKEND)
		r = ask_later(ask);
	if (r < 0) {
		talloc_free(ask);
		return r;
	}
	*ret_ask = ask;
	return 0;
}

static int waiter_gone(struct waiter *waiter)
{
	list_remove(&waiter->node);
	return 0;
}

struct tevent_req *backend_ask_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                    struct backend_client *backend, const struct query *query,
                                    uint32_t epoch, struct deadline deadline,
                                    const struct request_id *id)
{
	int64_t left_ms = deadline_left_ms(deadline);
	struct tevent_req *req;
	struct waiter *waiter;
	struct ask *ask;
	int r;

	req = tevent_req_create(mem, &waiter, struct waiter);
	if (!req)
		return NULL;
	list_init(&waiter->node);
	waiter->req = req;
	talloc_set_destructor(waiter, waiter_gone);

	/* Not shorter than usual, so that others may join, and the answer is cached for the next.
	 */
	if (left_ms < ASK_BUDGET_MS)
		left_ms = ASK_BUDGET_MS;
	r = ask_find(backend, query, epoch, id, left_ms, &ask);
	if (r == 0)
		r = req_set_deadline(req, ev, deadline);
	if (r < 0)
		return req_finish_now(req, ev, r);

	list_append(&ask->waiters, &waiter->node);
	return req;
}

int backend_ask_recv(struct tevent_req *req, uint64_t *ret_environment)
{
	struct waiter *waiter = tevent_req_data(req, struct waiter);
	int r = req_result(req);

	*ret_environment = waiter->environment;
	tevent_req_received(req);
	return r;
}

void backend_refresh(struct backend_client *backend, const struct query *query, uint32_t epoch,
                     const struct request_id *id)
{
	size_t key_size;
	void *key = ask_key(backend, query, &key_size);
	bool is_asked = key && map_get(backend->asks, key, key_size);
	struct ask *ask;
	int r;

	talloc_free(key);
	if (is_asked)
		return; /* however little time that has left: the next request tries again */
	r = ask_find(backend, query, epoch, id, REFRESH_BUDGET_MS, &ask);

	/* The answer was given already; the entry just stays ageing. */
	if (r < 0)
		log_at(LEVEL_DEBUG, id, "refresh at the backend of %s: %s", backend->domain,
		       error_text(r));
}
