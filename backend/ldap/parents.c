/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parents - see parents.h
 *
 *   parents_send ─▶ next_level ─▶ ask ─▶ (searches) ─▶ searched ─▶ parents_recv
 *                        ▲         ▲                      │  │
 *                        │         └─ once more, by member only
 *                        └─ groups nobody met ────────────┘
 *
 * A level is one search for up to BATCH groups, whatever is in them: who has 500 groups costs no
 * more questions than who has one. A group is followed once, so diamonds cost nothing and circles
 * end.
 *
 * When the groups themselves are wanted, a level asks for those of the level below by their numbers
 * as well: as many searches as before, and no other for their names and members. What came for its
 * number only is told from what holds a group of the level below by the members it lists. Where
 * that cannot be told for sure the level is asked once more, by member only: a DN may be spelt in
 * ways that only the server knows, and a large group is left to it, too.
 */
#include "backend/ldap/parents.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/filter.h"
#include "backend/ldap/gather.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/search.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/ldap/dn.h"
#include "common/ldap/schema.h"

/* One search is for so many groups, or so many bytes of DNs, which may grow threefold in a filter.
 */
#define BATCH       500
#define BATCH_BYTES ((size_t)64 << 10)
#define AT_A_TIME   2 /* searches: to make one takes milliseconds, and other questions wait */

/* Groups of a user: more are not gathered. */
#define GATHER_MAX 1000

/* Members: more take over a millisecond to read, and are not asked for twice. */
#define LARGE 1000

struct parents {
	struct ldap_domain *domain; /* borrowed */
	unsigned level;             /* that is asked for next; 0 = the groups of the user */
	uint32_t levels_left;
	struct map *met;    /* keys of groups → the level they were found at, plus 1 */
	struct asked *next; /* owned: what the next level asks for */
	size_t n_next;
	uint32_t *gids; /* owned */
	size_t n_gids;
	bool odd;              /* a DN of those that were met may be spelt in other ways */
	uint32_t primary_gid;  /* to be gathered with the next level but the first; 0 = none */
	struct gather *gather; /* owned; NULL: only the numbers are wanted */
};

struct parents_state {
	struct tevent_req *req;
	struct parents *parents; /* borrowed */
	const struct request_id *id;
	unsigned n_levels;   /* that are left to do now */
	struct asked *asked; /* owned: what the level that is under way asks for */
	size_t n_asked, n_begun;
	bool by_number;          /* and that for numbers as well */
	bool unclear;            /* what it brought may hold what was asked for, or not */
	bool silent;             /* it brought a group for its number, and no members of that */
	bool talkative;          /* it brought members of some group */
	TALLOC_CTX *level;       /* the searches under way, and their filters */
	struct tevent_req *last; /* one of them; NULL when there is none */
	size_t n_running;
};

enum holds { HOLDS_NONE, HOLDS_ONE, HOLDS_UNCLEAR };

static void next_level(struct parents_state *state);
static void ask(struct parents_state *state, bool by_number);
static int one_group(struct entry_values *values, void *data);
static void searched(struct tevent_req *subreq);

int parents_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, const struct asked *asked,
                   size_t n, char **ret_filter)
{
	struct filter filter = filter_new();
	size_t n_parts = 0;

	for (size_t i = 0; i < n; i++)
		n_parts += (asked[i].member != NULL) + (asked[i].gid != 0);
	filter_open(&filter, '&');
	if (n_parts > 1)
		filter_open(&filter, '|');
	/* Numbers first: servers go through the list for each entry, and most came for theirs. */
	for (size_t i = 0; i < n; i++)
		if (asked[i].gid)
			filter_equal_number(&filter, conf->group_gid_number, asked[i].gid);
	for (size_t i = 0; i < n; i++)
		if (asked[i].member)
			filter_equal(&filter, conf->group_member, asked[i].member);
	if (n_parts > 1)
		filter_close(&filter);
	lookup_add_group_class(&filter, conf);
	filter_present(&filter, conf->group_name);
	if (!schema_lists_dns(conf)) {
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

static int add_next(struct parents *parents, const char *member, uint32_t gid)
{
	size_t room = talloc_array_length(parents->next);
	char *copy = NULL;

	if (parents->n_next == room) {
		struct asked *next = talloc_realloc(parents, parents->next, struct asked,
		                                    (unsigned)(room ? room * 2 : 16));

		if (!next)
			return -ENOMEM;
		parents->next = next;
	}
	if (member) {
		copy = talloc_strdup(parents->next, member);
		if (!copy)
			return -ENOMEM;
	}
	parents->next[parents->n_next++] = (struct asked){ copy, gid };
	return 0;
}

struct parents *parents_new(TALLOC_CTX *mem, struct ldap_domain *domain, const char *member)
{
	struct parents *parents = talloc_zero(mem, struct parents);

	if (!parents)
		return NULL;
	parents->domain = domain;
	if (schema_lists_dns(&domain->conf))
		parents->levels_left = domain->conf.group_nesting_level;
	parents->met = map_new(parents);
	if (!parents->met || add_next(parents, member, 0) < 0)
		TALLOC_FREE(parents);
	return parents;
}

int parents_gather(struct parents *parents, uint32_t primary_gid)
{
	parents->primary_gid = primary_gid;
	parents->gather = gather_new(parents, parents->domain);
	return parents->gather ? 0 : -ENOMEM;
}

void parents_take(struct parents *parents, TALLOC_CTX *mem, uint32_t **ret_gids, size_t *ret_n_gids)
{
	*ret_gids = talloc_move(mem, &parents->gids);
	*ret_n_gids = parents->n_gids;
	parents->n_gids = 0;
}

struct gather *parents_gathered(const struct parents *parents)
{
	return parents->gather;
}

struct tevent_req *parents_send(TALLOC_CTX *mem, struct parents *parents,
                                const struct request_id *id, unsigned n_levels)
{
	struct parents_state *state;
	struct tevent_req *req;

	req = tevent_req_create(mem, &state, struct parents_state);
	if (!req)
		return NULL;
	state->req = req;
	state->parents = parents;
	state->id = id;
	state->n_levels = n_levels;
	tevent_req_defer_callback(req, parents->domain->host->ev);
	next_level(state);
	return req;
}

/* Goes on with what the level before has found. */
static void next_level(struct parents_state *state)
{
	struct parents *parents = state->parents;

	if (parents->level > 0 && parents->gather && parents->n_gids > GATHER_MAX)
		TALLOC_FREE(parents->gather);
	if (parents->level > 0 && parents->gather && parents->primary_gid) {
		int r = add_next(parents, NULL, parents->primary_gid);

		parents->primary_gid = 0;
		if (r < 0) {
			req_finish(state->req, r);
			return;
		}
	}
	if (parents->n_next == 0 || state->n_levels == 0) {
		req_finish(state->req, 0);
		return;
	}
	state->n_levels--;
	if (parents->level > 0 && parents->levels_left > 0)
		parents->levels_left--;
	talloc_free(state->asked);
	state->asked = talloc_move(state, &parents->next);
	state->n_asked = parents->n_next;
	parents->n_next = 0;
	ask(state, parents->gather && parents->level > 0);
}

static int ask_for(struct parents_state *state, const struct asked *asked, size_t n)
{
	struct parents *parents = state->parents;
	struct ldap_domain *domain = parents->domain;
	struct tevent_req *subreq;
	char *filter;
	int r = 0;

	for (size_t i = 0; i < n && r == 0 && state->by_number; i++)
		if (asked[i].gid)
			r = gather_want(parents->gather, asked[i].gid);
	if (r == 0)
		r = parents_filter(state->level, &domain->conf, asked, n, &filter);
	if (r < 0)
		return r;
	subreq = search_long_send(state->level, domain, state->id, SEARCH_GROUPS, filter,
	                          state->by_number ? gather_attrs(parents->gather)
	                                           : &domain->gid_attrs,
	                          one_group, state);
	if (!subreq)
		return -ENOMEM;
	state->last = subreq;
	state->n_running++;
	tevent_req_set_callback(subreq, searched, state);
	return 0;
}

static size_t batch_size(const struct asked *asked, size_t n_asked)
{
	size_t bytes = 0, n = 0, n_members = 0;

	for (; n < n_asked && n_members < BATCH && bytes < BATCH_BYTES; n++)
		if (asked[n].member) {
			bytes += strlen(asked[n].member);
			n_members++;
		}
	while (n < n_asked && !asked[n].member)
		n++; /* a number takes no room */
	return n;
}

/* Begins some of the searches of this level, and goes on as they end. */
static int ask_more(struct parents_state *state)
{
	int r = 0;

	while (state->n_begun < state->n_asked && state->n_running < AT_A_TIME && r == 0) {
		const struct asked *asked = state->asked + state->n_begun;
		size_t n = batch_size(asked, state->n_asked - state->n_begun);

		r = ask_for(state, asked, n);
		state->n_begun += n;
	}
	return r;
}

/* Leaves out what is asked for by number only, and the other numbers. */
static void forget_numbers(struct parents_state *state)
{
	size_t n = 0;

	for (size_t i = 0; i < state->n_asked; i++)
		if (state->asked[i].member)
			state->asked[n++] = (struct asked){ state->asked[i].member, 0 };
	state->n_asked = n;
}

/* Asks for the groups of all in asked; by number also for these themselves. */
static void ask(struct parents_state *state, bool by_number)
{
	int r;

	state->by_number = by_number;
	state->unclear = state->silent = state->talkative = false;
	if (!by_number)
		forget_numbers(state);
	state->n_begun = 0;
	state->level = talloc_new(state);
	r = state->level ? ask_more(state) : -ENOMEM;
	if (r < 0) {
		TALLOC_FREE(state->level);
		req_finish(state->req, r);
	}
}

/* ---- one group ---- */

static int add_gid(struct parents *parents, uint32_t gid)
{
	size_t room = talloc_array_length(parents->gids);

	if (parents->n_gids == room) {
		uint32_t *gids = talloc_realloc(parents, parents->gids, uint32_t,
		                                (unsigned)(room ? room * 2 : 64));

		if (!gids)
			return -ENOMEM;
		parents->gids = gids;
	}
	parents->gids[parents->n_gids++] = gid;
	return 0;
}

static uintptr_t met_at(const struct parents *parents, const char *key)
{
	return (uintptr_t)map_get(parents->met, key, strlen(key));
}

/* Is it a name for a type of attribute that nobody writes in another way? */
static bool is_plain_type(const struct ldap_conf *conf, const char *type, size_t size)
{
	const char *const types[] = {
		"cn", "uid", "ou", "o", "dc", "l", "st", "c", conf->user_name, conf->group_name,
	};

	for (size_t i = 0; i < str_size(types); i++)
		if (strlen(types[i]) == size && strncasecmp(types[i], type, size) == 0)
			return true;
	return false;
}

/* Can no other spelling of the DN have another key? */
static bool is_plain(const struct ldap_conf *conf, const struct dn *dn)
{
	for (const char *at = dn->key; *at;) {
		size_t size = strcspn(at, "=");

		if (!is_plain_type(conf, at, size))
			return false;
		for (at += size; *at && *at != ','; at++)
			if (strchr("+#\\", *at) || *at < ' ' || *at > '~')
				return false;
		at += *at == ',';
	}
	return true;
}

/* The group's own groups are asked for later, unless they were before. */
static int follow(struct parents_state *state, const struct entry_values *values, uint32_t gid)
{
	struct parents *parents = state->parents;
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct dn parsed;
	int r;

	r = dn_parse(scratch, values->dn, &parsed);
	if (r == -EINVAL) {
		refusals_report(parents->domain->refusals, state->id, values->dn,
		                "its DN is not understood, its own groups are not followed");
		return 0;
	}
	if (r < 0 || met_at(parents, parsed.key))
		return r;
	r = map_set(parents->met, parsed.key, strlen(parsed.key),
	            (void *)(uintptr_t)(parents->level + 1));
	if (gid && (!parents->gather || gather_is_cached(parents->domain, gid) ||
	            entry_count(values->values[GROUP_MEMBER_DN]) > LARGE))
		gid = 0;
	parents->odd |= !is_plain(&parents->domain->conf, &parsed);
	return r < 0 ? r : add_next(parents, values->dn, gid);
}

/* A group that holds one of those that were asked for. */
static int take_parent(struct parents_state *state, const struct entry_values *values)
{
	struct parents *parents = state->parents;
	struct ldap_domain *domain = parents->domain;
	const char *reason;
	uint32_t gid = 0;
	int r = 0;

	reason = gid_from(values, &domain->range, &gid);
	if (!reason)
		r = add_gid(parents, gid);
	else if (entry_text(values, GROUP_GID))
		refusals_report(domain->refusals, state->id, values->dn, reason);
	if (r == 0 && parents->levels_left > 0)
		r = follow(state, values, reason ? 0 : gid);
	return r;
}

/* May it have come for its number? Of several any may be the one. */
static bool has_known_number(const struct gather *gather, const struct entry_values *values)
{
	const struct berval *value = values->values[GROUP_GID];
	uint64_t number;

	for (; value && value->bv_val; value++)
		if (str_to_u64(value->bv_val, &number) < 0 || number > UINT32_MAX ||
		    gather_knows(gather, (uint32_t)number))
			return true;
	return false;
}

/* Does this member say that the group holds what was asked for? */
static int look_at_member(const struct parents *parents, const struct berval *value,
                          enum holds *holds)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct dn dn;
	int r;

	if (value->bv_len == 0)
		return 0;
	if (strlen(value->bv_val) != value->bv_len) {
		*holds = HOLDS_UNCLEAR;
		return 0;
	}
	r = dn_parse(scratch, value->bv_val, &dn);
	if (r < 0 && r != -EINVAL)
		return r;
	if (r == 0 && met_at(parents, dn.key) == parents->level)
		*holds = HOLDS_ONE;
	else if (r == -EINVAL || parents->odd || !is_plain(&parents->domain->conf, &dn))
		*holds = HOLDS_UNCLEAR;
	return 0;
}

/* Does it hold what was asked for, too, or did it come for its number only? */
static int look_at_members(struct parents_state *state, const struct entry_values *values,
                           enum holds *ret_holds)
{
	const struct berval *value = values->values[GROUP_MEMBER_DN];
	enum holds holds = HOLDS_NONE;
	int r = 0;

	if (entry_cut(values, GROUP_MEMBER_DN) || entry_count(value) > LARGE) {
		*ret_holds = HOLDS_UNCLEAR;
		return 0;
	}
	state->silent |= !value;
	for (; value && value->bv_val && holds != HOLDS_ONE && r == 0; value++)
		r = look_at_member(state->parents, value, &holds);
	*ret_holds = holds;
	return r;
}

/* One that was met came for its number, or lies in a circle: it is followed already. */
static int was_met(const struct parents *parents, const char *text, bool *ret_met)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct dn dn;
	int r = dn_parse(scratch, text, &dn);

	*ret_met = r == 0 && met_at(parents, dn.key);
	return r == -EINVAL ? 0 : r;
}

/* An entry of a level that asks by number, too. */
static int sort_out(struct parents_state *state, const struct entry_values *values,
                    bool *ret_parent)
{
	enum holds holds = HOLDS_ONE;
	bool met = false;
	int r = 0;

	state->talkative |= values->values[GROUP_MEMBER_DN] != NULL;
	if (has_known_number(state->parents->gather, values)) {
		r = was_met(state->parents, values->dn, &met);
		if (r == 0 && !met)
			r = look_at_members(state, values, &holds);
	}
	state->unclear |= holds == HOLDS_UNCLEAR;
	*ret_parent = holds == HOLDS_ONE && !met;
	return r;
}

static int one_group(struct entry_values *values, void *data)
{
	struct parents_state *state = data;
	struct parents *parents = state->parents;
	bool parent = true;
	int r = 0;

	if (state->by_number)
		r = sort_out(state, values, &parent);
	if (r == 0 && parent)
		r = take_parent(state, values);
	if (r == 0 && state->by_number)
		return gather_entry(parents->gather, state->id, values, !parent);
	talloc_free(values);
	return r;
}

static bool asks_for_members(const struct parents_state *state)
{
	for (size_t i = 0; i < state->n_asked; i++)
		if (state->asked[i].member)
			return true;
	return false;
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
	if (r < 0) {
		req_finish(state->req, r);
	} else if (asks_for_members(state) &&
	           (state->unclear || (state->silent && !state->talkative))) {
		ask(state, false);
	} else {
		state->parents->level++;
		next_level(state);
	}
}

int parents_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

const char *parents_wait_for(struct tevent_req *req)
{
	struct parents_state *state = tevent_req_data(req, struct parents_state);

	return state->last ? search_waits_for(state->last) : "the groups of a user";
}
