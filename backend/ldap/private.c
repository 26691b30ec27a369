/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private - see private.h
 *
 *   private_send ─▶ (search the user) ─▶ user_searched ────────────────────────────▶ private_recv
 *                                            └─ hybrid, by name ─▶ number_searched ──▲
 */
#include "backend/ldap/private.h"

#include <errno.h>

#include "backend/ldap/lookup.h"
#include "backend/ldap/pick.h"
#include "backend/ldap/search.h"
#include "common/base/mem.h"
#include "common/event/req.h"

struct private_state {
	struct ldap_domain *domain; /* borrowed */
	const struct query *query;  /* borrowed */
	char *filter;
	struct pick user, other; /* other: a real group with the user's number */
	struct tevent_req *search;
};

static void user_searched(struct tevent_req *subreq);
static void number_searched(struct tevent_req *subreq);

struct tevent_req *private_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                const struct query *query, const struct request_id *id)
{
	struct private_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct private_state);
	if (!req)
		return NULL;
	state->domain = domain;
	state->query = query;
	state->user = (struct pick){
		.mem = state,
		.domain = domain,
		.id = id,
		.asked = query->name,
		.number = query->id,
		.kind = PICK_USER,
	};
	state->other = state->user;
	state->other.asked = NULL;
	state->other.kind = PICK_GROUP;

	r = lookup_user_filter(state, &domain->conf, query->name, query->id, &state->filter);
	if (r < 0)
		return req_finish_now(req, domain->host->ev, r);
	state->search = search_send(state, domain, id, SEARCH_USERS, state->filter,
	                            &domain->user_attrs, pick_entry, &state->user);
	if (tevent_req_nomem(state->search, req))
		return tevent_req_post(req, domain->host->ev);
	search_is_for_one(state->search);
	tevent_req_set_callback(state->search, user_searched, req);
	return req;
}

static void search_number(struct tevent_req *req)
{
	struct private_state *state = tevent_req_data(req, struct private_state);
	struct ldap_domain *domain = state->domain;
	int r;

	TALLOC_FREE(state->filter);
	state->other.number = state->user.user.uid;
	r = lookup_group_filter(state, &domain->conf, NULL, state->user.user.uid, &state->filter);
	if (r < 0) {
		req_finish(req, r);
		return;
	}
	state->search = search_send(state, domain, state->other.id, SEARCH_GROUPS, state->filter,
	                            &domain->gid_attrs, pick_entry, &state->other);
	if (tevent_req_nomem(state->search, req))
		return;
	search_is_for_one(state->search);
	tevent_req_set_callback(state->search, number_searched, req);
}

static void user_searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct private_state *state = tevent_req_data(req, struct private_state);
	bool hybrid = state->domain->host->options->auto_private_groups == PRIVATE_GROUPS_HYBRID;
	const struct user *user = &state->user.user;
	int r = search_recv(subreq);

	TALLOC_FREE(state->search);
	if (r == 0 && (!state->user.values || (hybrid && user->uid != user->gid)))
		r = -ENOENT;
	if (r < 0 || !hybrid || query_is_by_id(state->query))
		req_finish(req, r);
	else
		search_number(req);
}

static void number_searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct private_state *state = tevent_req_data(req, struct private_state);
	int r = search_recv(subreq);

	TALLOC_FREE(state->search);
	req_finish(req, r == 0 && state->other.values ? -ENOENT : r);
}

int private_recv(struct tevent_req *req, TALLOC_CTX *mem, struct group *ret_group)
{
	struct private_state *state = tevent_req_data(req, struct private_state);
	int r = req_result(req);

	if (r == 0) {
		*ret_group = (struct group){
			.name = talloc_strdup(mem, state->user.user.name),
			.gid = state->user.user.uid,
			.dn = "",
		};
		if (!ret_group->name)
			r = -ENOMEM;
	}
	tevent_req_received(req);
	return r;
}

const char *private_waits_for(struct tevent_req *req)
{
	struct private_state *state = tevent_req_data(req, struct private_state);

	return search_waits_for(state->search);
}
