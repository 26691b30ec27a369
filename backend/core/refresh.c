/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Refresh - see refresh.h
 *
 *   due ─▶ look ─▶ ask ─▶ (the queue) ─▶ asked ─▶ the next one
 *           ▲                              │
 *           └── those were all it found ◀──┘      users and their groups, then groups
 *
 * It looks at a few entries in each turn of the loop and has a few questions under way, in the same
 * queue as everybody's: what somebody else asks for just now is not asked twice.
 */
#include "backend/core/refresh.h"

#include <errno.h>

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/event/timer.h"

#define LOOK_AT_ONCE 500   /* entries: about a millisecond */
#define ASK_AT_ONCE  4     /* of the 64 places that the queue has */
#define DEADLINE_MS  60000 /* design §3: internal refresh */
#define DUE_PERCENT  67    /* of its life */

/* One question, found due. */
struct due {
	struct list node; /* of found, then of running */
	struct pass *pass;
	struct query query;
};

struct pass {
	struct refresh *owner;
	struct request_id id;
	int64_t began_us;
	enum entry_kind kind;
	struct cache_place place;
	struct list found, running; /* of struct due */
	bool whole;                 /* all entries were looked at */
	unsigned n_running, n_asked, n_failed;
};

struct refresh {
	const struct provider_host *host; /* borrowed, as is the next */
	struct queue *queue;
	struct timer *timer; /* owned */
	struct pass *pass;   /* owned; NULL between passes */
};

static void look(void *data);
static void ask(struct pass *pass);
static void asked(struct tevent_req *subreq);

static bool is_online(const struct refresh *refresh)
{
	const struct provider_host *host = refresh->host;

	return host->writer && online_state(host->online) == ONLINE_YES;
}

/* ---- a pass ---- */

static void pass_begin(void *data)
{
	struct refresh *refresh = data;
	struct pass *pass;

	if (refresh->pass || !is_online(refresh))
		return;
	pass = talloc_zero(refresh, struct pass);
	if (!pass)
		return;
	refresh->pass = pass;
	pass->owner = refresh;
	pass->id = request_id_new();
	pass->began_us = monotonic_us();
	pass->kind = ENTRY_USER;
	list_init(&pass->found);
	list_init(&pass->running);
	look(pass);
}

static void pass_end(struct pass *pass, int r)
{
	struct refresh *refresh = pass->owner;
	const char *domain = refresh->host->domain;

	if (r < 0)
		log_at(LEVEL_INFO, &pass->id, "domain %s: background refresh: %s", domain,
		       error_text(r));
	else if (pass->n_asked > 0)
		log_at(LEVEL_INFO, &pass->id,
		       "domain %s: background refresh: %u questions in %lld ms, %u failed", domain,
		       pass->n_asked, (long long)((monotonic_us() - pass->began_us) / 1000),
		       pass->n_failed);
	refresh->pass = NULL;
	talloc_free(pass);
}

/* ---- what is due ---- */

static bool is_due(struct cache *cache, const struct entry *entry, const struct entry_now *now)
{
	uint32_t since = cache_touched(cache, entry->kind, entry_name(entry));

	return entry_age(entry, now, DUE_PERCENT, since) != ENTRY_FRESH;
}

/* A question for the groups of a user brings the user along. */
static int query_of(struct cache *cache, const struct entry *entry, const struct entry_now *now,
                    enum query_kind *ret_kind)
{
	struct query query = { .kind = QUERY_INITGROUPS, .name = entry_name(entry) };
	struct entry groups;

	if (entry->kind == ENTRY_USER && cache_peek(cache, &query, &groups) == 0 &&
	    is_due(cache, &groups, now)) {
		*ret_kind = QUERY_INITGROUPS;
		return 0;
	}
	*ret_kind = entry->kind == ENTRY_USER ? QUERY_USER_BY_NAME : QUERY_GROUP_BY_NAME;
	return is_due(cache, entry, now) ? 0 : -ENOENT;
}

static int add_due(struct pass *pass, enum query_kind kind, const char *name)
{
	struct due *due = talloc_zero(pass, struct due);

	if (!due)
		return -ENOMEM;
	due->pass = pass;
	due->query.kind = kind;
	due->query.unasked = true;
	due->query.name = talloc_strdup(due, name);
	list_append(&pass->found, &due->node);
	return due->query.name ? 0 : -ENOMEM;
}

/* Errors: -ENOENT that were all of this kind. */
static int look_at_some(struct pass *pass, struct cache *cache)
{
	struct entry_now now = entry_now();
	int r = cache_begin(cache);

	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	for (unsigned n = 0; n < LOOK_AT_ONCE && r == 0; n++) {
		enum query_kind kind;
		struct entry entry;

		r = cache_next(cache, pass->kind, &pass->place, &entry);
		if (r == 0 && query_of(cache, &entry, &now, &kind) == 0)
			r = add_due(pass, kind, entry_name(&entry));
	}
	cache_end(cache);
	return r;
}

static void look(void *data)
{
	struct pass *pass = data;
	const struct provider_host *host = pass->owner->host;
	int r = look_at_some(pass, cache_writer_reader(host->writer));

	if (r == -ENOENT && pass->kind == ENTRY_USER) {
		pass->kind = ENTRY_GROUP;
		pass->place = (struct cache_place){ 0 };
		r = 0;
	} else if (r == -ENOENT) {
		pass->whole = true;
		r = 0;
	}
	if (r == -EBADMSG || r == -E_CACHE_DAMAGED)
		host->cache_damaged(host->data);
	else if (r < 0)
		pass_end(pass, r);
	else
		ask(pass);
}

/* ---- asking ---- */

static int ask_one(struct pass *pass)
{
	struct due *due = list_item(pass->found.next, struct due, node);
	struct refresh *refresh = pass->owner;
	struct tevent_req *subreq;

	subreq = queue_ask_send(due, refresh->host->ev, refresh->queue, &due->query,
	                        cache_epoch(cache_writer_reader(refresh->host->writer)), &pass->id,
	                        deadline_in_ms(DEADLINE_MS));
	if (!subreq)
		return -ENOMEM;
	list_remove(&due->node);
	list_append(&pass->running, &due->node);
	pass->n_running++;
	pass->n_asked++;
	tevent_req_set_callback(subreq, asked, due);
	return 0;
}

static void ask(struct pass *pass)
{
	int r = 0;

	while (r == 0 && pass->n_running < ASK_AT_ONCE && !list_empty(&pass->found))
		r = ask_one(pass);
	if (r < 0)
		pass_end(pass, r);
	else if (pass->n_running == 0 && pass->whole)
		pass_end(pass, 0);
	else if (pass->n_running == 0 && !timer_once(pass, pass->owner->host->ev, 0, look, pass))
		pass_end(pass, -ENOMEM);
}

static void asked(struct tevent_req *subreq)
{
	struct due *due = tevent_req_callback_data(subreq, struct due);
	struct pass *pass = due->pass;
	const struct provider_host *host = pass->owner->host;
	int r = queue_ask_recv(subreq);

	TALLOC_FREE(subreq);
	list_remove(&due->node);
	talloc_free(due);
	pass->n_running--;
	pass->n_failed += r < 0;
	if (r == -E_CACHE_DAMAGED)
		host->cache_damaged(host->data);
	else if (!is_online(pass->owner))
		pass_end(pass, -E_OFFLINE); /* the others would fail as well */
	else
		ask(pass);
}

struct refresh *refresh_new(TALLOC_CTX *mem, const struct provider_host *host, struct queue *queue,
                            uint32_t interval_s, uint32_t offset_s)
{
	struct refresh *refresh = talloc_zero(mem, struct refresh);

	if (!refresh)
		return NULL;
	refresh->host = host;
	refresh->queue = queue;
	refresh->timer = timer_every(refresh, host->ev, (int64_t)interval_s * 1000,
	                             (int64_t)offset_s * 1000, pass_begin, refresh);
	if (!refresh->timer)
		TALLOC_FREE(refresh);
	return refresh;
}
