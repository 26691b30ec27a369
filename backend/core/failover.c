/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Failover - see failover.h
 *
 * The list is made of slots: a server of the configuration, or a place for those of DNS. A server
 * that DNS no longer names is kept until the next round begins, for somebody may be connecting.
 */
#include "backend/core/failover.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"

#define PASSED_OVER_MS 30000
#define DOMAINS_MAX    2

struct slot {
	struct list node;
	struct list servers; /* of struct server */
	bool backup;
	const char *service; /* NULL: of the configuration */
	char *domains[DOMAINS_MAX];
	bool asked;                 /* in this round */
	struct deadline good_until; /* us == 0: ask */
};

struct failover {
	struct tevent_context *ev;      /* borrowed */
	const struct domain_conf *conf; /* borrowed */
	failover_name *name;
	void *data;
	struct list slots; /* the primary ones first */
	struct list gone;  /* of struct server */
	bool only_primary;
};

struct discover_state {
	struct failover *failover;
	struct slot *slot;
	unsigned domain; /* which is asked */
	char *query;
	struct deadline deadline;
};

static void ask_dns(struct tevent_req *req);
static void discovered(struct tevent_req *subreq);

/* ---- the list ---- */

struct failover *failover_new(TALLOC_CTX *mem, struct tevent_context *ev,
                              const struct domain_conf *conf, failover_name *name, void *data)
{
	struct failover *failover = talloc_zero(mem, struct failover);

	if (!failover)
		return NULL;
	failover->ev = ev;
	failover->conf = conf;
	failover->name = name;
	failover->data = data;
	list_init(&failover->slots);
	list_init(&failover->gone);
	return failover;
}

static struct slot *add_slot(struct failover *failover, bool backup)
{
	struct slot *slot = talloc_zero(failover, struct slot), *other;
	struct list *before = &failover->slots;

	if (!slot)
		return NULL;
	slot->backup = backup;
	list_init(&slot->node);
	list_init(&slot->servers);
	if (!backup)
		list_for_each(other, &failover->slots, node)
			if (other->backup) {
				before = &other->node;
				break;
			}
	list_append(before, &slot->node);
	return slot;
}

static int add_server(struct slot *slot, const struct server_name *name)
{
	struct server *server = talloc_zero(slot, struct server);

	if (!server)
		return -ENOMEM;
	server->name = *name;
	talloc_steal(server, name->text);
	talloc_steal(server, name->host);
	server->backup = slot->backup;
	list_init(&server->node);
	list_append(&slot->servers, &server->node);
	return 0;
}

int failover_add(struct failover *failover, const struct server_name *name, bool backup)
{
	struct slot *slot = add_slot(failover, backup);

	return slot ? add_server(slot, name) : -ENOMEM;
}

int failover_add_discovered(struct failover *failover, const char *service, const char *domain)
{
	struct slot *slot = add_slot(failover, false);
	unsigned n = 0;

	if (!slot)
		return -ENOMEM;
	slot->service = talloc_strdup(slot, service);
	if (failover->conf->dns_discovery_domain) {
		slot->domains[n] = talloc_strdup(slot, failover->conf->dns_discovery_domain);
	} else {
		slot->domains[n] = resolve_own_domain(slot);
		if (slot->domains[n] && strcasecmp(slot->domains[n], domain) != 0)
			n++;
		slot->domains[n] = talloc_strdup(slot, domain);
	}
	return slot->service && slot->domains[n] ? 0 : -ENOMEM;
}

/* ---- health ---- */

static struct endpoint *find_endpoint(struct endpoint *endpoints, size_t count,
                                      const struct address *address)
{
	for (size_t i = 0; i < count; i++)
		if (address_equal(&endpoints[i].address, address))
			return &endpoints[i];
	return NULL;
}

bool health_is_bad(const struct health *health)
{
	return health->passed_over.us != 0 && !deadline_passed(health->passed_over);
}

void health_failed(TALLOC_CTX *mem, struct health *health, const char *reason)
{
	talloc_free(health->reason);
	health->reason = talloc_strdup(mem, reason);
	health->passed_over = deadline_in_ms(PASSED_OVER_MS);
}

void health_works(struct health *health)
{
	TALLOC_FREE(health->reason);
	health->passed_over = (struct deadline){ 0 };
}

/* One good address is enough. */
bool server_is_bad(const struct server *server)
{
	for (size_t i = 0; i < server->n_endpoints; i++)
		if (!health_is_bad(&server->endpoints[i].health))
			return false;
	return server->n_endpoints > 0 || health_is_bad(&server->health);
}

void failover_blame(struct failover *failover, const char *text, const struct address *address,
                    const char *reason)
{
	struct endpoint *endpoint;
	struct server *server;
	struct slot *slot;

	list_for_each(slot, &failover->slots, node)
		list_for_each(server, &slot->servers, node) {
			if (strcmp(server->name.text, text) != 0)
				continue;
			endpoint = find_endpoint(server->endpoints, server->n_endpoints, address);
			if (endpoint && reason)
				health_failed(server, &endpoint->health, reason);
			else if (endpoint)
				health_works(&endpoint->health);
		}
}

void failover_forget(struct failover *failover)
{
	struct server *server;
	struct slot *slot;

	list_for_each(slot, &failover->slots, node) {
		slot->good_until = (struct deadline){ 0 };
		list_for_each(server, &slot->servers, node) {
			health_works(&server->health);
			for (size_t i = 0; i < server->n_endpoints; i++)
				health_works(&server->endpoints[i].health);
		}
	}
}

/* ---- a round ---- */

void failover_begin(struct failover *failover, bool only_primary)
{
	struct server *server;
	struct slot *slot;

	failover->only_primary = only_primary;
	while (!list_empty(&failover->gone)) {
		server = list_item(failover->gone.next, struct server, node);
		list_remove(&server->node);
		talloc_free(server);
	}
	list_for_each(slot, &failover->slots, node) {
		slot->asked = false;
		list_for_each(server, &slot->servers, node) {
			server->busy = server->resolved = false;
			for (size_t i = 0; i < server->n_endpoints; i++)
				server->endpoints[i].tried = false;
		}
	}
}

bool failover_widen(struct failover *failover)
{
	bool was = failover->only_primary;

	failover->only_primary = false;
	return was;
}

static bool is_due(const struct slot *slot)
{
	return slot->service && !slot->asked &&
	       (slot->good_until.us == 0 || deadline_passed(slot->good_until));
}

static bool can_be_tried(const struct server *server, bool also_passed_over)
{
	if (server->busy)
		return false;
	if (!server->resolved)
		return also_passed_over || !server_is_bad(server);
	for (size_t i = 0; i < server->n_endpoints; i++)
		if (!server->endpoints[i].tried &&
		    (also_passed_over || !health_is_bad(&server->endpoints[i].health)))
			return true;
	return false;
}

/* In order: first whom nothing speaks against, backup or not, then the others. */
static enum failover_step next(struct failover *failover, struct slot **ret_slot,
                               struct server **ret_server)
{
	struct server *server;
	struct slot *slot;

	for (int pass = 0; pass < 2; pass++)
		list_for_each(slot, &failover->slots, node) {
			if (slot->backup && failover->only_primary)
				continue;
			*ret_slot = slot;
			if (is_due(slot))
				return FAILOVER_DISCOVER;
			list_for_each(server, &slot->servers, node) {
				if (!can_be_tried(server, pass == 1))
					continue;
				*ret_server = server;
				return FAILOVER_TRY;
			}
		}
	return FAILOVER_NOTHING;
}

enum failover_step failover_next(struct failover *failover, struct server **ret_server)
{
	struct slot *slot;

	return next(failover, &slot, ret_server);
}

int failover_set_addresses(struct server *server, const struct address *addresses, size_t count)
{
	struct endpoint *endpoints = talloc_zero_array(server, struct endpoint, (unsigned)count);
	size_t n = 0;

	if (!endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct endpoint *known =
			find_endpoint(server->endpoints, server->n_endpoints, &addresses[i]);

		if (find_endpoint(endpoints, n, &addresses[i]))
			continue;
		endpoints[n].address = addresses[i];
		if (known) {
			endpoints[n].health = known->health;
			known->health.reason = NULL; /* its owner is the server */
		}
		n++;
	}
	for (size_t i = 0; i < server->n_endpoints; i++)
		talloc_free(server->endpoints[i].health.reason);
	talloc_free(server->endpoints);
	server->endpoints = endpoints;
	server->n_endpoints = n;
	return 0;
}

/* ---- discovery ---- */

struct tevent_req *failover_discover_send(TALLOC_CTX *mem, struct failover *failover)
{
	struct discover_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct discover_state);
	struct server *server;

	if (!req)
		return NULL;
	state->failover = failover;
	state->deadline = deadline_in_ms((int64_t)failover->conf->dns_resolver_timeout_s * 1000);
	if (next(failover, &state->slot, &server) != FAILOVER_DISCOVER)
		return req_finish_now(req, failover->ev, 0);
	state->slot->asked = true;
	tevent_req_defer_callback(req, failover->ev);
	ask_dns(req);
	return req;
}

static void ask_dns(struct tevent_req *req)
{
	struct discover_state *state = tevent_req_data(req, struct discover_state);
	struct tevent_req *subreq;

	talloc_free(state->query);
	state->query = talloc_asprintf(state, "_%s._tcp.%s", state->slot->service,
	                               state->slot->domains[state->domain]);
	if (tevent_req_nomem(state->query, req))
		return;
	subreq = resolve_srv_send(state, state->failover->ev, state->failover->conf, state->query,
	                          deadline_left_ms(state->deadline));
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, discovered, req);
}

static struct server *take_server(struct list *servers, const char *text)
{
	struct server *server;

	list_for_each(server, servers, node)
		if (strcmp(server->name.text, text) == 0) {
			list_remove(&server->node);
			return server;
		}
	return NULL;
}

/* The servers of slot are those of records from now on; who was there before stays as it is. */
static int replace(struct failover *failover, struct slot *slot, const struct srv *records,
                   size_t count)
{
	struct list before;
	int r = 0;

	list_init(&before);
	list_move(&before, &slot->servers);
	for (size_t i = 0; i < count && r == 0; i++) {
		struct server_name name = { 0 };
		struct server *server;

		r = failover->name(slot, &records[i], &name, failover->data);
		if (r == -EINVAL) {
			auto_talloc char *printable =
				str_printable(NULL, records[i].host, strlen(records[i].host));

			log_warn("DNS names %s as a server: that is no host name",
			         printable ? printable : "something");
			r = 0;
			continue;
		}
		if (r < 0)
			break;
		server = take_server(&before, name.text);
		if (server) {
			list_append(&slot->servers, &server->node);
			talloc_free(name.text);
			talloc_free(name.host);
		} else {
			r = add_server(slot, &name);
		}
	}
	list_move(&failover->gone, &before);
	return r;
}

static void discovered(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct discover_state *state = tevent_req_data(req, struct discover_state);
	struct srv *records;
	uint32_t ttl_s;
	size_t count;
	int r = resolve_srv_recv(subreq, state, &records, &count, &ttl_s);

	TALLOC_FREE(subreq);
	if (r < 0 && state->domain + 1 < DOMAINS_MAX && state->slot->domains[state->domain + 1] &&
	    !deadline_passed(state->deadline)) {
		state->domain++;
		ask_dns(req);
		return;
	}
	if (r == 0) {
		log_debug("%s: %zu servers, for %u s", state->query, count, ttl_s);
		r = replace(state->failover, state->slot, records, count);
		state->slot->good_until = deadline_in_ms((int64_t)ttl_s * 1000);
	}
	req_finish(req, r);
}

int failover_discover_recv(struct tevent_req *req, TALLOC_CTX *mem, char **ret_reason)
{
	struct discover_state *state = tevent_req_data(req, struct discover_state);
	int r = req_result(req);

	if (r < 0)
		*ret_reason = talloc_asprintf(
			mem, "%s: %s", state->query ? state->query : "DNS",
			r == -ENOENT         ? "DNS names no server"
			: r == -EHOSTUNREACH ? "the name servers cannot be reached"
			: r == -ETIMEDOUT
				? "no answer from the name servers (dns_resolver_op_timeout)"
			: r == -EBADMSG ? "the name servers answer nonsense"
					: error_text(r));
	tevent_req_received(req);
	return r;
}

/* ---- to look at ---- */

void failover_each(const struct failover *failover,
                   void (*each)(const struct server *server, void *data), void *data)
{
	struct server *server;
	struct slot *slot;

	list_for_each(slot, &failover->slots, node)
		list_for_each(server, &slot->servers, node)
			each(server, data);
}

static void count_ways(const struct server *server, void *data)
{
	*(size_t *)data += server->n_endpoints > 1 ? server->n_endpoints : 1;
}

size_t failover_ways(const struct failover *failover)
{
	size_t ways = 0;

	failover_each(failover, count_ways, &ways);
	return ways;
}

static void count_good_ways(const struct server *server, void *data)
{
	size_t *ways = data;

	if (server->n_endpoints == 0 && !health_is_bad(&server->health))
		++*ways;
	for (size_t i = 0; i < server->n_endpoints; i++)
		if (!health_is_bad(&server->endpoints[i].health))
			++*ways;
}

size_t failover_good_ways(const struct failover *failover)
{
	size_t ways = 0;

	failover_each(failover, count_good_ways, &ways);
	return ways;
}
