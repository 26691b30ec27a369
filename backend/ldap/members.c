/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Members - see members.h
 *
 *   members_send ─▶ take_members ─▶ next_level ─┬─▶ (searches) ─▶ searched ─▶ members_recv
 *                        ▲             ▲  ▲       └─▶ (deref) ─▶ dereferenced     │
 *                        │             │  └── of whom it said nothing ┘           │
 *                        │             └───────── groups within these ────────────┤
 *                        └────────────────── of each group that was found ────────┘
 *
 * Of a large group Active Directory gives only some members, and is asked for the rest (range.h)
 * before the level ends.
 *
 * Many DNs tell the name already ("uid=alice,…"): no question is asked about those. Of the others
 * a server that can tells all with one search. Who is left is searched by the RDN, many with one
 * filter, and known again by the DN: every server can do that, and has an index for it.
 */
#include "backend/ldap/members.h"

#include <errno.h>
#include <ldap.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/deref.h"
#include "backend/ldap/filter.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/rest.h"
#include "backend/ldap/search.h"
#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/ident/accept.h"
#include "common/ldap/attr.h"
#include "common/ldap/dn.h"

#define BATCH     50   /* DNs in a filter: 50 of the longest fit */
#define SLICE     1000 /* members in one turn of the loop: about a millisecond */
#define AT_A_TIME 8 /* searches, so that other questions need not wait for all of a large group */
#define NAMES_MAX ((size_t)64 << 20)
#define RESTS_MAX 4096 /* a server gives 1,500 members at once, or a few hundred */

/* A member to look up, or a group that was. */
struct wanted {
	char *attr, *value; /* its RDN */
	bool user, group;   /* it may be one, and was not found as one */
};

/* A group whose members are being read. */
struct taking {
	struct list node;
	const struct entry_values *group; /* owned, or lookup.c's */
	const struct berval *next;
	size_t n_wanted; /* before the first of them */
};

struct batch {
	enum search_where where;
	char *filter;
};

struct members_state {
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	uint32_t levels_left;
	struct map *met;     /* keys of DNs → struct wanted, which hangs below it */
	struct map *named;   /* names that are in names → who told them, or anything */
	uint64_t seed[2];    /* of what stands for a DN there */
	struct writer names; /* owned */
	uint32_t n_names;
	struct wanted **wanted; /* owned: whom the next level looks up */
	size_t n_wanted;
	struct list taking;  /* of struct taking, the first is at work */
	struct rest **rests; /* owned: what is left of groups, asked for one by one */
	size_t n_rests, n_rests_begun;
	struct timer *more; /* armed while they are not all read */
	char **derefs;      /* owned: groups with many of these, to be dereferenced first */
	size_t n_derefs, n_dereferenced;
	struct batch *batches; /* owned: the searches of this level, which hang below it */
	size_t n_batches, n_started, n_ended;
	struct tevent_req *last; /* a search under way, or NULL */
	struct tevent_req *rest; /* the one that is asked for, or NULL */
	bool no_memory;
};

static int take_first(struct members_state *state, const struct entry_values *group);
static void take_more(void *data);
static void go_on(struct members_state *state);
static void fail(struct members_state *state, int r);
static void next_level(struct members_state *state);
static int start_rest(struct members_state *state);
static void rest_came(struct tevent_req *subreq);
static int one_user(struct entry_values *values, void *data);
static int one_group(struct entry_values *values, void *data);
static void one_member(const struct entry_values *values, bool user, bool group, void *data);
static void searched(struct tevent_req *subreq);
static void dereferenced(struct tevent_req *subreq);

static int state_gone(struct members_state *state)
{
	writer_free(&state->names);
	return 0;
}

struct tevent_req *members_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                const struct request_id *id, const struct entry_values *group)
{
	struct members_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct members_state);
	if (!req)
		return NULL;
	state->req = req;
	state->domain = domain;
	state->id = id;
	state->levels_left = domain->conf.group_nesting_level;
	state->names = writer_new(NAMES_MAX);
	list_init(&state->taking);
	talloc_set_destructor(state, state_gone);
	tevent_req_defer_callback(req, domain->host->ev);

	map_seed(state->seed);
	state->met = map_new(state);
	state->named = map_new(state);
	r = state->met && state->named ? take_first(state, group) : -ENOMEM;
	if (r < 0)
		req_finish(req, r);
	else
		go_on(state);
	return req;
}

/* ---- the members of one group ---- */

static bool folds(const struct ldap_domain *domain)
{
	return domain->host->options->case_sensitive == CASE_FALSE;
}

static int add_name(struct members_state *state, const char *name, void *teller)
{
	if (map_get(state->named, name, strlen(name)))
		return 0;
	writer_str(&state->names, name);
	state->n_names++;
	return map_set(state->named, name, strlen(name), teller);
}

/* What stands for this DN where it has told a name. */
static void *teller(const struct members_state *state, const struct dn *dn)
{
	return (void *)(uintptr_t)(map_hash(state->seed, dn->key, strlen(dn->key)) | 1);
}

/* May it be that of a group? Those begin with "cn=", mostly, whatever groups are called by. */
static bool may_name_group(const struct ldap_domain *domain, const struct dn *dn)
{
	return (strcasecmp(dn->attr, "cn") == 0 ||
	        strcasecmp(dn->attr, domain->conf.group_name) == 0) &&
	       bases_hold(&domain->bases[SEARCH_GROUPS], dn->key, false);
}

/* Might the DN tell the name of a user? */
static bool names_user(const struct ldap_domain *domain, const struct dn *dn)
{
	return dn->single && strcasecmp(dn->attr, domain->conf.user_name) == 0 &&
	       bases_hold(&domain->bases[SEARCH_USERS], dn->key, true) &&
	       !may_name_group(domain, dn);
}

/* The name of a user that the DN tells, on mem; NULL if it tells none. Servers do not mind how a DN
 * is spelt, so only one in lower case is believed: where it matters, others are looked up. */
static int told_name(TALLOC_CTX *mem, const struct ldap_domain *domain, const struct dn *dn,
                     char **ret_name)
{
	char *folded;
	int r;

	*ret_name = NULL;
	if (!names_user(domain, dn))
		return 0;
	r = str_fold(mem, dn->value, &folded);
	if (r == 0 && (folds(domain) || strcmp(folded, dn->value) == 0))
		*ret_name = folded;
	return r == -EILSEQ ? 0 : r;
}

static bool is_met(const struct members_state *state, const char *key)
{
	return map_get(state->met, key, strlen(key));
}

/* Remembers that this DN was met, as what ret_wanted will say; NULL when it was before. */
static int meet(struct members_state *state, const struct dn *dn, struct wanted **ret_wanted)
{
	struct wanted *wanted;

	*ret_wanted = NULL;
	if (is_met(state, dn->key))
		return 0;
	wanted = talloc_zero(state->met, struct wanted);
	if (!wanted)
		return -ENOMEM;
	*ret_wanted = wanted;
	return map_set(state->met, dn->key, strlen(dn->key), wanted);
}

static int want(struct members_state *state, const struct dn *dn)
{
	const struct ldap_domain *domain = state->domain;
	bool user = bases_hold(&domain->bases[SEARCH_USERS], dn->key, false);
	bool group = bases_hold(&domain->bases[SEARCH_GROUPS], dn->key, false);
	size_t room = talloc_array_length(state->wanted);
	struct wanted *wanted;
	int r;

	if (!user && !group)
		return 0;
	r = meet(state, dn, &wanted);
	if (r < 0 || !wanted)
		return r;
	if (state->n_wanted == room) {
		struct wanted **more = talloc_realloc(state, state->wanted, struct wanted *,
		                                      (unsigned)(room ? room * 2 : 64));

		if (!more)
			return -ENOMEM;
		state->wanted = more;
	}
	wanted->attr = talloc_steal(wanted, dn->attr);
	wanted->value = talloc_steal(wanted, dn->value);
	wanted->user = user;
	wanted->group = group;
	state->wanted[state->n_wanted++] = wanted;
	return 0;
}

/* Was the name told by the same DN in lower case? A user comes once. */
static bool was_told(TALLOC_CTX *mem, const struct members_state *state, const struct dn *dn)
{
	char *folded;

	return names_user(state->domain, dn) && str_fold(mem, dn->value, &folded) == 0 &&
	       map_get(state->named, folded, strlen(folded)) == teller(state, dn);
}

static int take_member(struct members_state *state, const struct berval *value, const char *group)
{
	auto_talloc TALLOC_CTX *scratch = NULL;
	char *name = NULL;
	struct dn dn;
	int r = -EINVAL;

	if (value->bv_len == 0)
		return 0; /* the root: how some say "nobody" */
	scratch = talloc_new(NULL);
	if (!scratch)
		return -ENOMEM;
	if (strlen(value->bv_val) == value->bv_len)
		r = dn_parse(scratch, value->bv_val, &dn);
	if (r == -EINVAL) {
		refusals_report(state->domain->refusals, state->id, group,
		                "one of its members is not a DN");
		return 0;
	}
	if (r == 0)
		r = told_name(scratch, state->domain, &dn, &name);
	if (r < 0)
		return r;
	if (name)
		return accept_name(name) == ACCEPTED && !is_met(state, dn.key)
		               ? add_name(state, name, teller(state, &dn))
		               : 0;
	if (!dn.attr || !attr_is_valid(dn.attr)) {
		refusals_report(state->domain->refusals, state->id, group,
		                "one of its members has a DN that cannot be searched for");
		return 0;
	}
	return was_told(scratch, state, &dn) ? 0 : want(state, &dn);
}

static int add_deref(struct members_state *state, const char *dn)
{
	state->derefs = talloc_realloc(state, state->derefs, char *, (unsigned)state->n_derefs + 1);
	if (!state->derefs)
		return -ENOMEM;
	state->derefs[state->n_derefs] = talloc_strdup(state->derefs, dn);
	return state->derefs[state->n_derefs++] ? 0 : -ENOMEM;
}

static int add_rest(struct members_state *state, const struct entry_values *group)
{
	size_t room = talloc_array_length(state->rests);
	struct rest *rest;

	if (state->n_rests == room) {
		struct rest **rests = talloc_realloc(state, state->rests, struct rest *,
		                                     (unsigned)(room ? room * 2 : 16));

		if (!rests)
			return -ENOMEM;
		state->rests = rests;
	}
	rest = rest_of(state->rests, group, &state->domain->nested_attrs,
	               UINT64_C(1) << GROUP_MEMBER_DN);
	state->rests[state->n_rests] = rest;
	state->n_rests += rest != NULL;
	return rest ? 0 : -ENOMEM;
}

/* Reads a slice of what is in taking; the rest is read from the loop. */
static int take_slice(struct members_state *state)
{
	unsigned n = 0;
	int r = 0;

	while (!list_empty(&state->taking) && n < SLICE && r == 0) {
		struct taking *taking = list_item(state->taking.next, struct taking, node);

		for (; taking->next && taking->next->bv_val && n < SLICE && r == 0; n++)
			r = take_member(state, taking->next++, taking->group->dn);
		if (taking->next && taking->next->bv_val)
			break;
		if (r == 0 && entry_cut(taking->group, GROUP_MEMBER_DN))
			r = add_rest(state, taking->group);
		if (r == 0 && deref_is_usable(state->domain) &&
		    state->n_wanted - taking->n_wanted > state->domain->conf.deref_threshold)
			r = add_deref(state, taking->group->dn);
		list_remove(&taking->node);
		talloc_free(taking);
		if (!list_empty(&state->taking))
			list_item(state->taking.next, struct taking, node)->n_wanted =
				state->n_wanted;
	}
	if (r == 0 && !list_empty(&state->taking)) {
		state->more = timer_once(state, state->domain->host->ev, 0, take_more, state);
		r = state->more ? 0 : -ENOMEM;
	}
	return r;
}

static void take_more(void *data)
{
	struct members_state *state = data;
	int r;

	state->more = NULL;
	r = take_slice(state);
	if (r < 0)
		fail(state, r);
	else
		go_on(state);
}

/* owned is group, to be freed when it has been read, or NULL. */
static int take_members(struct members_state *state, struct entry_values *owned,
                        const struct entry_values *group)
{
	struct taking *taking = talloc_zero(state, struct taking);

	if (!taking)
		return -ENOMEM;
	taking->group = group;
	taking->next = group->values[GROUP_MEMBER_DN];
	taking->n_wanted = state->n_wanted;
	talloc_steal(taking, owned);
	list_append(&state->taking, &taking->node);
	return state->more ? 0 : take_slice(state);
}

/* The group itself is followed already. */
static int take_first(struct members_state *state, const struct entry_values *group)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct wanted *wanted;
	struct dn dn;
	int r;

	r = dn_parse(scratch, group->dn, &dn);
	if (r == 0)
		r = meet(state, &dn, &wanted);
	if (r == -EINVAL) /* it can be nobody's member, then */
		r = 0;
	return r < 0 ? r : take_members(state, NULL, group);
}

/* ---- a level ---- */

static bool is_asked_for(const struct wanted *wanted, enum search_where where)
{
	return where == SEARCH_USERS ? wanted->user : wanted->group;
}

/* Takes up to BATCH of those that where is responsible for, from *at on. */
static int make_filter(struct members_state *state, enum search_where where, size_t *at,
                       char **ret_filter)
{
	const struct ldap_conf *conf = &state->domain->conf;
	struct filter filter = filter_new();
	unsigned n = 0;

	filter_open(&filter, '&');
	filter_open(&filter, '|');
	for (; *at < state->n_wanted && n < BATCH; (*at)++) {
		const struct wanted *wanted = state->wanted[*at];

		if (!is_asked_for(wanted, where))
			continue;
		filter_equal(&filter, wanted->attr, wanted->value);
		n++;
	}
	filter_close(&filter);
	if (where == SEARCH_USERS)
		filter_equal(&filter, "objectclass", conf->user_object_class);
	else
		lookup_add_group_class(&filter, conf);
	filter_close(&filter);
	return filter_end(&filter, state->batches, ret_filter);
}

static int make_batches(struct members_state *state, enum search_where where)
{
	for (size_t at = 0;;) {
		int r;

		while (at < state->n_wanted && !is_asked_for(state->wanted[at], where))
			at++;
		if (at == state->n_wanted)
			return 0;
		state->batches[state->n_batches].where = where;
		r = make_filter(state, where, &at, &state->batches[state->n_batches].filter);
		if (r < 0)
			return r;
		state->n_batches++;
	}
}

static int start_searches(struct members_state *state)
{
	while (state->n_started < state->n_batches &&
	       state->n_started - state->n_ended < AT_A_TIME) {
		const struct batch *batch = &state->batches[state->n_started++];
		bool users = batch->where == SEARCH_USERS;
		struct tevent_req *subreq;

		subreq = search_send(
			state->batches, state->domain, state->id, batch->where, batch->filter,
			users ? &state->domain->member_attrs : &state->domain->nested_attrs,
			users ? one_user : one_group, state);
		if (!subreq)
			return -ENOMEM;
		state->last = subreq;
		tevent_req_set_callback(subreq, searched, state);
	}
	return 0;
}

static int start_deref(struct members_state *state)
{
	const char *dn = state->derefs[state->n_dereferenced];
	struct tevent_req *subreq;

	subreq = deref_send(state->derefs, state->domain, state->id, dn, one_member, state);
	if (!subreq)
		return -ENOMEM;
	tevent_req_set_callback(subreq, dereferenced, state);
	return 0;
}

static void fail(struct members_state *state, int r)
{
	TALLOC_FREE(state->more);
	TALLOC_FREE(state->batches);
	TALLOC_FREE(state->rest);
	state->last = NULL;
	req_finish(state->req, r);
}

/* Is this level done? Then to the next. */
static void go_on(struct members_state *state)
{
	if (!list_empty(&state->taking) || state->n_ended < state->n_batches || state->rest)
		return;
	if (state->n_rests_begun < state->n_rests) {
		int r = start_rest(state);

		if (r < 0)
			fail(state, r);
		return;
	}
	if (state->n_batches > 0 && state->levels_left > 0)
		state->levels_left--;
	state->last = NULL;
	next_level(state);
}

/* ---- large groups of Active Directory ---- */

static int start_rest(struct members_state *state)
{
	const struct rest *rest = state->rests[state->n_rests_begun];

	if (state->n_rests_begun++ == RESTS_MAX)
		return -E_SERVER;
	state->rest = rest_send(state->rests, state->domain, state->id, rest);
	if (!state->rest)
		return -ENOMEM;
	tevent_req_set_callback(state->rest, rest_came, state);
	return 0;
}

/* It may be cut again. */
static void rest_came(struct tevent_req *subreq)
{
	struct members_state *state = tevent_req_callback_data(subreq, struct members_state);
	struct entry_values *part;
	int r = rest_recv(subreq, state, &part);

	TALLOC_FREE(state->rest);
	TALLOC_FREE(state->rests[state->n_rests_begun - 1]);
	if (r == 0)
		r = take_members(state, part, part);
	if (r < 0)
		fail(state, r);
	else
		go_on(state);
}

/* ---- levels ---- */

static void next_level(struct members_state *state)
{
	size_t most = 2 * (state->n_wanted / BATCH + 1);
	int r;

	if (state->n_derefs > 0) {
		r = start_deref(state);
		if (r < 0)
			fail(state, r);
		return;
	}

	TALLOC_FREE(state->batches);
	state->n_batches = state->n_started = state->n_ended = 0;
	state->batches = talloc_zero_array(state, struct batch, (unsigned)most);
	r = state->batches ? make_batches(state, SEARCH_USERS) : -ENOMEM;
	if (r == 0 && state->levels_left > 0)
		r = make_batches(state, SEARCH_GROUPS);
	TALLOC_FREE(state->wanted);
	state->n_wanted = 0;
	if (r == 0)
		r = start_searches(state);
	if (r < 0)
		fail(state, r);
	else if (state->n_batches == 0)
		req_finish(state->req, 0);
}

/* Who was asked for, not another with the same RDN; else NULL. */
static int find_wanted(const struct members_state *state, const struct entry_values *values,
                       struct wanted **ret_wanted)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct dn dn;
	int r = scratch ? dn_parse(scratch, values->dn, &dn) : -ENOMEM;

	*ret_wanted = r == 0 ? map_get(state->met, dn.key, strlen(dn.key)) : NULL;
	return r == -EINVAL ? 0 : r;
}

static int take_user(struct members_state *state, struct wanted *wanted,
                     const struct entry_values *values)
{
	struct ldap_domain *domain = state->domain;
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	const char *reason, *name;
	char *folded;

	wanted->user = false;
	reason = member_from(scratch, values, domain->conf.user_name, &domain->range, &name);
	if (!reason && folds(domain) && str_fold(scratch, name, &folded) == 0)
		name = folded; /* as DNs tell it: no name is to come twice */
	if (!reason)
		return add_name(state, name, state);
	refusals_report(domain->refusals, state->id, values->dn, reason);
	return 0;
}

static int one_user(struct entry_values *values, void *data)
{
	struct members_state *state = data;
	struct wanted *wanted;
	int r = find_wanted(state, values, &wanted);

	if (wanted && wanted->user)
		r = take_user(state, wanted, values);
	talloc_free(values);
	return r;
}

static int one_group(struct entry_values *values, void *data)
{
	struct members_state *state = data;
	struct wanted *wanted;
	int r = find_wanted(state, values, &wanted);

	if (!wanted || !wanted->group) {
		talloc_free(values);
		return r;
	}
	wanted->group = false;
	return take_members(state, values, values);
}

/* A group's own members are not in here: it is searched for, but as nothing else. */
static void one_member(const struct entry_values *values, bool user, bool group, void *data)
{
	struct members_state *state = data;
	struct wanted *wanted = NULL;

	if ((user || group) && find_wanted(state, values, &wanted) < 0)
		state->no_memory = true;
	if (!wanted)
		return;
	if (user && wanted->user && take_user(state, wanted, values) < 0)
		state->no_memory = true;
	wanted->user = false;
	wanted->group &= group;
}

static void dereferenced(struct tevent_req *subreq)
{
	struct members_state *state = tevent_req_callback_data(subreq, struct members_state);
	int r = deref_recv(subreq);

	TALLOC_FREE(subreq);
	if (r == -ENOTSUP) {
		state->domain->offers_deref = false;
		r = 0;
	}
	if (r == 0 && state->no_memory)
		r = -ENOMEM;
	if (r == 0 && ++state->n_dereferenced < state->n_derefs && state->domain->offers_deref) {
		r = start_deref(state);
		if (r == 0)
			return;
	}

	TALLOC_FREE(state->derefs);
	state->n_derefs = state->n_dereferenced = 0;
	if (r < 0)
		req_finish(state->req, r);
	else
		next_level(state);
}

static void searched(struct tevent_req *subreq)
{
	struct members_state *state = tevent_req_callback_data(subreq, struct members_state);
	int r = search_recv(subreq);

	state->last = state->last == subreq ? NULL : state->last;
	TALLOC_FREE(subreq);
	state->n_ended++;
	if (r == 0)
		r = start_searches(state);
	if (r < 0)
		fail(state, r);
	else
		go_on(state);
}

/* ---- without a question ---- */

/* A group that is read, and how many levels below it are. */
struct told_group {
	const struct entry_values *group; /* borrowed */
	uint32_t levels_left;
};

struct telling {
	const struct ldap_domain *domain; /* borrowed */
	const struct map *known;          /* borrowed, or NULL */
	struct map *met;                  /* owned: keys of the groups in queue */
	struct map *named;                /* owned: names that are in names */
	struct writer names;
	struct told_group *queue; /* owned */
	size_t n_queued;
	unsigned n_read; /* members */
};

static int enqueue(struct telling *telling, const char *key, const struct entry_values *group,
                   uint32_t levels_left)
{
	size_t room = talloc_array_length(telling->queue);

	if (telling->n_queued == room) {
		struct told_group *queue =
			talloc_realloc(telling->met, telling->queue, struct told_group,
		                       (unsigned)(room ? room * 2 : 16));

		if (!queue)
			return -ENOMEM;
		telling->queue = queue;
	}
	telling->queue[telling->n_queued++] = (struct told_group){ group, levels_left };
	return map_set(telling->met, key, strlen(key), telling->met);
}

/* The member is no user whose name its DN tells: is it a group that is known? */
static int tell_group(struct telling *telling, const char *key, uint32_t levels_left)
{
	const struct ldap_domain *domain = telling->domain;
	const struct entry_values *group = NULL;

	if (!bases_hold(&domain->bases[SEARCH_GROUPS], key, false))
		return bases_hold(&domain->bases[SEARCH_USERS], key, false) ? -EAGAIN : 0;
	if (telling->known)
		group = map_get(telling->known, key, strlen(key));
	if (!group || entry_has_class(group, GROUP_CLASS, domain->conf.user_object_class))
		return -EAGAIN;
	if (levels_left == 0 || map_get(telling->met, key, strlen(key)))
		return 0;
	return enqueue(telling, key, group, levels_left - 1);
}

/* Adds what one DN tells. Errors: -EAGAIN it does not tell all. */
static int tell_member(struct telling *telling, const struct berval *value, uint32_t levels_left)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	char *name = NULL;
	struct dn dn;
	int r;

	if (strlen(value->bv_val) != value->bv_len)
		return -EAGAIN;
	r = dn_parse(scratch, value->bv_val, &dn);
	if (r == 0)
		r = told_name(scratch, telling->domain, &dn, &name);
	if (r < 0)
		return r == -EINVAL ? -EAGAIN : r;
	if (!name)
		return tell_group(telling, dn.key, levels_left);
	if (accept_name(name) != ACCEPTED || map_get(telling->named, name, strlen(name)))
		return 0;
	writer_str(&telling->names, name);
	return map_set(telling->named, name, strlen(name), telling->named);
}

static int tell_members(struct telling *telling, struct told_group told)
{
	const struct berval *value = told.group->values[GROUP_MEMBER_DN];
	int r = 0;

	for (; value && value->bv_val && r == 0; value++)
		if (value->bv_len > 0) /* else the root: how some say "nobody" */
			r = telling->n_read++ < SLICE
			            ? tell_member(telling, value, told.levels_left)
			            : -EAGAIN;
	return r;
}

static int tell_all(struct telling *telling, const struct entry_values *group)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct dn dn = { .key = NULL };
	int r = scratch ? dn_parse(scratch, group->dn, &dn) : -ENOMEM;

	if (r == 0 || r == -EINVAL) /* it can be nobody's member, then */
		r = enqueue(telling, r == 0 ? dn.key : "", group,
		            telling->domain->conf.group_nesting_level);
	for (size_t i = 0; i < telling->n_queued && r == 0; i++)
		r = tell_members(telling, telling->queue[i]);
	return r < 0 ? r : writer_end(&telling->names);
}

int members_told(TALLOC_CTX *mem, const struct ldap_domain *domain,
                 const struct entry_values *group, const struct map *known, struct names *ret_names)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct telling telling = {
		.domain = domain,
		.known = known,
		.met = map_new(scratch),
		.named = map_new(scratch),
		.names = writer_new(NAMES_MAX),
	};
	struct names names = { 0 };
	int r = telling.met && telling.named ? tell_all(&telling, group) : -ENOMEM;

	if (r == 0 && telling.names.size > 0) {
		names.size = telling.names.size;
		names.bytes = talloc_memdup(mem, telling.names.bytes, telling.names.size);
		r = names.bytes ? 0 : -ENOMEM;
	}
	writer_free(&telling.names);
	if (r < 0)
		return r;
	names.count = (uint32_t)map_count(telling.named);
	*ret_names = names;
	return 0;
}

int members_recv(struct tevent_req *req, TALLOC_CTX *mem, struct names *ret_names)
{
	struct members_state *state = tevent_req_data(req, struct members_state);
	int r = req_result(req);

	if (r == 0)
		r = writer_end(&state->names);
	if (r == 0 && state->n_names > 0) {
		ret_names->bytes = talloc_memdup(mem, state->names.bytes, state->names.size);
		r = ret_names->bytes ? 0 : -ENOMEM;
	}
	if (r == 0) {
		ret_names->size = state->names.size;
		ret_names->count = state->n_names;
	}
	tevent_req_received(req);
	return r;
}

const char *members_wait_for(struct tevent_req *req)
{
	struct members_state *state = tevent_req_data(req, struct members_state);

	return state->rest   ? rest_waits_for(state->rest)
	       : state->last ? search_waits_for(state->last)
	                     : "the members of a group";
}
