/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets - see tickets.h
 *
 *   tickets_get_send ─ good ──────────────────────────────────▶ tickets_get_recv
 *        │               └─ in its last quarter ─▶ (ldap_child) ─▶ refreshed, nobody waits
 *        └─ none, refused, or about to end ─▶ (ldap_child) ─▶ fetched ─▶ tickets_get_recv
 *
 * The cache is a file of memory (memfd_create(2)) that has no name but its descriptor's. Another
 * one takes its number whole: whoever reads meanwhile has the one or the other.
 */
#include "backend/ldap/tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/ldap/child_proto.h"
#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/str.h"
#include "common/event/ask.h"
#include "common/event/helper.h"
#include "common/event/req.h"

#define SPARE_MAX_S  60 /* before the end of a ticket, connections made with it end */
#define SPARE_PART   8  /* of a life, if that is less */
#define REFRESH_PART 4  /* the last so much of a life */
#define REASON_MAX   400
#define TRY_AGAIN_S  60 /* when one could not be refreshed */

/* The helper's own end comes first, when all is well. */
#define SPARE_MS 1000

struct held {
	struct list node;
	const char *host;
	uint32_t life_s;
	struct boottime until;
	bool is_doubted; /* refused, and no other was asked for since */
	uint8_t *bytes;
	size_t size;
};

struct tickets {
	struct ldap_domain *domain; /* borrowed */
	int fd;                     /* of the cache; its number never changes */
	char *principal;            /* whose they are; NULL = there are none */
	uint8_t *base;
	size_t base_size;
	struct list held;           /* of struct held */
	struct tevent_req *refresh; /* owned */
	struct boottime tried;      /* the last refresh, unless it worked */
};

struct get_state {
	struct tickets *tickets;
	const char *host;
	uint32_t left_s;
	char *reason;
};

static void fetched(struct tevent_req *subreq);
static void refreshed(struct tevent_req *subreq);

/* ---- what there is ---- */

static uint32_t spare_s(uint32_t life_s)
{
	return life_s / SPARE_PART < SPARE_MAX_S ? life_s / SPARE_PART : SPARE_MAX_S;
}

/* How long connections may last that are made with it now. */
static int64_t left_s(const struct held *held)
{
	return held->until.s - boottime_now().s - spare_s(held->life_s);
}

/* Will it do for a new connection? */
static bool is_good(const struct held *held)
{
	return left_s(held) > spare_s(held->life_s);
}

static struct held *find(const struct tickets *tickets, const char *host)
{
	struct held *held;

	list_for_each(held, &tickets->held, node)
		if (strcmp(held->host, host) == 0)
			return held;
	return NULL;
}

static int held_destroy(struct held *held)
{
	list_remove(&held->node);
	if (held->bytes)
		secret_wipe(held->bytes, held->size);
	return 0;
}

static void drop_base(struct tickets *tickets)
{
	if (tickets->base)
		secret_wipe(tickets->base, tickets->base_size);
	TALLOC_FREE(tickets->base);
}

static void drop_all(struct tickets *tickets)
{
	while (!list_empty(&tickets->held))
		talloc_free(list_item(tickets->held.next, struct held, node));
	drop_base(tickets);
	TALLOC_FREE(tickets->principal);
}

void tickets_doubt(struct tickets *tickets, const char *host)
{
	struct held *held = find(tickets, host);

	if (held)
		held->is_doubted = true;
}

static int tickets_destroy(struct tickets *tickets)
{
	TALLOC_FREE(tickets->refresh);
	drop_all(tickets);
	close_fd(&tickets->fd);
	return 0;
}

/* ---- the cache ---- */

static int new_cache(int *ret_fd)
{
	int fd = memfd_create("tickets", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int write_bytes(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int replace_cache(struct tickets *tickets)
{
	struct held *held;
	auto_close int fd = -1;
	int r = new_cache(&fd);

	if (r == 0)
		r = write_bytes(fd, tickets->base, tickets->base_size);
	list_for_each(held, &tickets->held, node)
		if (r == 0)
			r = write_bytes(fd, held->bytes, held->size);
	if (r == 0 && dup3(fd, tickets->fd, O_CLOEXEC) < 0)
		r = -errno;
	return r;
}

int tickets_new(TALLOC_CTX *mem, struct ldap_domain *domain, struct tickets **ret_tickets)
{
	auto_talloc struct tickets *tickets = talloc_zero(mem, struct tickets);
	char name[64];
	int r;

	if (!tickets)
		return -ENOMEM;
	tickets->domain = domain;
	list_init(&tickets->held);
	r = new_cache(&tickets->fd);
	if (r < 0)
		return r;
	talloc_set_destructor(tickets, tickets_destroy);
	snprintf(name, sizeof(name), "FILE:/proc/self/fd/%d", tickets->fd);
	if (setenv("KRB5CCNAME", name, true) < 0)
		return -errno;
	*ret_tickets = take_ptr(tickets);
	return 0;
}

/* ---- what came ---- */

static void drop_expired(struct tickets *tickets)
{
	struct list *node = tickets->held.next;

	while (node != &tickets->held) {
		struct held *held = list_item(node, struct held, node);

		node = node->next;
		if (left_s(held) <= 0)
			talloc_free(held);
	}
}

static int keep_base(struct tickets *tickets, const struct child_reply *reply)
{
	if (tickets->principal && strcmp(tickets->principal, reply->text) != 0)
		drop_all(tickets);
	drop_base(tickets);
	if (!tickets->principal)
		tickets->principal = talloc_strdup(tickets, reply->text);
	tickets->base = talloc_memdup(tickets, reply->base, reply->base_size);
	tickets->base_size = reply->base_size;
	return tickets->principal && tickets->base ? 0 : -ENOMEM;
}

static int keep(struct tickets *tickets, const char *host, const struct child_reply *reply)
{
	struct held *held;
	int r;

	talloc_free(find(tickets, host));
	drop_expired(tickets);
	r = keep_base(tickets, reply);
	held = r == 0 ? talloc_zero(tickets, struct held) : NULL;
	if (!held)
		return -ENOMEM;
	list_init(&held->node);
	talloc_set_destructor(held, held_destroy);
	held->host = talloc_strdup(held, host);
	held->bytes = talloc_memdup(held, reply->tickets, reply->tickets_size);
	held->size = reply->tickets_size;
	held->life_s = reply->left_s;
	held->until.s = boottime_now().s + reply->left_s;
	if (!held->host || (held->size > 0 && !held->bytes)) {
		talloc_free(held);
		return -ENOMEM;
	}
	list_append(&tickets->held, &held->node);
	log_info("a ticket of %s%s%s, good for %u s", tickets->principal, *host ? " for ldap/" : "",
	         host, held->life_s);
	return replace_cache(tickets);
}

/* For one ticket. */
static uint32_t limit_s(const struct tickets *tickets)
{
	uint32_t s = tickets->domain->conf.opt_timeout_s;

	return s < CHILD_LIMIT_MAX_S ? s : CHILD_LIMIT_MAX_S;
}

/* Why nothing came, on mem; NULL without memory. */
static char *explain(const struct tickets *tickets, TALLOC_CTX *mem, int r)
{
	if (r == -E_DISCONNECTED || r == -ETIMEDOUT)
		return talloc_asprintf(mem,
		                       "no ticket: ldap_child ended without an answer, as when no "
		                       "KDC has one within %u s (ldap_opt_timeout)",
		                       limit_s(tickets));
	return talloc_asprintf(mem, "no ticket: ldap_child at %s: %s", HELPER_LDAP_SOCKET,
	                       error_text(r));
}

/* What became of it; ret_reason, on mem, in words if nothing. */
static int take_reply(struct tickets *tickets, TALLOC_CTX *mem, const char *host,
                      struct tevent_req *subreq, char **ret_reason)
{
	struct child_reply reply;
	struct reader in;
	int r = ask_recv(subreq, &in);

	if (r == 0)
		r = child_read_reply(&in, &reply);
	if (r < 0) {
		*ret_reason = explain(tickets, mem, r);
	} else if (reply.left_s > 0) {
		r = keep(tickets, host, &reply);
		if (r < 0)
			*ret_reason = talloc_asprintf(mem, "tickets: %s", error_text(r));
	} else {
		*ret_reason = str_printable_up_to(mem, reply.text, strlen(reply.text), REASON_MAX);
		r = -E_BIND;
	}
	return r;
}

/* ---- asking ---- */

/* Errors: errno of connect(2), the helper cannot be reached. */
static int ask(TALLOC_CTX *mem, const struct tickets *tickets, const char *host,
               struct tevent_req **ret_req)
{
	const struct provider_host *provider = tickets->domain->host;
	struct writer out = writer_new(CHILD_MESSAGE_MAX);
	struct child_request request = {
		.limit_s = limit_s(tickets),
		.domain = provider->domain,
		.host = host,
	};
	int fd, r;

	child_write_request(&out, &request);
	r = writer_end(&out);
	if (r == 0)
		r = fd_connect_unix(HELPER_LDAP_SOCKET, &fd);
	if (r == 0) {
		*ret_req = ask_send(mem, provider->ev, fd, &out, CHILD_MESSAGE_MAX,
		                    (int64_t)request.limit_s * 1000 + SPARE_MS);
		r = *ret_req ? 0 : -ENOMEM;
	}
	writer_free(&out);
	return r;
}

struct refresh_state {
	struct tickets *tickets;
	char *host;
};

static void tell_not_refreshed(const char *reason)
{
	log_warn("the ticket in use is not renewed yet: %s", reason);
}

/* Behind what is still good; a failure is told, and tried again with a later question. */
static void refresh(struct tickets *tickets, const char *host)
{
	auto_talloc struct refresh_state *state = NULL;
	int r;

	if (tickets->refresh ||
	    (tickets->tried.s != 0 && boottime_now().s - tickets->tried.s < TRY_AGAIN_S))
		return;
	tickets->tried = boottime_now();
	state = talloc_zero(tickets, struct refresh_state);
	if (!state)
		return;
	state->tickets = tickets;
	state->host = talloc_strdup(state, host);
	r = state->host ? ask(state, tickets, host, &tickets->refresh) : -ENOMEM;
	if (r < 0)
		tell_not_refreshed(error_text(r));
	else
		tevent_req_set_callback(tickets->refresh, refreshed, take_ptr(state));
}

static void refreshed(struct tevent_req *subreq)
{
	struct refresh_state *state = tevent_req_callback_data(subreq, struct refresh_state);
	struct tickets *tickets = state->tickets;
	char *reason = NULL;
	int r = take_reply(tickets, state, state->host, subreq, &reason);

	tickets->refresh = NULL;
	if (r < 0)
		tell_not_refreshed(reason ? reason : error_text(r));
	else
		tickets->tried.s = 0;
	talloc_free(state);
}

/* r is what became of asking for another one. */
static int settle(struct get_state *state, int r)
{
	struct held *held = find(state->tickets, state->host);

	if (r < 0 && held && held->is_doubted && is_good(held)) {
		log_warn("the ticket that was refused is tried again: %s",
		         state->reason ? state->reason : error_text(r));
		held->is_doubted = false;
		r = 0;
	}
	if (r == 0)
		state->left_s = (uint32_t)left_s(held);
	return r;
}

struct tevent_req *tickets_get_send(TALLOC_CTX *mem, struct tickets *tickets, const char *host)
{
	struct tevent_context *ev = tickets->domain->host->ev;
	struct held *held = find(tickets, host);
	struct get_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct get_state), *subreq;
	int r;

	if (!req)
		return NULL;
	state->tickets = tickets;
	state->host = talloc_strdup(state, host);
	if (!state->host)
		return req_finish_now(req, ev, -ENOMEM);
	if (held && is_good(held) && !held->is_doubted) {
		state->left_s = (uint32_t)left_s(held);
		if (left_s(held) < held->life_s / REFRESH_PART)
			refresh(tickets, host);
		return req_finish_now(req, ev, 0);
	}
	r = ask(state, tickets, host, &subreq);
	if (r < 0) {
		state->reason = explain(tickets, state, r);
		return req_finish_now(req, ev, settle(state, r));
	}
	tevent_req_set_callback(subreq, fetched, req);
	return req;
}

static void fetched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct get_state *state = tevent_req_data(req, struct get_state);
	int r = take_reply(state->tickets, state, state->host, subreq, &state->reason);

	TALLOC_FREE(subreq);
	req_finish(req, settle(state, r));
}

int tickets_get_recv(struct tevent_req *req, TALLOC_CTX *mem, uint32_t *ret_left_s,
                     char **ret_reason)
{
	struct get_state *state = tevent_req_data(req, struct get_state);
	int r = req_result(req);

	if (r == 0)
		*ret_left_s = state->left_s;
	else
		*ret_reason = talloc_move(mem, &state->reason);
	tevent_req_received(req);
	return r;
}
