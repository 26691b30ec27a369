/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - what lasts of a domain through reloads: its open cache and its way to the backend
 *
 * LMDB forbids one process to open a file twice, so there is one store for each domain name, used
 * by the old and the new configuration alike.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/list.h"
#include "common/cache/cache.h"
#include "responders/core/backend_client.h"

#define SECRETS_DIR "/var/lib/sss/secrets"

/* Where things are; the defaults are those of the host, tests have others. */
struct resp_paths {
	const char *conf_dir;  /* CONF_COMPILED_DIR */
	const char *cache_dir; /* CACHE_DIR */
	const char *run_dir;   /* SBUS_DIR */
	const char *secrets_dir; /* SECRETS_DIR */
	const char *mc_dir;    /* MEMCACHE_DIR */
};

struct stores; /* a talloc object */

struct store {
	struct list node;
	struct stores *stores;
	const char *name;
	uint32_t key;   /* for the negative cache; never used again for another domain */
	unsigned users; /* setups that name the domain */
	enum cache_case names;
	struct backend_client *backend;
	struct cache *cache; /* NULL while it cannot be opened */
	int64_t looked_us;   /* when the file was last looked at */
	int open_result;     /* of the last attempt, so that a lasting failure is logged once */
};

struct stores *stores_new(TALLOC_CTX *mem, struct tevent_context *ev,
                          const struct resp_paths *paths);

/* Finds or makes the store of domain and counts a user; store_unuse() gives it back and the last
 * one closes it. NULL without memory. */
struct store *store_use(struct stores *stores, const char *domain, enum cache_case names);
void store_unuse(struct store *store);

/* Begins to read: 0, and the store's cache is open until cache_end(). Looks at most once a second
 * whether the file at its path is still ours, or there at all. Never call it between cache_begin()
 * and cache_end(). Errors: -ENOENT nothing was ever cached; others: what is cached, if anything,
 * cannot be told. */
int store_read(struct store *store);

/* cache_epoch(), cache_touched(); 0 without a cache. */
uint32_t store_epoch(const struct store *store);
uint32_t store_touched(const struct store *store, enum entry_kind kind, const char *name);

/* Was nothing stored since the read that is under way began? True without a cache. */
bool store_is_latest(const struct store *store);

/* What was read makes no sense: the handle is closed and the file marked, so that the backend has
 * it checked when it is asked next. */
void store_damaged(struct store *store);

/* A backend says its environment is the one with this id: looks now, if ours is another. Is it the
 * same, in the end? */
bool store_expect(struct store *store, uint64_t environment);
