/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Link - see link.h
 *
 *   begin ─▶ next_attempt ─┬─ failed ────────────▶ next_attempt
 *                          ├─ no success in 1.5 s ─▶ next_attempt, both go on
 *                          ├─ lacks a base ─────▶ spare, next_attempt
 *                          └─ stands ─▶ online, the others are given up
 *   nobody left, or has come after a head start ─▶ the spare, if there is one
 *   nobody left ─▶ offline;  nothing stands after 4 s ─▶ offline, the attempts go on as a probe
 *
 * While the connection leads to a backup server, a round of the primary ones alone runs beside it
 * from time to time; while its server lacks a base, a round of all. And while its server is silent
 * and owes an answer, a round of all, itself last, which the former becomes: what was asked of it
 * is asked again, as a whole, of the first that stands.
 */
#include "backend/ldap/link.h"

#include <errno.h>
#include <sys/random.h>

#include "backend/ldap/server.h"
#include "backend/ldap/setup.h"
#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"

/* Of two dead servers before a good one nobody shall be told "offline"; of more, each gets less. */
#define HEAD_START_MS     1500
#define HEAD_START_MIN_MS 250
#define HEAD_STARTS_MS    3000

/* Callers have 5 s; they are told "offline" before their time is up. */
#define PATIENCE_MS 4000

/* failover_primary_timeout counts from here on (sssd.conf(5)). */
#define FAIL_BACK_MIN_S 31

/* What was lost for a moment only, while a server was loaded anew, is not done without. */
#define RENEW_MS 5000

/* An attempt this old may be waiting for packets that were lost before the network came back; and
 * one that has waited for this long for a single answer, when a probe is wanted, for a server that
 * lost what it was told. */
#define STALE_ATTEMPT_US 1000000
#define SILENT_US        4000000

/* How long a search in pages may need from one to the next (ldap_enumeration_search_timeout, and
 * what is done with a page), and how often it is looked whether it has ended. */
#define HELD_US      (300 * INT64_C(1000000))
#define HELD_LOOK_MS 1000

struct attempt {
	struct list node;
	struct link *link;
	struct server *server;  /* borrowed; NULL: it asks DNS which there are */
	struct tevent_req *req; /* owned */
	int64_t began_us;       /* of CLOCK_MONOTONIC */
};

/* A connection that stands. */
struct found {
	struct ready ready;
	char *where; /* what its other end is called */
	bool backup;
};

struct link {
	struct ldap_domain *domain; /* borrowed */
	struct tevent_context *ev;  /* borrowed */
	struct failover *failover;  /* owned */

	struct conn *conn;      /* owned; NULL = none stands */
	uint64_t generation;    /* of conn, or of the one before */
	char *where;            /* what its other end is called */
	struct address address; /* of that */
	bool backup;            /* it is a backup server */
	uint64_t lacking;       /* search bases it does not have … */
	uint64_t elsewhere;     /* … but another server does */
	int64_t usual_us;       /* that an operation took on those before */
	int64_t held_us;    /* when a search in pages last said that it needs conn; 0 = none does */
	int64_t useless_us; /* when the tickets of conn end, and with them its use; 0 = never */
	struct timer *expire, *idle;
	bool renewing;           /* expire will not be long */
	uint32_t page_size;      /* for what is long; 0 = not in pages */
	struct timer *fail_back; /* armed while a better server is looked for now and then */

	struct list attempts; /* of struct attempt; with head_start a round is under way */
	bool connecting, dns_told;
	bool doubting;    /* conn is silent, and the round looks for another one */
	int64_t began_us; /* of the round, CLOCK_MONOTONIC */
	struct timer *head_start, *patience;
	char *reason;        /* the last failure of this round */
	struct found *spare; /* owned: lacks search bases, others are looked for */
	struct list waiters; /* of struct wait_state */
};

struct wait_state {
	struct list node;
	struct tevent_req *req;
	struct link *link;
	struct conn *conn; /* borrowed */
};

static void next_attempt(struct link *link);
static void head_start_over(void *data);
static void patience_over(void *data);
static void give_up(struct link *link);
static void take(struct link *link, const struct found *found);
static void discovered(struct tevent_req *subreq);
static void server_ready(struct tevent_req *subreq);
static void fail_back(void *data);
static void conn_is_lost(struct conn *conn, const char *reason, void *data);
static void conn_is_doubted(struct conn *conn, bool doubt, void *data);

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
	struct attempt *attempt;

	list_for_each(attempt, &link->attempts, node)
		return attempt->server ? setup_waits_for(attempt->req) : "what DNS says";
	return "a connection";
}

/* ---- a round of attempts ---- */

static int name_server(TALLOC_CTX *mem, const struct srv *srv, struct server_name *ret_name,
                       void *data)
{
	struct ldap_domain *domain = data;

	return server_from_srv(mem, srv, domain->conf.dns_service_name, ret_name);
}

int link_new(TALLOC_CTX *mem, struct ldap_domain *domain, struct link **ret_link)
{
	struct link *link = talloc_zero(mem, struct link);

	if (!link)
		return -ENOMEM;
	link->domain = domain;
	link->ev = domain->host->ev;
	list_init(&link->waiters);
	list_init(&link->attempts);
	link->failover = failover_new(link, link->ev, domain->host->options, name_server, domain);
	if (!link->failover) {
		talloc_free(link);
		return -ENOMEM;
	}
	*ret_link = link;
	return 0;
}

struct failover *link_failover(struct link *link)
{
	return link->failover;
}

struct conn *link_conn(struct link *link)
{
	return link->conn;
}

uint64_t link_generation(const struct link *link)
{
	return link->generation;
}

const char *link_where(const struct link *link)
{
	return link->where ? link->where : "the server before";
}

uint64_t link_lacking(const struct link *link)
{
	return link->lacking;
}

uint64_t link_elsewhere(const struct link *link)
{
	return link->elsewhere;
}

void link_hold(struct link *link, uint64_t generation, bool more)
{
	if (link->conn && link->generation == generation)
		link->held_us = more ? monotonic_us() : 0;
}

static bool is_held(const struct link *link)
{
	int64_t now_us = monotonic_us();

	return link->held_us && now_us - link->held_us < HELD_US &&
	       !(link->useless_us && now_us >= link->useless_us);
}

void link_note_page_size(struct link *link, uint32_t size)
{
	link->page_size = link->conn ? size : 0;
}

uint32_t link_page_size(const struct link *link)
{
	return link->page_size;
}

static void attempt_end(struct attempt *attempt)
{
	list_remove(&attempt->node);
	talloc_free(attempt);
}

static void stop_attempts(struct link *link)
{
	while (!list_empty(&link->attempts))
		attempt_end(list_item(link->attempts.next, struct attempt, node));
	TALLOC_FREE(link->head_start);
	TALLOC_FREE(link->patience);
	if (link->spare)
		conn_close(link->spare->ready.conn);
	TALLOC_FREE(link->spare);
	link->connecting = false;
}

static void begin(struct link *link, bool only_primary)
{
	stop_attempts(link);
	link->connecting = true;
	link->began_us = monotonic_us();
	TALLOC_FREE(link->reason);
	failover_begin(link->failover, only_primary);
	if (!link->conn)
		link->patience = timer_once(link, link->ev, PATIENCE_MS, patience_over, link);
	next_attempt(link);
}

/* Is whatever we wait for not going to come? */
static bool all_silent(const struct link *link)
{
	struct attempt *attempt;

	list_for_each(attempt, &link->attempts, node)
		if (!attempt->server || setup_silent_us(attempt->req) < SILENT_US)
			return false;
	return true;
}

void link_probe(struct link *link)
{
	if (link->conn) {
		end_waiting(link, 0);
		return;
	}
	if (online_state(link->domain->host->online) == ONLINE_FORCED_OFF) {
		end_waiting(link, -E_OFFLINE);
		return;
	}
	if (link->connecting && link->spare && all_silent(link)) {
		give_up(link); /* which takes it */
	} else if (!link->connecting || all_silent(link)) {
		begin(link, false);
	} else if (failover_widen(link->failover)) {
		/* The connection to a backup server was lost while a primary one was looked for. */
		link->patience = timer_once(link, link->ev, PATIENCE_MS, patience_over, link);
		next_attempt(link);
	}
}

/* Nobody is left to try: the domain is offline, unless a connection stands all the same, or the
 * backup servers were left out. Nobody waits then: whoever does has them tried (link_probe()). */
static void give_up(struct link *link)
{
	auto_talloc struct found *spare = take_ptr(link->spare);
	bool only_primary;

	if (spare) {
		take(link, spare);
		return;
	}
	only_primary = failover_widen(link->failover);
	stop_attempts(link);
	if (link->conn || only_primary)
		return;
	online_failed(link->domain->host->online,
	              link->reason ? link->reason : "no server is known");
	end_waiting(link, -E_OFFLINE);
}

static int64_t head_start_ms(const struct link *link)
{
	size_t ways = failover_ways(link->failover);
	int64_t ms = HEAD_STARTS_MS / (ways > 1 ? (int64_t)ways - 1 : 1);

	return ms > HEAD_START_MS ? HEAD_START_MS : ms < HEAD_START_MIN_MS ? HEAD_START_MIN_MS : ms;
}

static int attempt_begin(struct link *link, struct server *server)
{
	struct attempt *attempt = talloc_zero(link, struct attempt);

	if (!attempt)
		return -ENOMEM;
	attempt->link = link;
	attempt->server = server;
	attempt->began_us = monotonic_us();
	attempt->req = server ? setup_send(attempt, link->domain, server)
	                      : failover_discover_send(attempt, link->failover);
	if (!attempt->req) {
		talloc_free(attempt);
		return -ENOMEM;
	}
	tevent_req_set_callback(attempt->req, server ? server_ready : discovered, attempt);
	list_init(&attempt->node);
	list_append(&link->attempts, &attempt->node);
	return 0;
}

static void next_attempt(struct link *link)
{
	struct server *server = NULL;
	enum failover_step step = failover_next(link->failover, &server);

	TALLOC_FREE(link->head_start);
	if (step == FAILOVER_NOTHING && list_empty(&link->attempts)) {
		give_up(link);
		return;
	}
	if (step != FAILOVER_NOTHING &&
	    attempt_begin(link, step == FAILOVER_TRY ? server : NULL) < 0) {
		give_up(link);
		return;
	}
	/* Nothing to do for now? When one has connected, the other addresses of its server may be
	 * tried. And while there is a spare, the last ones have all the time for setting up. */
	link->head_start = timer_once(link, link->ev,
	                              link->spare && step == FAILOVER_NOTHING ? HEAD_START_MS
	                                                                      : head_start_ms(link),
	                              head_start_over, link);
}

static void head_start_over(void *data)
{
	struct link *link = data;
	struct server *server;

	link->head_start = NULL;
	if (link->spare && failover_next(link->failover, &server) == FAILOVER_NOTHING)
		give_up(link);
	else
		next_attempt(link);
}

static void discovered(struct tevent_req *subreq)
{
	struct attempt *attempt = tevent_req_callback_data(subreq, struct attempt);
	struct link *link = attempt->link;
	char *reason = NULL;
	int r = failover_discover_recv(subreq, link, &reason);

	attempt_end(attempt);
	if (r < 0) {
		log_at(link->dns_told ? LEVEL_DEBUG : LEVEL_WARN, NULL, "%s",
		       reason ? reason : error_text(r));
		talloc_free(link->reason);
		link->reason = reason;
	}
	link->dns_told = r < 0;
	next_attempt(link);
}

static void patience_over(void *data)
{
	struct link *link = data;
	auto_talloc char *reason = NULL;

	link->patience = NULL;
	if (link->spare) {
		give_up(link);
		return;
	}
	reason = talloc_asprintf(link, "no success within %d ms, waiting for %s", PATIENCE_MS,
	                         link_waits_for(link));
	online_failed(link->domain->host->online, reason ? reason : "no memory");
	end_waiting(link, -E_OFFLINE);
}

/* ---- a connection that stands ---- */

static void forget_conn(struct link *link)
{
	/* What looked for another connection beside it goes on, and now somebody may wait for it.
	 */
	if ((link->doubting || link->lacking) && link->connecting)
		link->patience = timer_once(link, link->ev, PATIENCE_MS, patience_over, link);
	link->doubting = false;
	if (link->conn)
		link->usual_us = conn_usual_us(link->conn);
	link->conn = NULL;
	link->held_us = link->useless_us = 0;
	link->lacking = link->elsewhere = 0;
	link->renewing = false;
	link->page_size = 0;
	TALLOC_FREE(link->where);
	TALLOC_FREE(link->expire);
	TALLOC_FREE(link->idle);
	TALLOC_FREE(link->fail_back);
}

static void expired(void *data)
{
	struct link *link = data;
	struct conn *conn = link->conn;

	link->expire = NULL;
	if (is_held(link) && !link->renewing) {
		link->expire = timer_once(link, link->ev, HELD_LOOK_MS, expired, link);
		if (link->expire)
			return;
	}

	/* The next question connects anew, from the top of the list: so we return to a better
	 * server that was away for a while. */
	forget_conn(link);
	conn_retire(conn);
}

static void idle_look(void *data)
{
	struct link *link = data;
	int64_t limit_ms = (int64_t)link->domain->conf.connection_idle_timeout_s * 1000;
	int64_t idle_ms = (monotonic_us() - conn_used_us(link->conn)) / 1000;

	link->idle = NULL;
	if (idle_ms >= limit_ms && conn_is_idle(link->conn) && !is_held(link)) {
		struct conn *conn = link->conn;

		forget_conn(link);
		conn_close(conn);
		return;
	}
	link->idle = timer_once(link, link->ev, idle_ms >= limit_ms ? limit_ms : limit_ms - idle_ms,
	                        idle_look, link);
}

/* ms, and a random time up to more_ms. */
static int64_t drawn_ms(int64_t ms, int64_t more_ms)
{
	uint64_t random = 0;

	if (more_ms > 0 && getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		random %= (uint64_t)more_ms + 1;
	return ms + (int64_t)random;
}

/* When a better server comes back, not all hosts of a site shall return to it at once. */
static void fail_back_later(struct link *link)
{
	int64_t s = link->domain->host->options->failover_primary_timeout_s;
	int64_t ms = (s < FAIL_BACK_MIN_S ? FAIL_BACK_MIN_S : s) * 1000;

	link->fail_back = timer_once(link, link->ev, drawn_ms(ms, ms / 3), fail_back, link);
}

static void fail_back(void *data)
{
	struct link *link = data;

	link->fail_back = NULL;
	fail_back_later(link);
	if (!link->doubting)
		begin(link, link->lacking == 0);
}

/* In how many ms the connection is to be replaced; 0 = never. left_s is all its tickets allow. */
static int64_t expires_ms(const struct ldap_conf *conf, uint32_t left_s)
{
	int64_t ms = (int64_t)conf->connection_expire_timeout_s * 1000;

	if (ms > 0)
		ms = drawn_ms(ms, (int64_t)conf->connection_expire_offset_s * 1000);
	if (left_s != UINT32_MAX && (ms == 0 || ms > (int64_t)left_s * 1000))
		ms = (int64_t)left_s * 1000;
	return ms;
}

/* How long an operation may be expected to take on a connection that now stands. When nothing but
 * bad is known of the others, they may have been given up for being slow, and this one is no
 * faster: it has more time, until it shows that it does not need that. */
static int64_t expected_us(const struct link *link)
{
	bool only_good = failover_good_ways(link->failover) < 2;

	return only_good && link->usual_us < CONN_SLOW_US ? CONN_SLOW_US : link->usual_us;
}

static void add_bases(const struct server *server, void *data)
{
	uint64_t *bases = data;

	if (server->stood)
		*bases |= ~server->lacking;
}

static void take_conn(struct link *link, const struct found *found)
{
	const struct ldap_conf *conf = &link->domain->conf;
	struct conn *conn = found->ready.conn, *before = link->conn;
	int64_t ms = expires_ms(conf, found->ready.left_s);
	bool doubted = link->doubting;

	forget_conn(link);
	link->conn = conn;
	link->generation++;
	link->where = talloc_strdup(link, found->where);
	link->address = found->ready.address;
	link->backup = found->backup;
	link->lacking = found->ready.lacking;
	failover_each(link->failover, add_bases, &link->elsewhere);
	link->elsewhere &= link->lacking;
	conn_give(conn, link, conn_is_lost, link);
	conn_watch(conn, link->domain->bases[SEARCH_USERS].items[0].dn, expected_us(link),
	           failover_ways(link->failover) > 1 ? conn_is_doubted : NULL);
	if (found->ready.left_s != UINT32_MAX)
		link->useless_us = monotonic_us() + (int64_t)found->ready.left_s * INT64_C(1000000);
	if (ms > 0)
		link->expire = timer_once(link, link->ev, ms, expired, link);
	if (conf->connection_idle_timeout_s > 0)
		link->idle =
			timer_once(link, link->ev, (int64_t)conf->connection_idle_timeout_s * 1000,
		                   idle_look, link);
	if (link->backup || link->lacking)
		fail_back_later(link);
	if (before && doubted)
		conn_close(before); /* what is under way on it is asked again, here */
	else if (before)
		conn_retire(before); /* what is under way on it may end */
}

static bool lacks_more(uint64_t lacking, uint64_t than)
{
	return __builtin_popcountll(lacking) > __builtin_popcountll(than);
}

/* Does without the connection found: there is one to a server that has more, which is asked first
 * for a while. */
static void pass_over(struct link *link, const struct found *found)
{
	failover_blame(link->failover, found->where, &found->ready.address,
	               "it lacks a search base that another server has");
	conn_close(found->ready.conn);
}

/* Keeps found, which lacks search bases, in case that nobody has more. */
static void keep(struct link *link, const struct found *found)
{
	auto_talloc struct found *before = take_ptr(link->spare);

	if (before && !lacks_more(before->ready.lacking, found->ready.lacking)) {
		conn_close(found->ready.conn);
		link->spare = take_ptr(before);
		return;
	}
	if (before)
		pass_over(link, before);
	link->spare = talloc_memdup(link, found, sizeof(*found));
	if (link->spare)
		link->spare->where = talloc_strdup(link->spare, found->where);
	if (!link->spare || !link->spare->where) {
		conn_close(found->ready.conn);
		TALLOC_FREE(link->spare);
		return;
	}
	conn_give(found->ready.conn, link, conn_is_lost, link);
}

/* Than the connection that stands. */
static bool is_better(const struct link *link, const struct found *found)
{
	if (lacks_more(found->ready.lacking, link->lacking))
		return false;
	return lacks_more(link->lacking, found->ready.lacking) || (link->backup && !found->backup);
}

/* found is the best there is, but for a connection that stands and may be better. */
static void take(struct link *link, const struct found *found)
{
	auto_talloc struct found *spare = take_ptr(link->spare);
	struct attempt *other;

	if (spare)
		pass_over(link, spare);
	if (link->conn && !link->doubting && !is_better(link, found)) {
		if (lacks_more(found->ready.lacking, link->lacking))
			pass_over(link, found);
		else
			conn_close(found->ready.conn);
		stop_attempts(link);
		return;
	}

	/* Those that had their head start and did not make it come last for a while. */
	list_for_each(other, &link->attempts, node)
		if (other->server && monotonic_us() - other->began_us >= head_start_ms(link) * 1000)
			setup_pass_over(other->req, "slower than another server");
	stop_attempts(link);

	take_conn(link, found);
	online_succeeded(link->domain->host->online, found->where);
	end_waiting(link, 0);
}

static void server_ready(struct tevent_req *subreq)
{
	struct attempt *attempt = tevent_req_callback_data(subreq, struct attempt);
	struct link *link = attempt->link;
	struct server *server = attempt->server;
	auto_talloc char *reason = NULL;
	struct found found = { .where = server->name.text, .backup = server->backup };
	int r = setup_recv(subreq, link, &found.ready, &reason);
	bool lacks = r == 0 && found.ready.lacking != 0;

	attempt_end(attempt);
	metrics_count(r < 0 ? METRICS_CONNECTIONS_FAILED : METRICS_CONNECTIONS);
	/* That the only one does not work the domain's own line will say. */
	if (r < 0 || lacks)
		log_at(server->told || (r < 0 && failover_ways(link->failover) < 2) ? LEVEL_DEBUG
		                                                                    : LEVEL_WARN,
		       NULL, "%s", reason ? reason : "no memory");
	server->told = r < 0 || lacks;
	if (r == 0) {
		server->stood = true;
		server->lacking = found.ready.lacking;
	}
	if (r < 0) {
		talloc_free(link->reason);
		link->reason = take_ptr(reason);
	} else if (lacks) {
		keep(link, &found);
	} else {
		take(link, &found);
		return;
	}
	next_attempt(link);
}

/* A connection that ends is no evidence that its server is down: servers close idle ones, and
 * restart. The next attempt will tell. One that stopped answering is. */
static void conn_is_lost(struct conn *conn, const char *reason, void *data)
{
	struct link *link = data;
	bool busy = !conn_is_idle(conn);

	if (link->spare && conn == link->spare->ready.conn)
		TALLOC_FREE(link->spare);
	if (conn != link->conn)
		return; /* one that was retired */

	log_at(busy ? LEVEL_WARN : LEVEL_DEBUG, NULL, "%s: %s", link->where ? link->where : "",
	       reason);
	if (busy)
		failover_blame(link->failover, link->where ? link->where : "", &link->address,
		               reason);
	forget_conn(link);
}

static void conn_is_doubted(struct conn *conn, bool doubt, void *data)
{
	struct link *link = data;
	const char *where = link->where ? link->where : "";

	if (conn != link->conn)
		return; /* one that was retired */
	if (doubt) {
		log_notice("%s: no answer: others are tried beside it", where);
		failover_blame(link->failover, where, &link->address, "no answer");
		link->doubting = true;
		if (!link->connecting)
			begin(link, false);
		else if (failover_widen(link->failover))
			next_attempt(link); /* the primary ones were looked for, alone */
	} else if (link->doubting) {
		link->doubting = false;
		failover_blame(link->failover, where, &link->address, NULL);
		stop_attempts(link);
	}
}

bool link_blame(struct link *link, struct conn *conn, const char *reason)
{
	if (failover_ways(link->failover) < 2)
		return false;
	if (conn != link->conn)
		return true; /* replaced already */

	log_warn("%s: %s", link->where ? link->where : "", reason);
	failover_blame(link->failover, link->where ? link->where : "", &link->address, reason);
	forget_conn(link);
	conn_retire(conn);
	return true;
}

void link_renew(struct link *link, struct conn *conn)
{
	struct timer *soon;

	if (conn != link->conn || link->renewing)
		return;
	soon = timer_once(link, link->ev, RENEW_MS, expired, link);
	if (!soon)
		return;
	log_notice("%s: it is connected to anew", link_where(link));
	talloc_free(link->expire);
	link->expire = soon;
	link->renewing = true;
}

void link_check(struct link *link)
{
	failover_forget(link->failover);

	if (link->conn) {
		conn_check(link->conn);
		if (link->fail_back && !link->connecting)
			begin(link, !link->doubting && !link->lacking);
	} else if (link->connecting && monotonic_us() - link->began_us > STALE_ATTEMPT_US) {
		begin(link, false);
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
