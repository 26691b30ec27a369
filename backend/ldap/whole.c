/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole - see whole.h
 *
 *   whole_send ─▶ ask ─▶ (search) ─▶ part_came ─▶ whole_recv
 *                  └───────────────────┘ until nothing is left
 */
#include "backend/ldap/whole.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/link.h"
#include "backend/ldap/range.h"
#include "backend/ldap/search.h"
#include "common/base/error.h"
#include "common/event/req.h"

#define ROUNDS_MAX 4096 /* a server gives 1,500 values at once, or a few hundred */
#define BYTES_MAX  ((size_t)64 << 20)

/* The values at one place. */
struct grown {
	struct berval *array; /* owned by the entry; NULL: as it was read */
	size_t count;         /* a NULL bv_val not counted */
};

struct whole_state {
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	const struct attrs *attrs;   /* borrowed */
	struct entry_values *values; /* owned */
	struct grown grown[ATTRS_MAX];
	struct attrs asked;        /* the names hang below part */
	TALLOC_CTX *part;          /* owned: what belongs to this round */
	struct entry_values *came; /* owned; NULL: not yet */
	unsigned n_rounds;
	size_t n_bytes;
};

static void ask(struct whole_state *state);
static int take_part(struct entry_values *values, void *data);
static void part_came(struct tevent_req *subreq);

static bool is_left(const struct entry_values *values, const struct attrs *attrs, size_t attr)
{
	return entry_cut(values, attr) && !(attrs->in_parts >> attr & 1);
}

bool whole_is_needed(const struct entry_values *values, const struct attrs *attrs)
{
	for (size_t i = 0; i < attrs->count; i++)
		if (is_left(values, attrs, i))
			return true;
	return false;
}

struct tevent_req *whole_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, struct entry_values *values,
                              const struct attrs *attrs)
{
	struct whole_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct whole_state);

	if (!req)
		return NULL;
	state->req = req;
	state->domain = domain;
	state->id = id;
	state->attrs = attrs;
	state->values = talloc_steal(state, values);
	tevent_req_defer_callback(req, domain->host->ev);
	ask(state);
	return req;
}

static int no_end(const struct whole_state *state)
{
	log_at(LEVEL_WARN, state->id, "entry %s: the server gives more and more values",
	       state->values->dn);
	return -E_SERVER;
}

static int name_parts(struct whole_state *state)
{
	state->asked = (struct attrs){ .count = state->attrs->count, .in_parts = UINT64_MAX };
	state->part = talloc_new(state);
	if (!state->part)
		return -ENOMEM;
	for (size_t i = 0; i < state->attrs->count; i++) {
		if (!is_left(state->values, state->attrs, i))
			continue;
		state->asked.names[i] = range_from(state->part, state->attrs->names[i],
		                                   entry_cut(state->values, i));
		if (!state->asked.names[i])
			return -ENOMEM;
	}
	return 0;
}

static void ask(struct whole_state *state)
{
	struct tevent_req *subreq;
	int r;

	if (!whole_is_needed(state->values, state->attrs)) {
		req_finish(state->req, 0);
		return;
	}
	r = state->n_rounds++ < ROUNDS_MAX ? name_parts(state) : no_end(state);
	if (r < 0) {
		req_finish(state->req, r);
		return;
	}
	subreq = search_dn_send(state->part, state->domain, state->id, state->values->dn,
	                        &state->asked, take_part, state);
	if (!tevent_req_nomem(subreq, state->req))
		tevent_req_set_callback(subreq, part_came, state);
}

static int take_part(struct entry_values *values, void *data)
{
	struct whole_state *state = data;

	if (state->came || strcasecmp(values->dn, state->values->dn) != 0)
		talloc_free(values);
	else
		state->came = talloc_steal(state, values);
	return 0;
}

/* Puts more behind the values at this place. */
static int append(struct whole_state *state, size_t attr, const struct berval *more)
{
	struct grown *grown = &state->grown[attr];
	const struct berval *old = grown->array ? NULL : state->values->values[attr];
	size_t room = talloc_array_length(grown->array), n_more = 0;

	while (old && old[grown->count].bv_val)
		grown->count++;
	while (more[n_more].bv_val)
		state->n_bytes += sizeof(*more) + more[n_more++].bv_len;
	if (state->n_bytes > BYTES_MAX)
		return no_end(state);
	if (grown->count + n_more >= room) {
		struct berval *array = talloc_realloc(state->values, grown->array, struct berval,
		                                      (unsigned)(2 * (grown->count + n_more)));

		if (!array)
			return -ENOMEM;
		if (old)
			memcpy(array, old, grown->count * sizeof(*old));
		grown->array = array;
	}
	memcpy(grown->array + grown->count, more, n_more * sizeof(*more));
	grown->count += n_more;
	grown->array[grown->count] = (struct berval){ 0 };
	state->values->values[attr] = grown->array;
	return 0;
}

/* An entry that is gone by now, or lost those values, cannot be told from a server that does not
 * give them. */
static int join(struct whole_state *state)
{
	struct entry_values *values = state->values;
	int r = 0;

	for (size_t i = 0; i < state->asked.count && r == 0; i++) {
		if (!state->asked.names[i])
			continue;
		if (!state->came || !state->came->values[i]) {
			log_at(LEVEL_WARN, state->id, "entry %s: the server does not give its %s",
			       values->dn, state->asked.names[i]);
			return -E_SERVER;
		}
		r = append(state, i, state->came->values[i]);
		values->cut[i] = entry_cut(state->came, i);
	}
	talloc_steal(values, state->came); /* the values lie within its message */
	state->came = NULL;
	return r;
}

/* Another server has another order. */
static bool is_of_another(const struct whole_state *state)
{
	return state->values->generation !=
	       (state->came ? state->came->generation : link_generation(state->domain->link));
}

static void part_came(struct tevent_req *subreq)
{
	struct whole_state *state = tevent_req_callback_data(subreq, struct whole_state);
	int r = search_recv(subreq);

	if (r == 0 && is_of_another(state))
		r = -E_DISCONNECTED;
	if (r == 0)
		r = join(state);
	TALLOC_FREE(state->part); /* and subreq */
	if (r < 0)
		req_finish(state->req, r);
	else
		ask(state);
}

int whole_recv(struct tevent_req *req, TALLOC_CTX *mem, struct entry_values **ret_values)
{
	struct whole_state *state = tevent_req_data(req, struct whole_state);
	int r = req_result(req);

	if (r == 0)
		*ret_values = talloc_move(mem, &state->values);
	tevent_req_received(req);
	return r;
}
