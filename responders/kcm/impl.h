/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - shared by the files it is made of, by nobody else
 */
#pragma once

#include <lmdb.h>

#include "common/base/mem.h"
#include "common/wire/writer.h"
#include "responders/kcm/env.h"
#include "responders/kcm/store.h"

/* ---- keys.c ---- */

enum key_type {
	KEY_CCACHE = 'c',
	KEY_DEFAULT = 'd',
	KEY_LOGIN = 'l',
	KEY_PRINCIPAL = 'p',
	KEY_CREDENTIAL = 'r',
	KEY_NAMES = 's',
	KEY_ID = 'u',
	KEY_RENEWAL = 'w',
	KEY_EXPIRY = 'x',
};

struct key {
	size_t size;
	uint8_t bytes[1 + 4 + CCACHE_NAME_MAX + 1];
};

struct key key_new(enum key_type type);
void key_add(struct key *key, const void *bytes, size_t size);
void key_add_u64(struct key *key, uint64_t value);
struct key key_of_uid(enum key_type type, uid_t uid);
struct key key_of_ccache_id(enum key_type type, uid_t uid, uint64_t id);

/* name is at most CCACHE_NAME_MAX bytes long. */
struct key key_of_ccache(uid_t uid, const char *name);

struct key key_of_number(const struct ccache *ccache, uint64_t number);

/* KEY_EXPIRY, KEY_RENEWAL. */
struct key key_of_time(enum key_type type, int64_t at_s, const struct ccache *ccache,
                       uint64_t number);

/* Of all credentials for one server, whatever its realm. */
struct key key_of_server(const uint64_t seed[2], uid_t uid, uint64_t id,
                         const struct principal *server);

/* Of those that kcm_store_add() takes for the same. */
struct key key_of_names(const uint64_t seed[2], uid_t uid, uint64_t id,
                        const struct credential *credential);

MDB_val key_val(const struct key *key);
bool key_begins(MDB_val key, const struct key *prefix);

/* The number at the end of a key. */
uint64_t key_number(MDB_val key);

/* ---- sound.c ---- */

/* An env_sound; data is a struct kcm_env. */
bool kcm_store_sound(MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value, void *data);

/* ---- store.c ---- */

DEFINE_CLEANUP(MDB_cursor *, mdb_cursor_close)

struct kcm_store {
	struct kcm_env *env;
	struct kcm_store_limits limits;
	MDB_txn *reading;   /* reset while nobody reads */
	MDB_txn *txn;       /* between kcm_store_begin() and kcm_store_end() */
	MDB_cursor *cursor; /* of txn, once one was needed */
	bool writing, changed;
	int64_t looked_us; /* when the file was last looked at */
	struct writer value;
	struct ccache swept; /* where kcm_store_purge() goes on; only uid counts, and this name */
	char swept_name[CCACHE_NAME_MAX + 1];
};

/* What is behind the sum. Errors: -ENOENT; -E_CACHE_DAMAGED. */
int table_get(struct kcm_store *store, const struct key *key, struct reader *ret_in);

/* What is built here, behind the place for its sum, becomes the value of key with table_put(). */
struct writer *table_value(struct kcm_store *store);
int table_put(struct kcm_store *store, const struct key *key);
int table_put_bytes(struct kcm_store *store, const struct key *key, const void *bytes, size_t size);

/* What is not there although something else says so is damage. */
int table_drop(struct kcm_store *store, const struct key *key);

/* The first key at or behind from that begins with prefix. Errors: -ENOENT. */
int table_seek(struct kcm_store *store, const struct key *from, const struct key *prefix,
               MDB_val *ret_key, MDB_val *ret_value);

/* The next one after what was found last. */
int table_next(struct kcm_store *store, const struct key *prefix, MDB_val *ret_key,
               MDB_val *ret_value);

/* ---- ccache.c ---- */

/* Reads all but uid and name. */
int ccache_read(struct reader *in, struct ccache *ccache);

/* kcm_store_save() without a look at the limits: what makes a cache smaller is never refused. */
int ccache_save(struct kcm_store *store, const struct ccache *ccache);

/* ---- expiry.c ---- */

#define EMPTY_S 3600 /* a cache without tickets has so long to get some */

/* Removes caches of uid that kcm_store_is_over() is true of, at most max of them and their
 * credentials, and one in any case. */
int purge_uid(struct kcm_store *store, uid_t uid, int64_t now_s, unsigned max);

/* ---- ticket.c ---- */

/* A kcm_reseal. */
int kcm_store_reseal(struct vault *vault, MDB_val key, struct reader value, struct writer *out);

/* When it ends by the KDC's clock, 0 = never. What is about the cache itself never does. */
uint32_t ticket_end(const struct credential *credential);

/* When it is to be renewed, by the KDC's clock, 0 = never. */
uint32_t ticket_renewal(const struct credential *credential);

/* Such a time by ours. */
int64_t ticket_time(const struct ccache *ccache, uint32_t kdc_s);

/* The cache and the number that a key with a time leads to. */
int ticket_follow(struct kcm_store *store, MDB_val key, char name[CCACHE_NAME_MAX + 1],
                  struct ccache *ret_ccache, uint64_t *ret_number);
