/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Purge - see purge.h
 *
 *   due ─▶ ask ─▶ (search) ─▶ answered ─▶ (sweep) ─▶ swept
 *           ▲ users, then groups  │
 *           └─────────────────────┘
 *
 * That nothing failed so far does not mean that the server is there, and what it had: it is asked
 * for nobody below all search bases first.
 */
#include "backend/ldap/purge.h"

#include "backend/ldap/enumerate.h"
#include "backend/ldap/link.h"
#include "backend/ldap/search.h"
#include "common/base/error.h"
#include "common/event/timer.h"

#define NOBODY "(objectClass=sssd-nobody)"

struct purge {
	struct ldap_domain *domain; /* borrowed */
	struct timer *timer;        /* owned */
	enum search_where where;    /* that is asked about */
	struct tevent_req *work;    /* owned; NULL between purges */
};

static void ask(struct purge *purge, enum search_where where);
static int nobody_came(struct entry_values *values, void *data);
static void answered(struct tevent_req *subreq);
static void swept(struct tevent_req *subreq);

/* Does the server, as far as is known, tell of everybody who might be looked for? */
static bool may_purge(const struct purge *purge)
{
	const struct ldap_domain *domain = purge->domain;

	return domain->host->writer && online_state(domain->host->online) == ONLINE_YES &&
	       !link_lacking(domain->link) &&
	       (!domain->enumeration || enumeration_vouches(domain->enumeration));
}

static void due(void *data)
{
	struct purge *purge = data;

	if (!purge->work && may_purge(purge))
		ask(purge, SEARCH_USERS);
}

static void ask(struct purge *purge, enum search_where where)
{
	struct ldap_domain *domain = purge->domain;

	purge->where = where;
	purge->work = search_send(purge, domain, NULL, where, NOBODY, &domain->nested_attrs,
	                          nobody_came, purge);
	if (purge->work)
		tevent_req_set_callback(purge->work, answered, purge);
}

static int nobody_came(struct entry_values *values, void *data)
{
	(void)data;
	talloc_free(values);
	return 0;
}

static void answered(struct tevent_req *subreq)
{
	struct purge *purge = tevent_req_callback_data(subreq, struct purge);
	const struct provider_host *host = purge->domain->host;
	int r = search_recv(subreq);

	TALLOC_FREE(purge->work);
	if (r < 0 || !may_purge(purge))
		return;
	if (purge->where == SEARCH_USERS) {
		ask(purge, SEARCH_GROUPS);
		return;
	}
	purge->work = cache_sweep_send(purge, host->ev, host->writer, 0);
	if (purge->work)
		tevent_req_set_callback(purge->work, swept, purge);
}

static void swept(struct tevent_req *subreq)
{
	struct purge *purge = tevent_req_callback_data(subreq, struct purge);
	const struct provider_host *host = purge->domain->host;
	uint64_t removed;
	int r = cache_sweep_recv(subreq, &removed);

	TALLOC_FREE(purge->work);
	if (r == -E_CACHE_DAMAGED)
		host->cache_damaged(host->data);
	else if (r < 0)
		log_warn("domain %s: purge of the cache: %s", host->domain, error_text(r));
	else if (removed > 0)
		log_info("domain %s: %llu expired entries were taken out of the cache",
		         host->domain, (unsigned long long)removed);
}

struct purge *purge_new(TALLOC_CTX *mem, struct ldap_domain *domain)
{
	struct purge *purge = talloc_zero(mem, struct purge);

	if (!purge)
		return NULL;
	purge->domain = domain;
	purge->timer = timer_every(purge, domain->host->ev,
	                           (int64_t)domain->conf.purge_cache_timeout_s * 1000,
	                           (int64_t)domain->conf.purge_cache_offset_s * 1000, due, purge);
	if (!purge->timer)
		TALLOC_FREE(purge);
	return purge;
}
