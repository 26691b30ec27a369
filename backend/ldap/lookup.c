/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lookup - see lookup.h
 *
 *   lookup_send ─▶ (search) ─▶ searched ─┬─ found ─────▶ (commit) ─▶ committed ─▶ lookup_recv
 *                                        │                ▲
 *                                        ├─ a group of DNs ─▶ (members) ─▶ members_found
 *                                        ├─ no such group ─▶ (private) ─▶ private_found
 *                                        ├─ not there, cached ─▶ (commit: removal) ──▲
 *                                        └─ not there, not cached ───────────────────▲
 *
 * The groups of a user whom somebody wants to know one by one come together (ahead.h, guess.h):
 * before the search there is (ahead) or (guess) ─▶ came_ahead.
 */
#include "backend/ldap/lookup.h"

#include <errno.h>
#include <string.h>

#include "backend/ldap/ahead.h"
#include "backend/ldap/commit.h"
#include "backend/ldap/filter.h"
#include "backend/ldap/guess.h"
#include "backend/ldap/members.h"
#include "backend/ldap/pick.h"
#include "backend/ldap/private.h"
#include "backend/ldap/search.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/ident/accept.h"

struct lookup_state {
	struct ldap_domain *domain; /* borrowed */
	const struct query *query;  /* borrowed */
	char *filter;
	struct pick pick;
	struct tevent_req *ahead, *guess, *search, *members, *private; /* NULL when it has ended */
	bool made_up;   /* pick has a group, and no values */
	uint32_t epoch; /* of the cache, when the servers are asked */
};

static void came_ahead(struct tevent_req *subreq);
static void search(struct tevent_req *req);
static void searched(struct tevent_req *subreq);
static void find_private(struct tevent_req *req);
static void private_found(struct tevent_req *subreq);
static void members_found(struct tevent_req *subreq);
static void commit(struct tevent_req *req);
static void committed(struct tevent_req *subreq);

/* ---- filters ---- */

/* (|(uid=a@b)(krbPrincipalName=a@b)(mail=a@b)): what has an '@' may be any of these. */
static void add_address(struct filter *filter, const struct ldap_conf *conf, const char *address)
{
	filter_open(filter, '|');
	filter_equal(filter, conf->user_name, address);
	if (!str_empty(conf->user_principal))
		filter_equal(filter, conf->user_principal, address);
	if (!str_empty(conf->user_email))
		filter_equal(filter, conf->user_email, address);
	filter_close(filter);
}

void lookup_add_group_class(struct filter *filter, const struct ldap_conf *conf)
{
	const char *alternative = conf->group_object_class_alt;

	if (!str_empty(alternative))
		filter_open(filter, '|');
	filter_equal(filter, "objectclass", conf->group_object_class);
	if (str_empty(alternative))
		return;
	filter_equal(filter, "objectclass", alternative);
	filter_close(filter);
}

int lookup_user_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, const char *name, uint32_t id,
                       char **ret_filter)
{
	struct filter filter = filter_new();

	/* (&(uid=alice)(objectclass=posixAccount)), or by number with (uid=*): what is asked for
	 * first, because servers look in this order. One without a uid, or with 0, is not left out:
	 * it makes no sense, and somebody should hear of it. */
	filter_open(&filter, '&');
	if (name && strchr(name, '@'))
		add_address(&filter, conf, name);
	else if (name)
		filter_equal(&filter, conf->user_name, name);
	else
		filter_equal_number(&filter, conf->user_uid_number, id);
	filter_equal(&filter, "objectclass", conf->user_object_class);
	if (!name)
		filter_present(&filter, conf->user_name);
	filter_close(&filter);
	return filter_end(&filter, mem, ret_filter);
}

int lookup_group_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, const char *name,
                        uint32_t id, char **ret_filter)
{
	struct filter filter = filter_new();

	filter_open(&filter, '&');
	if (name)
		filter_equal(&filter, conf->group_name, name);
	else
		filter_equal_number(&filter, conf->group_gid_number, id);
	lookup_add_group_class(&filter, conf);
	if (!name)
		filter_present(&filter, conf->group_name);
	filter_close(&filter);
	return filter_end(&filter, mem, ret_filter);
}

/* ---- the request ---- */

static enum private_groups private_groups(const struct lookup_state *state)
{
	return (enum private_groups)state->domain->host->options->auto_private_groups;
}

struct tevent_req *lookup_send(TALLOC_CTX *mem, void *data, const struct query *query,
                               const struct request_id *id)
{
	struct ldap_domain *domain = data;
	struct tevent_context *ev = domain->host->ev;
	bool user = query->kind == QUERY_USER_BY_NAME || query->kind == QUERY_USER_BY_ID;
	struct lookup_state *state;
	struct tevent_req *req;

	req = tevent_req_create(mem, &state, struct lookup_state);
	if (!req)
		return NULL;
	state->domain = domain;
	state->query = query;
	state->epoch = cache_epoch(cache_writer_reader(domain->host->writer));
	state->pick = (struct pick){
		.mem = state,
		.domain = domain,
		.id = id,
		.asked = query->name,
		.number = query->id,
		.kind = user ? PICK_USER : PICK_GROUP,
	};

	/* Nobody of ours can have such an id: no server needs to be asked. */
	if (query_is_by_id(query) &&
	    accept_id(query->id, domain->range.min, domain->range.max) != ACCEPTED)
		return req_finish_now(req, ev, 0);

	if (query->kind == QUERY_GROUP_BY_ID && private_groups(state) == PRIVATE_GROUPS_FALSE &&
	    !query->unasked && guess_expects(domain, query->id)) {
		state->guess = guess_send(state, domain, id, query->id);
		if (!tevent_req_nomem(state->guess, req))
			tevent_req_set_callback(state->guess, came_ahead, req);
	} else if (query->kind == QUERY_GROUP_BY_ID &&
	           private_groups(state) == PRIVATE_GROUPS_FALSE &&
	           ahead_expects(domain->ahead, query->id)) {
		state->ahead = ahead_send(state, domain, id, query->id);
		if (!tevent_req_nomem(state->ahead, req))
			tevent_req_set_callback(state->ahead, came_ahead, req);
	} else if (!user && private_groups(state) == PRIVATE_GROUPS_TRUE) {
		find_private(req);
	} else {
		search(req);
	}
	return tevent_req_is_in_progress(req) ? req : tevent_req_post(req, ev);
}

/* It may have helped or not: what was asked for is found in any case. */
static void came_ahead(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	int r = subreq == state->guess ? guess_recv(subreq) : ahead_recv(subreq);

	TALLOC_FREE(subreq);
	state->guess = state->ahead = NULL;
	if (r == 0 || r == -E_OFFLINE || r == -E_CACHE_DAMAGED)
		req_finish(req, r);
	else
		search(req);
}

static void search(struct tevent_req *req)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	struct ldap_domain *domain = state->domain;
	const struct query *query = state->query;
	bool user = state->pick.kind == PICK_USER;
	int r;

	r = user ? lookup_user_filter(state, &domain->conf, query->name, query->id, &state->filter)
	         : lookup_group_filter(state, &domain->conf, query->name, query->id,
	                               &state->filter);
	if (r < 0) {
		req_finish(req, r);
		return;
	}
	state->search = search_send(
		state, domain, state->pick.id, user ? SEARCH_USERS : SEARCH_GROUPS, state->filter,
		user ? &domain->user_attrs : &domain->group_attrs, pick_entry, &state->pick);
	if (tevent_req_nomem(state->search, req))
		return;
	search_is_for_one(state->search);
	tevent_req_set_callback(state->search, searched, req);
}

static void searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	const struct pick *pick = &state->pick;
	int r = search_recv(subreq);

	TALLOC_FREE(state->search);
	if (r < 0) {
		req_finish(req, r);
		return;
	}
	if (pick->kind == PICK_GROUP && !pick->values &&
	    private_groups(state) == PRIVATE_GROUPS_HYBRID) {
		find_private(req);
		return;
	}
	if (pick->kind == PICK_USER || !pick->values || !pick->values->values[GROUP_MEMBER_DN]) {
		commit(req);
		return;
	}
	state->members = members_send(state, state->domain, pick->id, pick->values);
	if (!tevent_req_nomem(state->members, req))
		tevent_req_set_callback(state->members, members_found, req);
}

/* With true the private group is asked for before any other, with hybrid when there is no other. */
static void find_private(struct tevent_req *req)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);

	state->private = private_send(state, state->domain, state->query, state->pick.id);
	if (!tevent_req_nomem(state->private, req))
		tevent_req_set_callback(state->private, private_found, req);
}

static void private_found(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	int r = private_recv(subreq, state, &state->pick.group);

	TALLOC_FREE(state->private);
	state->made_up = r == 0;
	if (r == -ENOENT && private_groups(state) == PRIVATE_GROUPS_TRUE)
		search(req);
	else if (r == 0 || r == -ENOENT)
		commit(req);
	else
		req_finish(req, r);
}

static void members_found(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	int r = members_recv(subreq, state, &state->pick.group.members);

	TALLOC_FREE(state->members);
	if (r < 0)
		req_finish(req, r);
	else
		commit(req);
}

static int make_change(struct lookup_state *state, struct cache_change **ret_change)
{
	struct ldap_domain *domain = state->domain;

	if (!state->pick.values && !state->made_up)
		return commit_removal(state, domain, state->query, ret_change);
	*ret_change = cache_change_new(state, state->epoch);
	if (!*ret_change)
		return -ENOMEM;
	if (!state->query->unasked)
		cache_change_is_answer(*ret_change,
		                       state->pick.kind == PICK_USER ? ENTRY_USER : ENTRY_GROUP);
	return state->pick.kind == PICK_USER
	               ? commit_user(*ret_change, domain, state->query->name, &state->pick.user)
	               : cache_put_group(*ret_change, &state->pick.group, domain->group_lifetime_s);
}

static void commit(struct tevent_req *req)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	struct ldap_domain *domain = state->domain;
	struct cache_change *change = NULL;
	struct tevent_req *subreq;
	int r = make_change(state, &change);

	if (r < 0 || !change) {
		req_finish(req, r);
		return;
	}

	subreq = cache_commit_send(state, domain->host->ev, domain->host->writer, change);
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, committed, req);
}

static void committed(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	int r = cache_commit_recv(subreq);

	TALLOC_FREE(subreq);
	if (r == 0 && state->pick.values && state->query->kind == QUERY_USER_BY_NAME &&
	    !state->query->unasked)
		guess_note(state->domain->guess, &state->pick.user);
	req_finish(req, r);
}

int lookup_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

const char *lookup_waits_for(struct tevent_req *req)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);

	return state->ahead     ? ahead_waits_for(state->ahead)
	       : state->guess   ? guess_waits_for(state->guess)
	       : state->search  ? search_waits_for(state->search)
	       : state->members ? members_wait_for(state->members)
	       : state->private ? private_waits_for(state->private)
	                        : "the cache to be written";
}
