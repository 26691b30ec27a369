/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resolve - see resolve.h
 *
 * A channel of c-ares for each question: connections are opened rarely, and so a changed
 * resolv.conf needs no notice. ares_destroy() must not run inside one of the channel's callbacks,
 * hence the deferred end.
 */
#include "backend/core/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/list.h"
#include "common/base/time.h"
#include "common/event/req.h"
#include "common/event/timer.h"

struct resolve_state {
	struct tevent_context *ev; /* borrowed */
	struct tevent_req *req;
	ares_channel channel; /* owned */
	struct list sockets;  /* of struct watch */
	struct timer *timer;
	bool freed; /* the channel is going away: its callbacks must not touch req */
	enum family_order order;
	struct address *addresses; /* owned */
	struct srv *records;       /* owned */
	size_t count;              /* of what was asked for */
	uint32_t ttl_s;
};

struct watch {
	struct list node;
	struct resolve_state *state;
	struct tevent_fd *fde;
	ares_socket_t fd;
};

static void resolved(void *data, int status, int timeouts, struct ares_addrinfo *info);
static void answered(void *data, int status, int timeouts, unsigned char *bytes, int size);

/* 0 or the code for a status of c-ares. */
static int ares_error(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
	case ARES_ENONAME:
		return -ENOENT;
	case ARES_ENOMEM:
		return -ENOMEM;
	default:
		return -EHOSTUNREACH;
	}
}

/* ---- c-ares on tevent ---- */

static void arm_timer(struct resolve_state *state);

static void timer_due(void *data)
{
	struct resolve_state *state = data;

	state->timer = NULL;
	ares_process_fd(state->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm_timer(state);
}

static void arm_timer(struct resolve_state *state)
{
	struct timeval left, *due = ares_timeout(state->channel, NULL, &left);

	TALLOC_FREE(state->timer);
	if (due && tevent_req_is_in_progress(state->req))
		state->timer =
			timer_once(state, state->ev, due->tv_sec * 1000 + due->tv_usec / 1000 + 1,
		                   timer_due, state);
}

static void socket_ready(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                         void *data)
{
	struct watch *watch = data;
	struct resolve_state *state = watch->state;

	(void)ev;
	(void)fde;
	ares_process_fd(state->channel, flags & TEVENT_FD_READ ? watch->fd : ARES_SOCKET_BAD,
	                flags & TEVENT_FD_WRITE ? watch->fd : ARES_SOCKET_BAD);
	arm_timer(state);
}

static void socket_changed(void *data, ares_socket_t fd, int readable, int writable)
{
	uint16_t flags =
		(uint16_t)((readable ? TEVENT_FD_READ : 0) | (writable ? TEVENT_FD_WRITE : 0));
	struct resolve_state *state = data;
	struct watch *watch;

	list_for_each(watch, &state->sockets, node) {
		if (watch->fd != fd)
			continue;
		if (flags == 0) {
			list_remove(&watch->node);
			talloc_free(watch);
		} else {
			tevent_fd_set_flags(watch->fde, flags);
		}
		return;
	}
	if (flags == 0 || state->freed)
		return;

	/* Without memory this socket is not watched, and the question times out. */
	watch = talloc_zero(state, struct watch);
	if (!watch)
		return;
	watch->state = state;
	watch->fd = fd;
	list_init(&watch->node);
	watch->fde = tevent_add_fd(state->ev, watch, fd, flags, socket_ready, watch);
	list_append(&state->sockets, &watch->node);
}

/* ---- addresses as such ---- */

static int make_address(struct address *ret_address, int family, const void *bytes, uint16_t port)
{
	*ret_address = (struct address){ 0 };
	if (family == AF_INET) {
		ret_address->v4.sin_family = AF_INET;
		ret_address->v4.sin_port = htons(port);
		memcpy(&ret_address->v4.sin_addr, bytes, sizeof(ret_address->v4.sin_addr));
		ret_address->size = sizeof(ret_address->v4);
		return 0;
	}
	if (family == AF_INET6) {
		ret_address->v6.sin6_family = AF_INET6;
		ret_address->v6.sin6_port = htons(port);
		memcpy(&ret_address->v6.sin6_addr, bytes, sizeof(ret_address->v6.sin6_addr));
		ret_address->size = sizeof(ret_address->v6);
		return 0;
	}
	return -EAFNOSUPPORT;
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	switch (a->any.sa_family) {
	case AF_INET:
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	case AF_INET6:
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
	default:
		return strcmp(a->local.sun_path, b->local.sun_path) == 0;
	}
}

char *address_text(TALLOC_CTX *mem, const struct address *address)
{
	char text[INET6_ADDRSTRLEN] = "local";

	if (address->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
	else if (address->any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
	return talloc_strdup(mem, text);
}

static int numeric(struct resolve_state *state, const char *host, uint16_t port)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	int family = AF_UNSPEC;

	if (inet_pton(AF_INET, host, bytes) == 1)
		family = AF_INET;
	else if (inet_pton(AF_INET6, host, bytes) == 1)
		family = AF_INET6;
	else
		return -ENOENT;

	state->addresses = talloc_zero(state, struct address);
	if (!state->addresses)
		return -ENOMEM;
	state->count = 1;
	return make_address(state->addresses, family, bytes, port);
}

/* ---- the request ---- */

static void resolve_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct resolve_state *state = tevent_req_data(req, struct resolve_state);

	/* Only here, never from a callback of the channel: c-ares is still at work above that. */
	if (req_state != TEVENT_REQ_RECEIVED || !state->channel)
		return;
	state->freed = true;
	ares_destroy(state->channel);
	state->channel = NULL;
}

/* How often a name server is asked. c-ares waits twice as long each time: all of it shall fit into
 * dns_resolver_op_timeout. */
static int tries(const struct domain_conf *conf)
{
	int64_t limit_ms = (int64_t)conf->dns_resolver_op_timeout_s * 1000;
	int64_t wait_ms = conf->dns_resolver_server_timeout_ms, sum_ms = wait_ms;
	int n = 1;

	while (n < 8 && sum_ms + (wait_ms *= 2) <= limit_ms) {
		sum_ms += wait_ms;
		n++;
	}
	return n;
}

static int open_channel(struct tevent_req *req, const struct domain_conf *conf, int64_t timeout_ms)
{
	struct resolve_state *state = tevent_req_data(req, struct resolve_state);
	int64_t op_ms = (int64_t)conf->dns_resolver_op_timeout_s * 1000;
	struct ares_options options = { .timeout = (int)conf->dns_resolver_server_timeout_ms,
		                        .tries = tries(conf),
		                        .lookups = (char[]){ "fb" },
		                        .sock_state_cb = socket_changed,
		                        .sock_state_cb_data = state };
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
	int r;

	if (!conf->dns_resolver_use_search_list)
		mask |= ARES_OPT_DOMAINS; /* none */
	r = ares_error(ares_init_options(&state->channel, &options, mask));
	if (r < 0)
		return r;
	tevent_req_set_cleanup_fn(req, resolve_cleanup);

	/* The answer may come at once, from /etc/hosts. */
	tevent_req_defer_callback(req, state->ev);
	return req_set_deadline(req, state->ev,
	                        deadline_in_ms(timeout_ms < op_ms ? timeout_ms : op_ms));
}

static struct tevent_req *create(TALLOC_CTX *mem, struct tevent_context *ev,
                                 struct resolve_state **ret_state)
{
	struct tevent_req *req = tevent_req_create(mem, ret_state, struct resolve_state);

	if (!req)
		return NULL;
	(*ret_state)->ev = ev;
	(*ret_state)->req = req;
	list_init(&(*ret_state)->sockets);
	return req;
}

/* ---- addresses of a host ---- */

static int family_of(enum family_order order)
{
	return order == FAMILY_IPV4_ONLY   ? AF_INET
	       : order == FAMILY_IPV6_ONLY ? AF_INET6
	                                   : AF_UNSPEC;
}

struct tevent_req *resolve_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                const struct domain_conf *conf, const char *host, uint16_t port,
                                int64_t timeout_ms)
{
	struct ares_addrinfo_hints hints = { .ai_socktype = SOCK_STREAM,
		                             .ai_flags = ARES_AI_NUMERICSERV };
	struct resolve_state *state;
	struct tevent_req *req = create(mem, ev, &state);
	char service[6];
	int r;

	if (!req)
		return NULL;
	state->order = (enum family_order)conf->lookup_family_order;
	hints.ai_family = family_of(state->order);

	r = numeric(state, host, port);
	if (r != -ENOENT)
		return req_finish_now(req, ev, r);
	r = open_channel(req, conf, timeout_ms);
	if (r < 0)
		return req_finish_now(req, ev, r);

	snprintf(service, sizeof(service), "%u", port);
	ares_getaddrinfo(state->channel, host, service, &hints, resolved, state);
	arm_timer(state);
	return req;
}

static void resolved(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolve_state *state = data;
	int preferred = state->order >= FAMILY_IPV6_FIRST ? AF_INET6 : AF_INET;
	int r = ares_error(status);
	size_t n = 0;

	(void)timeouts;
	if (state->freed || r < 0)
		goto end;

	for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
		n++;
	state->addresses = talloc_zero_array(state, struct address, (unsigned)n);
	if (!state->addresses) {
		r = -ENOMEM;
		goto end;
	}

	/* The preferred family first, each in the order of the answer. */
	for (int pass = 0; pass < 2; pass++)
		for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
			if ((node->ai_family == preferred) == (pass == 0) &&
			    node->ai_addrlen <= sizeof(struct sockaddr_in6)) {
				struct address *address = &state->addresses[state->count++];

				memcpy(&address->any, node->ai_addr, node->ai_addrlen);
				address->size = node->ai_addrlen;
			}
	if (state->count == 0)
		r = -ENOENT;

end:
	if (info)
		ares_freeaddrinfo(info);
	if (!state->freed && tevent_req_is_in_progress(state->req))
		req_finish(state->req, r);
}

int resolve_recv(struct tevent_req *req, TALLOC_CTX *mem, struct address **ret_addresses,
                 size_t *ret_count)
{
	struct resolve_state *state = tevent_req_data(req, struct resolve_state);
	int r = req_result(req);

	if (r == 0) {
		*ret_addresses = talloc_move(mem, &state->addresses);
		*ret_count = state->count;
	}
	tevent_req_received(req);
	return r;
}

/* ---- servers of a service ---- */

struct tevent_req *resolve_srv_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                    const struct domain_conf *conf, const char *name,
                                    int64_t timeout_ms)
{
	struct resolve_state *state;
	struct tevent_req *req = create(mem, ev, &state);
	int r;

	if (!req)
		return NULL;
	r = open_channel(req, conf, timeout_ms);
	if (r < 0)
		return req_finish_now(req, ev, r);
	ares_query(state->channel, name, C_IN, T_SRV, answered, state);
	arm_timer(state);
	return req;
}

static void answered(void *data, int status, int timeouts, unsigned char *bytes, int size)
{
	struct resolve_state *state = data;
	int r = ares_error(status);

	(void)timeouts;
	if (state->freed || !tevent_req_is_in_progress(state->req))
		return;
	if (r == 0)
		r = srv_parse(state, bytes, (size_t)size, &state->records, &state->count,
		              &state->ttl_s);
	if (r == 0)
		srv_sort(state->records, state->count);
	req_finish(state->req, r);
}

int resolve_srv_recv(struct tevent_req *req, TALLOC_CTX *mem, struct srv **ret_records,
                     size_t *ret_count, uint32_t *ret_ttl_s)
{
	struct resolve_state *state = tevent_req_data(req, struct resolve_state);
	int r = req_result(req);

	if (r == 0) {
		*ret_records = talloc_move(mem, &state->records);
		*ret_count = state->count;
		*ret_ttl_s = state->ttl_s;
	}
	tevent_req_received(req);
	return r;
}

/* ---- our own name ---- */

static char *domain_of(TALLOC_CTX *mem, const char *host)
{
	const char *dot = host ? strchr(host, '.') : NULL;

	return dot && dot[1] ? talloc_strdup(mem, dot + 1) : NULL;
}

char *resolve_own_domain(TALLOC_CTX *mem)
{
	struct hostent *entry = NULL;
	ares_channel channel;
	char host[256] = "";
	char *domain;

	gethostname(host, sizeof(host) - 1);
	domain = domain_of(mem, host);
	if (domain || ares_init(&channel) != ARES_SUCCESS)
		return domain;
	if (ares_gethostbyname_file(channel, host, AF_INET, &entry) == ARES_SUCCESS ||
	    ares_gethostbyname_file(channel, host, AF_INET6, &entry) == ARES_SUCCESS) {
		domain = domain_of(mem, entry->h_name);
		ares_free_hostent(entry);
	}
	ares_destroy(channel);
	return domain;
}
