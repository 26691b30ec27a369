/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cache - shared by the files of this folder, by nobody else
 */
#pragma once

#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cache/cache.h"
#include "common/cache/env.h"
#include "common/cache/file.h"
#include "common/cache/key.h"
#include "common/cache/record.h"
#include "common/cache/touched.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

/* ---- env.c ---- */

#define MAP_SIZE (sizeof(size_t) > 4 ? (size_t)4 << 30 : (size_t)1 << 30)

/* An open environment. All zero is a closed one. */
struct env {
	MDB_env *mdb;
	MDB_dbi table;
	MDB_txn *reading;          /* reset, but between cache_begin() and cache_end() */
	struct file_id data, lock; /* the files as they were opened */
	struct touched touched;
	struct header header; /* as it was then; its domain is NULL */
};

/* flags are LMDB's, beyond those that all our environments have. Uses no talloc: the writer thread
 * opens too. Errors: as cache_open(). */
int env_open(struct env *ret_env, const struct cache_files *files, unsigned flags);
void env_close(struct env *env);

/* Are the files at their paths those that were opened? 0; -E_CACHE_REPLACED. */
int env_still_there(const struct env *env, const struct cache_files *files);

/* The same opening without a lock, a header or a transaction: for the check. */
int env_create(MDB_env **ret_mdb);

/* Makes an empty environment at its path, all at once; what was there must be gone. */
int env_make(const struct cache_files *files, enum cache_case names);

int header_read(MDB_txn *txn, MDB_dbi table, struct header *ret_header);
int header_write(MDB_txn *txn, MDB_dbi table, const struct header *header);

/* ---- page.c ---- */

/* Learns from a value of the header record where the map begins; before that pages are not looked
 * at. Errors: -E_CACHE_DAMAGED. */
int page_find_map(MDB_txn *txn, MDB_dbi table, MDB_val value);

/* Does value lie where values do, on a page that knows its own number? A sum does not tell what is
 * stored from what was, and still lies about. 0; -E_CACHE_DAMAGED. */
int page_holds(MDB_txn *txn, MDB_val value);

/* Are these two neighbours in the table, on sound pages? mv_data NULL: there is no such key.
 * 0; -E_CACHE_DAMAGED. */
int page_follows(MDB_txn *txn, MDB_dbi table, MDB_val before, MDB_val key);

/* Called when LMDB did not find asked: -ENOENT it is not there; -E_CACHE_DAMAGED that cannot be
 * told; others of LMDB. */
struct view;
int page_absent(const struct view *view, const struct key *asked);

/* ---- sound.c ---- */

/* What one transaction sees. */
struct view {
	MDB_txn *txn;
	MDB_dbi table;
	struct header header;
};

/* Does what stands at key agree with what else there is? */
bool sound_key(const struct view *view, MDB_val key, MDB_val value);

/* ---- find.c ---- */

struct cache {
	struct cache_files *files; /* owned */
	struct env env;
	pthread_mutex_t *swap; /* the writer's, which exchanges env; NULL in a reader; recursive */
	bool reading;          /* between cache_begin() and cache_end() */
};

/* A handle without an environment. Errors: -ENOMEM. */
int cache_new_closed(TALLOC_CTX *mem, const struct cache_options *options, pthread_mutex_t *swap,
                     struct cache **ret_cache);

/* A record where it lies in the map: good until something is written. */
struct found {
	struct key key; /* the record's own */
	struct record record;
};

/* What a key of any type but x leads to.
 * Errors: -ENOENT; -EBADMSG what is there is damaged, or does not know that it is called so; those
 * of LMDB. */
int find_record(MDB_txn *txn, MDB_dbi table, const struct key *asked, struct found *ret_found);

/* The record with that very key, not by way of an alias. Errors: as find_record(). */
int find_exact(MDB_txn *txn, MDB_dbi table, const struct key *key, struct found *ret_found);

/* Decodes record, whose kind must be that of its key's type. Errors: -EBADMSG. */
int find_entry(uint8_t type, const struct record *record, struct entry *ret_entry);

/* ---- change.c ---- */

/* What travels to the writer thread: keys and values are finished, in its own malloc(3)ed bytes.
 *
 *   | STEP_PUT: u8 | key | value |            | STEP_REMOVE: u8 | key |
 *   key, value are | size: u32 | bytes |; the key of a removal may be any but x.
 */
enum step {
	STEP_PUT = 1,
	STEP_REMOVE,
};

/* The kind that cache_change_is_answer() named, as a bit; 0 = none. */
unsigned change_answer(const struct cache_change *change);

/* Finishes what change collected into steps, counting records. Errors: -EMSGSIZE; -ENOMEM. */
int change_finish(const struct cache_change *change, enum cache_case names, struct writer *steps,
                  uint32_t *ret_n_records);

/* ---- store.c ---- */

/* Buffers that are used again. */
struct buffers {
	struct writer rewritten, gone, put, dated;
};

/* What cache_on_change() is to be told of a change, the first NOTES_MAX one by one:
 *   | kind: u8 | is new: u8 | id: u32 | name \0 |
 * of the others the kinds, as bits: 1 << kind. */
struct notes {
	struct writer bytes;
	uint32_t n;
	unsigned more_gone, more_new;
};
#define NOTES_MAX 32

/* One write transaction, on the writer thread. */
struct store {
	MDB_txn *txn;
	MDB_dbi table;
	struct buffers *buffers; /* borrowed */
	struct header header;    /* written behind the steps that changed it */
	bool header_changed;
	int64_t n_entries;   /* records that came, less those that went */
	struct notes *notes; /* borrowed; NULL: nobody wants to know */
	unsigned answer;     /* the kind whose other content is not noted, as a bit */
	uint64_t n_puts, n_unchanged;
};

/* Nothing is noted yet: a change may be carried out a second time. */
void notes_begin(struct notes *notes);

/* domain is borrowed. Errors: -E_CACHE_DAMAGED; -E_CACHE_VERSION; those of LMDB. */
int store_begin(struct store *store, MDB_txn *txn, MDB_dbi table, const char *domain,
                struct buffers *buffers);

/* Carries out steps. After an error the transaction must be given up.
 * Errors: -E_CACHE_DAMAGED what steps would replace cannot be read; those of LMDB. */
int store_steps(struct store *store, const struct writer *steps);

/* Would steps add a record although max_size is reached? Writes nothing. 0; -E_CACHE_QUOTA. */
int store_admits(const struct store *store, const struct writer *steps, uint64_t max_size);

/* The record with that very key. Errors: -ENOENT; -E_CACHE_DAMAGED. */
int store_look(struct store *store, const struct key *key, struct found *ret_found,
               struct entry *ret_entry);

/* Removes the record with that key and its indexes, a user with its groups, if they are there. */
int store_remove(struct store *store, const struct key *key);

/* Bytes of the pages in use. */
uint64_t store_used(const struct store *store);

/* ---- sweep.c ---- */

struct sweep {
	int64_t keep_s;
	int64_t keep_needed_s; /* of what a login needs while no server can be reached */
	uint64_t until_used;   /* bytes: no more need to go when no more are used; 0 all do */
	uint64_t looked_at, removed;
	struct key next; /* where the next slice begins; size 0 at first */
};

/* One slice: until deadline, or the end: *ret_done. Errors: as store_steps(). */
int sweep_slice(struct store *store, struct sweep *sweep, const struct entry_now *now,
                struct deadline deadline, bool *ret_done);

/* How many records there are: each has one expiry key. */
int sweep_count(MDB_txn *txn, MDB_dbi table, int64_t *ret_count);
