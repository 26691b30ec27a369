/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lookup - answer one question from the cache, asking a backend only when it must
 *
 *   lookup_cached ─ fresh or ageing ─▶ answer (ageing: backend_refresh behind it)
 *        └─ expired or missing ─▶ lookup_send ─▶ (sbus) ─▶ domain_asked ─▶ lookup_recv
 *                                      ▲                        │
 *                                      └── next domain ◀─ not there
 *
 * The words are those of design §3: "not there" is what the server said in full and is the only
 * thing that enters the negative cache; "cannot tell" never becomes "not there" — but for a name
 * nobody ever saw, asked while the server is known to be offline.
 */
#include "responders/core/lookup.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/ident/accept.h"
#include "common/metrics/metrics.h"
#include "common/wire/proto.h"
#include "responders/core/names.h"
#include "responders/core/overrides.h"

#define BUDGET_MS       5000 /* identity, design §3 */
#define STALE_BUDGET_MS 500  /* when there is an old answer to fall back on */

/* ---- which domains, and what to ask each ---- */

#define FOLDED_MAX (PROTO_NAME_MAX * 3 / 2) /* folding makes three bytes of two at most */

/* The question as one domain understands it. */
struct asked {
	const struct domain *domain;
	const char *text;    /* borrowed: as the client wrote it; NULL by id */
	struct query query;  /* for its backend */
	struct query cached; /* for its cache, where addresses are folded in any domain */
	char name[PROTO_NAME_MAX + 1], folded[FOLDED_MAX + 1];
};

/* systemd asks for us by name while it starts our units, and must not wait for a server then
 * (spec/systemd-notes.md §1). */
bool lookup_is_local(const char *name)
{
	return account_is_local_name(name);
}

bool lookup_id_is_possible(const struct setup *setup, const struct domain *domain, bool is_group,
                           uint32_t id)
{
	return id != (is_group ? setup->own_gid : setup->own_uid) &&
	       accept_id(id, domain->conf.min_id, domain->conf.max_id) == ACCEPTED;
}

/* A user's name with an '@' is looked up as an address, too, in which no case counts. */
static bool fold_address(struct asked *asked)
{
	auto_talloc char *folded = NULL;

	if (!strchr(asked->name, '@'))
		return true;
	if (str_fold(NULL, asked->name, &folded) < 0 || strlen(folded) > FOLDED_MAX)
		return false;
	memcpy(asked->folded, folded, strlen(folded) + 1);
	asked->cached.name = asked->folded;
	return true;
}

/* Each domain has two turns: first all are asked by the name that the text is for them, then those
 * for which it may be an address as a whole. */
static size_t count_turns(const struct setup *setup)
{
	return setup->n_domains * 2;
}

static bool is_second_round(const struct setup *setup, size_t turn)
{
	return turn == setup->n_domains;
}

/* False: the domain whose turn it is cannot know it, and is not asked. */
static bool ask_of(const struct question *question, const struct setup *setup, size_t turn,
                   struct asked *ret_asked)
{
	bool first = turn < setup->n_domains;
	bool is_user = question->kind != QUERY_GROUP_BY_NAME; /* groups have no addresses */
	const struct domain *domain = &setup->domains[first ? turn : turn - setup->n_domains];

	ret_asked->domain = domain;
	ret_asked->text = question->text;
	ret_asked->query = (struct query){ .kind = question->kind, .id = question->id };
	ret_asked->cached = ret_asked->query;
	if (!question->text)
		return first &&
		       lookup_id_is_possible(setup, domain, question->kind == QUERY_GROUP_BY_ID,
		                             question->id);
	if (!first && !strchr(question->text, '@'))
		return false;

	if (names_read(domain, question->text, ret_asked->name)) {
		if (lookup_is_local(ret_asked->name))
			return false;
	} else if (first) {
		return false;
	}
	if (!first && !names_read_whole(setup, domain, question->text, is_user, ret_asked->name))
		return false;
	ret_asked->query.name = ret_asked->cached.name = ret_asked->name;
	return accept_name(ret_asked->name) == ACCEPTED && (!is_user || fold_address(ret_asked));
}

static enum entry_kind entry_kind_of(enum query_kind kind)
{
	switch (kind) {
	case QUERY_GROUP_BY_NAME:
	case QUERY_GROUP_BY_ID:
		return ENTRY_GROUP;
	case QUERY_INITGROUPS:
		return ENTRY_INITGROUPS;
	default:
		return ENTRY_USER;
	}
}

static bool is_hidden(const struct lookups *lookups, const struct setup *setup,
                      const struct domain *domain, enum entry_kind kind, const char *name)
{
	return lookups->resp->hides && lookups->resp->hides(setup->conf, domain, kind, name);
}

/* The negative cache compares bytes, so names are folded where the domain folds them; *ret_name is
 * then to be freed. */
static int negative_query(const struct domain *domain, const struct query *query,
                          struct query *ret_folded, char **ret_name)
{
	*ret_folded = *query;
	*ret_name = NULL;
	if (!query->name || domain->store->names != CACHE_CASE_FOLDED)
		return 0;
	if (str_fold(NULL, query->name, ret_name) < 0)
		return -EILSEQ;
	ret_folded->name = *ret_name;
	return 0;
}

/* For how many more seconds it is known not to be there, and *ret_local_s for one of this machine's
 * own. Nothing counts that was asked before it was touched. */
static uint32_t negative_s(const struct lookups *lookups, const struct asked *asked,
                           uint32_t *ret_local_s)
{
	const struct store *store = asked->domain->store;
	enum entry_kind kind = entry_kind_of(asked->query.kind);
	auto_talloc char *name = NULL;
	struct query folded;
	uint32_t since;

	*ret_local_s = 0;
	if (negative_is_empty(lookups->negative) ||
	    negative_query(asked->domain, &asked->cached, &folded, &name) < 0)
		return 0;
	since = store_touched(store, kind == ENTRY_GROUP ? kind : ENTRY_USER, folded.name);
	return negative_left_s(lookups->negative, store->key, &folded, since, ret_local_s);
}

/* Do the files of this machine have it? They know no domains: bob@corp is not the bob in them. */
static bool is_in_files(const struct lookups *lookups, const struct asked *asked)
{
	struct query query = asked->query;

	query.name = asked->text;
	return locals_have(lookups->locals, &query);
}

static bool is_negative(const struct lookups *lookups, const struct asked *asked)
{
	uint32_t local_s;

	return negative_s(lookups, asked, &local_s) > 0 ||
	       (local_s > 0 && is_in_files(lookups, asked));
}

/* The server does not have it. Nor will it soon have somebody of this machine's own, for whom it
 * would be asked again and again: programs want the groups of a user from all sources. */
static void set_negative(struct lookups *lookups, const struct asked *asked, uint32_t epoch)
{
	auto_talloc char *name = NULL;
	struct query folded;
	uint32_t local_s = lookups->local_negative_timeout_s;

	if (negative_query(asked->domain, &asked->cached, &folded, &name) < 0)
		return;
	if (local_s > 0 && !is_in_files(lookups, asked))
		local_s = 0;
	negative_add(lookups->negative, asked->domain->store->key, &folded, epoch,
	             lookups->negative_timeout_s, local_s);
}

/* It exists, as has just been seen: under what was asked for, and under its own name and id. */
static void clear_negative(struct lookups *lookups, const struct domain *domain,
                           const struct query *query, const struct entry *entry)
{
	bool is_group = entry->kind == ENTRY_GROUP;
	struct query named = { .kind = is_group ? QUERY_GROUP_BY_NAME : QUERY_USER_BY_NAME,
		               .name = entry_name(entry) };
	struct query numbered = { .kind = is_group ? QUERY_GROUP_BY_ID : QUERY_USER_BY_ID,
		                  .id = is_group ? entry->group.gid : entry->user.uid };
	const struct query *queries[] = { query, &named, &numbered };
	size_t n = entry->kind == ENTRY_INITGROUPS ? 2 : 3;

	if (negative_is_empty(lookups->negative))
		return;
	for (size_t i = 0; i < n; i++) {
		auto_talloc char *name = NULL;
		struct query folded;

		if (negative_query(domain, queries[i], &folded, &name) == 0)
			negative_remove(lookups->negative, domain->store->key, &folded);
	}
}

/* ---- reading the cache ---- */

/* A list of groups does not tell the principal: then other is filled with whose groups they are. */
static const char *principal_of(const struct domain *domain, const struct entry *entry,
                                struct entry *other)
{
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = entry_name(entry) };

	if (entry->kind == ENTRY_INITGROUPS && cache_peek(domain->store->cache, &query, other) == 0)
		entry = other;
	return entry->kind == ENTRY_USER && !str_empty(entry->user.upn) ? entry->user.upn : NULL;
}

bool lookup_hides(const struct lookups *lookups, const struct setup *setup,
                  const struct domain *domain, const struct entry *entry)
{
	struct entry other;
	const char *principal;

	if (!lookups->resp->hides)
		return false;
	if (is_hidden(lookups, setup, domain, entry->kind, entry_name(entry)))
		return true;
	principal = principal_of(domain, entry, &other);
	return principal && is_hidden(lookups, setup, domain, ENTRY_USER, principal);
}

typedef int entry_finder(struct cache *cache, const struct query *query, struct entry *ret_entry);

/* find: cache_peek() where the backend is asked next. 0: the read transaction stays open and entry
 * is filled. -ENOENT: nothing there. Others: it cannot be told what is there; it has been logged.
 */
static int read_entry(struct lookups *lookups, struct setup *setup, const struct domain *domain,
                      const struct query *query, entry_finder *find, struct entry *entry)
{
	struct store *store = domain->store;
	struct query overridden = *query;
	int r;

	r = store_read(store);
	if (r < 0)
		return r;

	overrides_ask(domain, &overridden);
	r = find(store->cache, &overridden, entry);
	if (r == 0)
		overrides_apply(domain, entry);
	if (r == 0 && lookup_hides(lookups, setup, domain, entry))
		r = -ENOENT;
	if (r < 0)
		cache_end(store->cache);
	if (r == -EBADMSG || r == -E_CACHE_DAMAGED)
		store_damaged(store);
	return r;
}

void lookup_release(const struct answer *answer)
{
	cache_end(answer->domain->store->cache);
}

static uint32_t touched(const struct domain *domain, const struct entry *entry)
{
	return store_touched(domain->store, entry->kind, entry_name(entry));
}

/* From the current entry, which was just read. */
static struct answer answer_of(const struct lookups *lookups, const struct domain *domain,
                               const struct entry_now *now)
{
	const struct entry *entry = &lookups->current;
	uint32_t epoch = touched(domain, entry);

	return (struct answer){
		.domain = domain,
		.entry = entry,
		.fresh_s = entry_fresh_s(entry, now, lookups->nowait_percent, epoch),
	};
}

int lookup_cached(struct lookups *lookups, struct setup *setup, const struct question *question,
                  struct request_id *id, struct answer *ret_answer)
{
	enum entry_kind kind = entry_kind_of(question->kind);
	struct entry_now now = entry_now();
	bool must_ask = false, domain_takes_it = false;

	for (size_t turn = 0; turn < count_turns(setup); turn++) {
		const struct domain *domain;
		bool next_may_answer;
		struct asked asked;
		enum entry_age age;
		int r;

		/* Whose name it is must be known before it is taken for an address. */
		if (must_ask && is_second_round(setup, turn))
			break;
		if (!ask_of(question, setup, turn, &asked))
			continue;
		domain = asked.domain;
		if (asked.query.name && is_hidden(lookups, setup, domain, kind, asked.query.name))
			continue;
		domain_takes_it = true;
		if (question->flags) {
			must_ask = true;
			continue;
		}
		if (is_negative(lookups, &asked))
			continue;

		/* With cache_first another domain may answer because this one has nothing. */
		next_may_answer = setup->service.cache_first && turn + 1 < count_turns(setup) &&
		                  !is_second_round(setup, turn + 1);
		r = read_entry(lookups, setup, domain, &asked.cached,
		               next_may_answer ? cache_find : cache_peek, &lookups->current);
		if (r < 0) {
			must_ask = true;
			if (r != -ENOENT || !setup->service.cache_first)
				break;
			continue;
		}

		age = entry_age(&lookups->current, &now, lookups->nowait_percent,
		                touched(domain, &lookups->current));
		if (age == ENTRY_EXPIRED) {
			/* Old as it is, it tells whose name this is: a later domain must not
			 * take it over because of that. */
			cache_end(domain->store->cache);
			must_ask = true;
			break;
		}
		if (age == ENTRY_AGEING) {
			request_id_ensure(id);
			backend_refresh(domain->store->backend, &asked.query,
			                store_epoch(domain->store), id);
		}
		clear_negative(lookups, domain, &asked.cached, &lookups->current);
		metrics_count(age == ENTRY_AGEING ? METRICS_AGEING : METRICS_FRESH);
		*ret_answer = answer_of(lookups, domain, &now);
		return 0;
	}

	if (must_ask || setup->n_domains == 0)
		return -ESTALE;
	metrics_count(domain_takes_it ? METRICS_NEGATIVE : METRICS_NOBODYS);
	return -ENOENT;
}

static uint32_t unknown_to(const struct lookups *lookups, const struct asked *asked)
{
	uint32_t local_s, left_s = negative_s(lookups, asked, &local_s);

	if (local_s > left_s && is_in_files(lookups, asked))
		return local_s;
	return asked->query.name ? 0 : left_s;
}

uint32_t lookup_unknown_s(struct lookups *lookups, const struct setup *setup,
                          const struct question *question)
{
	uint32_t least_s = UINT32_MAX, left_s;
	struct asked asked;

	for (size_t turn = 0; turn < count_turns(setup) && least_s > 0; turn++) {
		if (!ask_of(question, setup, turn, &asked) ||
		    (asked.query.name &&
		     is_hidden(lookups, setup, asked.domain, entry_kind_of(question->kind),
		               asked.query.name)))
			continue;
		left_s = unknown_to(lookups, &asked);
		least_s = left_s < least_s ? left_s : least_s;
	}
	return least_s < UINT32_MAX ? least_s : 0;
}

int lookup_found(struct lookups *lookups, const struct found *found,
                 const struct question *question, struct answer *ret_answer)
{
	struct entry_now now = entry_now();
	struct asked asked;
	int r;

	if (!ask_of(question, found->setup, found->turn, &asked))
		return -ENOENT;
	r = read_entry(lookups, found->setup, asked.domain, &asked.cached, cache_find,
	               &lookups->current);
	if (r < 0)
		return r == -ENOENT ? r : -EIO;
	*ret_answer = answer_of(lookups, asked.domain, &now);
	return 0;
}

/* ---- asking ---- */

struct lookup_state {
	struct lookups *lookups;         /* borrowed */
	struct setup *setup;             /* pinned */
	const struct question *question; /* borrowed */
	struct request_id id;
	struct deadline deadline;
	size_t turn;        /* whose it is next */
	struct asked asked; /* the domain that was asked last … */
	uint32_t epoch;     /* … in this one of its cache … */
	bool has_old;       /* … and whose cache has an expired record */
	bool stale;         /* an expired record is the answer */
	bool unsure;        /* a domain could not tell */
	bool offline;       /* one had no server to ask */
	int reason;         /* why, for the client */
	size_t found;       /* in that turn */
};

static bool has_old_answer(struct lookup_state *state);
static void ask_next(struct tevent_req *req, struct tevent_context *ev);
static void domain_asked(struct tevent_req *subreq);

static int lookup_state_gone(struct lookup_state *state)
{
	setup_unpin(state->setup);
	return 0;
}

struct tevent_req *lookup_send(TALLOC_CTX *mem, struct lookups *lookups, struct setup *setup,
                               const struct question *question, const struct request_id *id)
{
	int64_t budget_ms = setup->service.request_timeout_ms;
	struct lookup_state *state;
	struct tevent_req *req;

	if (!budget_ms)
		budget_ms = BUDGET_MS;
	if (question->asked_us)
		budget_ms -= (monotonic_us() - question->asked_us) / 1000;

	req = tevent_req_create(mem, &state, struct lookup_state);
	if (!req)
		return NULL;
	state->lookups = lookups;
	state->setup = setup_pin(setup);
	talloc_set_destructor(state, lookup_state_gone);
	state->question = question;
	state->id = *id;
	state->deadline = deadline_in_ms(budget_ms);

	if (setup->n_domains == 0)
		return req_finish_now(req, lookups->ev, -EIO);
	if (has_old_answer(state))
		state->deadline =
			deadline_earlier(state->deadline, deadline_in_ms(STALE_BUDGET_MS));
	ask_next(req, lookups->ev);
	if (!tevent_req_is_in_progress(req))
		return tevent_req_post(req, lookups->ev);
	return req;
}

/* May the entry be the answer to an address that could be somebody's name as well, as far as can be
 * told without a server? A principal is given out with care, a mail address by its owner. */
static bool answers_offline(const struct lookup_state *state, const struct entry *entry)
{
	auto_talloc char *folded = NULL;
	struct entry other;
	const char *principal = principal_of(state->asked.domain, entry, &other);

	return principal && str_fold(NULL, principal, &folded) == 0 &&
	       strcmp(folded, state->asked.cached.name) == 0;
}

/* 0 there is an entry, of whatever age; errors as of read_entry(). */
static int look(struct lookup_state *state, entry_finder *find)
{
	struct entry entry;
	int r;

	r = read_entry(state->lookups, state->setup, state->asked.domain, &state->asked.cached,
	               find, &entry);
	if (r < 0)
		return r;
	if (state->offline && state->turn > state->setup->n_domains &&
	    !answers_offline(state, &entry)) {
		cache_end(state->asked.domain->store->cache);
		return -ENOENT;
	}
	clear_negative(state->lookups, state->asked.domain, &state->asked.cached, &entry);
	cache_end(state->asked.domain->store->cache);
	return 0;
}

/* Is there an old answer in any domain? Then nobody waits long for a new one (design §3). */
static bool has_old_answer(struct lookup_state *state)
{
	for (size_t turn = 0; turn < count_turns(state->setup); turn++)
		if (ask_of(state->question, state->setup, turn, &state->asked) &&
		    look(state, cache_peek) == 0)
			return true;
	return false;
}

/* Domains in their order. One whose turn it is and that knows nothing lets the next one speak; one
 * that cannot tell does so too, but then the end is "cannot tell" and not "not there". */
static void ask_next(struct tevent_req *req, struct tevent_context *ev)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	struct tevent_req *subreq;

	while (state->turn < count_turns(state->setup)) {
		enum entry_kind kind = entry_kind_of(state->question->kind);
		const struct domain *domain;
		size_t turn = state->turn;

		/* Whose name it is must be known before it is taken for an address. */
		if (state->unsure && is_second_round(state->setup, turn))
			break;
		state->turn++;
		if (!ask_of(state->question, state->setup, turn, &state->asked))
			continue;
		domain = state->asked.domain;
		if (state->asked.query.name &&
		    is_hidden(state->lookups, state->setup, domain, kind, state->asked.query.name))
			continue;
		if (!state->question->flags && is_negative(state->lookups, &state->asked))
			continue;

		state->has_old = look(state, cache_peek) == 0;

		/* It waited for its turn until it was too late: the server is spared the question.
		 */
		if (deadline_passed(state->deadline)) {
			if (state->has_old) {
				state->found = turn;
				state->stale = true;
				req_finish(req, 0);
				return;
			}
			state->unsure = true;
			state->reason = -ETIMEDOUT;
			continue;
		}

		state->epoch = store_epoch(domain->store);
		subreq = backend_ask_send(state, ev, domain->store->backend, &state->asked.query,
		                          state->epoch, state->deadline, &state->id);
		if (tevent_req_nomem(subreq, req))
			return;
		tevent_req_set_callback(subreq, domain_asked, req);
		return;
	}

	req_finish(req, state->unsure ? state->reason : -ENOENT);
}

/* What the client's errno shall be; none of ours means anything to it. */
static int reason_of(int r)
{
	return r == -ETIMEDOUT ? -ETIMEDOUT : -EIO;
}

static void domain_asked(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	const struct domain *domain = state->asked.domain;
	uint64_t environment;
	bool same = true;
	int r, held;

	r = backend_ask_recv(subreq, &environment);
	TALLOC_FREE(subreq);

	/* What we do not find says something only where the backend writes. */
	if (environment)
		same = store_expect(domain->store, environment);
	held = look(state, cache_find);
	if (held == 0) {
		if (r < 0)
			log_at(LEVEL_DEBUG, &state->id, "domain %s: %s: the old answer is given",
			       domain->name, error_text(r));
		state->found = state->turn - 1;
		state->stale = r < 0;
		req_finish(req, 0);
		return;
	}

	if ((r == 0 || r == -E_OFFLINE) && !(held == -ENOENT && same))
		r = held == -ENOENT ? -E_CACHE_REPLACED : held;
	if (r == 0) {
		set_negative(state->lookups, &state->asked, state->epoch);
	} else if (r == -E_OFFLINE) {
		state->offline = true;
	} else {
		log_at(LEVEL_INFO, &state->id, "domain %s: %s", domain->name, error_text(r));
		state->unsure = true;
		state->reason = reason_of(r);
	}
	ask_next(req, state->lookups->ev);
}

int lookup_recv(struct tevent_req *req, struct found *ret_found)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	int r = req_result(req);

	metrics_count(state->stale ? METRICS_STALE : METRICS_ASKED);
	/* tevent_req_received() frees the state, and its pin. */
	*ret_found = (struct found){ setup_pin(state->setup), state->found };
	tevent_req_received(req);
	return r;
}
