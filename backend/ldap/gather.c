/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gather - see gather.h
 *
 *   gather_entry … ─▶ gather_tell_send ─▶ tell_some ─▶ gather_tell_recv
 *                                           ▲   │
 *                                           └───┘ until all are told
 *
 *   gather_commit_send ─▶ (tell) ─▶ told ─▶ (commit) ─▶ committed ─▶ gather_commit_recv
 */
#include "backend/ldap/gather.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/members.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/ldap/dn.h"

#define MEMBERS_MAX 50000 /* in one change; what goes beyond is asked for by itself */
#define HELD_MAX    21000 /* entries and DNs of members that are held: 2 to 5 MB */
#define TOLD_A_TURN 4     /* groups in one turn of the loop: a millisecond each at most */
#define BELIEVED_S  60

struct slot {
	uint32_t gid;
	bool wanted;                     /* its number was asked for; else it is believed */
	char *dn;                        /* of its entry, NULL = none came */
	bool told;                       /* and it is in the change */
	const struct entry_values *held; /* borrowed from known: the others may tell */
	struct group group;              /* of that */
};

struct gather {
	struct ldap_domain *domain; /* borrowed */
	struct slot *slots;         /* owned */
	size_t n_slots;
	uint32_t epoch;              /* of the cache, when it began */
	struct cache_change *change; /* owned; NULL: nothing was told since the last */
	size_t n_told, n_members;    /* in it */
	struct map *known; /* keys of DNs → entries, which hang below it; NULL: none is held */
	size_t n_held;     /* of these, and DNs of members in them */
};

struct gather_tell_state {
	struct tevent_req *req;
	struct gather *gather; /* borrowed */
	bool all;
	size_t next_slot;
};

struct gather_commit_state {
	struct gather *gather; /* borrowed */
};

static void tell_some(void *data);
static void told(struct tevent_req *subreq);
static void committed(struct tevent_req *subreq);

static bool holds_groups(const struct ldap_domain *domain)
{
	return domain->group_attrs.names[GROUP_MEMBER_DN] && domain->conf.group_nesting_level > 0;
}

struct gather *gather_new(TALLOC_CTX *mem, struct ldap_domain *domain)
{
	struct gather *gather = talloc_zero(mem, struct gather);

	if (!gather)
		return NULL;
	gather->domain = domain;
	gather->epoch = cache_epoch(cache_writer_reader(domain->host->writer));
	if (holds_groups(domain)) {
		gather->known = map_new(gather);
		if (!gather->known)
			TALLOC_FREE(gather);
	}
	return gather;
}

const struct attrs *gather_attrs(const struct gather *gather)
{
	return gather->known ? &gather->domain->known_attrs : &gather->domain->group_attrs;
}

static struct slot *slot_of(const struct gather *gather, uint32_t gid)
{
	for (size_t i = 0; i < gather->n_slots; i++)
		if (gather->slots[i].gid == gid)
			return &gather->slots[i];
	return NULL;
}

static struct slot *add_slot(struct gather *gather, uint32_t gid)
{
	size_t room = talloc_array_length(gather->slots);

	if (gather->n_slots == room) {
		struct slot *slots = talloc_realloc(gather, gather->slots, struct slot,
		                                    (unsigned)(room ? room * 2 : 64));

		if (!slots)
			return NULL;
		gather->slots = slots;
	}
	gather->slots[gather->n_slots] = (struct slot){ .gid = gid };
	return &gather->slots[gather->n_slots++];
}

int gather_want(struct gather *gather, uint32_t gid)
{
	struct slot *slot = slot_of(gather, gid);

	if (!slot)
		slot = add_slot(gather, gid);
	if (!slot)
		return -ENOMEM;
	slot->wanted = true;
	return 0;
}

bool gather_knows(const struct gather *gather, uint32_t gid)
{
	return slot_of(gather, gid) != NULL;
}

bool gather_told(const struct gather *gather, uint32_t gid)
{
	const struct slot *slot = slot_of(gather, gid);

	return slot && slot->told;
}

bool gather_is_cached(const struct ldap_domain *domain, uint32_t gid)
{
	struct cache *cache = cache_writer_reader(domain->host->writer);
	struct query query = { .kind = QUERY_GROUP_BY_ID, .id = gid };
	struct entry_now now = entry_now();
	struct entry entry;
	bool fresh;

	if (cache_begin(cache) < 0)
		return false;
	fresh = cache_peek(cache, &query, &entry) == 0 &&
	        entry_age(&entry, &now, 0, cache_touched(cache, ENTRY_GROUP, entry.group.name)) ==
	                ENTRY_FRESH;
	cache_end(cache);
	return fresh;
}

/* ---- one entry ---- */

/* Of two with the same number the first by DN is taken (pick.h). Does values come after the one
 * that came before it? The latter goes if not. */
static int settle_twins(struct gather *gather, const struct request_id *id, struct slot *slot,
                        const struct entry_values *values)
{
	struct query query = { .kind = QUERY_GROUP_BY_ID, .id = slot->gid };
	bool after;

	if (!slot->dn || strcasecmp(slot->dn, values->dn) == 0)
		return 0;
	after = strcasecmp(slot->dn, values->dn) < 0;
	refusals_report_twin(gather->domain->refusals, id, after ? values->dn : slot->dn,
	                     after ? slot->dn : values->dn, "number");
	if (after)
		return -EEXIST;
	slot->held = NULL;
	if (!slot->told)
		return 0;
	slot->told = false;
	return gather->change ? cache_remove(gather->change, &query) : 0;
}

static bool is_held(const struct gather *gather, const struct entry_values *values)
{
	return gather->known && talloc_parent(values) == gather->known;
}

/* Keeps the entry, which then belongs to known, for those whose member it may be. */
static int hold(struct gather *gather, struct entry_values *values)
{
	auto_talloc TALLOC_CTX *scratch = NULL;
	struct dn dn;
	size_t n = 1 + entry_count(values->values[GROUP_MEMBER_DN]); /* the entry itself, too */
	int r;

	if (!gather->known || gather->n_held + n > HELD_MAX || entry_cut(values, GROUP_MEMBER_DN))
		return 0;
	scratch = talloc_new(NULL);
	r = scratch ? dn_parse(scratch, values->dn, &dn) : -ENOMEM;
	if (r == 0 && map_get(gather->known, dn.key, strlen(dn.key)))
		return 0;
	if (r == 0)
		r = map_set(gather->known, dn.key, strlen(dn.key), values);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	talloc_steal(gather->known, values);
	gather->n_held += n;
	return 0;
}

static uint32_t lifetime_s(const struct gather *gather, const struct slot *slot)
{
	uint32_t s = gather->domain->group_lifetime_s;

	return slot->wanted || s < BELIEVED_S ? s : BELIEVED_S;
}

/* Puts the group into the change. -EAGAIN: its entry, and those that are known, do not tell all of
 * it. */
static int put(struct gather *gather, struct slot *slot, const struct entry_values *values,
               struct group *group)
{
	struct ldap_domain *domain = gather->domain;
	int r = entry_cut(values, GROUP_MEMBER_DN) ? -EAGAIN : 0;

	if (!gather->change)
		gather->change = cache_change_new(gather, gather->epoch);
	if (!gather->change)
		return -ENOMEM;
	if (r == 0 && values->values[GROUP_MEMBER_DN])
		r = members_told(gather, domain, values, gather->known, &group->members);
	gather->n_members += group->members.count;
	if (r == 0 && gather->n_members > MEMBERS_MAX)
		r = -EAGAIN;
	if (r == 0)
		r = cache_put_group(gather->change, group, lifetime_s(gather, slot));
	if (r == 0) {
		slot->told = true;
		gather->n_told++;
	}
	return r;
}

/* Puts the group into the change, or holds it until more is known. */
static int take(struct gather *gather, const struct request_id *id, struct slot *slot,
                struct entry_values *values, struct group *group)
{
	int r = settle_twins(gather, id, slot, values);

	if (r < 0)
		return r == -EEXIST ? hold(gather, values) : r;
	if (slot->held || slot->told)
		return 0; /* it came before, and that is it */
	talloc_free(slot->dn);
	slot->dn = talloc_strdup(gather, values->dn);
	if (!slot->dn)
		return -ENOMEM;
	r = slot->wanted ? put(gather, slot, values, group) : -EAGAIN;
	if (r < 0 && r != -EAGAIN)
		return r;
	if (hold(gather, values) < 0)
		return -ENOMEM;
	if (r == -EAGAIN && is_held(gather, values)) {
		slot->held = values;
		slot->group = *group;
	}
	return 0;
}

int gather_entry(struct gather *gather, const struct request_id *id, struct entry_values *values,
                 bool known_only)
{
	struct ldap_domain *domain = gather->domain;
	struct slot *slot = NULL;
	struct group group;
	const char *reason;
	int r = 0;

	reason = group_from(values, values, domain->conf.group_name, NULL, &domain->range, &group);
	if (!reason) {
		slot = slot_of(gather, group.gid);
		if (!slot && !known_only && !gather_is_cached(domain, group.gid)) {
			slot = add_slot(gather, group.gid);
			r = slot ? 0 : -ENOMEM;
		}
	}
	if (reason == records_no_memory)
		r = -ENOMEM;
	if (r == 0)
		r = slot ? take(gather, id, slot, values, &group) : hold(gather, values);
	if (reason && r == 0 && entry_text(values, GROUP_GID))
		refusals_report(domain->refusals, id, values->dn, reason);
	if (r < 0 || !is_held(gather, values))
		talloc_free(values);
	return r;
}

/* ---- all entries ---- */

struct tevent_req *gather_tell_send(TALLOC_CTX *mem, struct gather *gather, bool all)
{
	struct gather_tell_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct gather_tell_state);

	if (!req)
		return NULL;
	state->req = req;
	state->gather = gather;
	state->all = all;
	tevent_req_defer_callback(req, gather->domain->host->ev);
	tell_some(state);
	return req;
}

/* What was held is told now, or will be asked for by itself. */
static void tell_some(void *data)
{
	struct gather_tell_state *state = data;
	struct gather *gather = state->gather;
	unsigned n = 0;

	for (; state->next_slot < gather->n_slots && n < TOLD_A_TURN; state->next_slot++) {
		struct slot *slot = &gather->slots[state->next_slot];
		int r;

		if (!slot->held || slot->told || !(slot->wanted || state->all))
			continue;
		n++;
		r = put(gather, slot, slot->held, &slot->group);
		if (r < 0 && r != -EAGAIN) {
			req_finish(state->req, r);
			return;
		}
	}
	if (state->next_slot == gather->n_slots)
		req_finish(state->req, 0);
	else if (!timer_once(state, gather->domain->host->ev, 0, tell_some, state))
		req_finish(state->req, -ENOMEM);
}

int gather_tell_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

int gather_believed(const struct gather *gather, TALLOC_CTX *mem, uint32_t **ret_gids,
                    size_t *ret_n_gids)
{
	uint32_t *gids = talloc_array(mem, uint32_t, (unsigned)gather->n_slots + 1);
	size_t n = 0;

	if (!gids)
		return -ENOMEM;
	for (size_t i = 0; i < gather->n_slots; i++)
		if (gather->slots[i].told && !gather->slots[i].wanted)
			gids[n++] = gather->slots[i].gid;
	*ret_gids = gids;
	*ret_n_gids = n;
	return 0;
}

struct cache_change *gather_change(struct gather *gather, TALLOC_CTX *mem)
{
	if (gather->n_told == 0)
		TALLOC_FREE(gather->change);
	gather->n_told = gather->n_members = 0;
	return talloc_move(mem, &gather->change);
}

struct tevent_req *gather_commit_send(TALLOC_CTX *mem, struct gather *gather, bool all)
{
	struct gather_commit_state *state;
	struct tevent_req *req, *subreq;

	req = tevent_req_create(mem, &state, struct gather_commit_state);
	if (!req)
		return NULL;
	state->gather = gather;
	subreq = gather_tell_send(state, gather, all);
	if (tevent_req_nomem(subreq, req))
		return tevent_req_post(req, gather->domain->host->ev);
	tevent_req_set_callback(subreq, told, req);
	return req;
}

static void told(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct gather_commit_state *state = tevent_req_data(req, struct gather_commit_state);
	const struct provider_host *host = state->gather->domain->host;
	struct cache_change *change;
	int r = gather_tell_recv(subreq);

	TALLOC_FREE(subreq);
	change = r == 0 ? gather_change(state->gather, state) : NULL;
	if (!change) {
		req_finish(req, r);
		return;
	}
	subreq = cache_commit_send(state, host->ev, host->writer, change);
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

int gather_commit_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}
