/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lookup - answer one question from the cache, asking a backend only when it must
 *
 *   lookup_cached ─ fresh or ageing ─▶ answer (ageing: backend_refresh behind it)
 *        └─ expired or missing ─▶ lookup_send ─▶ (sbus) ─▶ domain_asked ─▶ lookup_recv
 *                                      ▲                        │
 *                                      └── next domain ◀─ not there, or silent for HEAD_START_MS
 *
 * The words are those of design §3: "not there" is what the server said in full and is the only
 * thing that enters the negative cache; "cannot tell" never becomes "not there" — but for a name
 * nobody ever saw, asked while the server is known to be offline.
 */
#include "responders/core/lookup.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"
#include "responders/core/asked.h"
#include "responders/core/overrides.h"

#define BUDGET_MS       5000 /* identity, design §3 */
#define STALE_BUDGET_MS 500  /* when there is an old answer to fall back on */

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
	if (lookups->resp->hides(setup->conf, domain, entry->kind, entry_name(entry)))
		return true;
	principal = principal_of(domain, entry, &other);
	return principal && lookups->resp->hides(setup->conf, domain, ENTRY_USER, principal);
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

/* Has the domain the user, whose groups it may not know yet? Then no later one is to tell those of
 * a namesake. */
static bool has_user(struct lookups *lookups, struct setup *setup, const struct asked *asked)
{
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = asked->cached.name };
	struct entry user;

	if (asked->query.kind != QUERY_INITGROUPS ||
	    read_entry(lookups, setup, asked->domain, &query, cache_peek, &user) < 0)
		return false;
	cache_end(asked->domain->store->cache);
	return true;
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
	struct entry_now now = entry_now();
	bool must_ask = false, domain_takes_it = false;

	for (size_t turn = 0; turn < asked_turns(setup); turn++) {
		const struct domain *domain;
		bool next_may_answer;
		struct asked asked;
		enum entry_age age;
		int r;

		/* Whose name it is must be known before it is taken for an address. */
		if (must_ask && asked_second_begins(setup, turn))
			break;
		if (!asked_of(question, setup, turn, &asked))
			continue;
		domain = asked.domain;
		if (asked_is_hidden(lookups, setup, &asked))
			continue;
		domain_takes_it = true;
		if (question->flags) {
			must_ask = true;
			continue;
		}
		if (asked_is_negative(lookups, &asked))
			continue;

		/* With cache_first another domain may answer because this one has nothing. */
		next_may_answer = setup->service.cache_first && turn + 1 < asked_turns(setup) &&
		                  !asked_second_begins(setup, turn + 1);
		r = read_entry(lookups, setup, domain, &asked.cached,
		               next_may_answer ? cache_find : cache_peek, &lookups->current);
		if (r < 0) {
			must_ask = true;
			if (r != -ENOENT || !setup->service.cache_first ||
			    has_user(lookups, setup, &asked))
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
		asked_clear_negative(lookups, domain, &asked.cached, &lookups->current);
		metrics_count(age == ENTRY_AGEING ? METRICS_AGEING : METRICS_FRESH);
		*ret_answer = answer_of(lookups, domain, &now);
		return 0;
	}

	if (must_ask || setup->n_domains == 0)
		return -ESTALE;
	metrics_count(domain_takes_it ? METRICS_NEGATIVE : METRICS_NOBODYS);
	return -ENOENT;
}

uint32_t lookup_unknown_s(struct lookups *lookups, const struct setup *setup,
                          const struct question *question)
{
	uint32_t least_s = UINT32_MAX, left_s;
	struct asked asked;

	for (size_t turn = 0; turn < asked_turns(setup) && least_s > 0; turn++) {
		if (!asked_of(question, setup, turn, &asked) ||
		    asked_is_hidden(lookups, setup, &asked))
			continue;
		left_s = asked_unknown_s(lookups, &asked);
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

	if (!asked_of(question, found->setup, found->turn, &asked))
		return -ENOENT;
	r = read_entry(lookups, found->setup, asked.domain, &asked.cached, cache_find,
	               &lookups->current);
	if (r < 0)
		return r == -ENOENT ? r : -EIO;
	*ret_answer = answer_of(lookups, asked.domain, &now);
	/* Whose name it is may be told otherwise in a moment: other processes do not keep it. */
	if (found->unsure)
		ret_answer->fresh_s = 0;
	return 0;
}

/* ---- asking ---- */

#define HEAD_START_MS 250

/* One domain that is asked. */
struct turn {
	struct list node;
	struct tevent_req *req;    /* the lookup; borrowed */
	struct tevent_req *subreq; /* owned by the state; NULL: nothing is waited for */
	size_t number;
	struct asked asked;
	uint32_t epoch; /* in this one of its cache it is asked */
	int64_t asked_us;
	int64_t head_start_ms, share_ms;
	bool has_user; /* whose groups are asked for */
	int reason;    /* 0, or why it cannot tell them: nobody else is to */
	bool found;    /* it has it … */
	bool stale;    /* … as an expired record */
};

struct lookup_state {
	struct lookups *lookups;         /* borrowed */
	struct setup *setup;             /* pinned */
	const struct question *question; /* borrowed */
	struct request_id id;
	struct deadline deadline;
	size_t number;      /* whose turn it is next */
	struct turn *next;  /* the same, made ready */
	struct list asking; /* turns that found it or have not spoken, in their order */
	struct list unused; /* turns that said what they had to say */
	struct timer *timer;
	bool stale;          /* an expired record is the answer */
	size_t first_unsure; /* the first turn that could not tell; SIZE_MAX = none */
	bool unsure;         /* one before the answer's could not tell, or has not yet */
	bool offline;        /* one had no server to ask */
	int reason;          /* why it cannot be told, for the client */
	size_t found;        /* in that turn */
	struct turn first;
};

static bool has_old_answer(struct lookup_state *state);
static void go_on(struct tevent_req *req);
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
	state->first_unsure = SIZE_MAX;
	list_init(&state->asking);
	list_init(&state->unused);
	list_append(&state->unused, &state->first.node);

	if (setup->n_domains == 0)
		return req_finish_now(req, lookups->ev, -EIO);
	if (has_old_answer(state))
		state->deadline =
			deadline_earlier(state->deadline, deadline_in_ms(STALE_BUDGET_MS));
	go_on(req);
	if (!tevent_req_is_in_progress(req))
		return tevent_req_post(req, lookups->ev);
	return req;
}

/* May the entry be the answer to an address that could be somebody's name as well, as far as can be
 * told without a server? A principal is given out with care, a mail address by its owner. */
static bool answers_offline(const struct asked *asked, const struct entry *entry)
{
	auto_talloc char *folded = NULL;
	struct entry other;
	const char *principal = principal_of(asked->domain, entry, &other);

	return principal && str_fold(NULL, principal, &folded) == 0 &&
	       strcmp(folded, asked->cached.name) == 0;
}

/* 0 there is an entry, and how old it is; errors as of read_entry(). */
static int look(struct lookup_state *state, const struct turn *turn, entry_finder *find,
                enum entry_age *ret_age)
{
	struct lookups *lookups = state->lookups;
	const struct asked *asked = &turn->asked;
	struct entry_now now = entry_now();
	struct entry entry;
	int r;

	r = read_entry(lookups, state->setup, asked->domain, &asked->cached, find, &entry);
	if (r < 0)
		return r;
	if (state->offline && turn->number >= state->setup->n_domains &&
	    !answers_offline(asked, &entry)) {
		cache_end(asked->domain->store->cache);
		return -ENOENT;
	}
	asked_clear_negative(lookups, asked->domain, &asked->cached, &entry);
	*ret_age = entry_age(&entry, &now, lookups->nowait_percent, touched(asked->domain, &entry));
	cache_end(asked->domain->store->cache);
	return 0;
}

/* Is there an old answer in any domain? Then nobody waits long for a new one (design §3). */
static bool has_old_answer(struct lookup_state *state)
{
	struct turn *turn = &state->first;
	enum entry_age age;

	for (size_t i = 0; i < asked_turns(state->setup); i++) {
		turn->number = i;
		if (asked_of(state->question, state->setup, i, &turn->asked) &&
		    look(state, turn, cache_peek, &age) == 0)
			return true;
	}
	return false;
}

/* ---- whose turn it is ---- */

static struct turn *turn_take(struct lookup_state *state)
{
	struct turn *turn;

	if (list_empty(&state->unused)) {
		turn = talloc(state, struct turn);
		if (turn)
			list_init(&turn->node);
		return turn;
	}
	turn = list_item(state->unused.next, struct turn, node);
	list_remove(&turn->node);
	return turn;
}

static bool must_be_asked(const struct lookup_state *state, const struct asked *asked)
{
	return !asked_is_hidden(state->lookups, state->setup, asked) &&
	       (state->question->flags || !asked_is_negative(state->lookups, asked));
}

/* Makes state->next ready; it stays NULL when there is none, or none yet. */
static int find_next(struct lookup_state *state)
{
	for (; !state->next && state->number < asked_turns(state->setup); state->number++) {
		struct turn *turn;

		/* Whose name it is must be known before it is taken for an address. */
		if (asked_second_begins(state->setup, state->number) &&
		    (state->first_unsure != SIZE_MAX || !list_empty(&state->asking)))
			return 0;
		turn = turn_take(state);
		if (!turn)
			return -ENOMEM;
		turn->number = state->number;
		if (asked_of(state->question, state->setup, state->number, &turn->asked) &&
		    must_be_asked(state, &turn->asked))
			state->next = turn;
		else
			list_append(&state->unused, &turn->node);
	}
	return 0;
}

static int64_t waited_ms(const struct turn *turn)
{
	return (monotonic_us() - turn->asked_us) / 1000;
}

/* Those that were asked had their head start, and none has it. */
static bool next_may_be_asked(struct lookup_state *state)
{
	struct turn *turn;

	list_for_each(turn, &state->asking, node)
		if (turn->found || waited_ms(turn) < turn->head_start_ms)
			return false;
	return true;
}

static void turn_cannot_tell(struct lookup_state *state, struct turn *turn, int reason)
{
	if (turn->number < state->first_unsure)
		state->first_unsure = turn->number;
	state->reason = reason;
	list_append(&state->unused, &turn->node);
}

static void turn_found(struct turn *turn, bool stale)
{
	turn->found = true;
	turn->stale = stale;
}

static int ask_next(struct tevent_req *req, struct tevent_context *ev)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	struct turn *turn = take_ptr(state->next);
	const struct domain *domain = turn->asked.domain;
	struct backend_client *backend = domain->store->backend;
	enum entry_age age;
	bool has_old, waits;

	turn->req = req;
	turn->subreq = NULL;
	turn->reason = 0;
	turn->found = turn->stale = false;
	has_old = look(state, turn, cache_peek, &age) == 0;
	turn->has_user = !has_old && has_user(state->lookups, state->setup, &turn->asked);
	waits = has_old || turn->has_user;

	/* Only another domain had to be asked. */
	if (has_old && age != ENTRY_EXPIRED && !state->question->flags) {
		if (age == ENTRY_AGEING)
			backend_refresh(backend, &turn->asked.query, store_epoch(domain->store),
			                &state->id);
		turn_found(turn, false);
		list_append(&state->asking, &turn->node);
		return 0;
	}

	/* It waited for its turn until it was too late: the server is spared the question. */
	if (deadline_passed(state->deadline)) {
		if (!has_old) {
			turn_cannot_tell(state, turn, -ETIMEDOUT);
			return 0;
		}
		turn_found(turn, true);
		list_append(&state->asking, &turn->node);
		return 0;
	}

	turn->epoch = store_epoch(domain->store);
	turn->asked_us = monotonic_us();
	turn->share_ms = waits ? INT64_MAX : backend_share_ms(backend);
	turn->head_start_ms = waits                            ? INT64_MAX
	                      : turn->share_ms < HEAD_START_MS ? turn->share_ms
	                                                       : HEAD_START_MS;
	turn->subreq = backend_ask_send(state, ev, backend, &turn->asked.query, turn->epoch,
	                                state->deadline, &state->id);
	if (!turn->subreq)
		return -ENOMEM;
	tevent_req_set_callback(turn->subreq, domain_asked, turn);
	list_append(&state->asking, &turn->node);
	return 0;
}

/* ---- who answers ---- */

static void finish(struct tevent_req *req, int r)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	struct turn *turn;

	/* What they are asked goes on, and is cached. */
	list_for_each(turn, &state->asking, node)
		TALLOC_FREE(turn->subreq);
	TALLOC_FREE(state->timer);
	req_finish(req, r);
}

static void finish_found(struct tevent_req *req, const struct turn *turn)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);

	state->found = turn->number;
	state->stale = turn->stale;
	state->unsure = state->first_unsure < turn->number || state->asking.next != &turn->node;
	if (state->unsure)
		log_at(LEVEL_DEBUG, &state->id,
		       "domain %s answers, a domain that comes before it is silent or cannot tell",
		       turn->asked.domain->name);
	finish(req, 0);
}

/* True: it has, and req is finished. */
static bool is_decided(struct tevent_req *req)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	struct turn *turn;

	list_for_each(turn, &state->asking, node) {
		if (turn->found) {
			finish_found(req, turn);
			return true;
		}
		if (turn->reason < 0) {
			finish(req, turn->reason);
			return true;
		}
		if (waited_ms(turn) < turn->share_ms)
			return false;
		backend_is_late(turn->asked.domain->store->backend, turn->asked_us);
	}
	if (!list_empty(&state->asking) || state->next)
		return false;
	finish(req, state->first_unsure != SIZE_MAX ? state->reason : -ENOENT);
	return true;
}

static void time_is_up(void *data)
{
	struct tevent_req *req = data;
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);

	state->timer = NULL; /* freed by its firing */
	go_on(req);
}

/* Until a head start or a share of time is over, where somebody waits for that. */
static int wait_for_time(struct tevent_req *req, struct tevent_context *ev)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	int64_t wait_ms = INT64_MAX, ms;
	bool somebody = state->next;
	struct turn *turn;

	list_for_each(turn, &state->asking, node) {
		somebody |= turn->found || turn->reason < 0;
		if (turn->found || turn->reason < 0)
			continue;
		ms = waited_ms(turn);
		ms = (ms < turn->head_start_ms ? turn->head_start_ms : turn->share_ms) - ms;
		if (ms > 0 && ms < wait_ms)
			wait_ms = ms;
	}
	TALLOC_FREE(state->timer);
	if (!somebody || wait_ms > BUDGET_MS)
		return 0;
	state->timer = timer_once(state, ev, wait_ms, time_is_up, req);
	return state->timer ? 0 : -ENOMEM;
}

static void go_on(struct tevent_req *req)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	struct tevent_context *ev = state->lookups->ev;
	int r;

	for (;;) {
		r = find_next(state);
		if (r < 0)
			break;
		if (is_decided(req))
			return;
		if (!state->next || !next_may_be_asked(state)) {
			r = wait_for_time(req, ev);
			break;
		}
		r = ask_next(req, ev);
		if (r < 0)
			break;
	}
	if (r < 0)
		finish(req, r);
}

/* What the client's errno shall be; none of ours means anything to it. */
static int reason_of(int r)
{
	return r == -ETIMEDOUT ? -ETIMEDOUT : -EIO;
}

/* One that knows nothing lets the next one speak; one that cannot tell does so too, but then the
 * end is "cannot tell" and not "not there". Only for a user of its own nobody else speaks. */
static void domain_asked(struct tevent_req *subreq)
{
	struct turn *turn = tevent_req_callback_data_void(subreq);
	struct tevent_req *req = turn->req;
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	const struct domain *domain = turn->asked.domain;
	uint64_t environment;
	enum entry_age age;
	bool same = true;
	int r, held;

	r = backend_ask_recv(subreq, &environment);
	TALLOC_FREE(turn->subreq);

	/* What we do not find says something only where the backend writes. */
	if (environment)
		same = store_expect(domain->store, environment);
	held = look(state, turn, cache_find, &age);
	if (held == 0) {
		if (r < 0)
			log_at(LEVEL_DEBUG, &state->id, "domain %s: %s: the old answer is given",
			       domain->name, error_text(r));
		turn_found(turn, r < 0);
		go_on(req);
		return;
	}

	if ((r == 0 || r == -E_OFFLINE) && !(held == -ENOENT && same))
		r = held == -ENOENT ? -E_CACHE_REPLACED : held;
	if (r < 0 && turn->has_user) {
		log_at(LEVEL_INFO, &state->id, "domain %s: the groups of a user it has: %s",
		       domain->name, error_text(r));
		turn->reason = reason_of(r);
		go_on(req);
		return;
	}
	list_remove(&turn->node);
	if (r < 0 && r != -E_OFFLINE) {
		log_at(LEVEL_INFO, &state->id, "domain %s: %s", domain->name, error_text(r));
		turn_cannot_tell(state, turn, reason_of(r));
		go_on(req);
		return;
	}
	if (r == 0)
		asked_set_negative(state->lookups, &turn->asked, turn->epoch);
	else
		state->offline = true;
	list_append(&state->unused, &turn->node);
	go_on(req);
}

int lookup_recv(struct tevent_req *req, struct found *ret_found)
{
	struct lookup_state *state = tevent_req_data(req, struct lookup_state);
	int r = req_result(req);

	metrics_count(state->stale ? METRICS_STALE : METRICS_ASKED);
	/* tevent_req_received() frees the state, and its pin. */
	*ret_found = (struct found){ setup_pin(state->setup), state->found, state->unsure };
	tevent_req_received(req);
	return r;
}
