/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rest - see rest.h
 *
 *   rest_send ─▶ (search) ─▶ searched ─▶ rest_recv
 */
#include "backend/ldap/rest.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/link.h"
#include "backend/ldap/range.h"
#include "backend/ldap/search.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/event/req.h"

struct rest {
	char *dn;
	uint64_t generation; /* of the connection: another server has another order */
	struct attrs asked;  /* "member;range=1499-*" where something is left, else NULL */
	struct berval last[ATTRS_MAX]; /* that came, number 1499 */
};

struct rest_state {
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	const struct rest *rest; /* borrowed */
	struct tevent_req *search;
	struct entry_values *came; /* owned; NULL: not yet */
};

static int take_entry(struct entry_values *values, void *data);
static void searched(struct tevent_req *subreq);

/* ---- what is left ---- */

static int add_place(struct rest *rest, const struct entry_values *before,
                     const struct attrs *attrs, size_t attr)
{
	const struct berval *value = &before->values[attr][entry_count(before->values[attr]) - 1];
	struct berval *last = &rest->last[attr];

	last->bv_len = value->bv_len;
	last->bv_val = talloc_memdup(rest, value->bv_val, value->bv_len + 1);
	rest->asked.names[attr] = range_from(rest, attrs->names[attr], entry_cut(before, attr) - 1);
	return last->bv_val && rest->asked.names[attr] ? 0 : -ENOMEM;
}

struct rest *rest_of(TALLOC_CTX *mem, const struct entry_values *before, const struct attrs *attrs,
                     uint64_t places)
{
	auto_talloc struct rest *rest = talloc_zero(mem, struct rest);
	int r = 0;

	if (!rest)
		return NULL;
	rest->dn = talloc_strdup(rest, before->dn);
	rest->generation = before->generation;
	rest->asked = (struct attrs){ .count = attrs->count, .in_parts = UINT64_MAX };
	for (size_t i = 0; i < attrs->count && r == 0; i++)
		if (places >> i & 1 && entry_cut(before, i) && before->values[i])
			r = add_place(rest, before, attrs, i);
	return r == 0 && rest->dn ? take_ptr(rest) : NULL;
}

/* ---- the next values ---- */

struct tevent_req *rest_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                             const struct request_id *id, const struct rest *rest)
{
	struct rest_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct rest_state);

	if (!req)
		return NULL;
	state->req = req;
	state->domain = domain;
	state->id = id;
	state->rest = rest;
	tevent_req_defer_callback(req, domain->host->ev);
	state->search =
		search_dn_send(state, domain, id, rest->dn, &rest->asked, take_entry, state);
	if (!tevent_req_nomem(state->search, req))
		tevent_req_set_callback(state->search, searched, state);
	return req;
}

static int take_entry(struct entry_values *values, void *data)
{
	struct rest_state *state = data;

	if (state->came || strcasecmp(values->dn, state->rest->dn) != 0)
		talloc_free(values);
	else
		state->came = talloc_steal(state, values);
	return 0;
}

/* An entry that is gone by now, or lost those values, cannot be told from a server that does not
 * give them. */
static int not_given(const struct rest_state *state, size_t attr)
{
	log_at(LEVEL_WARN, state->id, "entry %s: the server does not give its %s", state->rest->dn,
	       state->rest->asked.names[attr]);
	return -E_SERVER;
}

static bool is_alike(const struct berval *a, const struct berval *b)
{
	return a->bv_len == b->bv_len && memcmp(a->bv_val, b->bv_val, a->bv_len) == 0;
}

/* Takes the value that was there before off the front of those at this place. */
static int join(struct rest_state *state, size_t attr)
{
	struct berval **values = &state->came->values[attr];

	if (!*values)
		return not_given(state, attr);
	if (!is_alike(*values, &state->rest->last[attr])) {
		log_at(LEVEL_NOTICE, state->id, "entry %s: its %s changed while it was being read",
		       state->rest->dn, state->rest->asked.names[attr]);
		return -E_CHANGED;
	}
	(*values)++;
	return !(*values)->bv_val && entry_cut(state->came, attr) ? not_given(state, attr) : 0;
}

static int join_all(struct rest_state *state)
{
	const struct rest *rest = state->rest;
	uint64_t generation =
		state->came ? state->came->generation : link_generation(state->domain->link);
	int r = generation == rest->generation ? 0 : -E_DISCONNECTED;

	for (size_t i = 0; i < rest->asked.count && r == 0; i++)
		if (rest->asked.names[i])
			r = state->came ? join(state, i) : not_given(state, i);
	return r;
}

static void searched(struct tevent_req *subreq)
{
	struct rest_state *state = tevent_req_callback_data(subreq, struct rest_state);
	int r = search_recv(subreq);

	TALLOC_FREE(state->search);
	req_finish(state->req, r == 0 ? join_all(state) : r);
}

int rest_recv(struct tevent_req *req, TALLOC_CTX *mem, struct entry_values **ret_part)
{
	struct rest_state *state = tevent_req_data(req, struct rest_state);
	int r = req_result(req);

	if (r == 0)
		*ret_part = talloc_move(mem, &state->came);
	tevent_req_received(req);
	return r;
}

const char *rest_waits_for(struct tevent_req *req)
{
	struct rest_state *state = tevent_req_data(req, struct rest_state);

	return state->search ? search_waits_for(state->search) : "the rest of an entry";
}
