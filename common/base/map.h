/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Map - bytes → pointer, in memory; for pending requests and negative answers
 *
 * A hash table with chains. The hash is keyed with random bytes, so no client can choose names
 * that collide.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

struct map; /* a talloc object */

struct map *map_new(TALLOC_CTX *mem);

/* NULL when key is not there. */
void *map_get(const struct map *map, const void *key, size_t size);

/* Adds or replaces; the key is copied, value is borrowed and not NULL. Errors: -ENOMEM. */
int map_set(struct map *map, const void *key, size_t size, void *value);

/* Takes key out and returns its value, NULL when it was not there. */
void *map_remove(struct map *map, const void *key, size_t size);

/* One that nobody knows, for map_hash(). */
void map_seed(uint64_t ret_seed[2]);

/* The hash: who does not know seed cannot choose bytes that collide. */
uint64_t map_hash(const uint64_t seed[2], const void *bytes, size_t size);

size_t map_count(const struct map *map);

/* Calls each for every pair, in no order; each may remove the pair it is given. */
void map_each(struct map *map, void (*each)(const void *key, size_t size, void *value, void *data),
              void *data);
