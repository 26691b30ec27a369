/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Serve - see serve.h
 *
 *   getAccountInfo ─▶ query_parse ─▶ offline? ─▶ queue_ask_send ─▶ asked ─▶ reply: a status only
 */
#include "backend/core/serve.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/metrics/metrics.h"
#include "common/sbus/iface_dataprovider.h"
#include "common/sbus/iface_failover.h"

/* When a caller names no time of its own; and what nobody may exceed. */
#define REMAINING_DEFAULT_MS 5000
#define REMAINING_MAX_MS     60000

/* spec/internal-interfaces.md §1.3 */
enum dp_error {
	DP_OK,
	DP_OFFLINE,
	DP_TIMEOUT,
	DP_FATAL,
};

struct serve {
	const struct provider_host *host; /* borrowed */
	struct queue *queue;              /* borrowed, may be NULL */
	struct serve_hooks hooks;
	void *data;
	struct sbus_server *server;
};

struct question {
	struct serve *serve;    /* borrowed */
	struct sbus_call *call; /* our parent */
	struct request_id id;
	struct query query;
	int64_t began_us;
};

static void asked(struct tevent_req *req);

static struct cache *cache_of(struct serve *serve)
{
	return serve->host->writer ? cache_writer_reader(serve->host->writer) : NULL;
}

/* question is NULL before it was understood. */
static void reply(struct serve *serve, struct sbus_call *call, const struct question *question,
                  int r)
{
	struct cache *cache = cache_of(serve);
	struct dataprovider_get_account_info_out out = {
		.dp_error = r == 0            ? DP_OK
		            : r == -E_OFFLINE ? DP_OFFLINE
		            : r == -ETIMEDOUT ? DP_TIMEOUT
		                              : DP_FATAL,
		.error = (uint32_t)-r,
		.message = r == -E_OFFLINE ? online_text(serve->host->online)
		           : r < 0         ? error_text(r)
		                           : "",
		.environment = cache ? cache_environment_id(cache) : 0,
	};

	/* Offline, a name that is not there was never seen, unless we lost what we had seen. */
	if (r == -E_OFFLINE && cache && cache_is_bereft(cache)) {
		out.dp_error = DP_FATAL;
		out.error = E_CACHE_DAMAGED;
		out.message =
			"the servers cannot be reached, and the cache was damaged and begun anew";
	}
	metrics_request(question ? question->query.kind : METRICS_OTHER, r,
	                question ? monotonic_us() - question->began_us : 0);
	dataprovider_get_account_info_reply(call, &out);
}

/* An id from another process goes into log lines: only what ours are made of. */
static struct request_id request_id_from(const char *text)
{
	struct request_id id = { 0 };

	if (strlen(text) < sizeof(id.text) && strspn(text, "0123456789abcdef-") == strlen(text) &&
	    *text)
		memcpy(id.text, text, strlen(text));
	else
		id = request_id_new();
	return id;
}

static void get_account_info(struct sbus_call *call,
                             const struct dataprovider_get_account_info_in *in, void *data)
{
	struct serve *serve = data;
	uint32_t remaining_ms = in->remaining_ms ? in->remaining_ms : REMAINING_DEFAULT_MS;
	struct question *question;
	struct tevent_req *req;
	int r;

	if (!serve->queue) {
		reply(serve, call, NULL, -E_CONFIG);
		return;
	}
	if (*in->domain && strcasecmp(in->domain, serve->host->domain) != 0) {
		reply(serve, call, NULL, -E_NO_DOMAIN);
		return;
	}

	question = talloc_zero(call, struct question);
	if (!question) {
		reply(serve, call, NULL, -ENOMEM);
		return;
	}
	question->serve = serve;
	question->call = call;
	question->began_us = monotonic_us();
	question->id = request_id_from(in->request);
	r = query_parse(question, in->entry_type, in->filter, &question->query);
	if (r < 0) {
		log_at(LEVEL_DEBUG, &question->id, "question of type %u not understood: %s",
		       in->entry_type, error_text(r));
		reply(serve, call, NULL, r);
		return;
	}

	if (cache_of(serve) && cache_is_suspect(cache_of(serve))) {
		serve->hooks.cache_damaged(serve->data);
		return;
	}
	if (!serve->host->writer && serve->host->cache_error < 0) {
		reply(serve, call, question, serve->host->cache_error);
		return;
	}
	if (!online_may_ask(serve->host->online)) {
		reply(serve, call, question, -E_OFFLINE);
		return;
	}

	if (remaining_ms > REMAINING_MAX_MS)
		remaining_ms = REMAINING_MAX_MS;
	req = queue_ask_send(question, serve->host->ev, serve->queue, &question->query,
	                     cache_of(serve) ? cache_epoch(cache_of(serve)) : 0, &question->id,
	                     deadline_in_ms(remaining_ms));
	if (!req) {
		reply(serve, call, question, -ENOMEM);
		return;
	}
	tevent_req_set_callback(req, asked, question);
}

static void asked(struct tevent_req *req)
{
	struct question *question = tevent_req_callback_data(req, struct question);
	int r = queue_ask_recv(req);

	if (log_wants(LEVEL_INFO)) {
		auto_talloc char *what = query_text(NULL, &question->query);

		log_at(LEVEL_INFO, &question->id, "lookup of %s: %s", what ? what : "?",
		       r < 0 ? error_text(r) : "done");
	}
	if (r == -E_CACHE_DAMAGED)
		question->serve->hooks.cache_damaged(question->serve->data);
	else
		reply(question->serve, question->call, question, r);
}

static void is_online(struct sbus_call *call, const struct dataprovider_is_online_in *in,
                      void *data)
{
	struct serve *serve = data;
	struct dataprovider_is_online_out out = {
		.online = online_state(serve->host->online) == ONLINE_YES,
	};

	(void)in;
	dataprovider_is_online_reply(call, &out);
}

static const struct dataprovider_methods methods = {
	.get_account_info = get_account_info,
	.is_online = is_online,
};

/* ---- the servers ---- */

struct listing {
	const char **hosts; /* ends with NULL */
	size_t count;
};

static void list_server(const struct server *server, void *data)
{
	struct listing *listing = data;
	const char **more =
		talloc_realloc(NULL, listing->hosts, const char *, (unsigned)listing->count + 2);

	if (!more)
		return;
	listing->hosts = more;
	more[listing->count] = talloc_asprintf(more, strchr(server->name.host, ':') ? "[%s]" : "%s",
	                                       server->name.host);
	if (more[listing->count])
		listing->count++;
	more[listing->count] = NULL;
}

static void list_servers(struct sbus_call *call, const struct failover_list_servers_in *in,
                         void *data)
{
	static const char *none[] = { NULL };
	struct serve *serve = data;
	struct listing listing = { 0 };
	struct failover_list_servers_out out;

	if (strcmp(in->service, "LDAP") == 0)
		serve->hooks.servers(serve->data, list_server, &listing);
	out.servers = listing.hosts ? listing.hosts : none;
	failover_list_servers_reply(call, &out);
	talloc_free(listing.hosts);
}

static const struct failover_methods failover_methods = { .list_servers = list_servers };

/* ---- the listener ---- */

static void accepted(struct sbus_server *server, struct sbus_conn *conn, void *data)
{
	int r = dataprovider_serve(conn, &methods, data);

	(void)server;
	if (r == 0)
		r = failover_serve(conn, &failover_methods, data);
	if (r < 0)
		log_warn("connection of a responder: %s", error_text(r));
}

int serve_new(TALLOC_CTX *mem, const struct provider_host *host, const char *path,
              struct queue *queue, const struct serve_hooks *hooks, void *data,
              struct serve **ret_serve)
{
	struct serve *serve = talloc_zero(mem, struct serve);
	int r;

	if (!serve)
		return -ENOMEM;
	serve->host = host;
	serve->queue = queue;
	serve->hooks = *hooks;
	serve->data = data;
	r = sbus_server_new(serve, host->ev, path, accepted, serve, &serve->server);
	if (r < 0) {
		talloc_free(serve);
		return r;
	}
	*ret_serve = serve;
	return 0;
}
