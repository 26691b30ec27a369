/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - what lasts of a domain through reloads: its open cache and its way to the backend
 */
#include "responders/core/store.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/time.h"

#define LOOK_INTERVAL_US 1000000

struct stores {
	struct tevent_context *ev;
	const struct resp_paths *paths; /* borrowed */
	struct list all;
	uint32_t last_key;
};

struct stores *stores_new(TALLOC_CTX *mem, struct tevent_context *ev,
                          const struct resp_paths *paths)
{
	struct stores *stores = talloc_zero(mem, struct stores);

	if (!stores)
		return NULL;
	stores->ev = ev;
	stores->paths = paths;
	list_init(&stores->all);
	return stores;
}

static int store_gone(struct store *store)
{
	list_remove(&store->node);
	return 0;
}

struct store *store_use(struct stores *stores, const char *domain, enum cache_case names)
{
	struct store *store;

	list_for_each(store, &stores->all, node) {
		if (strcmp(store->name, domain) != 0)
			continue;
		if (store->names != names) {
			TALLOC_FREE(store->cache); /* its keys are made another way now */
			store->names = names;
			store->looked_us = 0;
		}
		store->users++;
		return store;
	}

	store = talloc_zero(stores, struct store);
	if (!store)
		return NULL;
	list_init(&store->node);
	store->stores = stores;
	store->names = names;
	store->name = talloc_strdup(store, domain);
	store->backend = backend_client_new(store, stores->ev, stores->paths->run_dir, domain);
	if (!store->name || !store->backend) {
		talloc_free(store);
		return NULL;
	}
	store->key = ++stores->last_key;
	store->users = 1;
	list_append(&stores->all, &store->node);
	talloc_set_destructor(store, store_gone);
	return store;
}

void store_unuse(struct store *store)
{
	if (--store->users == 0)
		talloc_free(store);
}

static struct cache_options options_of(const struct store *store)
{
	return (struct cache_options){
		.dir = store->stores->paths->cache_dir,
		.domain = store->name,
		.names = store->names,
	};
}

void store_damaged(struct store *store)
{
	struct cache_options options = options_of(store);
	int r;

	/* One that was exchanged meanwhile is known to be bad, and the new one is not. */
	if (store->cache && cache_still_there(store->cache) < 0) {
		TALLOC_FREE(store->cache);
		store->open_result = -E_CACHE_REPLACED;
		store->looked_us = 0;
		return;
	}

	if (store->open_result != -E_CACHE_DAMAGED)
		log_error("cache of domain %s: %s", store->name, error_text(-E_CACHE_DAMAGED));
	r = cache_mark_suspect(&options);
	if (r < 0)
		log_error("cache of domain %s cannot be marked: %s", store->name, error_text(r));
	TALLOC_FREE(store->cache);
	store->open_result = -E_CACHE_DAMAGED;
}

static void open_cache(struct store *store)
{
	struct cache_options options = options_of(store);
	int r = cache_open(store, &options, &store->cache);

	if (r == -E_CACHE_DAMAGED) {
		store_damaged(store);
		return;
	}
	/* No file yet is the state of every host before its first lookup. */
	if (r < 0 && r != -ENOENT && r != store->open_result)
		log_error("cache of domain %s: %s", store->name, error_text(r));
	store->open_result = r;
}

static void look(struct store *store)
{
	int64_t now_us = monotonic_us();

	if (store->looked_us && now_us - store->looked_us < LOOK_INTERVAL_US)
		return;
	store->looked_us = now_us;

	if (store->cache && cache_still_there(store->cache) < 0)
		TALLOC_FREE(store->cache);
	if (!store->cache)
		open_cache(store);
}

int store_read(struct store *store)
{
	int r;

	look(store);
	r = store->cache ? cache_begin(store->cache) : store->open_result;
	if (store->cache && r == -E_CACHE_REPLACED) {
		TALLOC_FREE(store->cache);
		open_cache(store);
		r = store->cache ? cache_begin(store->cache) : store->open_result;
	}
	if (store->cache && r == -E_CACHE_DAMAGED)
		store_damaged(store);
	return r;
}

uint32_t store_epoch(const struct store *store)
{
	return store->cache ? cache_epoch(store->cache) : 0;
}

uint32_t store_touched(const struct store *store, enum entry_kind kind, const char *name)
{
	return store->cache ? cache_touched(store->cache, kind, name) : 0;
}

bool store_is_latest(const struct store *store)
{
	return !store->cache || cache_is_latest(store->cache);
}

bool store_expect(struct store *store, uint64_t environment)
{
	/* Without the lock file it uses, too, we would not see what it writes. */
	if (!store->cache || cache_environment_id(store->cache) != environment ||
	    cache_still_there(store->cache) < 0) {
		TALLOC_FREE(store->cache);
		store->looked_us = 0;
		look(store);
	}
	return store->cache && cache_environment_id(store->cache) == environment;
}
