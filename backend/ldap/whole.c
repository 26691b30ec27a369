/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole - see whole.h
 *
 *   whole_send ─▶ ask ─▶ (rest) ─▶ part_came ─▶ whole_recv
 *                  └─────────────────┘ until nothing is left
 */
#include "backend/ldap/whole.h"

#include <errno.h>
#include <string.h>

#include "backend/ldap/rest.h"
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
	const struct entry_values *part; /* the last that came: values, or hangs below them */
	struct rest *rest;               /* owned: what is asked for in this round */
	unsigned n_rounds;
	size_t n_bytes;
};

static void ask(struct whole_state *state);
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
	state->part = state->values = talloc_steal(state, values);
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

static void ask(struct whole_state *state)
{
	struct tevent_req *subreq = NULL;

	if (!whole_is_needed(state->values, state->attrs)) {
		req_finish(state->req, 0);
		return;
	}
	if (state->n_rounds++ == ROUNDS_MAX) {
		req_finish(state->req, no_end(state));
		return;
	}
	state->rest = rest_of(state, state->part, state->attrs, ~state->attrs->in_parts);
	if (state->rest)
		subreq = rest_send(state->rest, state->domain, state->id, state->rest);
	if (!tevent_req_nomem(subreq, state->req))
		tevent_req_set_callback(subreq, part_came, state);
}

/* Puts more behind the values at this place. */
static int append(struct whole_state *state, size_t attr, const struct berval *more)
{
	struct grown *grown = &state->grown[attr];
	const struct berval *old = grown->array ? NULL : state->values->values[attr];
	size_t room = talloc_array_length(grown->array), n_more = 0;

	if (old)
		grown->count = entry_count(old);
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

/* The values lie within the message of part, which hangs below them. */
static int join(struct whole_state *state, const struct entry_values *part)
{
	struct entry_values *values = state->values;
	int r = 0;

	for (size_t i = 0; i < state->attrs->count && r == 0; i++) {
		if (!is_left(state->part, state->attrs, i))
			continue;
		r = append(state, i, part->values[i]);
		values->cut[i] = entry_cut(part, i);
	}
	state->part = part;
	return r;
}

static void part_came(struct tevent_req *subreq)
{
	struct whole_state *state = tevent_req_callback_data(subreq, struct whole_state);
	struct entry_values *part;
	int r = rest_recv(subreq, state->values, &part);

	TALLOC_FREE(state->rest); /* and subreq */
	if (r == 0)
		r = join(state, part);
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
