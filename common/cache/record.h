/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records - the values of the environment, each with a sum: LMDB has none
 *
 *   record   | sum: u64 | indexes: u32 = bytes of them | size: u16, key … | entry … |
 *   header   | sum: u64 | schema: u32 | names: u32 | environment id: u64 | made: u64 |
 *            | epoch: u32 of users, of groups, of initgroups | domain \0 |
 *
 * The sum begins with the record's key, so that a record that turns up in another's place is
 * noticed too. indexes are the keys of types U, G, a, b whose value is this record's name: the
 * record itself knows what must go when it goes. entry is common/ident/entry.h's.
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cache/cache.h"
#include "common/cache/key.h"
#include "common/wire/writer.h"

/* In the file's name, so that an older version leaves the file of a newer one alone. Raised with
 * each change that the last release cannot read; none has been released yet. */
#define CACHE_SCHEMA 1

struct record {
	MDB_val indexes; /* borrowed, as is entry */
	MDB_val entry;
};

/* Points into value. Errors: -EBADMSG. */
int record_parse(MDB_val key, MDB_val value, struct record *ret_record);

/* Walks the index keys: MDB_val index = { 0 }; while (record_next_index(&record, &index)) …
 * record_parse() has made sure that they are whole. */
bool record_next_index(const struct record *record, MDB_val *index);
bool record_has_index(const struct record *record, MDB_val index);

/* Appends a record to out. indexes are in their stored form; record_add_index() builds it. */
void record_build(struct writer *out, MDB_val key, MDB_val indexes, const struct entry *entry);
void record_add_index(struct writer *indexes, MDB_val index);

/* When entry expires by the wall clock. */
int64_t entry_expiry(const struct entry *entry);

#define EPOCHS 3
struct header {
	enum cache_case names;
	uint64_t environment_id;
	struct walltime made;
	uint32_t epochs[EPOCHS]; /* the last one that an entry of kind has, at epoch_at(kind) */
	const char *domain;      /* borrowed */
};

static inline unsigned epoch_at(enum entry_kind kind)
{
	return (unsigned)kind - ENTRY_USER;
}

/* The texts of ret_header point into value.
 * Errors: -EBADMSG; -E_CACHE_VERSION it is whole, and of another schema. */
int header_parse(MDB_val value, struct header *ret_header);
void header_build(struct writer *out, const struct header *header);

/* 64 bits that change when any of bytes does, for accidents only: whoever can choose the bytes can
 * find two with the same sum. Start with sum = 0. */
uint64_t checksum(uint64_t sum, const void *bytes, size_t size);
