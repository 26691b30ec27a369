/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check - whether a file of the memory cache may be taken over
 *
 * Every record that a chain leads to must be one that this writer could have left: within the file,
 * between equal barriers, in a chain of its own keys, on slots of its own. The bits are not
 * believed but made anew: a record that was written and not yet linked, or removed and its bits not
 * yet cleared, is nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/memcache/impl.h"
#include "common/wire/reader.h"

struct walk {
	struct mcmap *map;
	uint8_t *bytes; /* malloc: the data of the file, up to the last slot in use */
	uint32_t n_slots;
	uint8_t *starts; /* a bit for each slot where a record was found */
	uint8_t *bits;   /* those of the file */
};

/* 0 the record at slot is sound, and its slots are taken for it unless they were already. */
static int visit(struct walk *walk, uint32_t slot, uint32_t hash, uint32_t *ret_next)
{
	struct mcmap *map = walk->map;
	const uint8_t *record = walk->bytes + (size_t)slot * MEMCACHE_SLOT_SIZE;
	struct memcache_head head = memcache_head_read(record);
	struct part *part = slot < map->wanted.end ? &map->wanted : &map->newcomers;
	uint32_t end = part->end < walk->n_slots ? part->end : walk->n_slots;
	uint64_t left = (uint64_t)(end - slot) * MEMCACHE_SLOT_SIZE;
	struct mcmap_keys keys;

	if (head.b1 != head.b2 || !memcache_barrier_is_valid(head.b1) ||
	    head.length < MEMCACHE_HEAD_SIZE + MEMCACHE_DATA_MIN || head.length > left ||
	    mcmap_keys_read(map->options.kind, record + MEMCACHE_HEAD_SIZE,
	                    head.length - MEMCACHE_HEAD_SIZE, &keys) < 0 ||
	    head.hash1 != hash_of(map, keys.key1) || head.hash2 != hash_of(map, keys.key2) ||
	    (head.hash1 != hash && head.hash2 != hash))
		return -EBADMSG;

	*ret_next = head.hash1 == hash ? head.next1 : head.next2;
	if ((head.b1 & 0xffffffu) > (map->barrier & 0xffffffu))
		map->barrier = head.b1;
	if (bit_get(walk->starts, slot))
		return 0; /* by its other key */

	bit_set(walk->starts, slot, true);
	for (uint32_t i = slot; i < slot + slots_of(head.length); i++) {
		if (bit_get(map->used, i))
			return -EBADMSG;
		bit_set(map->used, i, true);
		map->n_used++;
		if (part->hand <= i)
			part->hand = i + 1;
	}
	return 0;
}

static int walk_chain(struct walk *walk, uint32_t slot, uint32_t hash)
{
	uint32_t n_slots = walk->n_slots, next = 0;
	int r;

	for (uint32_t steps = 0; slot != MEMCACHE_NONE; steps++, slot = next) {
		if (slot >= n_slots || steps >= n_slots)
			return -EBADMSG;
		r = visit(walk, slot, hash, &next);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The bits say how far the data goes: a record's are set before anything leads to it. It may be
 * more than talloc gives. */
static int read_data(struct walk *walk)
{
	struct mcmap *map = walk->map;
	size_t size;
	int r;

	r = mcmap_read(map, map->header.bits_at, walk->bits, map->n_slots / 8);
	if (r < 0)
		return r;
	walk->n_slots = map->n_slots;
	while (walk->n_slots > 0 && walk->bits[walk->n_slots / 8 - 1] == 0)
		walk->n_slots -= 8;
	size = (size_t)walk->n_slots * MEMCACHE_SLOT_SIZE;
	walk->bytes = malloc(size);
	if (!walk->bytes && size > 0)
		return -ENOMEM;
	return mcmap_read(map, map->header.data_at, walk->bytes, size);
}

/* Most of it is unwritten, and a responder that wakes up has somebody waiting: they are passed by
 * eight at a time. */
static int walk_table(struct walk *walk, const uint8_t *table)
{
	static const uint8_t empty[8 * sizeof(uint32_t)];
	struct reader in = reader_over(table, (size_t)walk->map->n_hashes * sizeof(uint32_t));
	uint32_t slot;
	int r = 0;

	for (uint32_t hash = 0; r == 0 && hash < walk->map->n_hashes; hash++) {
		if (reader_left(&in) >= sizeof(empty) &&
		    memcmp(in.pos, empty, sizeof(empty)) == 0) {
			reader_bytes(&in, sizeof(empty));
			hash += 7;
			continue;
		}
		slot = reader_u32(&in);
		if (slot != MEMCACHE_STOP)
			r = walk_chain(walk, slot, hash);
	}
	return r;
}

/* Whoever asks for what is not there looks at it. */
static int check_stop(const struct mcmap *map)
{
	uint8_t bytes[MEMCACHE_HEAD_SIZE];
	struct memcache_head head;
	int r = mcmap_read(map, place_of_slot(map, MEMCACHE_STOP), bytes, sizeof(bytes));

	if (r < 0)
		return r;
	head = memcache_head_read(bytes);
	return head.b1 == head.b2 && memcache_barrier_is_valid(head.b1) &&
	                       head.length == MEMCACHE_HEAD_SIZE + MEMCACHE_DATA_MIN &&
	                       head.hash1 == MEMCACHE_NONE && head.hash2 == MEMCACHE_NONE
	               ? 0
	               : -EBADMSG;
}

int mcmap_check(struct mcmap *map)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct walk walk = { .map = map };
	size_t table_size = (size_t)map->n_hashes * sizeof(uint32_t);
	uint8_t *table = talloc_size(mem, table_size);
	int r;

	walk.starts = talloc_zero_size(mem, map->n_slots / 8);
	walk.bits = talloc_size(mem, map->n_slots / 8);
	if (!table || !walk.starts || !walk.bits)
		return -ENOMEM;
	r = check_stop(map);
	if (r == 0)
		r = mcmap_read(map, map->header.table_at, table, table_size);
	if (r == 0)
		r = read_data(&walk);
	if (r == 0)
		r = walk_table(&walk, table);
	free(walk.bytes);
	if (r < 0)
		return r;
	return memcmp(walk.bits, map->used, map->n_slots / 8) != 0;
}
