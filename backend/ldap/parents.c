/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parents - see parents.h
 *
 *   parents_send ─▶ ask ─▶ (searches) ─▶ searched ─▶ parents_recv
 *                    ▲                       │
 *                    └─ groups nobody met ───┘
 *
 * A level is one search for up to BATCH groups, whatever is in them: who has 500 groups costs no
 * more questions than who has one. A group is followed once, so diamonds cost nothing and circles
 * end.
 */
#include "backend/ldap/parents.h"

#include <errno.h>
#include <string.h>

#include "backend/ldap/dn.h"
#include "backend/ldap/filter.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/search.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/event/req.h"

/* One search is for so many groups, or so many bytes of DNs, which may grow threefold in a filter.
 */
#define BATCH       500
#define BATCH_BYTES ((size_t)64 << 10)
#define AT_A_TIME   2 /* searches: to make one takes milliseconds, and other questions wait */

struct parents_state {
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	uint32_t levels_left;
	struct map *met; /* keys of groups */
	char **next;     /* owned: whose groups the next level asks for */
	size_t n_next;
	char **members; /* owned: whose groups this level asks for */
	size_t n_members, n_asked;
	TALLOC_CTX *level;       /* the searches under way, and their filters */
	struct tevent_req *last; /* one of them; NULL when there is none */
	size_t n_running;
	uint32_t *gids;
	size_t n_gids;
};

static void ask(struct parents_state *state);
static int one_group(struct entry_values *values, void *data);
static void searched(struct tevent_req *subreq);

int parents_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, char *const *members, size_t n,
                   char **ret_filter)
{
	struct filter filter = filter_new();

	filter_open(&filter, '&');
	if (n > 1)
		filter_open(&filter, '|');
	for (size_t i = 0; i < n; i++)
		filter_equal(&filter, conf->group_member, members[i]);
	if (n > 1)
		filter_close(&filter);
	lookup_add_group_class(&filter, conf);
	filter_present(&filter, conf->group_name);
	if (conf->schema == LDAP_SCHEMA_RFC2307) {
		/* Where groups are not in groups, one without a number is of no use. */
		filter_open(&filter, '&');
		filter_present(&filter, conf->group_gid_number);
		filter_open(&filter, '!');
		filter_equal(&filter, conf->group_gid_number, "0");
		filter_close(&filter);
		filter_close(&filter);
	}
	filter_close(&filter);
	return filter_end(&filter, mem, ret_filter);
}

static int add_next(struct parents_state *state, const char *member)
{
	size_t room = talloc_array_length(state->next);

	if (state->n_next == room) {
		char **next = talloc_realloc(state, state->next, char *,
		                             (unsigned)(room ? room * 2 : 16));

		if (!next)
			return -ENOMEM;
		state->next = next;
	}
	state->next[state->n_next] = talloc_strdup(state->next, member);
	return state->next[state->n_next++] ? 0 : -ENOMEM;
}

struct tevent_req *parents_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                const struct request_id *id, const char *member)
{
	struct parents_state *state;
	struct tevent_req *req;

	req = tevent_req_create(mem, &state, struct parents_state);
	if (!req)
		return NULL;
	state->req = req;
	state->domain = domain;
	state->id = id;
	if (domain->conf.schema != LDAP_SCHEMA_RFC2307)
		state->levels_left = domain->conf.group_nesting_level;
	tevent_req_defer_callback(req, domain->host->ev);

	state->met = map_new(state);
	if (!state->met || add_next(state, member) < 0)
		req_finish(req, -ENOMEM);
	else
		ask(state);
	return req;
}

static int ask_for(struct parents_state *state, char *const *members, size_t n)
{
	struct ldap_domain *domain = state->domain;
	struct tevent_req *subreq;
	char *filter;
	int r;

	r = parents_filter(state->level, &domain->conf, members, n, &filter);
	if (r < 0)
		return r;
	subreq = search_send(state->level, domain, state->id, SEARCH_GROUPS, filter,
	                     &domain->gid_attrs, one_group, state);
	if (!subreq)
		return -ENOMEM;
	state->last = subreq;
	state->n_running++;
	tevent_req_set_callback(subreq, searched, state);
	return 0;
}

static size_t batch_size(char *const *members, size_t n_members)
{
	size_t bytes = 0, n = 0;

	while (n < n_members && n < BATCH && bytes < BATCH_BYTES)
		bytes += strlen(members[n++]);
	return n;
}

/* Begins some of the searches of this level, and goes on as they end. */
static int ask_more(struct parents_state *state)
{
	int r = 0;

	while (state->n_asked < state->n_members && state->n_running < AT_A_TIME && r == 0) {
		char **members = state->members + state->n_asked;
		size_t n = batch_size(members, state->n_members - state->n_asked);

		r = ask_for(state, members, n);
		state->n_asked += n;
	}
	return r;
}

/* Asks for the groups of all in next. */
static void ask(struct parents_state *state)
{
	int r;

	talloc_free(state->members);
	state->members = take_ptr(state->next);
	state->n_members = state->n_next;
	state->n_asked = state->n_next = 0;
	state->level = talloc_new(state);
	r = state->level ? ask_more(state) : -ENOMEM;
	if (r < 0) {
		TALLOC_FREE(state->level);
		req_finish(state->req, r);
	}
}

static int add_gid(struct parents_state *state, uint32_t gid)
{
	size_t room = talloc_array_length(state->gids);

	if (state->n_gids == room) {
		uint32_t *gids = talloc_realloc(state, state->gids, uint32_t,
		                                (unsigned)(room ? room * 2 : 64));

		if (!gids)
			return -ENOMEM;
		state->gids = gids;
	}
	state->gids[state->n_gids++] = gid;
	return 0;
}

/* The group's own groups are asked for later, unless they were before. */
static int follow(struct parents_state *state, const char *dn)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct dn parsed;
	int r;

	r = dn_parse(scratch, dn, &parsed);
	if (r == -EINVAL) {
		refusals_report(state->domain->refusals, state->id, dn,
		                "its DN is not understood, its own groups are not followed");
		return 0;
	}
	if (r < 0 || map_get(state->met, parsed.key, strlen(parsed.key)))
		return r;
	r = map_set(state->met, parsed.key, strlen(parsed.key), state);
	return r < 0 ? r : add_next(state, dn);
}

static int one_group(struct entry_values *values, void *data)
{
	struct parents_state *state = data;
	struct ldap_domain *domain = state->domain;
	const char *reason;
	uint32_t gid;
	int r = 0;

	reason = gid_from(values, &domain->range, &gid);
	if (!reason)
		r = add_gid(state, gid);
	else if (entry_text(values, GROUP_GID))
		refusals_report(domain->refusals, state->id, values->dn, reason);
	if (r == 0 && state->levels_left > 0)
		r = follow(state, values->dn);
	talloc_free(values);
	return r;
}

static void searched(struct tevent_req *subreq)
{
	struct parents_state *state = tevent_req_callback_data(subreq, struct parents_state);
	int r = search_recv(subreq);

	state->last = state->last == subreq ? NULL : state->last;
	TALLOC_FREE(subreq);
	state->n_running--;
	if (r == 0)
		r = ask_more(state);
	if (r == 0 && state->n_running > 0)
		return;

	TALLOC_FREE(state->level);
	state->last = NULL;
	if (r < 0 || state->n_next == 0) {
		req_finish(state->req, r);
		return;
	}
	state->levels_left--;
	ask(state);
}

int parents_recv(struct tevent_req *req, TALLOC_CTX *mem, uint32_t **ret_gids, size_t *ret_n_gids)
{
	struct parents_state *state = tevent_req_data(req, struct parents_state);
	int r = req_result(req);

	if (r == 0) {
		*ret_gids = talloc_move(mem, &state->gids);
		*ret_n_gids = state->n_gids;
	}
	tevent_req_received(req);
	return r;
}

const char *parents_wait_for(struct tevent_req *req)
{
	struct parents_state *state = tevent_req_data(req, struct parents_state);

	return state->last ? search_waits_for(state->last) : "the groups of a user";
}
