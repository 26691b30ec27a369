/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ahead - see ahead.h
 *
 *   ahead_send ─▶ (search) ─▶ searched ─▶ (commit) ─▶ committed ─▶ ahead_recv
 *
 * A group in which the user is by way of another group comes with that one, whose members are among
 * its own: so most groups in groups cost no search.
 */
#include "backend/ldap/ahead.h"

#include <errno.h>
#include <string.h>

#include "backend/ldap/filter.h"
#include "backend/ldap/gather.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/search.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/event/timer.h"

#define USERS 8    /* who were noted last */
#define BATCH 1000 /* numbers are short: 23 KB of a filter at most */

#define SLOW_S 60 /* after a search that took too long there is none for so long */

struct noted {
	struct boottime when;
	uint32_t for_s;
	uint32_t *gids; /* owned; of those that were not fetched yet */
	size_t n_gids;
};

struct ahead {
	struct noted users[USERS];
	size_t next; /* the one that is replaced next */
	bool slow;
	struct boottime slow_when;
};

struct ahead_state {
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	uint32_t *gids; /* owned; the first is the one that was asked for */
	size_t n_gids;
	char *filter;
	struct gather *gather;
	struct tevent_req *search; /* NULL when it has ended */
};

static int one_group(struct entry_values *values, void *data);
static void searched(struct tevent_req *subreq);
static void committed(struct tevent_req *subreq);

struct ahead *ahead_new(TALLOC_CTX *mem)
{
	return talloc_zero(mem, struct ahead);
}

void ahead_was_slow(struct ahead *ahead)
{
	ahead->slow = true;
	ahead->slow_when = boottime_now();
}

bool ahead_is_slow(const struct ahead *ahead)
{
	return ahead->slow && boottime_now().s - ahead->slow_when.s <= SLOW_S;
}

void ahead_note(struct ahead *ahead, const uint32_t *gids, size_t n_gids, uint32_t primary_gid,
                uint32_t for_s)
{
	struct noted *noted = &ahead->users[ahead->next];

	if (n_gids == 0)
		return;
	TALLOC_FREE(noted->gids);
	noted->gids = talloc_array(ahead, uint32_t, (unsigned)n_gids + 1);
	if (!noted->gids)
		return; /* they will be asked for one by one */
	noted->gids[0] = primary_gid;
	memcpy(noted->gids + 1, gids, n_gids * sizeof(*gids));
	noted->n_gids = n_gids + 1;
	noted->when = boottime_now();
	noted->for_s = for_s;
	ahead->next = (ahead->next + 1) % USERS;
}

/* The latest user who is in gid, if anybody is. */
static struct noted *find(const struct ahead *ahead, uint32_t gid)
{
	struct boottime now = boottime_now();

	for (size_t n = 1; n <= USERS; n++) {
		const struct noted *noted = &ahead->users[(ahead->next + USERS - n) % USERS];

		if (!noted->gids || now.s - noted->when.s > noted->for_s)
			continue;
		for (size_t i = 0; i < noted->n_gids; i++)
			if (noted->gids[i] == gid)
				return (struct noted *)(uintptr_t)noted;
	}
	return NULL;
}

bool ahead_expects(const struct ahead *ahead, uint32_t gid)
{
	const struct noted *noted = find(ahead, gid);

	return noted && noted->n_gids > 1 && !ahead_is_slow(ahead);
}

/* Moves up to BATCH of the user's groups to gids, gid before all. */
static int take_gids(struct ahead_state *state, struct noted *noted, uint32_t gid)
{
	size_t n = 0, n_left = 0;

	state->gids = talloc_array(state, uint32_t, BATCH);
	if (!state->gids)
		return -ENOMEM;
	state->gids[n++] = gid;
	for (size_t i = 0; i < noted->n_gids; i++) {
		uint32_t other = noted->gids[i];

		if (n == BATCH)
			noted->gids[n_left++] = other;
		else if (other != gid && !gather_is_cached(state->domain, other))
			state->gids[n++] = other;
	}
	noted->n_gids = n_left;
	state->n_gids = n;
	return n > 1 ? 0 : -ENOENT;
}

static int make_filter(struct ahead_state *state)
{
	const struct ldap_conf *conf = &state->domain->conf;
	struct filter filter = filter_new();

	filter_open(&filter, '&');
	filter_open(&filter, '|');
	for (size_t i = 0; i < state->n_gids; i++)
		filter_equal_number(&filter, conf->group_gid_number, state->gids[i]);
	filter_close(&filter);
	lookup_add_group_class(&filter, conf);
	filter_present(&filter, conf->group_name);
	filter_close(&filter);
	return filter_end(&filter, state, &state->filter);
}

static int begin_gathering(struct ahead_state *state)
{
	int r = 0;

	state->gather = gather_new(state, state->domain);
	if (!state->gather)
		return -ENOMEM;
	for (size_t i = 0; i < state->n_gids && r == 0; i++)
		r = gather_want(state->gather, state->gids[i]);
	return r;
}

static int ahead_destroy(struct ahead_state *state)
{
	if (state->search)
		ahead_was_slow(state->domain->ahead); /* nobody waits for it any more */
	return 0;
}

struct tevent_req *ahead_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, uint32_t gid)
{
	struct noted *noted = find(domain->ahead, gid);
	struct tevent_context *ev = domain->host->ev;
	struct ahead_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct ahead_state);
	if (!req)
		return NULL;
	state->req = req;
	state->domain = domain;
	state->id = id;
	r = noted ? take_gids(state, noted, gid) : -ENOENT;
	if (r == 0)
		r = make_filter(state);
	if (r == 0)
		r = begin_gathering(state);
	if (r < 0)
		return req_finish_now(req, ev, r);
	state->search = search_long_send(state, domain, id, SEARCH_GROUPS, state->filter,
	                                 gather_attrs(state->gather), one_group, state);
	if (tevent_req_nomem(state->search, req))
		return tevent_req_post(req, ev);
	talloc_set_destructor(state, ahead_destroy);
	tevent_req_set_callback(state->search, searched, req);
	r = req_set_deadline(state->search, ev, deadline_in_ms(AHEAD_MS));
	return r < 0 ? req_finish_now(req, ev, r) : req;
}

static int one_group(struct entry_values *values, void *data)
{
	struct ahead_state *state = data;

	return gather_entry(state->gather, state->id, values, true);
}

static void searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct ahead_state *state = tevent_req_data(req, struct ahead_state);
	int r = search_recv(subreq);

	TALLOC_FREE(state->search);
	if (r == -ETIMEDOUT)
		ahead_was_slow(state->domain->ahead);
	if (r < 0) {
		req_finish(req, r);
		return;
	}
	subreq = gather_commit_send(state, state->gather, true);
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, committed, req);
}

static void committed(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct ahead_state *state = tevent_req_data(req, struct ahead_state);
	int r = gather_commit_recv(subreq);

	TALLOC_FREE(subreq);
	req_finish(req, r < 0 ? r : gather_told(state->gather, state->gids[0]) ? 0 : -ENOENT);
}

int ahead_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

const char *ahead_waits_for(struct tevent_req *req)
{
	struct ahead_state *state = tevent_req_data(req, struct ahead_state);

	return state->search ? search_waits_for(state->search) : "the cache to be written";
}
