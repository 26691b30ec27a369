/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache map - the writing side of one file of the memory cache (common/wire/memcache.h)
 *
 * The file is written with pwrite(2) and never mapped here: where the disk is full or somebody cuts
 * the file, an answer is not stored, and that is all. It outlives its writer: whoever opens it next
 * takes it over if it is sound, of this series of boots (boots.h), and of the same kind. Its only
 * writer holds a lock on a file that nobody else can open, and so does who changes a record, for so
 * long (lock.c); and, for those of other vendors, one on the file itself (fcntl(2), byte 0, for
 * writing; one for reading, which anybody can have, is none and keeps nobody out).
 *
 * Each write leaves chains that end. A record is dead for readers before it leaves its chains, so
 * that a writer killed at any point leaves nothing that was meant to go. Readers do not look behind
 * a dead one: whoever comes by there next takes it out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "common/wire/memcache.h"

#define MCMAP_NAMES "passwd", "group", "initgroups", "sid", "unknown"

enum mcmap_kind {
	MCMAP_PASSWD,
	MCMAP_GROUP,
	MCMAP_INITGROUPS,
	MCMAP_SID, /* holds no records yet */
	MCMAP_UNKNOWN,
	MCMAP_N_KINDS,
};

struct mcmap; /* a talloc object: freeing it closes the file, which stays as it is */

struct mcmap_options {
	const char *dir; /* MEMCACHE_DIR but for tests */
	enum mcmap_kind kind;
	uint32_t size_mib;   /* 1 to MCMAP_SIZE_MAX_MIB */
	uint64_t generation; /* a file that was written under another one is not taken over */
};
#define MCMAP_SIZE_MAX_MIB 1024u

/* Takes the file over, or begins a new one in its place.
 * Errors: -EBUSY another process writes it; -EROFS the files are closed (boots.h); -ENOENT there is
 * no such directory; -ENOSPC and others of open(2) and write(2). */
int mcmap_open(TALLOC_CTX *mem, const struct mcmap_options *options, struct mcmap **ret_map);

/* Whether the file at the path is still this one, whole, alive, and of this time: the wall clock,
 * by which records expire, was not set by more than a minute since it was begun. Five system
 * calls. If not: mcmap_clear(). */
bool mcmap_is_sound(const struct mcmap *map);

/* From here to mcmap_leave() nobody takes a record back (mcmap_take_back()): what is found out
 * about an answer in between still holds when it is stored. mcmap_put() and mcmap_forget() do it
 * themselves where it was not done. Errors: -EBUSY somebody stands still in the middle of a change;
 * others: mcmap_clear(). */
int mcmap_enter(struct mcmap *map);
void mcmap_leave(struct mcmap *map);

/* Gives the file up, so that all readers leave it at once, and begins a new one. On failure there
 * is none, or with -EBUSY that of another process, and it may be called again. Errors: as of
 * mcmap_open(). */
int mcmap_clear(struct mcmap *map);

/* The keys of a record, each with its NUL, as its data has them. */
struct mcmap_keys {
	const char *key1, *key2; /* key2 points into the data, or to digits */
	char digits[MEMCACHE_ID_DIGITS_SIZE];
};

/* Reads the keys of data, which may be anything. Errors: -EBADMSG. */
int mcmap_keys_read(enum mcmap_kind kind, const void *data, size_t size,
                    struct mcmap_keys *ret_keys);

/* By which of its keys a record shall be found. */
enum mcmap_by {
	MCMAP_BY_KEY1 = 1,
	MCMAP_BY_KEY2 = 2,
	MCMAP_BY_BOTH = 3,
};

/* Stores a record for these keys, in the place of those that have one of them; but for initgroups,
 * where several names lead to one user: there those with another list of groups go. What has just
 * these keys and the same data is given the new time where it stays, and counts as one that is in
 * use. When the file is full, others make room: expired ones, then those that were stored longest
 * ago and were not in use. What had to go, and comes back, is in use: it is not pushed out by those
 * that come once.
 * expires  seconds of CLOCK_REALTIME
 * Returns 1 if anything went for it, else 0.
 * Errors: the record is not stored, and the old one is gone. -EMSGSIZE it is too large; -ENOSPC the
 * disk is full; -EBADMSG data is no record, or the file is damaged; others: mcmap_clear(). */
int mcmap_put(struct mcmap *map, const void *data, size_t size, uint64_t expires, enum mcmap_by by);

/* Removes what is found by the key, and what has the same keys and is found by the other. Returns
 * how many. Where nothing has a key of that hash, that is one system call.
 * Errors: mcmap_clear(). */
int mcmap_forget(struct mcmap *map, enum mcmap_by by, const char *key);

struct mcmap_stats {
	uint64_t stored, renewed, evicted, forgotten;
	uint32_t slots, used; /* of the file now */
	bool was_kept;        /* mcmap_open() took it over */
};
void mcmap_stats(const struct mcmap *map, struct mcmap_stats *ret_stats);

/* For those who do not write: marks the file given up, whoever writes it, so that no reader trusts
 * it any more; its writer begins a new one at its next look. Without a file there is nothing to do;
 * one that cannot be marked is taken away, which readers see within a second.
 * Errors: of unlink(2). */
int mcmap_recycle(const char *dir, enum mcmap_kind kind);

/* For those who do not write: a single answer is not true any more. */
struct mcmap_key {
	enum mcmap_by by; /* but MCMAP_BY_BOTH */
	const char *text;
};

/* Removes what is found by each of the keys, as mcmap_forget() does, whoever writes the file, and
 * after that the writer sees what was changed before. Without a file there is nothing to do; where
 * it cannot be done it is mcmap_recycle().
 * wait_us  how long one who just now changes the file is waited for, MCMAP_WAIT_US for one file or
 *          several; becomes what is left of it
 * Errors: as of mcmap_recycle(). */
#define MCMAP_WAIT_US 3000
int mcmap_take_back(const char *dir, enum mcmap_kind kind, const struct mcmap_key *keys,
                    size_t n_keys, int64_t *wait_us);

/* mcmap_recycle(), unless it was written in this series of boots and under that generation. */
int mcmap_recycle_others(const char *dir, enum mcmap_kind kind, uint64_t generation);

/* Recycles the file and takes it away: there is no such cache. */
int mcmap_remove(const char *dir, enum mcmap_kind kind);
