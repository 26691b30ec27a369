/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Initgroups - see initgroups.h
 *
 *   initgroups_send ─┬─▶ (search the user) ────▶ user_searched ──┬─▶ (commit) ─▶ initgroups_recv
 *                    └─▶ (search their groups) ─▶ groups_searched ┘
 *                                  ▲── again, if the directory spells the name in another way
 *
 * Both searches are sent together: memberUid holds the name that was asked for, nearly always.
 * Only the numbers of groups are read, never their members (field-report P4). The list is stored
 * whole, with the user, in one transaction; anything less than the whole is not stored (R6).
 */
#include "backend/ldap/initgroups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ldap/commit.h"
#include "backend/ldap/filter.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/pick.h"
#include "backend/ldap/search.h"
#include "common/base/mem.h"
#include "common/event/req.h"

struct initgroups_state {
	struct ldap_domain *domain; /* borrowed */
	const struct query *query;  /* borrowed */
	const struct request_id *id;
	char *user_filter, *groups_filter;
	struct pick pick;
	struct tevent_req *user, *groups; /* NULL when it has ended */
	uint32_t *gids;
	size_t n_gids;
	bool no_memory; /* for all of the groups */
};

static void search_groups(struct tevent_req *req, const char *member);
static void one_group(struct entry_values *values, void *data);
static void user_searched(struct tevent_req *subreq);
static void groups_searched(struct tevent_req *subreq);
static void commit(struct tevent_req *req);
static void committed(struct tevent_req *subreq);

int initgroups_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, const char *member,
                      char **ret_filter)
{
	struct filter filter = filter_new();

	filter_open(&filter, '&');
	filter_equal(&filter, conf->group_member, member);
	filter_equal(&filter, "objectclass", conf->group_object_class);
	filter_present(&filter, conf->group_name);
	filter_open(&filter, '&');
	filter_present(&filter, conf->group_gid_number);
	filter_open(&filter, '!');
	filter_equal(&filter, conf->group_gid_number, "0");
	filter_close(&filter);
	filter_close(&filter);
	filter_close(&filter);
	return filter_end(&filter, mem, ret_filter);
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
	state->pick = (struct pick){
		.mem = state,
		.domain = domain,
		.id = id,
		.asked = query->name,
		.kind = PICK_USER,
	};
	tevent_req_defer_callback(req, domain->host->ev);

	r = lookup_user_filter(state, &domain->conf, query->name, 0, &state->user_filter);
	if (r < 0) {
		req_finish(req, r);
		return req;
	}
	state->user = search_send(state, domain, id, SEARCH_USERS, state->user_filter,
	                          &domain->user_attrs, pick_entry, &state->pick);
	if (tevent_req_nomem(state->user, req))
		return req;
	tevent_req_set_callback(state->user, user_searched, req);
	search_groups(req, query->name);
	return req;
}

static void search_groups(struct tevent_req *req, const char *member)
{
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);
	int r;

	TALLOC_FREE(state->groups);
	TALLOC_FREE(state->groups_filter);
	state->n_gids = 0;
	r = initgroups_filter(state, &state->domain->conf, member, &state->groups_filter);
	if (r < 0) {
		req_finish(req, r);
		return;
	}
	state->groups =
		search_send(state, state->domain, state->id, SEARCH_GROUPS, state->groups_filter,
	                    &state->domain->gid_attrs, one_group, req);
	if (!tevent_req_nomem(state->groups, req))
		tevent_req_set_callback(state->groups, groups_searched, req);
}

static void one_group(struct entry_values *values, void *data)
{
	struct tevent_req *req = data;
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);
	const char *reason;
	uint32_t gid;

	reason = gid_from(values, &state->domain->range, &gid);
	if (reason) {
		refusals_report(state->domain->refusals, state->id, values->dn, reason);
	} else {
		size_t room = talloc_array_length(state->gids);

		if (state->n_gids == room) {
			uint32_t *gids = talloc_realloc(state, state->gids, uint32_t,
			                                (unsigned)(room ? room * 2 : 64));

			if (!gids) {
				state->no_memory = true;
				return;
			}
			state->gids = gids;
		}
		state->gids[state->n_gids++] = gid;
	}
	talloc_free(values);
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

	if (!state->pick.values)
		TALLOC_FREE(state->groups); /* of nobody */
	else if (strcmp(state->pick.user.name, state->query->name) != 0)
		search_groups(req, state->pick.user.name);
	if (tevent_req_is_in_progress(req) && !state->groups)
		commit(req);
}

static void groups_searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct initgroups_state *state = tevent_req_data(req, struct initgroups_state);
	int r = search_recv(subreq);

	TALLOC_FREE(state->groups);
	if (r < 0) {
		TALLOC_FREE(state->user);
		req_finish(req, r);
	} else if (!state->user) {
		commit(req);
	}
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

static int make_change(struct initgroups_state *state, struct cache_change **ret_change)
{
	const struct user *user = &state->pick.user;
	struct initgroups initgroups;
	struct cache_change *change;
	int r;

	if (state->no_memory)
		return -ENOMEM;
	if (!state->pick.values)
		return commit_removal(state, state->domain, state->query, ret_change);

	change = cache_change_new(state);
	if (!change)
		return -ENOMEM;
	initgroups = (struct initgroups){
		.name = user->name,
		.primary_gid = user->gid,
		.complete = 1,
		.n_gids = settle_gids(state->gids, state->n_gids, user->gid),
		.gids = (const uint8_t *)state->gids,
	};
	r = cache_put_user(change, user, state->domain->user_lifetime_s);
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
	       : state->groups ? search_waits_for(state->groups)
	                       : "the cache to be written";
}
