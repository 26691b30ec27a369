/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Initgroups - see initgroups.h
 *
 *   initgroups_send ─┬─▶ (search the user) ──▶ user_searched ─┬─▶ (commit) ─▶ initgroups_recv
 *                    └─▶ (parents) ─────────▶ groups_found ───┘
 *                            ▲── only now, or again, as the user is who they were not asked for
 *
 * When somebody is going to ask for the groups themselves (guess.h) they come as well: between
 * groups_found and the commit there is (tell) ─▶ told.
 *
 * Where groups list names both are sent together: the name is the one that was asked for, nearly
 * always. Where they list DNs the user comes first. A user who was found just now is not searched
 * for again: getpwnam(3) and then getgrouplist(3) is what id(1) and every login do.
 *
 * The list is stored whole, with the user, in one transaction; anything less than the whole is not
 * stored (R6).
 */
#include "backend/ldap/initgroups.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ldap/ahead.h"
#include "backend/ldap/commit.h"
#include "backend/ldap/gather.h"
#include "backend/ldap/guess.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/parents.h"
#include "backend/ldap/pick.h"
#include "backend/ldap/search.h"
#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/ldap/schema.h"

#define JUST_NOW_S 1

struct initgroups_state {
	struct ldap_domain *domain; /* borrowed */
	const struct query *query;  /* borrowed */
	const struct request_id *id;
	char *user_filter;
	struct pick pick;
	bool cached; /* the user is in the cache since just now: pick has no values */
	bool local;  /* the user is one of /etc/passwd: so, too */
	struct tevent_req *user, *groups; /* NULL when it has ended */
	char *member;                     /* whose groups were asked for */
	struct parents *parents;          /* the search for these */
	uint32_t *gids;
	size_t n_gids;
	uint32_t epoch; /* of the cache, when the servers are asked */
};

static bool found_just_now(struct initgroups_state *state);
static void find_groups(struct tevent_req *req, const char *member);
static void user_searched(struct tevent_req *subreq);
static void groups_found(struct tevent_req *subreq);
static void told(struct tevent_req *subreq);
static void commit(struct tevent_req *req);
static void committed(struct tevent_req *subreq);

static bool lists_names(const struct initgroups_state *state)
{
	return !schema_lists_dns(&state->domain->conf);
}

struct tevent_req *initgroups_send(TALLOC_CTX *mem, void *data, const struct query *query,
                                   const struct request_id *id)
{
	struct ldap_domain *domain = data;
	struct initgroups_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct initgroups_state);
	if (!req)
		return NULL;
	state->domain = domain;
	state->query = query;
	state->id = id;
	state->epoch = cache_epoch(cache_writer_reader(domain->host->writer));
	state->pick = (struct pick){
		.mem = state,
		.domain = domain,
		.id = id,
		.asked = query->name,
		.kind = PICK_USER,
	};
	tevent_req_defer_callback(req, domain->host->ev);

	if (found_just_now(state)) {
		find_groups(req, lists_names(state) ? state->pick.user.name : state->pick.user.dn);
		return req;
	}

	r = lookup_user_filter(state, &domain->conf, query->name, 0, &state->user_filter);
	if (r < 0) {
		req_finish(req, r);
		return req;
	}
	state->user = search_send(state, domain, id, SEARCH_USERS, state->user_filter,
	                          &domain->user_attrs, pick_entry, &state->pick);
	if (tevent_req_nomem(state->user, req))
		return req;
	search_is_for_one(state->user);
	tevent_req_set_callback(state->user, user_searched, req);
	if (lists_names(state))
		find_groups(req, query->name);
	return req;
}

/* Takes what is needed of the user out of the cache, if that has just learnt it. */
static bool found_just_now(struct initgroups_state *state)
{
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = state->query->name };
	struct cache *cache = cache_writer_reader(state->domain->host->writer);
	struct entry_now now = entry_now();
	struct user *user = &state->pick.user;
	struct entry entry;

	if (cache_begin(cache) < 0)
		return false;
	if (cache_peek(cache, &query, &entry) == 0 && *entry.user.dn &&
	    entry_age(&entry, &now, 0, cache_touched(cache, ENTRY_USER, entry.user.name)) ==
	            ENTRY_FRESH &&
	    entry.times.boot == now.boot_id &&
	    now.boot.s - entry.times.stored_boot.s <= JUST_NOW_S) {
		user->name = talloc_strdup(state, entry.user.name);
		user->dn = talloc_strdup(state, entry.user.dn);
		user->gid = entry.user.gid;
		state->cached = user->name && user->dn;
	}
	cache_end(cache);
	return state->cached;
}

static void find_groups(struct tevent_req *req, const char *member)
{
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);
	char *before = state->member;

	TALLOC_FREE(state->groups);
	state->member = talloc_strdup(state, member);
	talloc_free(before);
	if (tevent_req_nomem(state->member, req))
		return;
	talloc_free(state->parents);
	state->parents = NULL;
	if (state->cached) /* gone when it was taken */
		state->parents = guess_take(state->domain, state, state->member);
	if (!state->parents)
		state->parents = parents_new(state, state->domain, state->member);
	if (tevent_req_nomem(state->parents, req))
		return;
	state->groups = parents_send(state, state->parents, state->id, UINT_MAX);
	if (!tevent_req_nomem(state->groups, req))
		tevent_req_set_callback(state->groups, groups_found, req);
}

/* Is the user none of the directory's, but one of this host who may be in its groups? */
static bool is_local(struct initgroups_state *state)
{
	struct user *user = &state->pick.user;

	if (!state->domain->conf.rfc2307_fallback_to_local_users || !lists_names(state) ||
	    account_find(NULL, state->query->name, &user->uid, &user->gid) < 0)
		return false;
	user->name = state->query->name;
	return true;
}

static void user_searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);
	int r = search_recv(subreq);

	TALLOC_FREE(state->user);
	if (r < 0) {
		TALLOC_FREE(state->groups);
		req_finish(req, r);
		return;
	}

	if (!state->pick.values && is_local(state)) {
		state->local = true; /* whose groups are under way */
	} else if (!state->pick.values) {
		TALLOC_FREE(state->groups); /* of nobody */
	} else {
		const struct user *user = &state->pick.user;
		const char *member = lists_names(state) ? user->name : user->dn;

		if (!state->member || strcmp(state->member, member) != 0)
			find_groups(req, member);
	}
	if (tevent_req_is_in_progress(req) && !state->groups)
		commit(req);
}

static void groups_found(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);
	struct gather *gather = parents_gathered(state->parents);
	int r = parents_recv(subreq);

	TALLOC_FREE(state->groups);
	if (r == -E_SIZE_LIMIT && gather) {
		find_groups(req, state->member); /* they are fewer by themselves */
		return;
	}
	if (r < 0) {
		TALLOC_FREE(state->user);
		req_finish(req, r);
		return;
	}
	parents_take(state->parents, state, &state->gids, &state->n_gids);
	if (gather) { /* the user is there */
		subreq = gather_tell_send(state, gather, true);
		if (!tevent_req_nomem(subreq, req))
			tevent_req_set_callback(subreq, told, req);
	} else if (!state->user) {
		commit(req);
	}
}

static void told(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	int r = gather_tell_recv(subreq);

	TALLOC_FREE(subreq);
	if (r < 0)
		req_finish(req, r);
	else
		commit(req);
}

static int compare_gids(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* Each number once, without the primary one. */
static uint32_t settle_gids(uint32_t *gids, size_t count, uint32_t primary_gid)
{
	uint32_t n = 0;

	if (count > 0)
		qsort(gids, count, sizeof(*gids), compare_gids);
	for (size_t i = 0; i < count; i++)
		if (gids[i] != primary_gid && (n == 0 || gids[n - 1] != gids[i]))
			gids[n++] = gids[i];
	return n;
}

/* A change with the groups themselves, if they came as well. */
static struct cache_change *new_change(struct initgroups_state *state)
{
	struct gather *gather = state->parents ? parents_gathered(state->parents) : NULL;
	struct cache_change *change = gather ? gather_change(gather, state) : NULL;

	return change ? change : cache_change_new(state, state->epoch);
}

/* Those whose records are only believed come together when they are asked for again. */
static void note_believed(struct initgroups_state *state)
{
	struct gather *gather = state->parents ? parents_gathered(state->parents) : NULL;
	uint32_t *gids = NULL;
	size_t n = 0;

	if (gather && gather_believed(gather, state, &gids, &n) == 0 && n > 1)
		ahead_note(state->domain->ahead, gids + 1, n - 1, gids[0],
		           state->domain->group_lifetime_s);
}

static int make_change(struct initgroups_state *state, struct cache_change **ret_change)
{
	const struct user *user = &state->pick.user;
	struct initgroups initgroups;
	struct cache_change *change;
	int r = 0;

	if (!state->pick.values && !state->cached && !state->local)
		return commit_removal(state, state->domain, state->query, ret_change);

	change = new_change(state);
	if (!change)
		return -ENOMEM;
	initgroups = (struct initgroups){
		.name = user->name,
		.primary_gid = user->gid,
		.complete = 1,
		.n_gids = settle_gids(state->gids, state->n_gids, user->gid),
		.gids = (const uint8_t *)state->gids,
	};
	ahead_note(state->domain->ahead, state->gids, initgroups.n_gids, user->gid, AHEAD_S);
	note_believed(state);
	if (state->pick.values)
		r = commit_user(change, state->domain, state->query->name, user);
	if (r == 0)
		r = cache_put_initgroups(change, &initgroups, state->domain->user_lifetime_s);
	*ret_change = change;
	return r;
}

static void commit(struct tevent_req *req)
{
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);
	struct cache_change *change = NULL;
	struct tevent_req *subreq;
	int r = make_change(state, &change);

	if (r < 0 || !change) {
		req_finish(req, r);
		return;
	}
	subreq = cache_commit_send(state, state->domain->host->ev, state->domain->host->writer,
	                           change);
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, committed, req);
}

static void committed(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	int r = cache_commit_recv(subreq);

	TALLOC_FREE(subreq);
	req_finish(req, r);
}

int initgroups_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

const char *initgroups_waits_for(struct tevent_req *req)
{
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);

	return state->user     ? search_waits_for(state->user)
	       : state->groups ? parents_wait_for(state->groups)
	                       : "the cache to be written";
}
