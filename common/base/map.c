/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Map - bytes → pointer, in memory
 */
#include "common/base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define FIRST_CHAINS 16u /* a power of two, like all that follow */

struct pair {
	struct pair *next;
	uint64_t hash;
	void *value; /* borrowed */
	size_t size;
	uint8_t key[];
};

struct map {
	uint64_t seed[2];
	struct pair **chains; /* owned, as are the pairs */
	size_t n_chains, n_pairs;
};

/* getrandom(2) may wait for entropy at early boot, where we already answer; the 16 bytes the kernel
 * gives every process at its start (getauxval(3)) do not. */
void map_seed(uint64_t seed[2])
{
	const size_t size = 2 * sizeof(seed[0]);

	if (getrandom(seed, size, GRND_NONBLOCK) != (ssize_t)size)
		memcpy(seed, (const void *)getauxval(AT_RANDOM), size);
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), words in host order. */
uint64_t map_hash(const uint64_t seed[2], const void *bytes, size_t size)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
		          seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573 };
	const uint8_t *key = bytes;
	uint64_t word;

	for (size_t left = size;; left -= sizeof(word), key += sizeof(word)) {
		bool last = left < sizeof(word);

		word = last ? (uint64_t)size << 56 : 0;
		if (left > 0)
			memcpy(&word, key, last ? left : sizeof(word));
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
		if (last)
			break;
	}

	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(TALLOC_CTX *mem)
{
	struct map *map = talloc_zero(mem, struct map);

	if (!map)
		return NULL;
	map->n_chains = FIRST_CHAINS;
	map->chains = talloc_zero_array(map, struct pair *, FIRST_CHAINS);
	if (!map->chains) {
		talloc_free(map);
		return NULL;
	}
	map_seed(map->seed);
	return map;
}

/* Where the pointer to key's pair is, or would be: the end of its chain. */
static struct pair **place_of(const struct map *map, uint64_t hash, const void *key, size_t size)
{
	struct pair **place = &map->chains[hash & (map->n_chains - 1)];

	for (; *place; place = &(*place)->next)
		if ((*place)->hash == hash && (*place)->size == size &&
		    (size == 0 || memcmp((*place)->key, key, size) == 0))
			break;
	return place;
}

void *map_get(const struct map *map, const void *key, size_t size)
{
	struct pair *pair = *place_of(map, map_hash(map->seed, key, size), key, size);

	return pair ? pair->value : NULL;
}

/* Doubles the number of chains; without memory the old ones just become longer. */
static void grow(struct map *map)
{
	size_t n_chains = map->n_chains * 2;
	struct pair **chains = talloc_zero_size(map, n_chains * sizeof(*chains));

	if (!chains)
		return;
	for (size_t i = 0; i < map->n_chains; i++)
		for (struct pair *pair = map->chains[i], *next; pair; pair = next) {
			struct pair **first = &chains[pair->hash & (n_chains - 1)];

			next = pair->next;
			pair->next = *first;
			*first = pair;
		}
	talloc_free(map->chains);
	map->chains = chains;
	map->n_chains = n_chains;
}

int map_set(struct map *map, const void *key, size_t size, void *value)
{
	uint64_t hash = map_hash(map->seed, key, size);
	struct pair **place, *pair;

	assert(value);
	if (map->n_pairs >= map->n_chains)
		grow(map);

	place = place_of(map, hash, key, size);
	if (*place) {
		(*place)->value = value;
		return 0;
	}

	pair = talloc_size(map, sizeof(*pair) + size);
	if (!pair)
		return -ENOMEM;
	*pair = (struct pair){ .hash = hash, .value = value, .size = size };
	if (size > 0)
		memcpy(pair->key, key, size);
	*place = pair;
	map->n_pairs++;
	return 0;
}

void *map_remove(struct map *map, const void *key, size_t size)
{
	struct pair **place = place_of(map, map_hash(map->seed, key, size), key, size);
	struct pair *pair = *place;
	void *value;

	if (!pair)
		return NULL;
	value = pair->value;
	*place = pair->next;
	map->n_pairs--;
	talloc_free(pair); /* key may point into it: not used from here on */
	return value;
}

size_t map_count(const struct map *map)
{
	return map->n_pairs;
}

/* Chains never move when a pair is removed, so only next must be known before each() runs. */
void map_each(struct map *map, void (*each)(const void *key, size_t size, void *value, void *data),
              void *data)
{
	for (size_t i = 0; i < map->n_chains; i++)
		for (struct pair *pair = map->chains[i], *next; pair; pair = next) {
			next = pair->next;
			each(pair->key, pair->size, pair->value, data);
		}
}
