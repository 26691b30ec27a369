/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lists - all users or all groups, for setpwent(3), getpwent(3) and the like
 *
 *   list_dispatch ─┬─ the domain is listed in its cache ─▶ fill ─▶ client_replied
 *                  └─ not yet ─▶ (sbus) ─▶ list_asked ─▶ fill ─▶ client_replied_later
 *
 * A client's place is a name, so nothing is kept open between its requests, and it stays good
 * whatever is written meanwhile. A list is complete or it ends with an error: a domain that was
 * never gone through as a whole is not given in part (field-report P8).
 */
#include <errno.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/wire/frame.h"
#include "responders/core/asked.h"
#include "responders/core/core.h"
#include "responders/core/overrides.h"

#define ENTRIES_MAX 256        /* in a reply, whatever the client says */
#define BYTES_MAX   (1u << 20) /* no further entry behind this */
#define WAIT_MS     60000      /* for the first pass (design §4) */

struct listing {
	struct setup *setup; /* pinned: a reload must not change the order of domains */
	size_t domain;       /* of the setup's: the one at work */
	struct cache_place place;
	bool ended;
};

static void list_asked(struct tevent_req *subreq);

static int listing_gone(struct listing *listing)
{
	setup_unpin(listing->setup);
	return 0;
}

static struct listing **listing_of(struct client *client)
{
	return client->cmd->kind == ENTRY_USER ? &client->users : &client->groups;
}

static struct listing *begin(struct client *client)
{
	struct listing *listing = talloc_zero(client, struct listing);

	if (!listing)
		return NULL;
	listing->setup = setup_pin(client->core->setup);
	talloc_set_destructor(listing, listing_gone);
	return listing;
}

bool list_is_open(const struct client *client)
{
	return (client->users && !client->users->ended) ||
	       (client->groups && !client->groups->ended);
}

/* ---- entries ---- */

static bool is_shown(const struct core *core, const struct listing *listing,
                     const struct domain *domain, const struct entry *entry)
{
	return !asked_is_local(entry_name(entry)) &&
	       !lookup_hides(&core->lookups, listing->setup, domain, entry);
}

/* Writes up to max entries of the domain at work. 0: there may be more of it. Errors: -ENOENT there
 * are no more; -ESTALE its backend must be asked for them first; -EIO. */
static int write_domain(struct client *client, struct listing *listing, uint32_t max,
                        uint32_t *ret_n)
{
	const struct domain *domain = &listing->setup->domains[listing->domain];
	struct store *store = domain->store;
	struct entry entry;
	int r;

	*ret_n = 0;
	r = store_read(store);
	if (r == 0 && !cache_is_listed(store->cache)) {
		cache_end(store->cache);
		r = -ENOENT;
	}
	if (r < 0)
		return r == -ENOENT ? -ESTALE : -EIO;

	while (r == 0 && *ret_n < max && client->out.size < BYTES_MAX) {
		struct answer answer = { .domain = domain, .entry = &entry };

		r = cache_next(store->cache, client->cmd->kind, &listing->place, &entry);
		if (r < 0)
			break;
		overrides_apply(domain, &entry);
		if (!is_shown(client->core, listing, domain, &entry))
			continue;
		client->cmd->reply(&client->out, &answer, listing->setup->conf);
		(*ret_n)++;
	}
	cache_end(store->cache);
	if (r == -EBADMSG || r == -E_CACHE_DAMAGED)
		store_damaged(store);
	return r == 0 || r == -ENOENT ? r : -EIO;
}

/* The reply to get…ent. Errors: those of write_domain() but -ENOENT; -EMSGSIZE; -ENOMEM. */
static int fill(struct client *client, struct listing *listing, uint32_t max)
{
	uint32_t n = 0;
	size_t mark;
	int r;

	writer_reset(&client->out);
	frame_begin(&client->out, client->cmd->opcode, 0);
	mark = writer_mark_u32(&client->out);
	writer_u32(&client->out, 0);

	/* No entry is the end of all: a domain that has none gives way to the next. */
	for (; n == 0 && listing->domain < listing->setup->n_domains;) {
		r = -ENOENT;
		if (listing->setup->domains[listing->domain].conf.enumerate)
			r = write_domain(client, listing, max, &n);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == -ENOENT) {
			listing->domain++;
			listing->place = (struct cache_place){ 0 };
		}
	}
	listing->ended = n == 0;
	writer_patch_u32(&client->out, mark, n);
	return frame_finish(&client->out);
}

/* ---- requests ---- */

/* False: not of the form | u32 |. */
static bool read_max(const struct client *client, uint32_t *ret_max)
{
	struct reader in = reader_over(client->in + PROTO_HEADER_SIZE,
	                               client->request_size - PROTO_HEADER_SIZE);
	uint32_t max = reader_u32(&in);

	if (reader_end(&in) < 0)
		return false;
	*ret_max = max == 0 || max > ENTRIES_MAX ? ENTRIES_MAX : max;
	return true;
}

/* What the client's errno shall be. */
static int reason_of(int r)
{
	return r == -ETIMEDOUT || r == -EMSGSIZE || r == -ENOMEM ? r : -EIO;
}

static void ask(struct client *client, const struct listing *listing)
{
	static const struct query all = { .kind = QUERY_ALL };
	const struct domain *domain = &listing->setup->domains[listing->domain];
	struct core *core = client->core;

	if (!client_takes_turn(client))
		return;
	client->id = request_id_new();
	client->lookup = backend_ask_send(client, core->ev, domain->store->backend, &all,
	                                  store_epoch(domain->store), deadline_in_ms(WAIT_MS),
	                                  &client->id);
	if (client->lookup) {
		tevent_req_set_callback(client->lookup, list_asked, client);
		return;
	}
	dispatch_status(client, -ENOMEM);
	client_replied(client);
}

void list_dispatch(struct client *client)
{
	struct listing **listing = listing_of(client);
	uint32_t max;
	int r;

	client->kind = QUERY_ALL;
	if (client->cmd->listing == LIST_REWIND) {
		TALLOC_FREE(*listing);
		dispatch_status(client, 0);
		client_replied(client);
		return;
	}

	r = read_max(client, &max) ? 0 : -EINVAL;
	if (r == 0 && !*listing) {
		*listing = begin(client);
		r = *listing ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = fill(client, *listing, max);
	if (r == -ESTALE) {
		ask(client, *listing);
		return;
	}
	if (r < 0)
		dispatch_status(client, r);
	client_replied(client);
}

static void list_asked(struct tevent_req *subreq)
{
	struct client *client = tevent_req_callback_data(subreq, struct client);
	struct listing *listing = *listing_of(client);
	struct store *store = listing->setup->domains[listing->domain].store;
	uint64_t environment;
	uint32_t max = 0;
	int asked, r;

	asked = backend_ask_recv(subreq, &environment);
	TALLOC_FREE(client->lookup);
	if (environment)
		store_expect(store, environment);

	read_max(client, &max);
	r = fill(client, listing, max);
	if (r == -ESTALE)
		r = asked < 0 ? asked : -EIO;
	if (r < 0) {
		log_at(LEVEL_INFO, &client->id, "list of domain %s: %s", store->name,
		       error_text(r));
		dispatch_status(client, reason_of(r));
	}
	client_replied_later(client);
}
