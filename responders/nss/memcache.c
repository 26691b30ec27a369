/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - which answers the clients may find by themselves, and how long
 *
 * A record is made from the very bytes that a client was told, and holds no longer than the cached
 * entry is fresh: what has to be refreshed comes to us. It is found by the keys for which it is
 * known to be the answer. An entry of a later domain that was asked for by id may have a name that
 * an earlier domain has, too, and then that one is the answer.
 */
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "common/cache/record.h"
#include "common/event/clock.h"
#include "common/memcache/mcmap.h"
#include "common/wire/proto.h"
#include "responders/core/asked.h"
#include "responders/core/names.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

#define LOOK_INTERVAL_US 1000000
#define PASSING_MAX_US   30000000 /* longer than any draining lasts, and most boots */
#define RECENT           256
#define RECENT_MAX_S     10
#define UNKNOWN_MIB      1
#define UNKNOWN_MAX_S    60

struct memcache {
	const char *dir;               /* borrowed */
	struct tevent_context *ev;     /* borrowed */
	struct tevent_immediate *sids; /* owned */
	uint32_t timeout_s;            /* 0: nothing is kept */
	uint64_t generation;
	uint32_t sizes[MCMAP_N_KINDS];     /* MiB, 0 = none */
	struct mcmap *maps[MCMAP_N_KINDS]; /* owned; NULL: none, or it could not be opened */
	int64_t looked_us[MCMAP_N_KINDS];  /* when, of CLOCK_MONOTONIC; 0 = never */
	bool began;                        /* a file was, since that was last set to false */
	int results[MCMAP_N_KINDS];        /* so that a lasting failure is logged once */
	int64_t since_us[MCMAP_N_KINDS];   /* when something began that passes, 0: nothing did;
	                                    * INT64_MAX: that was logged */
	bool is_any_unknown;

	/* What was stored a moment ago: a client that does not use the cache costs no writing. */
	struct {
		uint64_t print;
		int64_t until_us;
	} recent[RECENT];
};

static const char *const names[] = { MCMAP_NAMES };

/* ---- the files ---- */

static void forget_recent(struct memcache *cache)
{
	memset(cache->recent, 0, sizeof(cache->recent));
}

/* For the moment that our predecessor takes to leave, the cache is his; and early in a boot nobody
 * has opened the files yet. */
static bool is_passing(int r)
{
	return r == -EBUSY || r == -EROFS || r == -ENOENT;
}

static const char *what_it_means(int r)
{
	switch (r) {
	case -EBUSY:
		return "another process writes it, and does not leave: clients may find old "
		       "answers";
	case -EROFS:
		return "nobody opens the files of the last boot: clients may find old answers";
	default:
		return "clients have to ask";
	}
}

static void note(struct memcache *cache, enum mcmap_kind kind, int r)
{
	int64_t now_us = monotonic_us();
	bool tell = r < 0 && r != cache->results[kind];

	if (!is_passing(r)) {
		cache->since_us[kind] = 0;
	} else if (!cache->since_us[kind]) {
		cache->since_us[kind] = now_us;
		tell = false;
	} else {
		tell = now_us - cache->since_us[kind] >= PASSING_MAX_US;
		if (tell)
			cache->since_us[kind] = INT64_MAX;
	}
	if (tell)
		log_warn("%s/%s: %s: %s", cache->dir, names[kind], error_text(r), what_it_means(r));
	cache->results[kind] = r;
	cache->looked_us[kind] = now_us;
}

static int open_map(struct memcache *cache, enum mcmap_kind kind)
{
	struct mcmap_options options = { cache->dir, kind, cache->sizes[kind], cache->generation };
	struct mcmap_stats stats;
	int r = mcmap_open(cache, &options, &cache->maps[kind]);

	cache->began = true;
	if (r == 0) {
		mcmap_stats(cache->maps[kind], &stats);
		/* Of one that was still there when we began: we know nothing of them. */
		if (kind == MCMAP_UNKNOWN && stats.was_kept)
			return mcmap_clear(cache->maps[kind]);
		log_debug("%s/%s: %s, %u of %u slots are used", cache->dir, names[kind],
		          stats.was_kept ? "kept" : "begun anew", stats.used, stats.slots);
	}
	return r;
}

static void clear_map(struct memcache *cache, enum mcmap_kind kind)
{
	forget_recent(cache);
	cache->began = true;
	note(cache, kind, mcmap_clear(cache->maps[kind]));
}

static bool is_due(const struct memcache *cache, enum mcmap_kind kind)
{
	return !cache->looked_us[kind] ||
	       monotonic_us() - cache->looked_us[kind] >= LOOK_INTERVAL_US;
}

/* The map to work on, NULL if there is none. Looked at once a second: somebody may have removed,
 * replaced or recycled the file. */
static struct mcmap *map_of(struct memcache *cache, enum mcmap_kind kind)
{
	if (cache->sizes[kind] == 0)
		return NULL;
	if (!cache->maps[kind] && is_due(cache, kind)) {
		forget_recent(cache);
		note(cache, kind, open_map(cache, kind));
	} else if (cache->maps[kind] && is_due(cache, kind)) {
		cache->looked_us[kind] = monotonic_us();
		if (!mcmap_is_sound(cache->maps[kind]))
			clear_map(cache, kind);
	}
	return cache->results[kind] == 0 ? cache->maps[kind] : NULL;
}

/* A full disk, or an answer that is too large, is no fault of the file's. */
static void wrote(struct memcache *cache, enum mcmap_kind kind, int r)
{
	if (r >= 0 || r == -ENOSPC || r == -EDQUOT || r == -EMSGSIZE)
		return;
	log_warn("%s/%s: %s: it is begun anew", cache->dir, names[kind], error_text(r));
	clear_map(cache, kind);
}

/* What is there may be believed as long as it is there. */
static void gave_up(struct memcache *cache, enum mcmap_kind kind, int r)
{
	if (r < 0)
		log_error("%s/%s cannot be given up: %s: clients may find old answers", cache->dir,
		          names[kind], error_text(r));
}

static void look_at_sids(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	(void)ev;
	(void)im;
	map_of(data, MCMAP_SID);
}

/* Their readers find a file like the others, in which there are none yet. Whoever asked for
 * something else does not wait for it: his answer is sent first. */
static void keep_sids(struct memcache *cache)
{
	if (cache->sizes[MCMAP_SID] > 0 && is_due(cache, MCMAP_SID))
		tevent_schedule_immediate(cache->sids, cache->ev, look_at_sids, cache);
}

static void configure(void *memory, const struct setup *setup)
{
	struct memcache *cache = memory;
	const struct nss *nss = setup->conf;
	const uint32_t sizes[MCMAP_N_KINDS] = {
		nss->conf.memcache_size_passwd_mib,
		nss->conf.memcache_size_group_mib,
		nss->conf.memcache_size_initgroups_mib,
		nss->conf.memcache_size_sid_mib,
		UNKNOWN_MIB,
	};

	cache->timeout_s = nss->conf.memcache_timeout_s;
	cache->generation = setup->generation;
	cache->is_any_unknown = false;
	forget_recent(cache);
	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		/* Closed first: whoever closes a file loses all his locks on it. */
		TALLOC_FREE(cache->maps[kind]);
		cache->results[kind] = 0;
		cache->sizes[kind] = cache->timeout_s > 0 && setup->n_domains > 0 ? sizes[kind] : 0;
		cache->looked_us[kind] = 0;
		if (cache->sizes[kind] == 0)
			gave_up(cache, kind, mcmap_remove(cache->dir, kind));
		else if (kind == MCMAP_UNKNOWN) /* what we know of that ends with us */
			gave_up(cache, kind, mcmap_recycle(cache->dir, kind));
		else
			gave_up(cache, kind,
			        mcmap_recycle_others(cache->dir, kind, cache->generation));
	}
	/* They are opened when the first answer is there. */
}

static void clear(void *memory)
{
	struct memcache *cache = memory;

	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		if (cache->maps[kind])
			clear_map(cache, kind);
		if (!cache->maps[kind] || cache->results[kind] < 0) /* another process's */
			gave_up(cache, kind, mcmap_recycle(cache->dir, kind));
	}
}

/* ---- the clock, by which records expire ---- */

static void clock_was_set(void *data)
{
	struct memcache *cache = data;

	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++)
		if (cache->maps[kind] && !mcmap_is_sound(cache->maps[kind]))
			clear_map(cache, kind);
}

static void *memcache_new(TALLOC_CTX *mem, struct tevent_context *ev,
                          const struct resp_paths *paths)
{
	auto_talloc struct memcache *cache = talloc_zero(mem, struct memcache);

	if (!cache)
		return NULL;
	cache->dir = paths->mc_dir;
	cache->ev = ev;
	cache->sids = tevent_create_immediate(cache);
	if (!cache->sids)
		return NULL;
	/* Where it cannot be watched, the step is seen at the next question. */
	clock_watch(cache, ev, clock_was_set, cache);
	return take_ptr(cache);
}

/* ---- records ---- */

/* A user's name as all its spellings come down to it. On mem; NULL without memory. */
static char *canonical_name(TALLOC_CTX *mem, const struct domain *domain, const char *name)
{
	char *folded = NULL, *text = NULL;

	if (domain->store->names == CACHE_CASE_FOLDED && str_fold(mem, name, &folded) < 0)
		return NULL;
	text = talloc_asprintf(mem, "%s@%s", folded ? folded : name, domain->name);
	talloc_free(folded);
	return text;
}

/* body | results 1 | 0 | uid | gid | texts |         data | 16 | uid | gid | size | texts |
 *      | results 1 | 0 | gid | members | texts |          | 16 | gid | members | size | texts | */
static void write_entry(struct writer *out, struct reader body)
{
	reader_u32(&body);
	reader_u32(&body);
	writer_u32(out, MEMCACHE_TEXTS_AT);
	writer_u32(out, reader_u32(&body));
	writer_u32(out, reader_u32(&body));
	writer_u32(out, (uint32_t)reader_left(&body));
	writer_bytes(out, body.pos, reader_left(&body));
}

/* body | groups | 0 | gid … | */
static void write_initgroups(struct writer *out, struct reader body, const char *canonical,
                             const char *asked)
{
	uint32_t n = reader_u32(&body), texts_at, name_at, texts_size;

	reader_u32(&body);
	texts_at = MEMCACHE_GIDS_AT + n * (uint32_t)sizeof(uint32_t);
	name_at = texts_at + (uint32_t)strlen(canonical) + 1;
	texts_size = name_at - texts_at + (uint32_t)strlen(asked) + 1;
	writer_u32(out, texts_at);
	writer_u32(out, name_at);
	writer_u32(out, texts_at);
	writer_u32(out, texts_size);
	writer_u32(out, n * (uint32_t)sizeof(uint32_t) + texts_size);
	writer_u32(out, n);
	writer_bytes(out, body.pos, reader_left(&body));
	writer_str(out, canonical);
	writer_str(out, asked);
}

static enum mcmap_kind kind_of(enum query_kind kind)
{
	switch (kind) {
	case QUERY_GROUP_BY_NAME:
	case QUERY_GROUP_BY_ID:
		return MCMAP_GROUP;
	case QUERY_INITGROUPS:
		return MCMAP_INITGROUPS;
	default:
		return MCMAP_PASSWD;
	}
}

/* Who asks for what the answer calls itself: is this domain asked, for this entry, and none before
 * it? */
static bool leads_back(const struct setup *setup, const struct answer *answer, const char *name)
{
	const struct domain *domain = answer->domain;
	auto_talloc char *read = NULL, *own = NULL;
	char part[PROTO_NAME_MAX + 1];

	for (const struct domain *earlier = setup->domains; earlier < domain; earlier++)
		if (names_read(earlier, name, part))
			return false;
	if (!names_read(domain, name, part) || asked_is_local(part))
		return false;
	read = canonical_name(NULL, domain, part);
	own = canonical_name(NULL, domain, entry_name(answer->entry));
	return read && own && strcmp(read, own) == 0;
}

/* An earlier domain that folds names may get this one under another spelling. Then it is taken back
 * by the folded one, and no other. */
static bool is_spelled_plainly(const struct setup *setup, const struct domain *domain,
                               const char *name)
{
	auto_talloc char *folded = NULL;
	char part[PROTO_NAME_MAX + 1];
	bool any_folds = false;

	for (const struct domain *earlier = setup->domains; earlier < domain; earlier++)
		any_folds |= earlier->store->names == CACHE_CASE_FOLDED &&
		             names_read(earlier, name, part);
	return !any_folds || (str_fold(NULL, name, &folded) == 0 && strcmp(folded, name) == 0);
}

/* For which of its keys the record is the answer, whoever asks. 0: for none. */
static unsigned keys_of(const struct setup *setup, const struct question *question,
                        const struct answer *answer, const char *name)
{
	const struct entry *entry = answer->entry;
	bool is_group = entry->kind == ENTRY_GROUP;
	uint32_t id = is_group ? entry->group.gid : entry->user.uid;
	unsigned by = 0;

	if (((question->text && strcmp(question->text, name) == 0) ||
	     leads_back(setup, answer, name)) &&
	    is_spelled_plainly(setup, answer->domain, name))
		by |= MCMAP_BY_KEY1;
	if (!question->text || (answer->domain == &setup->domains[0] &&
	                        asked_id_is_possible(setup, answer->domain, is_group, id)))
		by |= MCMAP_BY_KEY2;
	return by;
}

struct print {
	uint64_t print;
	size_t place;
};

/* times: of the entry, NULL = of none. What was stored anew may have been taken back before. */
static struct print print_of(enum mcmap_kind kind, unsigned by, const struct writer *data,
                             const struct entry_times *times)
{
	uint64_t stored = times ? (uint64_t)times->stored_boot.s << 32 | times->epoch : 0;
	uint64_t print = checksum(stored * 64 + (uint64_t)kind * 4 + by, data->bytes, data->size);

	return (struct print){ print, print % RECENT };
}

static bool is_recent(const struct memcache *cache, struct print print)
{
	return cache->recent[print.place].print == print.print &&
	       monotonic_us() < cache->recent[print.place].until_us;
}

static void note_recent(struct memcache *cache, struct print print, int64_t expires_in_s)
{
	int64_t keep_s = expires_in_s / 4 < RECENT_MAX_S ? expires_in_s / 4 : RECENT_MAX_S;

	cache->recent[print.place].print = print.print;
	cache->recent[print.place].until_us = monotonic_us() + keep_s * 1000000;
}

static void put(struct memcache *cache, struct mcmap *map, enum mcmap_kind kind,
                const struct writer *data, unsigned by, struct print print, int64_t expires_in_s)
{
	int r = mcmap_put(map, data->bytes, data->size, (uint64_t)(walltime_now().s + expires_in_s),
	                  by);
	/* What went was stored a moment ago, maybe, and may come back. */
	if (r != 0)
		forget_recent(cache);
	if (r >= 0)
		note_recent(cache, print, expires_in_s);
	wrote(cache, kind, r);
}

/* ---- who is unknown ---- */

static enum memcache_unknown what_is_asked(const struct question *question)
{
	switch (question->kind) {
	case QUERY_USER_BY_ID:
		return MEMCACHE_NO_UID;
	case QUERY_GROUP_BY_NAME:
		return MEMCACHE_NO_GROUP;
	case QUERY_GROUP_BY_ID:
		return MEMCACHE_NO_GID;
	case QUERY_INITGROUPS:
		return MEMCACHE_NO_GROUPS_OF;
	default:
		return MEMCACHE_NO_USER;
	}
}

static bool unknown(void *memory, const struct question *question, uint32_t for_s)
{
	struct memcache *cache = memory;
	struct writer data = writer_new(MEMCACHE_TEXTS_AT + MEMCACHE_UNKNOWN_SIZE);
	char key[MEMCACHE_UNKNOWN_SIZE];
	struct mcmap *map;
	struct print print;

	keep_sids(cache);
	if (for_s > UNKNOWN_MAX_S)
		for_s = UNKNOWN_MAX_S;
	if (for_s > cache->timeout_s)
		for_s = cache->timeout_s;
	if (!memcache_unknown_key(what_is_asked(question), question->text, question->id, key))
		return true;
	writer_u32(&data, MEMCACHE_TEXTS_AT);
	writer_u32(&data, 0);
	writer_u32(&data, 0);
	writer_u32(&data, (uint32_t)strlen(key) + 1);
	writer_str(&data, key);
	/* Whoever touches an entry gives the file up next: what was found out before that is not to
	 * be the first that a new one says. */
	cache->began = false;
	map = map_of(cache, MCMAP_UNKNOWN);
	print = print_of(MCMAP_UNKNOWN, MCMAP_BY_BOTH, &data, NULL);
	if (writer_end(&data) == 0 && map && !cache->began && !is_recent(cache, print)) {
		put(cache, map, MCMAP_UNKNOWN, &data, MCMAP_BY_BOTH, print, for_s);
		cache->is_any_unknown = true;
	}
	writer_free(&data);
	return !cache->began;
}

static void forget_unknown(void *memory)
{
	struct memcache *cache = memory;

	cache->is_any_unknown = false;
	if (cache->maps[MCMAP_UNKNOWN])
		clear_map(cache, MCMAP_UNKNOWN);
	if (!cache->maps[MCMAP_UNKNOWN] || cache->results[MCMAP_UNKNOWN] < 0)
		gave_up(cache, MCMAP_UNKNOWN, mcmap_recycle(cache->dir, MCMAP_UNKNOWN));
}

static void is_known(struct memcache *cache, enum memcache_unknown what, const char *name,
                     uint32_t id)
{
	struct mcmap *map = map_of(cache, MCMAP_UNKNOWN);
	char key[MEMCACHE_UNKNOWN_SIZE];
	int r;

	if (!map || !memcache_unknown_key(what, name, id, key))
		return;
	r = mcmap_forget(map, MCMAP_BY_KEY1, key);
	if (r != 0)
		forget_recent(cache);
	wrote(cache, MCMAP_UNKNOWN, r);
}

/* There is an answer: nobody is to be told any longer that there is none. */
static void now_known(struct memcache *cache, const struct question *question,
                      const struct answer *answer)
{
	const struct entry *entry = answer->entry;

	if (!cache->is_any_unknown)
		return;
	is_known(cache, what_is_asked(question), question->text, question->id);
	if (entry->kind == ENTRY_USER) {
		is_known(cache, MEMCACHE_NO_UID, NULL, entry->user.uid);
		if (question->text)
			is_known(cache, MEMCACHE_NO_GROUPS_OF, question->text, 0);
	}
	if (entry->kind == ENTRY_GROUP)
		is_known(cache, MEMCACHE_NO_GID, NULL, entry->group.gid);
}

/* ---- answers ---- */

static void forget(struct memcache *cache, enum mcmap_kind kind, enum mcmap_by by, const char *key)
{
	struct mcmap *map = map_of(cache, kind);

	if (map) {
		forget_recent(cache);
		wrote(cache, kind, mcmap_forget(map, by, key));
	}
}

/* The lists of groups of whoever may be meant by text, in all spellings. */
static void forget_groups_of(struct memcache *cache, const struct setup *setup, const char *text)
{
	char name[PROTO_NAME_MAX + 1];

	for (size_t i = 0; i < setup->n_domains; i++) {
		auto_talloc char *canonical = NULL;

		if (names_read(&setup->domains[i], text, name))
			canonical = canonical_name(NULL, &setup->domains[i], name);
		if (canonical)
			forget(cache, MCMAP_INITGROUPS, MCMAP_BY_KEY2, canonical);
	}
	/* An address or an alias is nobody's name. */
	forget(cache, MCMAP_INITGROUPS, MCMAP_BY_KEY1, text);
}

/* What is there, if anything, is not the answer any more. answer NULL: "not there". */
static void forget_answer(struct memcache *cache, enum mcmap_kind kind, const struct setup *setup,
                          const struct question *question, const struct answer *answer)
{
	auto_talloc char *canonical = NULL;
	char digits[MEMCACHE_ID_DIGITS_SIZE];

	if (question->text && kind != MCMAP_GROUP)
		forget_groups_of(cache, setup, question->text);
	if (answer && kind == MCMAP_INITGROUPS)
		canonical = canonical_name(NULL, answer->domain, entry_name(answer->entry));
	if (canonical)
		forget(cache, MCMAP_INITGROUPS, MCMAP_BY_KEY2, canonical);
	if (question->text && kind != MCMAP_INITGROUPS) {
		forget(cache, kind, MCMAP_BY_KEY1, question->text);
	} else if (!question->text) {
		memcache_id_key(question->id, digits);
		forget(cache, kind, MCMAP_BY_KEY2, digits);
	}
}

/* An incomplete list is told to who asks, and kept from all others. One without groups looks like
 * "not there" to clients, so it is left to the socket. */
static bool may_be_kept(const struct answer *answer, struct reader body)
{
	const struct entry *entry = answer->entry;

	return answer->fresh_s > 0 && (entry->kind != ENTRY_INITGROUPS ||
	                               (entry->initgroups.complete && reader_u32(&body) > 0));
}

/* Whoever touches an entry, or stores another one, takes back next what clients have of it. Behind
 * that the old answer must not be stored. */
static bool is_outdated(const struct answer *answer)
{
	const struct entry *entry = answer->entry;
	const struct store *store = answer->domain->store;

	return entry->times.epoch < store_touched(store, entry->kind, entry_name(entry)) ||
	       !store_is_latest(store);
}

static bool is_hidden(const struct setup *setup, const struct domain *domain,
                      const struct entry *entry)
{
	const char *principal = entry->kind == ENTRY_USER ? entry->user.upn : NULL;

	return nss_hides(setup->conf, domain, entry->kind, entry_name(entry)) ||
	       (!str_empty(principal) && nss_hides(setup->conf, domain, ENTRY_USER, principal));
}

/* Is there something that answers, or can it not be told? */
static bool may_answer(const struct setup *setup, const struct domain *domain,
                       const struct query *query)
{
	struct entry entry;
	bool hidden;
	int r = store_read(domain->store);

	if (r < 0)
		return r != -ENOENT;
	r = cache_peek(domain->store->cache, query, &entry);
	hidden = r == 0 && is_hidden(setup, domain, &entry);
	cache_end(domain->store->cache);
	return r != -ENOENT && !hidden;
}

/* Has a domain that is asked before the one that answered got it meanwhile? It was asked, and did
 * not have it; and its backend takes back what clients have of somebody new, but maybe did so just
 * before this is stored. */
static bool is_earlier_ones(const struct setup *setup, const struct question *question,
                            const struct answer *answer)
{
	bool is_group = answer->entry->kind == ENTRY_GROUP;
	struct query query = { .kind = is_group ? QUERY_GROUP_BY_NAME : QUERY_USER_BY_NAME };
	char name[PROTO_NAME_MAX + 1];

	if (!question->text) {
		query.kind = question->kind;
		query.id = question->id;
	}
	for (const struct domain *earlier = setup->domains; earlier < answer->domain; earlier++) {
		if (question->text && !names_read(earlier, question->text, name))
			continue;
		query.name = question->text ? name : NULL;
		if (may_answer(setup, earlier, &query))
			return true;
	}
	return false;
}

/* A record on its way to the file. */
struct made {
	struct writer data;
	unsigned by; /* 0: it is found by none of its keys */
	struct print print;
	int64_t expires_in_s;
};

/* data is the caller's in any case. Errors: no record can be made of it. */
static int make(const struct memcache *cache, enum mcmap_kind kind, const struct setup *setup,
                const struct question *question, const struct answer *answer, struct reader body,
                struct made *made)
{
	auto_talloc char *canonical = NULL;
	struct mcmap_keys keys;
	int r;

	made->data = writer_new(PROTO_REPLY_MAX);
	made->by = MCMAP_BY_BOTH;
	made->expires_in_s =
		answer->fresh_s < cache->timeout_s ? answer->fresh_s : cache->timeout_s;
	if (kind == MCMAP_INITGROUPS) {
		canonical = canonical_name(NULL, answer->domain, entry_name(answer->entry));
		if (canonical)
			write_initgroups(&made->data, body, canonical, question->text);
	} else {
		write_entry(&made->data, body);
	}
	r = writer_end(&made->data);
	if (r == 0)
		r = mcmap_keys_read(kind, made->data.bytes, made->data.size, &keys);
	if (r == 0 && kind != MCMAP_INITGROUPS)
		made->by = keys_of(setup, question, answer, keys.key1);
	made->print = print_of(kind, made->by, &made->data, &answer->entry->times);
	return r;
}

/* What is still the answer while nobody can take it back is stored. */
static void keep(struct memcache *cache, struct mcmap *map, enum mcmap_kind kind,
                 const struct setup *setup, const struct question *question,
                 const struct answer *answer, const struct made *made)
{
	int r = mcmap_enter(map);

	if (r < 0)
		wrote(cache, kind, r);
	else if (is_outdated(answer) || is_earlier_ones(setup, question, answer))
		forget_answer(cache, kind, setup, question, answer);
	else
		put(cache, map, kind, &made->data, made->by, made->print, made->expires_in_s);
	mcmap_leave(map);
}

static void answered(void *memory, const struct setup *setup, const struct question *question,
                     const struct answer *answer, struct reader body)
{
	struct memcache *cache = memory;
	enum mcmap_kind kind = kind_of(question->kind);
	struct made made = { 0 };
	struct mcmap *map;

	keep_sids(cache);
	if (answer)
		now_known(cache, question, answer);
	map = map_of(cache, kind);
	if (!map)
		return;
	if (!answer || !may_be_kept(answer, body) ||
	    make(cache, kind, setup, question, answer, body, &made) < 0)
		forget_answer(cache, kind, setup, question, answer);
	else if (made.by && !is_recent(cache, made.print))
		keep(cache, map, kind, setup, question, answer, &made);
	writer_free(&made.data);
}

const struct resp_memory nss_memcache = {
	.new = memcache_new,
	.configure = configure,
	.answered = answered,
	.unknown = unknown,
	.forget_unknown = forget_unknown,
	.clear = clear,
};
