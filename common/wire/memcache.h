/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - files in which every program finds answers without asking anybody
 *
 * One file a map in MEMCACHE_DIR, written by the nss responder, mapped read-only by the client
 * libraries, ours and those of other vendors: the layout is fixed. Host byte order.
 *
 *   | header: 52, padding: 4 | data: slots of 40 | bits: one a slot | table: u32 a slot |
 *
 *   header | b1 | major 1 | minor 1 | status | seed | data_size | bits_size | table_size |
 *          | data_at | bits_at | table_at | closed_at | b2 |                        each a u32
 *   closed_at  0 the file is in use; else it was closed at that second of the wall clock, and waits
 *          for the next boot (common/memcache/boots.h). Other vendors' readers pass it over.
 *   padding  when the machine was booted, by the wall clock of whoever began the file; 0 or
 *          all ones, as others leave it: unknown
 *   bits   1 = used, the most significant bit of a byte comes first; each part begins at a multiple
 *          of 8
 *   table  the first slot of the chain of a hash, or MEMCACHE_NONE. Also MEMCACHE_STOP where we
 *          write: the record there has no hash that is one, so every reader ends at it and finds
 *          nothing, and a table need not be written before something comes there.
 *
 * A record takes as many slots in a row as it needs. It stands in two chains, by its two keys.
 *
 *   record | b1: u32 | length: u32 | expires: u64 | next1: u32 | next2: u32 | hash1: u32 |
 *          | hash2: u32 | 0: u32 | b2: u32 | data |
 *
 *   hash   murmur3 of the key and its NUL, modulo the length of the table
 *   next1  the slot of the record that follows in the chain of hash1, or MEMCACHE_NONE
 *
 *   file        key 1            key 2            data (a place counts from the data's start)
 *   passwd      name             uid in decimal   | 16 | uid | gid | size |
 *                                                 | name \0 passwd \0 gecos \0 dir \0 shell \0 |
 *   group       name             gid in decimal   | 16 | gid | members | size |
 *                                                 | name \0 passwd \0 member \0 … |
 *   initgroups  name as asked    canonical name   | place of the canonical name | of the name |
 *                                                 | of the texts | their size | size of gids and
 *                                                 texts | groups | gid … | canonical \0 name \0 |
 *   unknown     what was asked   the same         | 16 | 0 | 0 | size | what was asked \0 |
 *   sid         (libsss_nss_idmap reads it)       there are no SIDs yet, and no records
 *
 * unknown is a file of our own, beside those of all vendors: what no server has. What was asked is
 * a letter (enum memcache_unknown) and a name, or an id in decimal. Ids and the names of this
 * machine's own users and groups stand in there and no others: what somebody typed for a name may
 * be a password, and everybody can read the file.
 *
 * Nobody waits for anybody. A writer sets b2 to the next barrier, changes the record, and sets b1
 * to the same; a reader that finds b1 before and b2 after its reading equal, and valid, has read
 * one state. The header is guarded in the same way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMCACHE_DIR "/var/lib/sss/mc"

#define MEMCACHE_MAJOR          1u
#define MEMCACHE_MINOR          1u
#define MEMCACHE_HEADER_SIZE    52u
#define MEMCACHE_CLOSED_AT      44u /* in the header */
#define MEMCACHE_DATA_AT        56u
#define MEMCACHE_SLOT_SIZE      40u
#define MEMCACHE_HEAD_SIZE      40u /* of a record */
#define MEMCACHE_B2_AT          36u
#define MEMCACHE_DATA_MIN       16u /* of the data of any record */
#define MEMCACHE_TEXTS_AT       16u /* in the data of passwd and group */
#define MEMCACHE_GIDS_AT        24u /* in the data of initgroups */
#define MEMCACHE_NONE           0xffffffffu
#define MEMCACHE_STOP           0u
#define MEMCACHE_INVALID        0xffffffffu /* a barrier nobody trusts */
#define MEMCACHE_ID_DIGITS_SIZE 11u         /* of an id in decimal, with its NUL */

enum memcache_status {
	MEMCACHE_UNINITIALISED = 0,
	MEMCACHE_ALIVE = 1,
	MEMCACHE_RECYCLED = 2, /* given up: look for another file at the path */
};

/* What nobody has that name or id. */
enum memcache_unknown {
	MEMCACHE_NO_USER = 'u',
	MEMCACHE_NO_UID = 'U',
	MEMCACHE_NO_GROUP = 'g',
	MEMCACHE_NO_GID = 'G',
	MEMCACHE_NO_GROUPS_OF = 'i',
};
#define MEMCACHE_UNKNOWN_NAME_MAX 255u /* longer ones are not in there */
#define MEMCACHE_UNKNOWN_SIZE     (MEMCACHE_UNKNOWN_NAME_MAX + 2)

struct memcache_header {
	uint32_t b1, major, minor, status, seed;
	uint32_t data_size, bits_size, table_size;
	uint32_t data_at, bits_at, table_at, b2;
};

struct memcache_head {
	uint32_t b1, length;
	uint64_t expires; /* seconds of CLOCK_REALTIME */
	uint32_t next1, next2, hash1, hash2, b2;
};

bool memcache_barrier_is_valid(uint32_t barrier);

/* What a writer puts in the place of barrier, valid or not. */
uint32_t memcache_barrier_next(uint32_t barrier);

/* MurmurHash3 (x86, 32 bits) of size bytes. */
uint32_t memcache_hash(const void *key, size_t size, uint32_t seed);

/* Writes id in decimal and returns the size of the key, its NUL included. */
size_t memcache_id_key(uint32_t id, char ret_digits[static MEMCACHE_ID_DIGITS_SIZE]);

/* The key of what is asked in the file "unknown": of the name, or of id if that is NULL. False: the
 * name is too long. */
bool memcache_unknown_key(enum memcache_unknown what, const char *name, uint32_t id,
                          char ret_key[static MEMCACHE_UNKNOWN_SIZE]);

/* Reads the header at the start of a file of that size.
 * Errors: -EAGAIN it is being changed; -ESTALE the file is not alive; -EPROTONOSUPPORT another
 * version; -EBADMSG it does not fit the file. */
int memcache_header_read(const void *bytes, uint64_t file_size, struct memcache_header *ret_header);

/* The word of the padding for the wall clock as it goes now. */
uint32_t memcache_booted_at(void);

/* Was the file with these first MEMCACHE_DATA_AT bytes closed? */
bool memcache_is_closed(const void *bytes);

/* Does it go as it did, within a minute, when the file with these first MEMCACHE_DATA_AT bytes was
 * begun, or, if that was closed, is it not earlier than then? By it records expire. Where a file
 * does not say: true. No system call. */
bool memcache_clock_is_right(const void *bytes);

/* Reads MEMCACHE_HEAD_SIZE bytes: whatever they hold. */
struct memcache_head memcache_head_read(const void *bytes);
