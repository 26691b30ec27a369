/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Room - which records go when the file is full
 *
 * Clients find what they want most without asking, so nobody sees who is in use. But what had to go
 * and is asked for again was: it moves in among the wanted, and there is not pushed out by those
 * that are asked for once. Newcomers push each other out, unless there is room among the wanted
 * that nobody needs.
 *
 *   | wanted: 7/8 of the slots | newcomers: 1/8 |
 */
#include <errno.h>

#include "common/base/time.h"
#include "common/memcache/impl.h"
#include "common/metrics/metrics.h"

#define PASSED_MAX 64 /* records in use that one search passes by */

static bool is_over(const struct memcache_head *head)
{
	return (int64_t)head->expires < walltime_now().s;
}

static uint8_t *gone_at(const struct mcmap *map, const struct memcache_head *head)
{
	return map->gone + head->hash1 % map->n_hashes;
}

/* Never 0. */
static uint8_t print_of(const struct memcache_head *head)
{
	return (uint8_t)(head->hash2 % 255 + 1);
}

/* Told once. */
static bool had_to_go(const struct mcmap *map, const struct memcache_head *head)
{
	if (!map->gone || *gone_at(map, head) != print_of(head))
		return false;
	*gone_at(map, head) = 0;
	return true;
}

/* Without memory for it, it is forgotten. */
static void note_gone(struct mcmap *map, const struct memcache_head *head)
{
	if (!map->gone)
		map->gone = talloc_zero_size(map, map->n_hashes);
	if (map->gone && !is_over(head))
		*gone_at(map, head) = print_of(head);
}

/* Are n slots in a row at the hand free, or those of records that are over? 1 or 0. */
static int has_room(const struct mcmap *map, struct part *part, uint32_t n)
{
	struct memcache_head head;
	int r;

	if (n > part->end - part->hand)
		part->hand = part->first;
	for (uint32_t slot = part->hand; slot < part->hand + n;) {
		if (!bit_get(map->used, slot)) {
			slot++;
			continue;
		}
		r = mcmap_read_head(map, slot, &head);
		if (r < 0 || !is_over(&head))
			return r;
		slot += slots_of(head.length);
	}
	return 1;
}

/* Whether the record at the hand is to stay. One that was stored again has a second chance. */
static bool stays(struct mcmap *map, const struct part *part, const struct memcache_head *head,
                  uint32_t *passed)
{
	if (is_over(head) || !bit_get(map->in_use, part->hand) || *passed >= PASSED_MAX)
		return false;
	bit_set(map->in_use, part->hand, false);
	(*passed)++;
	return true;
}

/* Finds n free slots in a row from the hand on, and makes them free as need be. */
static int make_room_in(struct mcmap *map, struct part *part, uint32_t n, uint32_t *ret_slot)
{
	uint32_t run = 0, passed = 0;
	struct memcache_head head;
	int r;

	while (run < n) {
		if (part->hand >= part->end) {
			part->hand = part->first;
			run = 0; /* not around the end */
		}
		if (!bit_get(map->used, part->hand)) {
			part->hand++;
			run++;
			continue;
		}
		r = mcmap_read_head(map, part->hand, &head);
		if (r < 0)
			return r;
		if (stays(map, part, &head, &passed)) {
			part->hand += slots_of(head.length);
			run = 0;
			continue;
		}
		r = mcmap_remove_record(map, part->hand, &head);
		if (r < 0)
			return r;
		note_gone(map, &head);
		map->stats.evicted++;
		metrics_count(METRICS_MEMORY_EVICTED);
	}
	*ret_slot = part->hand - n;
	return 0;
}

int mcmap_make_room(struct mcmap *map, const struct memcache_head *head, uint32_t *ret_slot)
{
	uint32_t n = slots_of(head->length);
	int r = 1;

	if (n > map->newcomers.end - map->newcomers.first)
		return -EMSGSIZE;
	if (!had_to_go(map, head))
		r = has_room(map, &map->wanted, n);
	if (r < 0)
		return r;
	return make_room_in(map, r > 0 ? &map->wanted : &map->newcomers, n, ret_slot);
}
