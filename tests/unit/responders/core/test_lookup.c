/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lookups against a cache and backends that follow a script. Two domains, A and B; each row says
 * what A's and B's cache hold, what their backends answer, and what must come of it.
 */
#include "responders/core/lookup.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/event/timer.h"

enum held {
	NOTHING,
	FRESH,
	AGEING,
	EXPIRED,
	DAMAGED,
	ELSEWHERE, /* nothing here: the backend's file is another one */
	ASTRAY,    /* not found, on a damaged page */
	MAILED,    /* a user who has the address … */
	PRINCIPAL, /* … and one whose principal it is, and who is not called so */
};

struct cache {
	enum held held, held_after; /* before and after its backend was asked */
	bool has_user;              /* by name, whatever else is held */
	bool open;
};

struct backend_client {
	int result;
	int64_t after_ms; /* NEVER: it says nothing */
	int64_t share_ms;
	int asked, refreshed, late;
	struct cache *cache;
};

#define NEVER (-1)

static struct cache caches[2];
static struct backend_client backends[2];
static struct store stores[2] = { { .name = "A", .key = 1 }, { .name = "B", .key = 2 } };
static struct domain domains[2];
static const char *hidden;
static int marked; /* as damaged */

/* ---- the script's cache ---- */

int cache_begin(struct cache *cache)
{
	ck_assert(!cache->open);
	cache->open = true;
	return 0;
}

void cache_end(struct cache *cache)
{
	ck_assert(cache->open);
	cache->open = false;
}

int cache_find(struct cache *cache, const struct query *query, struct entry *ret_entry)
{
	return cache->held == ASTRAY ? -E_CACHE_DAMAGED : cache_peek(cache, query, ret_entry);
}

int cache_peek(struct cache *cache, const struct query *query, struct entry *ret_entry)
{
	ck_assert(cache->open);
	if (cache->has_user && query->kind == QUERY_USER_BY_NAME) {
		*ret_entry = (struct entry){ .kind = ENTRY_USER, .user.name = query->name };
		return 0;
	}
	if (cache->held == NOTHING || cache->held == ELSEWHERE || cache->held == ASTRAY)
		return -ENOENT;
	if (cache->held == DAMAGED)
		return -EBADMSG;
	if (cache->held >= MAILED && !strchr(query->name, '@'))
		return -ENOENT;
	*ret_entry =
		(struct entry){ .kind = ENTRY_USER, .user.name = query->name ? query->name : "n" };
	if (cache->held == PRINCIPAL)
		ret_entry->user.upn = "U@b";
	ret_entry->times.lifetime_s = cache->held;
	return 0;
}

static uint32_t epoch_now, touched; /* and in which one the last name was */

uint32_t store_epoch(const struct store *store)
{
	(void)store;
	return epoch_now;
}

uint32_t store_touched(const struct store *store, enum entry_kind kind, const char *name)
{
	(void)store;
	(void)kind;
	(void)name;
	return touched;
}

struct entry_now entry_now(void)
{
	return (struct entry_now){ 0 };
}

enum entry_age entry_age(const struct entry *entry, const struct entry_now *now,
                         uint32_t nowait_percent, uint32_t epoch)
{
	(void)now;
	(void)nowait_percent;
	(void)epoch;
	return entry->times.lifetime_s == FRESH    ? ENTRY_FRESH
	       : entry->times.lifetime_s == AGEING ? ENTRY_AGEING
	                                           : ENTRY_EXPIRED;
}

int64_t entry_fresh_s(const struct entry *entry, const struct entry_now *now,
                      uint32_t nowait_percent, uint32_t epoch)
{
	return entry_age(entry, now, nowait_percent, epoch) == ENTRY_FRESH ? 60 : 0;
}

int store_read(struct store *store)
{
	return cache_begin(store->cache);
}

void store_damaged(struct store *store)
{
	ck_assert(!store->cache->open);
	marked++;
}

bool store_expect(struct store *store, uint64_t environment)
{
	ck_assert(!store->cache->open);
	return store->cache->held != ELSEWHERE && environment == 1;
}

/* ---- the script's backends ---- */

struct asked_one {
	struct tevent_req *req;
	struct backend_client *backend;
};

static void answer(void *data)
{
	struct asked_one *state = data;

	state->backend->cache->held = state->backend->cache->held_after;
	req_finish(state->req, state->backend->result);
}

struct tevent_req *backend_ask_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                    struct backend_client *backend, const struct query *query,
                                    uint32_t epoch, struct deadline deadline,
                                    const struct request_id *id)
{
	struct asked_one *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct asked_one);

	(void)query;
	(void)id;
	ck_assert_uint_eq(epoch, epoch_now);
	ck_assert(!deadline_passed(deadline));
	*state = (struct asked_one){ req, backend };
	backend->asked++;
	if (backend->after_ms == 0) {
		backend->cache->held = backend->cache->held_after;
		return req_finish_now(req, ev, backend->result);
	}
	ck_assert_int_eq(req_set_deadline(req, ev, deadline), 0);
	if (backend->after_ms > 0)
		ck_assert_ptr_nonnull(timer_once(state, ev, backend->after_ms, answer, state));
	return req;
}

int64_t backend_share_ms(const struct backend_client *backend)
{
	return backend->share_ms;
}

void backend_is_late(struct backend_client *backend, int64_t asked_us)
{
	ck_assert_int_ge(monotonic_us() - asked_us, backend->share_ms * 1000);
	backend->late++;
}

int backend_ask_recv(struct tevent_req *req, uint64_t *ret_environment)
{
	*ret_environment = 1;
	return req_result(req);
}

void backend_refresh(struct backend_client *backend, const struct query *query, uint32_t epoch,
                     const struct request_id *id)
{
	(void)query;
	(void)epoch;
	(void)id;
	backend->refreshed++;
}

/* ---- the setup ---- */

void setup_unpin(struct setup *setup)
{
	setup->pins--;
}

const struct domain *setup_domain(const struct setup *setup, const char *name, size_t size)
{
	(void)setup;
	return domain_is_called(&domains[0], name, size)   ? &domains[0]
	       : domain_is_called(&domains[1], name, size) ? &domains[1]
	                                                   : NULL;
}

static bool hides(const void *conf, const struct domain *domain, enum entry_kind kind,
                  const char *name)
{
	(void)conf;
	(void)domain;
	(void)kind;
	return hidden && strcmp(name, hidden) == 0;
}

static const struct resp resp = { .name = "test", .hides = hides };

struct one {
	enum held before, after;
	int backend;
};

struct test {
	const char *why;
	const char *text;
	struct one a, b;
	int result; /* 0, -ENOENT, … */
	char from;  /* 'A', 'B', or 0 */
	int asked_a, asked_b, refreshed_a;
};

/* clang-format off */
static const struct test tests[] = {
	{ "fresh: nobody is asked",                   "u",   { FRESH, 0, 0 }, { NOTHING, 0, 0 },            0, 'A', 0, 0, 0 },
	{ "ageing: answered, refreshed behind",       "u",   { AGEING, 0, 0 }, { NOTHING, 0, 0 },           0, 'A', 0, 0, 1 },
	{ "cache first: B's entry before A's backend", "u",  { NOTHING, FRESH, 0 }, { FRESH, 0, 0 },        0, 'B', 0, 0, 0 },
	{ "expired in A: B must not take the name over", "u", { EXPIRED, EXPIRED, -E_OFFLINE }, { FRESH, 0, 0 }, 0, 'A', 1, 0, 0 },
	{ "expired, renewed",                         "u",   { EXPIRED, FRESH, 0 }, { NOTHING, 0, 0 },      0, 'A', 1, 0, 0 },
	{ "expired, deleted at the server",           "u",   { EXPIRED, NOTHING, 0 }, { NOTHING, NOTHING, 0 }, -ENOENT, 0, 1, 1, 0 },
	{ "expired, offline: the old answer",         "u",   { EXPIRED, EXPIRED, -E_OFFLINE }, { NOTHING, 0, 0 }, 0, 'A', 1, 0, 0 },
	{ "expired, no backend: the old answer",      "u",   { EXPIRED, EXPIRED, -E_NO_BACKEND }, { NOTHING, 0, 0 }, 0, 'A', 1, 0, 0 },
	{ "expired, too slow: the old answer",        "u",   { EXPIRED, EXPIRED, -ETIMEDOUT }, { NOTHING, 0, 0 }, 0, 'A', 1, 0, 0 },
	{ "new in A",                                 "u",   { NOTHING, FRESH, 0 }, { NOTHING, NOTHING, 0 }, 0, 'A', 1, 0, 0 },
	{ "new in B",                                 "u",   { NOTHING, NOTHING, 0 }, { NOTHING, FRESH, 0 }, 0, 'B', 1, 1, 0 },
	{ "nobody knows it",                          "u",   { NOTHING, NOTHING, 0 }, { NOTHING, NOTHING, 0 }, -ENOENT, 0, 1, 1, 0 },
	{ "never seen, offline: not found",           "u",   { NOTHING, NOTHING, -E_OFFLINE }, { NOTHING, NOTHING, -E_OFFLINE }, -ENOENT, 0, 1, 1, 0 },
	{ "no backend: cannot tell",                  "u",   { NOTHING, NOTHING, -E_NO_BACKEND }, { NOTHING, NOTHING, 0 }, -EIO, 0, 1, 1, 0 },
	{ "a time-out is told as one",                "u",   { NOTHING, NOTHING, -ETIMEDOUT }, { NOTHING, NOTHING, 0 }, -ETIMEDOUT, 0, 1, 1, 0 },
	{ "A cannot tell, B knows",                   "u",   { NOTHING, NOTHING, -E_SERVER }, { NOTHING, FRESH, 0 }, 0, 'B', 1, 1, 0 },
	{ "damaged cache: asked anew",                "u",   { DAMAGED, FRESH, 0 }, { NOTHING, NOTHING, 0 }, 0, 'A', 1, 0, 0 },
	{ "damaged cache: cannot tell",               "u",   { DAMAGED, DAMAGED, 0 }, { NOTHING, NOTHING, 0 }, -EIO, 0, 1, 1, 0 },
	{ "damaged cache, offline: cannot tell",      "u",   { DAMAGED, DAMAGED, -E_OFFLINE }, { NOTHING, NOTHING, -E_OFFLINE }, -EIO, 0, 1, 1, 0 },
	{ "another file than the backend's: cannot tell", "u", { NOTHING, ELSEWHERE, 0 }, { NOTHING, NOTHING, 0 }, -EIO, 0, 1, 1, 0 },
	{ "the same, offline",                        "u",   { NOTHING, ELSEWHERE, -E_OFFLINE }, { NOTHING, NOTHING, 0 }, -EIO, 0, 1, 1, 0 },
	{ "qualified: only that domain",              "u@B", { FRESH, 0, 0 }, { NOTHING, FRESH, 0 },        0, 'B', 0, 1, 0 },
	{ "… and then as an address of somebody there", "u@B", { FRESH, 0, 0 }, { NOTHING, NOTHING, 0 }, -ENOENT, 0, 0, 2, 0 },
	{ "an address is looked for everywhere",      "u@x", { NOTHING, NOTHING, 0 }, { NOTHING, FRESH, 0 }, 0, 'B', 1, 1, 0 },
	{ "… and found in a cache",                   "u@x", { NOTHING, NOTHING, 0 }, { FRESH, 0, 0 },      0, 'B', 0, 0, 0 },
	{ "offline, what may be a name is no mail address", "u@B", { FRESH, 0, 0 }, { NOTHING, MAILED, -E_OFFLINE }, -ENOENT, 0, 0, 2, 0 },
	{ "… but may be a principal",                 "u@B", { FRESH, 0, 0 }, { NOTHING, PRINCIPAL, -E_OFFLINE }, 0, 'B', 0, 2, 0 },
	{ "whose name cannot be told is no address",  "u@B", { FRESH, 0, 0 }, { NOTHING, NOTHING, -ETIMEDOUT }, -ETIMEDOUT, 0, 0, 1, 0 },
	{ "domain names ignore ASCII case",           "u@b", { FRESH, 0, 0 }, { NOTHING, FRESH, 0 },        0, 'B', 0, 1, 0 },
	{ "hidden: not there, nobody is asked",       "root", { FRESH, 0, 0 }, { FRESH, 0, 0 },             -ENOENT, 0, 0, 0, 0 },
	{ "nobody can have such a name",              "a/b", { FRESH, 0, 0 }, { FRESH, 0, 0 },              -ENOENT, 0, 0, 0, 0 },
};
/* clang-format on */

static void prepare(const struct test *test, struct setup *setup)
{
	const struct one *ones[2] = { &test->a, &test->b };

	for (int i = 0; i < 2; i++) {
		caches[i] = (struct cache){ ones[i]->before, ones[i]->after, false };
		backends[i] = (struct backend_client){ .result = ones[i]->backend,
			                               .share_ms = 500,
			                               .cache = &caches[i] };
		stores[i].cache = &caches[i];
		stores[i].backend = &backends[i];
		domains[i] = (struct domain){ .name = stores[i].name, .store = &stores[i] };
	}
	*setup = (struct setup){
		.pins = 1, .domains = domains, .n_domains = 2, .service = { .cache_first = true }
	};
	hidden = "root";
	marked = 0;
}

static int lookup(struct lookups *lookups, struct setup *setup, const struct question *question,
                  struct answer *ret_answer)
{
	struct request_id id = { 0 };
	struct tevent_req *req;
	struct found found;
	int r;

	r = lookup_cached(lookups, setup, question, &id, ret_answer);
	if (r != -ESTALE)
		return r;
	req = lookup_send(lookups->ev, lookups, setup, question, &id);
	ck_assert(tevent_req_poll(req, lookups->ev));
	r = lookup_recv(req, &found);
	ck_assert_uint_eq(setup->pins, 2); /* a reload may come before the answer is read */
	if (r == 0)
		r = lookup_found(lookups, &found, question, ret_answer);
	talloc_free(req);
	setup_unpin(found.setup);
	return r;
}

START_TEST(test_lookup)
{
	const struct test *test = &tests[_i];
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = test->text };
	struct answer answer = { 0 };
	struct setup setup;
	int r;

	prepare(test, &setup);
	r = lookup(&lookups, &setup, &question, &answer);

	ck_assert_msg(r == test->result, "%s: %d", test->why, r);
	if (r == 0) {
		ck_assert_msg(answer.domain->name[0] == test->from, "%s: from %s", test->why,
		              answer.domain->name);
		lookup_release(&answer);
	}
	ck_assert_msg(backends[0].asked == test->asked_a && backends[1].asked == test->asked_b &&
	                      backends[0].refreshed == test->refreshed_a,
	              "%s: asked %d %d, refreshed %d", test->why, backends[0].asked,
	              backends[1].asked, backends[0].refreshed);
	ck_assert_uint_eq(setup.pins, 1);
	ck_assert(!caches[0].open && !caches[1].open);
	ck_assert((marked > 0) == (test->a.before == DAMAGED));
}
END_TEST

/* ---- two backends at once ---- */

struct runner {
	enum held before, after;
	int backend;
	int64_t after_ms, share_ms;
};

struct race {
	const char *why;
	const char *text;
	bool cache_first;
	struct runner a, b;
	int result;
	char from;
	int asked_a, asked_b;
	int64_t least_ms, most_ms;
	bool unsure; /* A did not say whose it is */
};

/* A head start is 250 ms; the time for an answer 1,500, and 500 where there is an old one. */
/* clang-format off */
static const struct race races[] = {
	{ "A hangs: B's, after A's share", "u", true, { NOTHING, NOTHING, 0, NEVER, 500 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 500, 1400, true },
	{ "A is slow: it is A's name", "u", true, { NOTHING, FRESH, 0, 500, 1200 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'A', 1, 1, 500, 1100, false },
	{ "A is slow, and says no", "u", true, { NOTHING, NOTHING, 0, 500, 1200 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 500, 1100, false },
	{ "A is slow, and says that it cannot tell", "u", true, { NOTHING, NOTHING, -E_SERVER, 500, 1200 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 500, 1100, true },
	{ "A is slow, B cannot tell: A's is no less sure", "u", true, { NOTHING, FRESH, 0, 500, 1200 }, { NOTHING, NOTHING, -E_SERVER, 20, 500 },
	  0, 'A', 1, 1, 500, 1100, false },
	{ "both are slow: not one after the other", "u", true, { NOTHING, NOTHING, 0, 700, 1200 }, { NOTHING, NOTHING, 0, 700, 1200 },
	  -ENOENT, 0, 1, 1, 950, 1350, false },
	{ "A was silent before: at once", "u", true, { NOTHING, NOTHING, 0, NEVER, 0 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 20, 200, true },
	{ "A was silent before, but it is not B's", "u", true, { NOTHING, FRESH, 0, 500, 0 }, { NOTHING, NOTHING, 0, 20, 500 },
	  0, 'A', 1, 1, 500, 1400, false },
	{ "A hangs, B does not know it: cannot tell", "u", true, { NOTHING, NOTHING, 0, NEVER, 300 }, { NOTHING, NOTHING, 0, 20, 500 },
	  -ETIMEDOUT, 0, 1, 1, 1400, 9999, false },
	{ "A hangs and has an old record", "u", true, { EXPIRED, EXPIRED, 0, NEVER, 0 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'A', 1, 0, 500, 1200, false },
	{ "B has an old record: renewed", "u", true, { NOTHING, NOTHING, 0, NEVER, 300 }, { EXPIRED, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 300, 490, true },
	{ "A hangs, the caches are not first", "u", false, { NOTHING, NOTHING, 0, NEVER, 400 }, { FRESH, FRESH, 0, 20, 500 },
	  0, 'B', 1, 0, 400, 1300, true },
	{ "… and A was silent before", "u", false, { NOTHING, NOTHING, 0, NEVER, 0 }, { FRESH, FRESH, 0, 20, 500 },
	  0, 'B', 1, 0, 0, 200, true },
	{ "A says no at once: no head start", "u", true, { NOTHING, NOTHING, 0, 20, 500 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 40, 240, false },
	{ "A is offline: no head start", "u", true, { NOTHING, NOTHING, -E_OFFLINE, 20, 500 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 40, 240, false },
	{ "an address: A hangs", "u@x", true, { NOTHING, NOTHING, 0, NEVER, 500 }, { NOTHING, FRESH, 0, 20, 500 },
	  0, 'B', 1, 1, 500, 1400, true },
	{ "a name of B, which hangs, is no address in A", "u@B", true, { NOTHING, MAILED, 0, 20, 500 }, { NOTHING, NOTHING, 0, NEVER, 300 },
	  -ETIMEDOUT, 0, 0, 1, 1400, 9999, false },
};
/* clang-format on */

static void prepare_race(const struct race *race, struct setup *setup)
{
	const struct runner *runners[2] = { &race->a, &race->b };
	struct test test = { .text = race->text };

	prepare(&test, setup);
	for (int i = 0; i < 2; i++) {
		caches[i].held = runners[i]->before;
		caches[i].held_after = runners[i]->after;
		backends[i].result = runners[i]->backend;
		backends[i].after_ms = runners[i]->after_ms;
		backends[i].share_ms = runners[i]->share_ms;
	}
	setup->service.cache_first = race->cache_first;
	setup->service.request_timeout_ms = 1500;
}

START_TEST(test_two_backends_at_once)
{
	const struct race *race = &races[_i];
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = race->text };
	int64_t begun_us = monotonic_us(), ms;
	struct answer given = { 0 };
	struct setup setup;
	int r;

	prepare_race(race, &setup);
	r = lookup(&lookups, &setup, &question, &given);
	ms = (monotonic_us() - begun_us) / 1000;

	ck_assert_msg(r == race->result, "%s: %d", race->why, r);
	if (r == 0) {
		ck_assert_msg(given.domain->name[0] == race->from, "%s: from %s", race->why,
		              given.domain->name);
		if (race->unsure || caches[race->from - 'A'].held == EXPIRED)
			ck_assert_msg(given.fresh_s == 0, "%s: kept elsewhere", race->why);
		else
			ck_assert_msg(given.fresh_s > 0, "%s: not kept elsewhere", race->why);
		lookup_release(&given);
	}
	ck_assert_msg(backends[0].asked == race->asked_a && backends[1].asked == race->asked_b,
	              "%s: asked %d %d", race->why, backends[0].asked, backends[1].asked);
	ck_assert_msg(race->least_ms <= ms && ms <= race->most_ms, "%s: %d ms", race->why, (int)ms);
	if (race->unsure && race->a.after_ms == NEVER)
		ck_assert_int_gt(backends[0].late, 0);
	ck_assert_uint_eq(setup.pins, 1);
	ck_assert(!caches[0].open && !caches[1].open);
}
END_TEST

/* A request that is given up leaves nothing behind that answers it. */
START_TEST(test_given_up_with_both_under_way)
{
	static const struct race race = { .text = "u",
		                          .a = { NOTHING, NOTHING, 0, 400, 1000 },
		                          .b = { NOTHING, FRESH, 0, 400, 1000 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = { .ev = ev, .resp = &resp, .negative = negative_new(ev, 100) };
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = "u" };
	struct request_id id = { 0 };
	struct tevent_req *req;
	struct setup setup;

	prepare_race(&race, &setup);
	req = lookup_send(ev, &lookups, &setup, &question, &id);
	while (!backends[1].asked)
		ck_assert_int_eq(tevent_loop_once(ev), 0);
	talloc_free(req);
	ck_assert_uint_eq(setup.pins, 1);
}
END_TEST

/* Nothing is proven absent that the backend is asked about next; what is believed is. */
START_TEST(test_damage_that_hides_a_record)
{
	static const struct {
		bool cache_first;
		enum held after;
		int result, marked;
	} cases[] = {
		{ false, FRESH, 0, 0 },
		{ false, ASTRAY, -EIO, 1 },
		{ true, FRESH, 0, 1 }, /* else B's would be the answer */
	};
	const struct test test = { .text = "u",
		                   .a = { ASTRAY, cases[_i].after, 0 },
		                   .b = { cases[_i].cache_first ? FRESH : NOTHING, FRESH, 0 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = "u" };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	setup.service.cache_first = cases[_i].cache_first;
	setup.n_domains = cases[_i].cache_first ? 2 : 1;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), cases[_i].result);
	ck_assert_int_eq(marked, cases[_i].marked);
	ck_assert_int_eq(backends[0].asked, 1);
	if (cases[_i].result == 0) {
		ck_assert_str_eq(answer.domain->name, "A");
		lookup_release(&answer);
	} else {
		ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), cases[_i].result);
		ck_assert_int_eq(backends[0].asked, 2);
	}
}
END_TEST

/* Whose groups they are is told by whose the user is: in the caches, … */
START_TEST(test_groups_of_a_namesake_are_not_the_answer)
{
	const struct test test = { .a = { NOTHING, FRESH, 0 }, .b = { FRESH, FRESH, 0 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_INITGROUPS, .text = "u" };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	caches[0].has_user = _i == 1;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), 0);
	ck_assert_str_eq(answer.domain->name, _i == 1 ? "A" : "B");
	ck_assert_int_eq(backends[0].asked, _i);
	lookup_release(&answer);
}
END_TEST

/* … and while the one who has it cannot tell them. */
START_TEST(test_groups_of_a_namesake_are_no_way_out)
{
	static const struct {
		struct runner a;
		int result;
		char from;
	} cases[] = {
		{ { NOTHING, NOTHING, 0, NEVER, 0 }, -ETIMEDOUT, 0 },
		{ { NOTHING, NOTHING, 0, NEVER, 300 }, -ETIMEDOUT, 0 },
		{ { NOTHING, NOTHING, -E_OFFLINE, 20, 500 }, -EIO, 0 },
		{ { NOTHING, NOTHING, -E_SERVER, 20, 500 }, -EIO, 0 },
		{ { NOTHING, FRESH, 0, 600, 0 }, 0, 'A' },
		{ { NOTHING, NOTHING, 0, 20, 500 }, 0, 'B' }, /* it is not A's any more */
	};
	const struct race race = { .text = "u",
		                   .a = cases[_i].a,
		                   .b = { NOTHING, FRESH, 0, 20, 500 },
		                   .cache_first = true };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_INITGROUPS, .text = "u" };
	struct answer answer = { 0 };
	struct setup setup;

	prepare_race(&race, &setup);
	caches[0].has_user = true;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), cases[_i].result);
	ck_assert_int_eq(backends[1].asked, cases[_i].from == 'B');
	if (cases[_i].from) {
		ck_assert_int_eq(answer.domain->name[0], cases[_i].from);
		lookup_release(&answer);
	}
}
END_TEST

/* The order decides: one that comes before the one who cannot tell them may have them. */
START_TEST(test_groups_are_the_first_ones_that_has_the_user)
{
	static const struct {
		struct runner a;
		int result;
		char from;
	} cases[] = {
		{ { NOTHING, FRESH, 0, 400, 1200 }, 0, 'A' },
		{ { NOTHING, NOTHING, 0, 400, 1200 }, -EIO, 0 },
		{ { NOTHING, NOTHING, 0, NEVER, 500 }, -EIO, 0 },
	};
	const struct race race = { .text = "u",
		                   .a = cases[_i].a,
		                   .b = { NOTHING, NOTHING, -E_OFFLINE, 20, 500 },
		                   .cache_first = true };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_INITGROUPS, .text = "u" };
	struct answer answer = { 0 };
	struct setup setup;

	prepare_race(&race, &setup);
	caches[1].has_user = true;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), cases[_i].result);
	ck_assert_int_eq(backends[1].asked, 1);
	if (cases[_i].from) {
		ck_assert_int_eq(answer.domain->name[0], cases[_i].from);
		ck_assert_int_gt(answer.fresh_s, 0);
		lookup_release(&answer);
	}
}
END_TEST

/* Only a full "no" is remembered. */
START_TEST(test_what_is_asked_again)
{
	static const struct {
		int backend;
		int asked;
	} cases[] = { { 0, 1 }, { -E_OFFLINE, 2 }, { -ETIMEDOUT, 2 }, { -E_NO_BACKEND, 2 } };
	const struct test test = { .text = "u", .a = { NOTHING, NOTHING, cases[_i].backend } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = "u" };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	lookup(&lookups, &setup, &question, &answer);
	lookup(&lookups, &setup, &question, &answer);
	ck_assert_int_eq(backends[0].asked, cases[_i].asked);
}
END_TEST

/* How long everybody may be told so: 0 for a name, unless the files have it. */
START_TEST(test_for_how_long_nobody_is_there)
{
	const struct test test = { .a = { NOTHING, NOTHING, 0 }, .b = { NOTHING, NOTHING, 0 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = { .ev = ev,
		                   .resp = &resp,
		                   .negative = negative_new(ev, 100),
		                   .locals = locals_new(ev, ev, "/etc/passwd", "/etc/group"),
		                   .negative_timeout_s = 15,
		                   .local_negative_timeout_s = 600 };
	struct question id = { .kind = QUERY_USER_BY_ID, .id = 54321 };
	struct question name = { .kind = QUERY_INITGROUPS, .text = "hunter2" };
	struct question local = { .kind = QUERY_INITGROUPS, .text = "daemon" };
	struct question refused = { .kind = QUERY_USER_BY_ID, .id = 0 };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	ck_assert_uint_eq(lookup_unknown_s(&lookups, &setup, &id), 0);
	ck_assert_int_eq(lookup(&lookups, &setup, &id, &answer), -ENOENT);
	ck_assert_int_eq(lookup(&lookups, &setup, &name, &answer), -ENOENT);
	ck_assert_int_eq(lookup(&lookups, &setup, &local, &answer), -ENOENT);
	ck_assert_uint_ge(lookup_unknown_s(&lookups, &setup, &id), 14);
	ck_assert_uint_le(lookup_unknown_s(&lookups, &setup, &id), 15);
	ck_assert_uint_eq(lookup_unknown_s(&lookups, &setup, &name), 0);
	ck_assert_uint_ge(lookup_unknown_s(&lookups, &setup, &local), 599);
	ck_assert_uint_eq(lookup_unknown_s(&lookups, &setup, &refused), 0);

	/* All who may know have to have said it. */
	negative_remove(lookups.negative, stores[1].key,
	                &(struct query){ .kind = QUERY_USER_BY_ID, .id = 54321 });
	ck_assert_uint_eq(lookup_unknown_s(&lookups, &setup, &id), 0);
}
END_TEST

/* The files know no domains: asked again at once, by name and as an address. */
START_TEST(test_a_name_with_its_domain_is_not_in_the_files)
{
	const struct test test = { .a = { NOTHING, NOTHING, 0 }, .b = { NOTHING, NOTHING, 0 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = { .ev = ev,
		                   .resp = &resp,
		                   .negative = negative_new(ev, 100),
		                   .locals = locals_new(ev, ev, "/etc/passwd", "/etc/group"),
		                   .local_negative_timeout_s = 600 };
	struct question local = { .kind = QUERY_INITGROUPS, .text = "daemon" };
	struct question of_a = { .kind = QUERY_INITGROUPS, .text = "daemon@a" };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(lookup(&lookups, &setup, &local, &answer), -ENOENT);
	ck_assert_int_eq(backends[0].asked, 1);
	for (int i = 1; i <= 2; i++) {
		ck_assert_int_eq(lookup(&lookups, &setup, &of_a, &answer), -ENOENT);
		ck_assert_int_eq(backends[0].asked, 1 + 2 * i);
	}
	ck_assert_int_eq(backends[1].asked, 1);
}
END_TEST

START_TEST(test_a_no_is_over_when_it_was_touched)
{
	const struct test test = { .text = "u" };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = {
		.ev = ev, .resp = &resp, .negative = negative_new(ev, 100), .negative_timeout_s = 15
	};
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = "u" };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	epoch_now = touched = 7;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), -ENOENT);
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), -ENOENT);
	ck_assert_int_eq(backends[0].asked, 1);
	epoch_now = touched = 8;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), -ENOENT);
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), -ENOENT);
	ck_assert_int_eq(backends[0].asked, 2);
}
END_TEST

START_TEST(test_ids_outside_the_range_of_a_domain_never_reach_its_backend)
{
	const struct test test = { .a = { NOTHING, NOTHING, 0 }, .b = { NOTHING, FRESH, 0 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = { .ev = ev, .resp = &resp, .negative = negative_new(ev, 100) };
	struct question question = { .kind = QUERY_USER_BY_ID, .id = 5000 };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	domains[0].conf.max_id = 4999;
	domains[1].conf.min_id = 5000;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), 0);
	lookup_release(&answer);
	ck_assert_int_eq(backends[0].asked, 0);
	ck_assert_int_eq(backends[1].asked, 1);

	question.id = 0;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), -ENOENT);
	ck_assert_int_eq(backends[1].asked, 1);
}
END_TEST

/* Whoever starts us asks for them, and must not wait for a server. */
START_TEST(test_no_domain_is_asked_about_root_and_our_own_user)
{
	static const struct question questions[] = {
		{ .kind = QUERY_USER_BY_NAME, .text = "root" },
		{ .kind = QUERY_INITGROUPS, .text = "sssd" },
		{ .kind = QUERY_GROUP_BY_NAME, .text = "SSSD@A" },
		{ .kind = QUERY_USER_BY_ID, .id = 900 },
		{ .kind = QUERY_GROUP_BY_ID, .id = 901 },
	};
	const struct test test = { .a = { FRESH, FRESH, 0 }, .b = { FRESH, FRESH, 0 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = { .ev = ev, .resp = &resp, .negative = negative_new(ev, 100) };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	hidden = "";
	setup.own_uid = 900;
	setup.own_gid = 901;
	ck_assert_int_eq(lookup(&lookups, &setup, &questions[_i], &answer), -ENOENT);
	ck_assert_int_eq(backends[0].asked + backends[1].asked, 0);
}
END_TEST

START_TEST(test_short_names_are_not_for_a_fully_qualified_domain)
{
	const struct test test = { .a = { FRESH, FRESH, 0 }, .b = { FRESH, FRESH, 0 } };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = { .ev = ev, .resp = &resp, .negative = negative_new(ev, 100) };
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = "u" };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	domains[0].naming.qualified_only = true;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), 0);
	ck_assert_str_eq(answer.domain->name, "B");
	lookup_release(&answer);
}
END_TEST

START_TEST(test_without_a_domain_nothing_can_be_told)
{
	const struct test test = { .text = "u" };
	auto_talloc struct tevent_context *ev = tevent_context_init(NULL);
	struct lookups lookups = { .ev = ev, .resp = &resp, .negative = negative_new(ev, 100) };
	struct question question = { .kind = QUERY_USER_BY_NAME, .text = "u" };
	struct answer answer;
	struct setup setup;

	prepare(&test, &setup);
	setup.n_domains = 0;
	ck_assert_int_eq(lookup(&lookups, &setup, &question, &answer), -EIO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lookup");
	TCase *tcase = tcase_create("lookup");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, test_lookup, 0, sizeof(tests) / sizeof(tests[0]));
	tcase_add_loop_test(tcase, test_two_backends_at_once, 0, sizeof(races) / sizeof(races[0]));
	tcase_add_test(tcase, test_given_up_with_both_under_way);
	tcase_add_loop_test(tcase, test_damage_that_hides_a_record, 0, 3);
	tcase_add_loop_test(tcase, test_groups_of_a_namesake_are_not_the_answer, 0, 2);
	tcase_add_loop_test(tcase, test_groups_of_a_namesake_are_no_way_out, 0, 6);
	tcase_add_loop_test(tcase, test_groups_are_the_first_ones_that_has_the_user, 0, 3);
	tcase_add_loop_test(tcase, test_what_is_asked_again, 0, 4);
	tcase_add_test(tcase, test_for_how_long_nobody_is_there);
	tcase_add_test(tcase, test_a_name_with_its_domain_is_not_in_the_files);
	tcase_add_test(tcase, test_a_no_is_over_when_it_was_touched);
	tcase_add_test(tcase, test_ids_outside_the_range_of_a_domain_never_reach_its_backend);
	tcase_add_loop_test(tcase, test_no_domain_is_asked_about_root_and_our_own_user, 0, 5);
	tcase_add_test(tcase, test_short_names_are_not_for_a_fully_qualified_domain);
	tcase_add_test(tcase, test_without_a_domain_nothing_can_be_told);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
