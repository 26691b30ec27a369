/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ahead - see ahead.h
 *
 *   ahead_send ─▶ (search) ─▶ searched ─▶ tell_held ─▶ (commit) ─▶ committed ─▶ ahead_recv
 *                                          ▲     │
 *                                          └─────┘ until all are told
 *
 * A group in which the user is by way of another group comes with that one, whose members are among
 * its own: so the entries are held until all are there, and most groups in groups cost no search.
 */
#include "backend/ldap/ahead.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/dn.h"
#include "backend/ldap/filter.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/members.h"
#include "backend/ldap/search.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/event/timer.h"

#define USERS       8     /* who were noted last */
#define NOTED_S     30    /* for so long */
#define BATCH       1000  /* numbers are short: 23 KB of a filter at most */
#define MEMBERS_MAX 50000 /* in one change; what goes beyond is asked for by itself */
#define HELD_MAX    21000 /* entries and DNs of members that are held: 2 to 5 MB */
#define TOLD_A_TURN 4     /* groups in one turn of the loop: a millisecond each at most */

struct noted {
	struct boottime when;
	uint32_t *gids; /* owned; of those that were not fetched yet */
	size_t n_gids;
};

struct ahead {
	struct noted users[USERS];
	size_t next; /* the one that is replaced next */
};

/* A group that is being fetched. */
struct slot {
	uint32_t gid;
	char *dn;                        /* of its entry, NULL = none came */
	bool told;                       /* and it is in the change */
	const struct entry_values *held; /* borrowed from known: the others may tell */
	struct group group;              /* of that */
};

struct ahead_state {
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	struct slot *slots; /* owned; the first is the one that was asked for */
	size_t n_slots;
	char *filter;
	struct cache_change *change; /* owned until it is committed */
	size_t n_told, n_members;
	struct map *known; /* keys of DNs → entries, which hang below it; NULL: none is held */
	size_t n_held;     /* of these, and DNs of members in them */
	size_t next_slot;  /* of those to be told */
	struct tevent_req *search; /* NULL when it has ended */
};

static int one_group(struct entry_values *values, void *data);
static void searched(struct tevent_req *subreq);
static void tell_held(void *data);
static void committed(struct tevent_req *subreq);

struct ahead *ahead_new(TALLOC_CTX *mem)
{
	return talloc_zero(mem, struct ahead);
}

void ahead_note(struct ahead *ahead, const uint32_t *gids, size_t n_gids, uint32_t primary_gid)
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
	ahead->next = (ahead->next + 1) % USERS;
}

/* The latest user who is in gid, if anybody is. */
static struct noted *find(const struct ahead *ahead, uint32_t gid)
{
	struct boottime now = boottime_now();

	for (size_t n = 1; n <= USERS; n++) {
		const struct noted *noted = &ahead->users[(ahead->next + USERS - n) % USERS];

		if (!noted->gids || now.s - noted->when.s > NOTED_S)
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

	return noted && noted->n_gids > 1;
}

static bool is_fresh(struct cache *cache, uint32_t gid, const struct entry_now *now)
{
	struct query query = { .kind = QUERY_GROUP_BY_ID, .id = gid };
	struct entry entry;

	return cache_peek(cache, &query, &entry) == 0 &&
	       entry_age(&entry, now, 0, cache_touched(cache, ENTRY_GROUP, entry.group.name)) ==
	               ENTRY_FRESH;
}

/* Moves up to BATCH of the user's groups to slots, gid before all. */
static int take_slots(struct ahead_state *state, struct noted *noted, uint32_t gid)
{
	struct cache *cache = cache_writer_reader(state->domain->host->writer);
	struct entry_now now = entry_now();
	size_t n = 0, n_left = 0;
	int r;

	state->slots = talloc_zero_array(state, struct slot, BATCH);
	if (!state->slots)
		return -ENOMEM;
	r = cache_begin(cache);
	if (r < 0)
		return r;
	state->slots[n++].gid = gid;
	for (size_t i = 0; i < noted->n_gids; i++) {
		uint32_t other = noted->gids[i];

		if (n == BATCH)
			noted->gids[n_left++] = other;
		else if (other != gid && !is_fresh(cache, other, &now))
			state->slots[n++].gid = other;
	}
	cache_end(cache);
	noted->n_gids = n_left;
	state->n_slots = n;
	return n > 1 ? 0 : -ENOENT;
}

static int make_filter(struct ahead_state *state)
{
	const struct ldap_conf *conf = &state->domain->conf;
	struct filter filter = filter_new();

	filter_open(&filter, '&');
	filter_open(&filter, '|');
	for (size_t i = 0; i < state->n_slots; i++)
		filter_equal_number(&filter, conf->group_gid_number, state->slots[i].gid);
	filter_close(&filter);
	lookup_add_group_class(&filter, conf);
	filter_present(&filter, conf->group_name);
	filter_close(&filter);
	return filter_end(&filter, state, &state->filter);
}

static bool holds_groups(const struct ldap_domain *domain)
{
	return domain->group_attrs.names[GROUP_MEMBER_DN] && domain->conf.group_nesting_level > 0;
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
	r = noted ? take_slots(state, noted, gid) : -ENOENT;
	if (r == 0)
		r = make_filter(state);
	if (r < 0)
		return req_finish_now(req, ev, r);
	state->change =
		cache_change_new(state, cache_epoch(cache_writer_reader(domain->host->writer)));
	if (tevent_req_nomem(state->change, req))
		return tevent_req_post(req, ev);
	if (holds_groups(domain)) {
		state->known = map_new(state);
		if (tevent_req_nomem(state->known, req))
			return tevent_req_post(req, ev);
	}
	state->search = search_send(state, domain, id, SEARCH_GROUPS, state->filter,
	                            state->known ? &domain->known_attrs : &domain->group_attrs,
	                            one_group, state);
	if (tevent_req_nomem(state->search, req))
		return tevent_req_post(req, ev);
	tevent_req_set_callback(state->search, searched, req);
	return req;
}

/* ---- one entry ---- */

static struct slot *slot_of(struct ahead_state *state, uint32_t gid)
{
	for (size_t i = 0; i < state->n_slots; i++)
		if (state->slots[i].gid == gid)
			return &state->slots[i];
	return NULL;
}

/* Of two with the same number the first by DN is taken (pick.h). Does values come after the one
 * that came before it? The latter goes if not. */
static int settle_twins(struct ahead_state *state, struct slot *slot,
                        const struct entry_values *values)
{
	struct query query = { .kind = QUERY_GROUP_BY_ID, .id = slot->gid };
	const char *first, *second;
	auto_talloc char *reason = NULL;
	bool after;

	if (!slot->dn)
		return 0;
	after = strcasecmp(slot->dn, values->dn) < 0;
	first = after ? slot->dn : values->dn;
	second = after ? values->dn : slot->dn;
	reason = talloc_asprintf(NULL, "%s has the same number and comes first", first);
	refusals_report(state->domain->refusals, state->id, second,
	                reason ? reason : "another entry comes first");
	if (after)
		return -EEXIST;
	slot->held = NULL;
	if (slot->told) {
		slot->told = false;
		state->n_told--;
		return cache_remove(state->change, &query);
	}
	return 0;
}

static bool is_held(const struct ahead_state *state, const struct entry_values *values)
{
	return state->known && talloc_parent(values) == state->known;
}

/* Keeps the entry, which then belongs to known, for those whose member it may be. */
static int hold(struct ahead_state *state, struct entry_values *values)
{
	const struct berval *value = values->values[GROUP_MEMBER_DN];
	auto_talloc TALLOC_CTX *scratch = NULL;
	struct dn dn;
	size_t n = 1; /* the entry itself takes memory, too */
	int r;

	for (; value && value->bv_val; value++)
		n++;
	if (!state->known || state->n_held + n > HELD_MAX)
		return 0;
	scratch = talloc_new(NULL);
	r = scratch ? dn_parse(scratch, values->dn, &dn) : -ENOMEM;
	if (r == 0)
		r = map_set(state->known, dn.key, strlen(dn.key), values);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	talloc_steal(state->known, values);
	state->n_held += n;
	return 0;
}

/* Puts the group into the change. -EAGAIN: its entry, and those that are known, do not tell all of
 * it. */
static int put(struct ahead_state *state, struct slot *slot, const struct entry_values *values,
               struct group *group)
{
	struct ldap_domain *domain = state->domain;
	int r = 0;

	if (values->values[GROUP_MEMBER_DN])
		r = members_told(state->slots, domain, values, state->known, &group->members);
	state->n_members += group->members.count;
	if (r == 0 && state->n_members > MEMBERS_MAX)
		r = -EAGAIN;
	if (r == 0)
		r = cache_put_group(state->change, group, domain->group_lifetime_s);
	if (r == 0) {
		slot->told = true;
		state->n_told++;
	}
	return r;
}

/* Puts the group into the change, or holds it until more is known. */
static int take(struct ahead_state *state, struct slot *slot, struct entry_values *values,
                struct group *group)
{
	int r = settle_twins(state, slot, values);

	if (r < 0)
		return r == -EEXIST ? hold(state, values) : r;
	talloc_free(slot->dn);
	slot->dn = talloc_strdup(state->slots, values->dn);
	if (!slot->dn)
		return -ENOMEM;
	r = put(state, slot, values, group);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (hold(state, values) < 0)
		return -ENOMEM;
	if (r == -EAGAIN && is_held(state, values)) {
		slot->held = values;
		slot->group = *group;
	}
	return 0;
}

static int one_group(struct entry_values *values, void *data)
{
	struct ahead_state *state = data;
	struct ldap_domain *domain = state->domain;
	struct slot *slot = NULL;
	struct group group;
	const char *reason;
	int r;

	reason = group_from(values, values, domain->conf.group_name, NULL, &domain->range, &group);
	if (!reason)
		slot = slot_of(state, group.gid);
	if (reason == records_no_memory)
		r = -ENOMEM;
	else
		r = slot ? take(state, slot, values, &group) : hold(state, values);
	if (reason && r == 0)
		refusals_report(domain->refusals, state->id, values->dn, reason);
	if (r < 0 || !is_held(state, values))
		talloc_free(values);
	return r;
}

/* ---- all entries ---- */

static void commit(struct ahead_state *state)
{
	const struct provider_host *host = state->domain->host;
	struct tevent_req *subreq;

	if (state->n_told == 0) {
		req_finish(state->req, -ENOENT);
		return;
	}
	TALLOC_FREE(state->known);
	subreq = cache_commit_send(state, host->ev, host->writer, take_ptr(state->change));
	if (!tevent_req_nomem(subreq, state->req))
		tevent_req_set_callback(subreq, committed, state->req);
}

static void searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct ahead_state *state = tevent_req_data(req, struct ahead_state);
	int r = search_recv(subreq);

	TALLOC_FREE(state->search);
	if (r < 0)
		req_finish(req, r);
	else
		tell_held(state);
}

/* What was held is told now, or will be asked for by itself. */
static void tell_held(void *data)
{
	struct ahead_state *state = data;
	unsigned n = 0;

	for (; state->next_slot < state->n_slots && n < TOLD_A_TURN; state->next_slot++) {
		struct slot *slot = &state->slots[state->next_slot];
		int r;

		if (!slot->held)
			continue;
		n++;
		r = put(state, slot, slot->held, &slot->group);
		if (r < 0 && r != -EAGAIN) {
			req_finish(state->req, r);
			return;
		}
	}
	if (state->next_slot == state->n_slots)
		commit(state);
	else if (!timer_once(state, state->domain->host->ev, 0, tell_held, state))
		req_finish(state->req, -ENOMEM);
}

static void committed(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct ahead_state *state = tevent_req_data(req, struct ahead_state);
	int r = cache_commit_recv(subreq);

	TALLOC_FREE(subreq);
	req_finish(req, r < 0 ? r : state->slots[0].told ? 0 : -ENOENT);
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
