/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - what clients find by themselves may be older than what was just stored; nobody
 * asked for it, so nobody else will tell them
 */
#pragma once

#include "common/cache/cache.h"
#include "common/conf/conf.h"
#include "common/conf/options.h"

struct memcache; /* a talloc object */

/* dir and domain are borrowed. Errors: -ENOMEM. */
int memcache_new(TALLOC_CTX *mem, const char *dir, const char *domain, const struct conf *conf,
                 const struct domain_conf *options, struct memcache **ret_memcache);

/* The configuration is another one, which differs in its domains only. It is borrowed, as that of
 * memcache_new() is. */
void memcache_set_domains(struct memcache *memcache, const struct conf *conf);

/* A cache_changed; data is a struct memcache. */
void memcache_changed(const struct cache_note *notes, size_t n, void *data);
