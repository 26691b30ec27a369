/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys - how the environment is laid out: one table, every access by a key made for it
 *
 *   key                                value
 *   00                                 header       record.h
 *   'u' name                           record       a user
 *   'g' name                           record       a group
 *   'i' name                           record       the groups of the user of that name
 *   'U' uid: u32 big-endian            name         of the user that holds the uid
 *   'G' gid: u32 big-endian            name         of the group that holds the gid
 *   'a' alias                          name         of the user that is also called so
 *   'b' alias                          name         of the group that is also called so
 *   'x' time: u64 big-endian, u|g|i, name   -       expiry by the wall clock, for the sweep
 *
 * name and alias are folded where the domain's names are (str_fold()), and have no NUL. LMDB's
 * named tables would cost a second tree search for each table and transaction, so there are none.
 *
 * A name has at most 255 bytes (common/ident/accept.h) and simple folding makes at most three bytes
 * of two (U+023A), so the longest key has 1 + 8 + 1 + 382 bytes and stays below LMDB's 511: a key
 * is never hashed, and a longer name is simply not there.
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/cache/cache.h"

#define NAME_SIZE_MAX   255
#define FOLDED_SIZE_MAX 382
#define KEY_MAX         (1 + 8 + 1 + FOLDED_SIZE_MAX + 1) /* one spare: "right behind that key" */

enum key_type {
	KEY_HEADER = 0,
	KEY_USER = 'u',
	KEY_GROUP = 'g',
	KEY_INITGROUPS = 'i',
	KEY_UID = 'U',
	KEY_GID = 'G',
	KEY_USER_ALIAS = 'a',
	KEY_GROUP_ALIAS = 'b',
	KEY_EXPIRY = 'x',
};

struct key {
	size_t size;
	uint8_t bytes[KEY_MAX];
};

/* Errors: -ENAMETOOLONG, -EILSEQ nothing of that name is ever stored; -ENOMEM only with bytes
 * beyond ASCII, for nothing else is allocated. */
int key_of_name(struct key *key, enum key_type type, enum cache_case names, const char *name);

void key_of_id(struct key *key, enum key_type type, uint32_t id);

/* The key of the record, alias or number that query names. Errors: as key_of_name(). */
int key_of_query(struct key *key, enum cache_case names, const struct query *query);

/* record is a whole key of type u, g or i. A time before 1970 counts as 1970. */
void key_of_expiry(struct key *key, int64_t wall_s, MDB_val record);

/* The way back: the time and the record's key inside it. Errors: -EBADMSG. */
int key_parse_expiry(MDB_val expiry, int64_t *ret_wall_s, MDB_val *ret_record);

/* type and a name that is folded already, as index values have it. Errors: -EBADMSG. */
int key_of_folded(struct key *key, enum key_type type, MDB_val name);

/* What the index key says its value names: u for U and a, g for G and b; else 0. */
enum key_type key_target(uint8_t index_type);

/* The alias type beside the record type u, g or i. */
enum key_type key_alias_type(uint8_t record_type);

/* Is this the type of a record: u, g or i? */
static inline bool key_is_record(uint8_t type)
{
	return type == KEY_USER || type == KEY_GROUP || type == KEY_INITGROUPS;
}

/* Borrowed from key. */
static inline MDB_val key_val(const struct key *key)
{
	return (MDB_val){ .mv_size = key->size, .mv_data = (void *)key->bytes };
}

/* The type byte; a key of size 0 does not exist in LMDB. */
static inline uint8_t val_type(MDB_val key)
{
	return *(const uint8_t *)key.mv_data;
}

/* What follows the type byte: of a record's key the folded name. */
static inline MDB_val val_name(MDB_val key)
{
	return (MDB_val){ .mv_size = key.mv_size - 1, .mv_data = (uint8_t *)key.mv_data + 1 };
}

static inline bool val_equal(MDB_val a, MDB_val b)
{
	return a.mv_size == b.mv_size && memcmp(a.mv_data, b.mv_data, a.mv_size) == 0;
}
