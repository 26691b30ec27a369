/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Link - see link.h
 *
 *   connect ─▶ next_server ─┬─ failed ────────────▶ next_server
 *                           ├─ no success in 1.5 s ─▶ next_server, both go on
 *                           └─ stands ─▶ online, the others are given up
 *   no server left ─▶ offline;  nothing stands after 4 s ─▶ offline, the attempts go on as a probe
 */
#include "backend/ldap/link.h"

#include <errno.h>
#include <sys/random.h>

#include "backend/ldap/setup.h"
#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"

#define HEAD_START_MS  1500
#define PASSED_OVER_MS 30000

/* Callers have 5 s; they are told "offline" before their time is up. */
#define PATIENCE_MS 4000

/* An attempt this old may be waiting for packets that were lost before the network came back. */
#define STALE_ATTEMPT_US 1000000

struct server {
	struct link *link;
	const struct uri *uri;    /* borrowed */
	struct tevent_req *setup; /* owned; the attempt under way */
	struct deadline passed_over;
	bool tried;  /* in this round */
	bool failed; /* since it last worked: said in the log once */
};

struct link {
	struct ldap_domain *domain; /* borrowed */
	struct tevent_context *ev;  /* borrowed */
	struct server *servers;     /* owned */
	size_t n_servers;

	struct conn *conn;      /* owned; NULL = none stands */
	uint64_t generation;    /* of conn, or of the one before */
	struct server *current; /* at its other end */
	struct timer *expire, *idle;

	bool connecting;
	int64_t began_us; /* of the round, CLOCK_MONOTONIC */
	struct timer *head_start, *patience;
	char *reason;        /* the last failure of this round */
	struct list waiters; /* of struct wait_state */
};

struct wait_state {
	struct list node;
	struct tevent_req *req;
	struct link *link;
	struct conn *conn; /* borrowed */
};

static void next_server(struct link *link);
static void head_start_over(void *data);
static void patience_over(void *data);
static void server_ready(struct tevent_req *subreq);
static void conn_is_lost(struct conn *conn, const char *reason, void *data);

/* ---- who waits ---- */

static void wait_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct wait_state *state = tevent_req_data(req, struct wait_state);

	(void)req_state;
	list_remove(&state->node);
}

struct tevent_req *link_wait_send(TALLOC_CTX *mem, struct link *link)
{
	struct wait_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct wait_state);

	if (!req)
		return NULL;
	state->req = req;
	state->link = link;
	list_init(&state->node);
	list_append(&link->waiters, &state->node);
	tevent_req_set_cleanup_fn(req, wait_cleanup);
	tevent_req_defer_callback(req, link->ev);
	link_probe(link);
	return req;
}

int link_wait_recv(struct tevent_req *req, struct conn **ret_conn)
{
	struct wait_state *state = tevent_req_data(req, struct wait_state);
	int r = req_result(req);

	/* Between the end of the request and now the connection may have been lost again. */
	if (r == 0 && !state->link->conn)
		r = -E_DISCONNECTED;
	if (r == 0)
		*ret_conn = state->link->conn;
	tevent_req_received(req);
	return r;
}

static void end_waiting(struct link *link, int r)
{
	while (!list_empty(&link->waiters)) {
		struct wait_state *waiter = list_item(link->waiters.next, struct wait_state, node);

		list_remove(&waiter->node);
		req_finish(waiter->req, r);
	}
}

const char *link_waits_for(struct link *link)
{
	for (size_t i = 0; i < link->n_servers; i++)
		if (link->servers[i].setup)
			return setup_waits_for(link->servers[i].setup);
	return "a connection";
}

/* ---- a round of attempts ---- */

struct link *link_new(TALLOC_CTX *mem, struct ldap_domain *domain)
{
	struct link *link = talloc_zero(mem, struct link);

	if (!link)
		return NULL;
	link->domain = domain;
	link->ev = domain->host->ev;
	list_init(&link->waiters);
	link->n_servers = domain->n_uris;
	link->servers = talloc_zero_array(link, struct server, (unsigned)link->n_servers);
	if (!link->servers) {
		talloc_free(link);
		return NULL;
	}
	for (size_t i = 0; i < link->n_servers; i++)
		link->servers[i] = (struct server){ .link = link, .uri = &domain->uris[i] };
	return link;
}

struct conn *link_conn(struct link *link)
{
	return link->conn;
}

uint64_t link_generation(const struct link *link)
{
	return link->generation;
}

static void stop_attempts(struct link *link)
{
	for (size_t i = 0; i < link->n_servers; i++)
		TALLOC_FREE(link->servers[i].setup);
	TALLOC_FREE(link->head_start);
	TALLOC_FREE(link->patience);
	link->connecting = false;
}

static void pass_over(struct server *server)
{
	server->passed_over = deadline_in_ms(PASSED_OVER_MS);
}

static bool is_passed_over(const struct server *server)
{
	return server->passed_over.us != 0 && !deadline_passed(server->passed_over);
}

/* In the configured order: first those without a recent failure, then the others. */
static struct server *choose(struct link *link)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < link->n_servers; i++) {
			struct server *server = &link->servers[i];

			if (!server->tried && (pass == 1 || !is_passed_over(server)))
				return server;
		}
	return NULL;
}

static bool attempt_under_way(const struct link *link)
{
	for (size_t i = 0; i < link->n_servers; i++)
		if (link->servers[i].setup)
			return true;
	return false;
}

void link_probe(struct link *link)
{
	if (link->conn) {
		end_waiting(link, 0);
		return;
	}
	if (link->connecting)
		return;
	if (online_state(link->domain->host->online) == ONLINE_FORCED_OFF) {
		end_waiting(link, -E_OFFLINE);
		return;
	}

	link->connecting = true;
	link->began_us = monotonic_us();
	TALLOC_FREE(link->reason);
	for (size_t i = 0; i < link->n_servers; i++)
		link->servers[i].tried = false;
	link->patience = timer_once(link, link->ev, PATIENCE_MS, patience_over, link);
	next_server(link);
}

/* Nobody is left to try: the domain is offline. */
static void give_up(struct link *link)
{
	stop_attempts(link);
	online_failed(link->domain->host->online, link->reason ? link->reason : "no memory");
	end_waiting(link, -E_OFFLINE);
}

static void next_server(struct link *link)
{
	struct server *server = choose(link);

	TALLOC_FREE(link->head_start);
	if (!server) {
		if (!attempt_under_way(link))
			give_up(link);
		return;
	}

	server->tried = true;
	server->setup = setup_send(link, link->domain, server->uri);
	if (!server->setup) {
		give_up(link);
		return;
	}
	tevent_req_set_callback(server->setup, server_ready, server);
	if (choose(link))
		link->head_start = timer_once(link, link->ev, HEAD_START_MS, head_start_over, link);
}

static void head_start_over(void *data)
{
	struct link *link = data;

	link->head_start = NULL;
	next_server(link);
}

static void patience_over(void *data)
{
	struct link *link = data;
	auto_talloc char *reason = NULL;

	link->patience = NULL;
	reason = talloc_asprintf(link, "no success within %d ms, waiting for %s", PATIENCE_MS,
	                         link_waits_for(link));
	online_failed(link->domain->host->online, reason ? reason : "no memory");
	end_waiting(link, -E_OFFLINE);
}

/* ---- a connection that stands ---- */

static void expired(void *data)
{
	struct link *link = data;
	struct conn *conn = take_ptr(link->conn);

	/* The next question connects anew, from the top of the list: so we return to a better
	 * server that was away for a while. */
	link->expire = NULL;
	TALLOC_FREE(link->idle);
	link->current = NULL;
	conn_retire(conn);
}

static void idle_look(void *data)
{
	struct link *link = data;
	int64_t limit_ms = (int64_t)link->domain->conf.connection_idle_timeout_s * 1000;
	int64_t idle_ms = (monotonic_us() - conn_used_us(link->conn)) / 1000;

	link->idle = NULL;
	if (idle_ms >= limit_ms && conn_is_idle(link->conn)) {
		struct conn *conn = take_ptr(link->conn);

		TALLOC_FREE(link->expire);
		link->current = NULL;
		conn_close(conn);
		return;
	}
	link->idle = timer_once(link, link->ev, idle_ms >= limit_ms ? limit_ms : limit_ms - idle_ms,
	                        idle_look, link);
}

static int64_t expire_ms(const struct ldap_conf *conf)
{
	uint32_t random = 0;

	if (conf->connection_expire_offset_s > 0 &&
	    getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		random %= conf->connection_expire_offset_s + 1;
	return ((int64_t)conf->connection_expire_timeout_s + random) * 1000;
}

static void server_ready(struct tevent_req *subreq)
{
	struct server *server = tevent_req_callback_data_void(subreq); /* of an array */
	struct link *link = server->link;
	const struct ldap_conf *conf = &link->domain->conf;
	struct conn *conn = NULL;
	char *reason = NULL;
	int r = setup_recv(subreq, link, &conn, &reason);

	TALLOC_FREE(server->setup);
	metrics_count(r < 0 ? METRICS_CONNECTIONS_FAILED : METRICS_CONNECTIONS);
	if (r < 0) {
		/* With one server the domain's own line will say it. */
		log_at(server->failed || link->n_servers == 1 ? LEVEL_DEBUG : LEVEL_WARN, NULL,
		       "%s", reason ? reason : "no memory");
		server->failed = true;
		pass_over(server);
		talloc_free(link->reason);
		link->reason = reason;
		next_server(link);
		return;
	}

	/* Those that had their head start and did not make it come last for a while. */
	for (size_t i = 0; i < link->n_servers; i++)
		if (link->servers[i].setup)
			pass_over(&link->servers[i]);
	stop_attempts(link);

	server->passed_over = (struct deadline){ 0 };
	server->failed = false;
	link->conn = conn;
	link->generation++;
	link->current = server;
	conn_give(conn, link, conn_is_lost, link);
	conn_watch(conn, link->domain->bases[SEARCH_USERS].items[0].dn);
	if (conf->connection_expire_timeout_s > 0)
		link->expire = timer_once(link, link->ev, expire_ms(conf), expired, link);
	if (conf->connection_idle_timeout_s > 0)
		link->idle =
			timer_once(link, link->ev, (int64_t)conf->connection_idle_timeout_s * 1000,
		                   idle_look, link);

	online_succeeded(link->domain->host->online, server->uri->text);
	end_waiting(link, 0);
}

static void forget_conn(struct link *link)
{
	link->conn = NULL;
	link->current = NULL;
	TALLOC_FREE(link->expire);
	TALLOC_FREE(link->idle);
}

/* A connection that ends is no evidence that its server is down: servers close idle ones, and
 * restart. The next attempt will tell. One that stopped answering is. */
static void conn_is_lost(struct conn *conn, const char *reason, void *data)
{
	struct link *link = data;
	bool busy = !conn_is_idle(conn);

	if (conn != link->conn)
		return; /* one that was retired */

	log_at(busy ? LEVEL_WARN : LEVEL_DEBUG, NULL, "%s: %s", link->current->uri->text, reason);
	if (busy)
		pass_over(link->current);
	forget_conn(link);
}

bool link_blame(struct link *link, struct conn *conn, const char *reason)
{
	if (link->n_servers < 2)
		return false;
	if (conn != link->conn)
		return true; /* replaced already */

	log_warn("%s: %s", link->current->uri->text, reason);
	pass_over(link->current);
	forget_conn(link);
	conn_retire(conn);
	return true;
}

void link_check(struct link *link)
{
	for (size_t i = 0; i < link->n_servers; i++)
		link->servers[i].passed_over = (struct deadline){ 0 };

	if (link->conn) {
		conn_check(link->conn);
	} else if (link->connecting && monotonic_us() - link->began_us > STALE_ATTEMPT_US) {
		stop_attempts(link);
		link_probe(link);
	}
}

void link_disconnect(struct link *link)
{
	struct conn *conn = link->conn;

	stop_attempts(link);
	forget_conn(link);
	if (conn)
		conn_close(conn);
	end_waiting(link, -E_OFFLINE);
}
