/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache map - shared by the files of this folder, by nobody else
 */
#pragma once

#include <sys/stat.h>

#include "common/memcache/mcmap.h"

#define MCMAP_NEW_PART 8 /* this part of the file is for newcomers: a record fits in there */

/* Slots in which room is made by turns, the oldest record first. No record lies across a border. */
struct part {
	uint32_t first, end;
	uint32_t hand; /* the slot from which room is looked for; a record's first, or free */
};

struct mcmap {
	struct mcmap_options options;
	const char *path;
	int fd;      /* -1: none, until mcmap_clear() */
	int lock_fd; /* -1: none */
	bool has_change_lock;
	dev_t dev;
	ino_t ino;
	uint64_t size;
	struct memcache_header header;
	uint32_t n_slots, n_hashes;
	uint32_t barrier; /* the last one given: none comes twice for long, or a slow reader would
	                   * take two records for one */
	uint8_t *used;    /* a bit a slot, as in the file; NULL: who does not write it may remove */
	uint8_t *in_use;  /* a bit a record, at its first slot: it was stored again */
	uint32_t n_used;
	struct part wanted, newcomers; /* in this order in the file */
	uint8_t *gone; /* a byte of the hash of what had to go, each at the place of its hash; NULL:
	                * nothing had to */
	struct mcmap_stats stats;
};

static inline bool bit_get(const uint8_t *bits, uint32_t slot)
{
	return bits[slot / 8] & (0x80u >> slot % 8);
}

static inline void bit_set(uint8_t *bits, uint32_t slot, bool value)
{
	uint8_t mask = (uint8_t)(0x80u >> slot % 8);

	bits[slot / 8] = (uint8_t)(value ? bits[slot / 8] | mask : bits[slot / 8] & ~mask);
}

/* Of any length that a file may hold: never 0 but for 0. */
static inline uint32_t slots_of(uint32_t length)
{
	return length / MEMCACHE_SLOT_SIZE + (length % MEMCACHE_SLOT_SIZE != 0);
}

static inline uint64_t place_of_slot(const struct mcmap *map, uint32_t slot)
{
	return map->header.data_at + (uint64_t)slot * MEMCACHE_SLOT_SIZE;
}

static inline uint64_t place_of_hash(const struct mcmap *map, uint32_t hash)
{
	return map->header.table_at + (uint64_t)hash * sizeof(uint32_t);
}

static inline uint32_t hash_of(const struct mcmap *map, const char *key)
{
	return memcache_hash(key, __builtin_strlen(key) + 1, map->header.seed) % map->n_hashes;
}

/* record.c: all size bytes at place. Errors: -EBADMSG the file is shorter; errno. */
int mcmap_read(const struct mcmap *map, uint64_t place, void *bytes, size_t size);
int mcmap_read_u32(const struct mcmap *map, uint64_t place, uint32_t *ret_value);

/* What is written by one call stands in the file before what the next one writes. Errors: errno. */
int mcmap_write(const struct mcmap *map, uint64_t place, const void *bytes, size_t size);

/* Where there are blocks already: the disk cannot be too full for it. Errors: errno. */
int mcmap_write_again(const struct mcmap *map, uint64_t place, const void *bytes, size_t size);
int mcmap_write_u32(const struct mcmap *map, uint64_t place, uint32_t value);

/* The head of the record in slot, which lies within the file. Errors: -EBADMSG; of pread(2). */
int mcmap_read_head(const struct mcmap *map, uint32_t slot, struct memcache_head *ret_head);

/* A new record, which is in no chain yet: nobody sees it before its first word is valid.
 * Errors: of pwrite(2). */
int mcmap_write_record(const struct mcmap *map, uint32_t slot, const struct memcache_head *head,
                       const void *data, size_t size);

/* Takes the record in slot, whose head this is, from its readers, from its chains, and makes its
 * slots free. Errors: of pread(2) and pwrite(2); -EBADMSG. */
int mcmap_remove_record(struct mcmap *map, uint32_t slot, const struct memcache_head *head);

/* mcmap_forget() for who holds the lock of changes. */
int mcmap_forget_by(struct mcmap *map, enum mcmap_by by, const char *key);

/* lock.c: opens the lock file, unless it is open, and has it be the one at its path; as_writer:
 * with the writer's lock of the kind. Errors: -EBUSY another one has that; -ENOMEM; of open(2). */
int mcmap_lock_open(struct mcmap *map, bool as_writer);
void mcmap_lock_close(struct mcmap *map);

/* All locks of that file at once, until *ret_fd is closed: nobody writes and nobody changes it.
 * Errors: -EBUSY somebody does; -ENOMEM; of open(2). */
int mcmap_lock_whole(const char *dir, enum mcmap_kind kind, int *ret_fd);

/* Is that the name of the kind's lock file? */
bool mcmap_lock_is_called(enum mcmap_kind kind, const char *name);

/* Is it open, and at its path? */
bool mcmap_lock_is_there(const struct mcmap *map);

/* Leaves it to whoever holds a lock on it and does not go on: the next mcmap_lock_open() makes
 * another one. */
void mcmap_lock_abandon(struct mcmap *map);

/* Has any process the writer's lock of the kind? Not for the writer. */
bool mcmap_lock_has_writer(const struct mcmap *map);

/* While it is held nobody else removes or stores a record in a file of the kind. Waits for *wait_us
 * at most, which becomes what is left of it. -EBUSY somebody who does it stands still. */
#define MCMAP_WRITER_WAIT_US 8000
int mcmap_lock_change(struct mcmap *map, int64_t *wait_us);
void mcmap_unlock_change(struct mcmap *map);

/* room.c: finds free slots in a row for a record with this head, which nobody has seen yet, and
 * removes others as need be. Errors: -EMSGSIZE it is too large; -EBADMSG; of pwrite(2). */
int mcmap_make_room(struct mcmap *map, const struct memcache_head *head, uint32_t *ret_slot);

/* check.c: walks all chains of the file and sets map->used, n_used, barrier, and the hands behind
 * the last records. Changes nothing in the file: 0, or 1 its bits are others than map->used.
 * Errors: -EBADMSG a finding; -ENOMEM; of pread(2). */
int mcmap_check(struct mcmap *map);
