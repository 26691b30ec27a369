/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Enumeration - see enumerate.h
 *
 *   pass_begin ─▶ (link) ─▶ linked ─▶ search ─▶ (turn) ─▶ ask_for_page ─▶ (page) ─▶ page_came ─┐
 *                                       ▲ ▲                                                    │
 *                 users, then groups ───┘ └─ next page, next base ── (commit) ◀── store        │
 *                                       │                               │          ▲           │
 *                          purge ◀──────┴───────────────────────────────┘   (members) ◀── resolve
 *
 * Between two pages the turn is lent (turn.h): whoever is waited for goes first, and the search
 * base begins anew. After a few times it is the others who wait.
 *
 * What a page brought is stored before the next one is asked for, so the server is never faster
 * than the disk, and memory holds one page and the names. A pass is complete or it is an error:
 * only when the server has said all is it known who is gone, and only then are those purged.
 *
 * The pages of a search are those of one connection (RFC 2696). When it is lost they are asked for
 * again from the first one, of which the names are known by then; the bases before it are done.
 *
 * A search base that the server does not have says nothing about who is below it: the others are
 * listed, and nobody from there is purged. Without a single one the pass is an error.
 */
#include "backend/ldap/enumerate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "backend/ldap/filter.h"
#include "backend/ldap/link.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/members.h"
#include "backend/ldap/search.h"
#include "backend/ldap/turn.h"
#include "common/base/error.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/ldap/dn.h"

#define FIRST_MS        1000 /* the questions of a start go first */
#define AGAIN_MS        5000 /* after a pass that failed, and while the domain is not online */
#define GROUPS_AT_ONCE  8    /* whose members are looked up */
#define MEMBERS_AT_ONCE 1000 /* that are begun with in a turn of the loop: a millisecond or two */
#define GROUP_COST      10   /* of a group without members, counted in members */
#define PURGE_AT_ONCE   500  /* entries looked at: less than a millisecond */
#define STALE_PAGES     1000 /* in a row without anybody new: the server never comes to an end */
#define LOST_AT_MOST    3    /* turns, or connections, below one base */

struct enumeration {
	struct ldap_domain *domain; /* borrowed */
	struct timer *timer;        /* the next pass; NULL during one, and where there is no next */
	struct pass *pass;
	struct list waiters; /* of struct enumerate_state */
	int last_error;      /* of the last pass, so that a lasting failure is logged once … */
	bool told_all;       /* the last pass that succeeded; it began … */
	struct boottime told_all_when;
	uint32_t missing[N_SEARCHES]; /* … as are bases that were missing in it, a bit each */
	int64_t ended_us;             /* that one */
};

struct enumerate_state {
	struct list node;
	struct tevent_req *req;
};

/* A group whose members are DNs. */
struct job {
	struct list node; /* in jobs, then in running */
	struct pass *pass;
	struct entry_values *values; /* owned */
	struct group group;
};

/* Who has a name and a number in this pass. */
struct claim {
	uint32_t id;
	char *name, *dn; /* owned; name as the cache orders it */
};

struct pass {
	struct enumeration *owner;
	struct ldap_domain *domain; /* borrowed */
	struct request_id id;
	int64_t began_us;
	struct boottime began;
	enum entry_kind kind;
	size_t base;      /* of its search bases */
	uint32_t missing; /* those that the server does not have, a bit each */
	struct search_page page;
	struct turn *turn; /* owned; lent between two pages; NULL = it is waited for */
	unsigned n_turns_lost, n_failures; /* below this base */
	char *filter;
	struct map *names, *ids; /* of those of this kind that were met → struct claim */
	TALLOC_CTX *claims;      /* owns these */
	struct map *user_names, *user_ids; /* those of the users, while there are groups to come
	                                    * that private groups go before; else NULL */
	size_t n_met, n_pages;             /* names before this page; pages of this base */
	size_t n_stale, n_repeated;        /* those that brought no other; how many will not */
	uint64_t environment;              /* of the cache at the beginning */
	uint32_t epoch;                    /* so, too */
	struct list jobs, running;
	unsigned n_begun;            /* of members, in this turn of the loop or since some turns */
	struct timer *pause;         /* armed while the next groups wait for another turn */
	struct cache_change *change; /* NULL when there is nothing to store */
	struct cache_place place;    /* of the purge */
	size_t n_users, n_groups, n_purged;
	bool no_memory;
};

static void pass_begin(struct enumeration *enumeration);
static void linked(struct tevent_req *subreq);
static void search(struct pass *pass);
static void turn_is_there(struct tevent_req *subreq);
static void ask_for_page(struct pass *pass);
static int one_entry(struct entry_values *values, void *data);
static void page_came(struct tevent_req *subreq);
static void resolve(struct pass *pass);
static void resolved(struct tevent_req *subreq);
static void store(struct pass *pass, void (*stored)(struct tevent_req *subreq));
static void page_stored(struct tevent_req *subreq);
static void next_page(struct pass *pass);
static void purge(void *data);
static void purged(struct tevent_req *subreq);

/* ---- when ---- */

static void again(struct enumeration *enumeration, int64_t after_ms);

static void due(void *data)
{
	struct enumeration *enumeration = data;
	const struct provider_host *host = enumeration->domain->host;

	enumeration->timer = NULL;
	if (host->writer && online_state(host->online) == ONLINE_YES)
		pass_begin(enumeration);
	else
		again(enumeration, AGAIN_MS);
}

static void again(struct enumeration *enumeration, int64_t after_ms)
{
	TALLOC_FREE(enumeration->timer);
	enumeration->timer =
		timer_once(enumeration, enumeration->domain->host->ev, after_ms, due, enumeration);
	if (!enumeration->timer)
		log_error("domain %s: enumeration: %s", enumeration->domain->host->domain,
		          error_text(-ENOMEM));
}

static int64_t period_ms(const struct ldap_conf *conf)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		random %= conf->enumeration_refresh_offset_s + 1;
	return ((int64_t)conf->enumeration_refresh_timeout_s + random) * 1000;
}

struct enumeration *enumeration_new(TALLOC_CTX *mem, struct ldap_domain *domain)
{
	struct enumeration *enumeration = talloc_zero(mem, struct enumeration);

	if (!enumeration)
		return NULL;
	enumeration->domain = domain;
	list_init(&enumeration->waiters);
	again(enumeration, FIRST_MS);
	return enumeration;
}

/* ---- who waits for it ---- */

static void enumerate_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct enumerate_state *state = tevent_req_data(req, struct enumerate_state);

	(void)req_state;
	list_remove(&state->node);
}

/* Whoever asks again and again must not keep the server busy with passes that fail. Of a connection
 * that was lost before anything was read the next pass knows nothing. */
static bool failed_just_now(const struct enumeration *enumeration)
{
	return enumeration->last_error < 0 && enumeration->last_error != -E_DISCONNECTED &&
	       monotonic_us() - enumeration->ended_us < AGAIN_MS * INT64_C(1000);
}

bool enumeration_vouches(const struct enumeration *enumeration)
{
	const struct ldap_domain *domain = enumeration->domain;
	uint32_t life_s = domain->user_lifetime_s < domain->group_lifetime_s
	                          ? domain->user_lifetime_s
	                          : domain->group_lifetime_s;

	return enumeration->told_all && boottime_now().s - enumeration->told_all_when.s < life_s;
}

struct tevent_req *enumerate_send(TALLOC_CTX *mem, void *data, const struct query *query,
                                  const struct request_id *id)
{
	struct ldap_domain *domain = data;
	struct enumeration *enumeration = domain->enumeration;
	struct enumerate_state *state;
	struct tevent_req *req;

	(void)query;
	(void)id;
	req = tevent_req_create(mem, &state, struct enumerate_state);
	if (!req)
		return NULL;
	state->req = req;
	list_init(&state->node);
	tevent_req_set_cleanup_fn(req, enumerate_cleanup);
	tevent_req_defer_callback(req, domain->host->ev);
	if (!enumeration) {
		req_finish(req, -ENOTSUP);
		return req;
	}

	if (!enumeration->pass && failed_just_now(enumeration)) {
		req_finish(req, enumeration->last_error);
		return req;
	}
	list_append(&enumeration->waiters, &state->node);
	if (!enumeration->pass) {
		TALLOC_FREE(enumeration->timer);
		pass_begin(enumeration);
	}
	return req;
}

int enumerate_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

const char *enumerate_waits_for(struct tevent_req *req)
{
	(void)req;
	return "the enumeration of all users and groups";
}

/* ---- a pass ---- */

/* Nobody comes back to it. */
static void leave_place(struct pass *pass)
{
	link_hold(pass->domain->link, pass->page.generation, false);
	search_page_reset(&pass->page);
}

static int pass_gone(struct pass *pass)
{
	leave_place(pass);
	return 0;
}

static void log_end(const struct enumeration *enumeration, const struct pass *pass, int r)
{
	const char *domain = enumeration->domain->host->domain;

	if (r == 0)
		log_at(LEVEL_INFO, pass ? &pass->id : NULL,
		       "domain %s: enumerated %zu users and %zu groups in %lld ms, %zu were gone",
		       domain, pass->n_users, pass->n_groups,
		       (long long)((monotonic_us() - pass->began_us) / 1000), pass->n_purged);
	else if (r != enumeration->last_error && r != -E_OFFLINE)
		log_at(LEVEL_WARN, pass ? &pass->id : NULL, "domain %s: enumeration: %s", domain,
		       error_text(r));
}

static void pass_end(struct enumeration *enumeration, int r)
{
	struct pass *pass = take_ptr(enumeration->pass);
	const struct provider_host *host = enumeration->domain->host;

	if (r == -E_CACHE_DAMAGED)
		host->cache_damaged(host->data);
	log_end(enumeration, pass, r);
	enumeration->last_error = r;
	enumeration->ended_us = monotonic_us();
	if (r == 0) {
		enumeration->told_all =
			!enumeration->missing[SEARCH_USERS] && !enumeration->missing[SEARCH_GROUPS];
		enumeration->told_all_when = pass->began;
	}
	talloc_free(pass);
	if (r < 0)
		again(enumeration, AGAIN_MS);
	else if (enumeration->domain->conf.enumeration_refresh_timeout_s > 0)
		again(enumeration, period_ms(&enumeration->domain->conf));
	while (!list_empty(&enumeration->waiters)) {
		struct enumerate_state *state =
			list_item(enumeration->waiters.next, struct enumerate_state, node);

		list_remove(&state->node);
		req_finish(state->req, r);
	}
}

static int make_filter(struct pass *pass)
{
	const struct ldap_conf *conf = &pass->domain->conf;
	struct filter filter = filter_new();
	bool users = pass->kind == ENTRY_USER;

	TALLOC_FREE(pass->filter);
	filter_open(&filter, '&');
	if (users)
		filter_equal(&filter, "objectclass", conf->user_object_class);
	else
		lookup_add_group_class(&filter, conf);
	filter_present(&filter, users ? conf->user_name : conf->group_name);
	if (!users) /* one without a number is none of ours, and that is nothing to complain of */
		filter_present(&filter, conf->group_gid_number);
	filter_close(&filter);
	return filter_end(&filter, pass, &pass->filter);
}

static enum private_groups private_groups(const struct pass *pass)
{
	return pass->domain->host->options->auto_private_groups;
}

/* A search base, from the beginning. */
static void start_base(struct pass *pass)
{
	leave_place(pass);
	pass->n_pages = pass->n_stale = pass->n_repeated = 0;
	pass->n_turns_lost = pass->n_failures = 0;
}

/* Users, or groups, from the beginning. */
static int start_kind(struct pass *pass, enum entry_kind kind)
{
	if (kind == ENTRY_GROUP && private_groups(pass) == PRIVATE_GROUPS_TRUE) {
		pass->user_names = take_ptr(pass->names);
		pass->user_ids = take_ptr(pass->ids);
		pass->claims = NULL; /* goes with pass */
	}
	TALLOC_FREE(pass->names);
	TALLOC_FREE(pass->ids);
	TALLOC_FREE(pass->claims);
	pass->names = map_new(pass);
	pass->ids = map_new(pass);
	pass->claims = talloc_new(pass);
	if (!pass->names || !pass->ids || !pass->claims)
		return -ENOMEM;
	pass->kind = kind;
	pass->base = pass->n_met = 0;
	pass->missing = 0;
	pass->place = (struct cache_place){ 0 };
	start_base(pass);
	return make_filter(pass);
}

static void pass_begin(struct enumeration *enumeration)
{
	struct ldap_domain *domain = enumeration->domain;
	struct pass *pass = enumeration->pass = talloc_zero(enumeration, struct pass);
	struct tevent_req *subreq;

	if (!pass) {
		pass_end(enumeration, -ENOMEM);
		return;
	}
	talloc_set_destructor(pass, pass_gone);
	pass->owner = enumeration;
	pass->domain = domain;
	pass->id = request_id_new();
	pass->began_us = monotonic_us();
	pass->began = boottime_now();
	pass->environment = cache_environment_id(cache_writer_reader(domain->host->writer));
	pass->epoch = cache_epoch(cache_writer_reader(domain->host->writer));
	pass->page.size = domain->conf.disable_paging ? 0 : domain->conf.page_size;
	list_init(&pass->jobs);
	list_init(&pass->running);

	/* Which search bases there are may be the server's to say. */
	subreq = link_wait_send(pass, domain->link);
	if (!subreq)
		pass_end(enumeration, -ENOMEM);
	else
		tevent_req_set_callback(subreq, linked, pass);
}

static void linked(struct tevent_req *subreq)
{
	struct pass *pass = tevent_req_callback_data(subreq, struct pass);
	struct conn *conn;
	int r = link_wait_recv(subreq, &conn);

	TALLOC_FREE(subreq);
	if (r == 0)
		r = start_kind(pass, ENTRY_USER);
	if (r < 0)
		pass_end(pass->owner, r);
	else
		search(pass);
}

static enum search_where where_of(const struct pass *pass)
{
	return pass->kind == ENTRY_USER ? SEARCH_USERS : SEARCH_GROUPS;
}

static const struct bases *bases_of(const struct pass *pass)
{
	return &pass->domain->bases[where_of(pass)];
}

/* The server does not know our place any more. */
static void begin_base_anew(struct pass *pass)
{
	TALLOC_FREE(pass->turn);
	pass->n_repeated += pass->n_pages;
	pass->n_pages = 0;
	leave_place(pass);
}

static void search(struct pass *pass)
{
	struct tevent_req *subreq;

	/* Another search may have been done in pages since. */
	if (pass->turn && !turn_take_back(pass->turn)) {
		pass->n_turns_lost++;
		begin_base_anew(pass);
	}
	if (pass->turn) {
		ask_for_page(pass);
		return;
	}
	subreq = turn_wait_send(pass, pass->domain->turns);
	if (!subreq)
		pass_end(pass->owner, -ENOMEM);
	else
		tevent_req_set_callback(subreq, turn_is_there, pass);
}

static void turn_is_there(struct tevent_req *subreq)
{
	struct pass *pass = tevent_req_callback_data(subreq, struct pass);
	int r = turn_wait_recv(subreq, pass, &pass->turn);

	TALLOC_FREE(subreq);
	if (r < 0)
		pass_end(pass->owner, r);
	else
		ask_for_page(pass);
}

static void ask_for_page(struct pass *pass)
{
	struct ldap_domain *domain = pass->domain;
	struct tevent_req *subreq;

	subreq = search_page_send(
		pass, domain, &pass->id, &bases_of(pass)->items[pass->base], pass->filter,
		pass->kind == ENTRY_USER ? &domain->user_attrs : &domain->group_attrs, one_entry,
		pass, &pass->page);
	if (!subreq)
		pass_end(pass->owner, -ENOMEM);
	else
		tevent_req_set_callback(subreq, page_came, pass);
}

/* ---- one entry ---- */

/* Of several with the same name or number the first by DN is taken, every time (pick.h). Does
 * holder come before dn? holder is NULL, or dn's own, when nobody else has it. */
static bool comes_first(struct pass *pass, const struct claim *holder, const char *what,
                        const char *dn)
{
	bool first;

	if (!holder || strcasecmp(holder->dn, dn) == 0)
		return false;
	first = strcasecmp(holder->dn, dn) < 0;
	refusals_report_twin(pass->domain->refusals, &pass->id, first ? dn : holder->dn,
	                     first ? holder->dn : dn, what);
	return first;
}

/* The name as the cache orders it. */
static int order_name(const struct pass *pass, TALLOC_CTX *mem, const char *name, char **ret_name)
{
	if (pass->domain->host->options->case_sensitive != CASE_TRUE)
		return str_fold(mem, name, ret_name);
	*ret_name = talloc_strdup(mem, name);
	return *ret_name ? 0 : -ENOMEM;
}

/* Whoever lost one of the two keeps nobody from the other. */
static void release(struct pass *pass, struct claim *loser)
{
	size_t size = strlen(loser->name);

	if (map_get(pass->ids, &loser->id, sizeof(loser->id)) == loser)
		map_remove(pass->ids, &loser->id, sizeof(loser->id));
	if (map_get(pass->names, loser->name, size) == loser)
		map_remove(pass->names, loser->name, size);
	talloc_free(loser);
}

static int grant(struct pass *pass, const char *name, uint32_t id, const char *dn)
{
	struct claim *claim = talloc_zero(pass->claims, struct claim);
	int r;

	if (!claim)
		return -ENOMEM;
	claim->id = id;
	claim->name = talloc_strdup(claim, name);
	claim->dn = talloc_strdup(claim, dn);
	if (!claim->name || !claim->dn)
		return -ENOMEM;
	r = map_set(pass->ids, &id, sizeof(id), claim);
	return r < 0 ? r : map_set(pass->names, name, strlen(name), claim);
}

/* May the entry have its name and its number? Both or none: a twin that is refused for its name
 * must not keep the number from somebody else. */
static bool claim_both(struct pass *pass, const char *called, uint32_t id, const char *dn)
{
	struct claim *of_id, *of_name;
	auto_talloc char *name = NULL;
	int r = order_name(pass, NULL, called, &name);

	if (r < 0) {
		pass->no_memory |= r == -ENOMEM;
		return false;
	}
	of_id = map_get(pass->ids, &id, sizeof(id));
	of_name = map_get(pass->names, name, strlen(name));
	if (of_id && of_id == of_name && strcasecmp(of_id->dn, dn) == 0)
		return true;
	if (comes_first(pass, of_id, "number", dn) || comes_first(pass, of_name, "name", dn))
		return false;

	if (of_id)
		release(pass, of_id);
	if (of_name && of_name != of_id)
		release(pass, of_name);
	pass->no_memory |= grant(pass, name, id, dn) < 0;
	return true;
}

/* With auto_private_groups = true a lookup finds the user's group before this one. */
static bool gives_way(struct pass *pass, const struct group *group)
{
	auto_talloc char *name = NULL;

	if (!pass->user_ids)
		return false;
	if (map_get(pass->user_ids, &group->gid, sizeof(group->gid)))
		return true;
	if (order_name(pass, NULL, group->name, &name) == -ENOMEM)
		pass->no_memory = true;
	return name && map_get(pass->user_names, name, strlen(name));
}

static struct cache_change *change_of(struct pass *pass)
{
	if (!pass->change)
		pass->change = cache_change_new(pass, pass->epoch);
	if (!pass->change)
		pass->no_memory = true;
	return pass->change;
}

static void put_user(struct pass *pass, const struct user *user)
{
	if (change_of(pass) &&
	    cache_put_user(pass->change, user, pass->domain->user_lifetime_s) < 0)
		pass->no_memory = true;
}

static void put_group(struct pass *pass, const struct group *group)
{
	if (change_of(pass) &&
	    cache_put_group(pass->change, group, pass->domain->group_lifetime_s) < 0)
		pass->no_memory = true;
}

static void add_job(struct pass *pass, struct entry_values *values, const struct group *group)
{
	struct job *job = talloc_zero(pass, struct job);

	if (!job) {
		pass->no_memory = true;
		return;
	}
	job->pass = pass;
	job->values = talloc_steal(job, values);
	job->group = *group;
	list_append(&pass->jobs, &job->node);
}

static int one_entry(struct entry_values *values, void *data)
{
	struct pass *pass = data;
	struct ldap_domain *domain = pass->domain;
	const struct ldap_conf *conf = &domain->conf;
	const char *reason;
	struct group group;
	struct user user;

	if (pass->kind == ENTRY_USER) {
		reason = user_from(values, values, conf->user_name, NULL, &domain->range,
		                   &domain->user_rules, &user);
		if (!reason && claim_both(pass, user.name, user.uid, user.dn))
			put_user(pass, &user);
	} else {
		reason = group_from(values, values, conf->group_name, NULL, &domain->range, &group);
		if (!reason && gives_way(pass, &group))
			reason = "a private group has its name or number";
		if (!reason && claim_both(pass, group.name, group.gid, group.dn)) {
			if (values->values[GROUP_MEMBER_DN]) {
				add_job(pass, values, &group);
				return 0;
			}
			put_group(pass, &group);
		}
	}
	if (reason && reason != records_no_memory)
		refusals_report(domain->refusals, &pass->id, values->dn, reason);
	talloc_free(values);
	return reason == records_no_memory ? -ENOMEM : 0;
}

/* ---- a page ---- */

static void drop_jobs(struct list *jobs)
{
	while (!list_empty(jobs)) {
		struct job *job = list_item(jobs->next, struct job, node);

		list_remove(&job->node);
		talloc_free(job);
	}
}

/* What could not be had ends the pass, but for the pages of a connection that was lost, and a group
 * that changed while it was read in parts: those can be had from the beginning. */
static void page_failed(struct pass *pass, int r)
{
	if ((r != -E_DISCONNECTED && r != -E_CHANGED) || ++pass->n_failures > LOST_AT_MOST) {
		pass_end(pass->owner, r == -E_DISCONNECTED ? -E_SERVER : r);
		return;
	}
	TALLOC_FREE(pass->pause);
	drop_jobs(&pass->jobs);
	drop_jobs(&pass->running);
	TALLOC_FREE(pass->change);
	begin_base_anew(pass);
	search(pass);
}

static void page_came(struct tevent_req *subreq)
{
	struct pass *pass = tevent_req_callback_data(subreq, struct pass);
	int r = search_recv(subreq);

	TALLOC_FREE(subreq);
	if (r == 0 && pass->no_memory)
		r = -ENOMEM;
	if (r < 0) {
		page_failed(pass, r);
		return;
	}
	pass->n_pages++;
	link_hold(pass->domain->link, pass->page.generation,
	          true); /* for what the page lacks, too */
	if (!pass->page.more)
		TALLOC_FREE(pass->turn);
	else if (pass->n_turns_lost < LOST_AT_MOST)
		turn_lend(pass->turn);
	resolve(pass);
}

static unsigned cost_of(const struct job *job)
{
	const struct berval *member = job->values->values[GROUP_MEMBER_DN];
	unsigned n = GROUP_COST;

	for (; n < MEMBERS_AT_ONCE && member->bv_val; member++)
		n++;
	return n;
}

static void pause_over(void *data)
{
	struct pass *pass = data;

	pass->pause = NULL;
	pass->n_begun = 0;
	resolve(pass);
}

/* Looks up the members of the groups that list DNs, then stores the page. Most tell their names
 * themselves, so that a group has ended before the loop looks at anything else: it is made to. */
static void resolve(struct pass *pass)
{
	size_t n_running = 0;

	if (pass->pause)
		return;
	for (struct list *node = pass->running.next; node != &pass->running; node = node->next)
		n_running++;
	for (; n_running < GROUPS_AT_ONCE && !list_empty(&pass->jobs) &&
	       pass->n_begun < MEMBERS_AT_ONCE;
	     n_running++) {
		struct job *job = list_item(pass->jobs.next, struct job, node);
		struct tevent_req *subreq = members_send(job, pass->domain, &pass->id, job->values);

		pass->n_begun += cost_of(job);
		if (!subreq) {
			pass_end(pass->owner, -ENOMEM);
			return;
		}
		list_remove(&job->node);
		list_append(&pass->running, &job->node);
		tevent_req_set_callback(subreq, resolved, job);
	}
	if (n_running == 0 && list_empty(&pass->jobs)) {
		store(pass, page_stored);
	} else if (pass->n_begun >= MEMBERS_AT_ONCE) {
		pass->pause = timer_once(pass, pass->domain->host->ev, 0, pause_over, pass);
		if (!pass->pause)
			pass_end(pass->owner, -ENOMEM);
	}
}

static void resolved(struct tevent_req *subreq)
{
	struct job *job = tevent_req_callback_data(subreq, struct job);
	struct pass *pass = job->pass;
	int r = members_recv(subreq, job, &job->group.members);

	TALLOC_FREE(subreq);
	if (r == 0)
		put_group(pass, &job->group);
	if (r == 0 && pass->no_memory)
		r = -ENOMEM;
	if (r < 0) {
		page_failed(pass, r);
		return;
	}
	list_remove(&job->node);
	talloc_free(job);
	resolve(pass);
}

static void store(struct pass *pass, void (*stored)(struct tevent_req *subreq))
{
	const struct provider_host *host = pass->domain->host;
	struct tevent_req *subreq;

	if (!pass->change) {
		if (stored == page_stored)
			next_page(pass);
		else
			purge(pass);
		return;
	}
	subreq = cache_commit_send(pass, host->ev, host->writer, take_ptr(pass->change));
	if (!subreq)
		pass_end(pass->owner, -ENOMEM);
	else
		tevent_req_set_callback(subreq, stored, pass);
}

static int take_stored(struct tevent_req *subreq)
{
	struct pass *pass = tevent_req_callback_data(subreq, struct pass);
	int r = cache_commit_recv(subreq);

	TALLOC_FREE(subreq);
	if (r < 0)
		pass_end(pass->owner, r);
	return r;
}

static void page_stored(struct tevent_req *subreq)
{
	struct pass *pass = tevent_req_callback_data(subreq, struct pass);

	if (take_stored(subreq) == 0)
		next_page(pass);
}

_Static_assert(BASES_MAX <= 32, "a bit for each");

static void note_missing(struct pass *pass)
{
	uint32_t *said = &pass->owner->missing[where_of(pass)], bit = UINT32_C(1) << pass->base;
	const char *dn = bases_of(pass)->items[pass->base].dn;

	if (pass->page.missing && !(*said & bit))
		log_at(LEVEL_WARN, &pass->id,
		       "search base %s: the server has no such entry: who was below it stays "
		       "in the cache",
		       *dn ? dn : "(the root)");
	if (pass->page.missing)
		pass->missing |= bit;
	*said = (*said & ~bit) | (pass->missing & bit);
}

static bool all_are_missing(const struct pass *pass)
{
	for (size_t i = 0; i < bases_of(pass)->count; i++)
		if (!(pass->missing & UINT32_C(1) << i))
			return false;
	return true;
}

static void next_page(struct pass *pass)
{
	note_missing(pass);
	pass->n_stale = map_count(pass->names) == pass->n_met ? pass->n_stale + 1 : 0;
	pass->n_met = map_count(pass->names);
	if (pass->n_stale > STALE_PAGES + pass->n_repeated) {
		log_at(LEVEL_WARN, &pass->id, "the server gives page after page, and nobody new");
		pass_end(pass->owner, -E_SERVER);
		return;
	}
	if (!pass->page.more) {
		start_base(pass);
		pass->base++;
	}
	if (pass->base < bases_of(pass)->count)
		search(pass);
	else if (all_are_missing(pass))
		pass_end(pass->owner, -E_SERVER);
	else
		purge(pass);
}

/* ---- who is gone ---- */

/* Does the group stand for a user? The server has no entry of it; it goes with the user, whom the
 * pass has looked for already. */
static bool is_private(const struct pass *pass, struct cache *cache, const struct entry *entry)
{
	struct query query = { .kind = QUERY_USER_BY_ID };
	struct entry user;

	if (private_groups(pass) == PRIVATE_GROUPS_FALSE || entry->kind != ENTRY_GROUP ||
	    *entry->group.dn)
		return false;
	query.id = entry->group.gid;
	return cache_peek(cache, &query, &user) != -ENOENT;
}

/* Is it below a search base that the server does not have, as far as can be told? */
static bool is_out_of_sight(const struct pass *pass, const struct entry *entry)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	const char *text = entry->kind == ENTRY_USER ? entry->user.dn : entry->group.dn;
	struct dn dn;

	if (!pass->missing)
		return false;
	if (dn_parse(scratch, text, &dn) < 0)
		return true;
	for (size_t i = 0; i < bases_of(pass)->count; i++) {
		const struct base *base = &bases_of(pass)->items[i];

		if (pass->missing & UINT32_C(1) << i &&
		    (!base->key || dn_is_in_scope(dn.key, base->key, base->scope)))
			return true;
	}
	return false;
}

static bool is_gone(const struct pass *pass, struct cache *cache, const struct entry *entry)
{
	/* Who was looked up meanwhile may have come after their page. */
	if (entry->times.boot == boot_id() && entry->times.stored_boot.s >= pass->began.s)
		return false;
	return !map_get(pass->names, pass->place.bytes, pass->place.size) &&
	       !is_private(pass, cache, entry) && !is_out_of_sight(pass, entry);
}

/* Looks at the next few. Errors: -ENOENT that were all; -E_CACHE_DAMAGED. */
static int purge_slice(struct pass *pass)
{
	struct cache *cache = cache_writer_reader(pass->domain->host->writer);
	enum query_kind kind = pass->kind == ENTRY_USER ? QUERY_USER_BY_NAME : QUERY_GROUP_BY_NAME;
	int r = cache_begin(cache);

	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	for (unsigned n = 0; n < PURGE_AT_ONCE && r == 0; n++) {
		struct entry entry;

		r = cache_next(cache, pass->kind, &pass->place, &entry);
		if (r == 0 && is_gone(pass, cache, &entry) && change_of(pass)) {
			struct query query = { .kind = kind };

			query.name = pass->kind == ENTRY_USER ? entry.user.name : entry.group.name;
			r = cache_remove(pass->change, &query);
			pass->n_purged++;
		}
	}
	cache_end(cache);
	return r == -EBADMSG ? -E_CACHE_DAMAGED : r;
}

/* What came before the file was replaced is not in the new one. */
static int set_listed(const struct pass *pass)
{
	struct cache_writer *writer = pass->domain->host->writer;

	if (cache_environment_id(cache_writer_reader(writer)) != pass->environment)
		return -E_CACHE_REPLACED;
	return cache_set_listed(writer, true);
}

static void purge(void *data)
{
	struct pass *pass = data;
	int r = purge_slice(pass);

	*(pass->kind == ENTRY_USER ? &pass->n_users : &pass->n_groups) = map_count(pass->names);
	if (r == 0 || (r == -ENOENT && pass->change)) {
		if (pass->change)
			store(pass, purged);
		else if (!timer_once(pass, pass->domain->host->ev, 0, purge, pass))
			pass_end(pass->owner, -ENOMEM);
		return;
	}
	if (r == -ENOENT && pass->kind == ENTRY_USER) {
		r = start_kind(pass, ENTRY_GROUP);
		if (r == 0) {
			search(pass);
			return;
		}
	} else if (r == -ENOENT) {
		r = set_listed(pass);
	}
	pass_end(pass->owner, r);
}

static void purged(struct tevent_req *subreq)
{
	struct pass *pass = tevent_req_callback_data(subreq, struct pass);

	if (take_stored(subreq) == 0)
		purge(pass);
}
