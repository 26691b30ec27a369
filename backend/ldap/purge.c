/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Purge - see purge.h
 *
 *   due ─▶ (link) ─▶ linked ─▶ (sweep) ─▶ swept
 *
 * That nothing failed so far does not mean that the server is there: it is connected to first.
 */
#include "backend/ldap/purge.h"

#include "backend/ldap/link.h"
#include "common/base/error.h"
#include "common/event/timer.h"

struct purge {
	struct ldap_domain *domain; /* borrowed */
	struct timer *timer;        /* owned */
	struct tevent_req *work;    /* owned; NULL between purges */
};

static void linked(struct tevent_req *subreq);
static void swept(struct tevent_req *subreq);

static void due(void *data)
{
	struct purge *purge = data;
	const struct provider_host *host = purge->domain->host;

	if (purge->work || !host->writer || online_state(host->online) != ONLINE_YES)
		return;
	purge->work = link_wait_send(purge, purge->domain->link);
	if (purge->work)
		tevent_req_set_callback(purge->work, linked, purge);
}

static void linked(struct tevent_req *subreq)
{
	struct purge *purge = tevent_req_callback_data(subreq, struct purge);
	const struct provider_host *host = purge->domain->host;
	struct conn *conn;
	int r = link_wait_recv(subreq, &conn);

	TALLOC_FREE(purge->work);
	if (r < 0)
		return;
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
	else
		log_info("domain %s: what has expired is taken out of the cache every %u s",
		         domain->host->domain, domain->conf.purge_cache_timeout_s);
	return purge;
}
