/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Find - one entry, by name, alias or number
 *
 *   key of the query ── record ────────────────────────────▶ entry
 *        ├─ U, G ─▶ name ─▶ record, must list that number ─┘
 *        └─ none ─▶ a, b ─▶ name ─▶ record, must list that alias
 *             └─ of groups, of a user of that name ─▶ none
 *
 * This is the path of every answer: no system call, and nothing is allocated but for a name beyond
 * ASCII that must be folded, and before it is said that there is no answer.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/cache/impl.h"

/* ---- the handle ---- */

static int cache_gone(struct cache *cache)
{
	assert(!cache->reading);
	env_close(&cache->env);
	return 0;
}

int cache_new_closed(TALLOC_CTX *mem, const struct cache_options *options, pthread_mutex_t *swap,
                     struct cache **ret_cache)
{
	struct cache *cache = talloc_zero(mem, struct cache);
	int r;

	if (!cache)
		return -ENOMEM;
	talloc_set_destructor(cache, cache_gone);
	cache->swap = swap;
	r = files_of(cache, options, &cache->files);
	if (r < 0) {
		talloc_free(cache);
		return r;
	}

	*ret_cache = cache;
	return 0;
}

int cache_open(TALLOC_CTX *mem, const struct cache_options *options, struct cache **ret_cache)
{
	auto_talloc struct cache *cache = NULL;
	int r;

	r = cache_new_closed(mem, options, NULL, &cache);
	if (r < 0)
		return r;
	r = files_on_network(cache->files);
	if (r < 0)
		return r;
	if (files_suspect(cache->files))
		return -E_CACHE_DAMAGED;
	crash_begin(cache->files);
	r = env_open(&cache->env, cache->files, MDB_RDONLY);
	crash_end();
	if (r < 0)
		return r;

	*ret_cache = take_ptr(cache);
	return 0;
}

static void lock_env(const struct cache *cache)
{
	if (cache->swap)
		pthread_mutex_lock(cache->swap);
}

static void unlock_env(const struct cache *cache)
{
	if (cache->swap)
		pthread_mutex_unlock(cache->swap);
}

int cache_still_there(const struct cache *cache)
{
	int r;

	lock_env(cache);
	r = env_still_there(&cache->env, cache->files);
	unlock_env(cache);
	return r;
}

uint64_t cache_environment_id(const struct cache *cache)
{
	uint64_t id;

	lock_env(cache);
	id = cache->env.header.environment_id;
	unlock_env(cache);
	return id;
}

bool cache_is_suspect(const struct cache *cache)
{
	return files_suspect(cache->files);
}

bool cache_is_bereft(const struct cache *cache)
{
	return access(cache->files->bereft, F_OK) == 0;
}

void cache_end_bereft(const struct cache *cache)
{
	unlink(cache->files->bereft);
}

bool cache_is_listed(const struct cache *cache)
{
	auto_close int fd = open(cache->files->listed, O_RDONLY | O_CLOEXEC);
	uint64_t id;

	return fd >= 0 && read(fd, &id, sizeof(id)) == sizeof(id) &&
	       id == cache_environment_id(cache);
}

int cache_begin(struct cache *cache)
{
	int r;

	assert(!cache->reading);
	lock_env(cache);
	crash_begin(cache->files);
	r = cache->env.reading ? lmdb_error(mdb_txn_renew(cache->env.reading)) : -E_CACHE_REPLACED;
	if (r < 0) {
		crash_end();
		unlock_env(cache);
		return r;
	}
	cache->reading = true;
	return 0;
}

void cache_end(struct cache *cache)
{
	assert(cache->reading);
	mdb_txn_reset(cache->env.reading);
	crash_end();
	cache->reading = false;
	unlock_env(cache);
}

bool cache_is_latest(const struct cache *cache)
{
	MDB_envinfo info;

	assert(cache->reading);
	mdb_env_info(cache->env.mdb, &info);
	return info.me_last_txnid == mdb_txn_id(cache->env.reading);
}

uint32_t cache_epoch(const struct cache *cache)
{
	uint32_t epoch;

	lock_env(cache);
	epoch = touched_epoch(&cache->env.touched);
	unlock_env(cache);
	return epoch;
}

uint32_t cache_touched(const struct cache *cache, enum entry_kind kind, const char *name)
{
	uint32_t epoch;

	lock_env(cache);
	epoch = touched_since(&cache->env.touched, kind, name);
	unlock_env(cache);
	return epoch;
}

/* ---- records ---- */

static int get(MDB_txn *txn, MDB_dbi table, const struct key *key, MDB_val *ret_value)
{
	MDB_val val = key_val(key);
	int r;

	r = lmdb_error(mdb_get(txn, table, &val, ret_value));
	return r < 0 ? r : page_holds(txn, *ret_value);
}

/* found->key is set. */
static int get_record(MDB_txn *txn, MDB_dbi table, struct found *found)
{
	MDB_val value;
	int r;

	r = get(txn, table, &found->key, &value);
	return r < 0 ? r : record_parse(key_val(&found->key), value, &found->record);
}

int find_exact(MDB_txn *txn, MDB_dbi table, const struct key *key, struct found *ret_found)
{
	ret_found->key.size = key->size;
	memcpy(ret_found->key.bytes, key->bytes, key->size);
	return get_record(txn, table, ret_found);
}

/* index leads to the name of a record of that type. */
static int find_by_index(MDB_txn *txn, MDB_dbi table, const struct key *index, enum key_type type,
                         struct found *ret_found)
{
	MDB_val name;
	int r;

	r = get(txn, table, index, &name);
	if (r < 0)
		return r;
	r = key_of_folded(&ret_found->key, type, name);
	if (r < 0)
		return r;
	r = get_record(txn, table, ret_found);

	/* A user's groups are found by the user's aliases, which only the user lists. */
	if (type == KEY_INITGROUPS)
		return r;
	if (r == -ENOENT || (r == 0 && !record_has_index(&ret_found->record, key_val(index))))
		return -EBADMSG;
	return r;
}

/* Is asked, of a list of groups, the own name of a user? 1, or 0. */
static int is_users_name(MDB_txn *txn, MDB_dbi table, const struct key *asked)
{
	struct found user;
	int r = key_of_folded(&user.key, KEY_USER, val_name(key_val(asked)));

	if (r == 0)
		r = get_record(txn, table, &user);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int find_record(MDB_txn *txn, MDB_dbi table, const struct key *asked, struct found *ret_found)
{
	uint8_t type = asked->bytes[0];
	struct key alias;
	int r;

	if (!key_is_record(type))
		return find_by_index(txn, table, asked, key_target(type), ret_found);

	r = find_exact(txn, table, asked, ret_found);
	if (r != -ENOENT)
		return r;

	/* A name goes before an alias, also where the list of that one is not known. */
	r = type == KEY_INITGROUPS ? is_users_name(txn, table, asked) : 0;
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	r = key_of_folded(&alias, key_alias_type(type), val_name(key_val(asked)));
	return r < 0 ? r : find_by_index(txn, table, &alias, type, ret_found);
}

int find_entry(uint8_t type, const struct record *record, struct entry *ret_entry)
{
	static const struct {
		uint8_t type;
		enum entry_kind kind;
	} kinds[] = {
		{ KEY_USER, ENTRY_USER },
		{ KEY_GROUP, ENTRY_GROUP },
		{ KEY_INITGROUPS, ENTRY_INITGROUPS },
	};
	struct entry entry;
	int r;

	r = entry_decode(record->entry.mv_data, record->entry.mv_size, &entry);
	if (r < 0)
		return r;
	for (size_t i = 0; i < str_size(kinds); i++)
		if (kinds[i].type == type && kinds[i].kind == entry.kind) {
			*ret_entry = entry;
			return 0;
		}
	return -EBADMSG;
}

/* LMDB found nothing at asked, nor by way of an alias. */
static int prove_absent(struct cache *cache, const struct key *asked)
{
	struct view view = { .txn = cache->env.reading, .table = cache->env.table };
	struct key other;
	MDB_val name;
	int r;

	r = header_read(view.txn, view.table, &view.header);
	if (r == 0)
		r = page_absent(&view, asked);
	if (r != -ENOENT || !key_is_record(asked->bytes[0]))
		return r;
	r = asked->bytes[0] == KEY_INITGROUPS ? is_users_name(view.txn, view.table, asked) : 0;
	if (r != 0)
		return r < 0 ? r : -ENOENT;

	r = key_of_folded(&other, key_alias_type(asked->bytes[0]), val_name(key_val(asked)));
	if (r < 0)
		return r;
	r = get(view.txn, view.table, &other, &name);
	if (r == 0) /* of a user whose groups are not known */
		r = key_of_folded(&other, KEY_INITGROUPS, name);
	return r < 0 && r != -ENOENT ? r : page_absent(&view, &other);
}

static int find(struct cache *cache, const struct query *query, bool prove, struct entry *ret_entry)
{
	struct found found;
	struct key key;
	int r;

	assert(cache->reading);
	r = key_of_query(&key, cache->env.header.names, query);
	if (r == -ENAMETOOLONG || r == -EILSEQ)
		return -ENOENT; /* nothing of that name is ever stored */
	if (r < 0)
		return r;

	r = find_record(cache->env.reading, cache->env.table, &key, &found);
	if (r == -ENOENT && prove)
		return prove_absent(cache, &key);
	if (r < 0)
		return r;
	return find_entry(found.key.bytes[0], &found.record, ret_entry);
}

int cache_find(struct cache *cache, const struct query *query, struct entry *ret_entry)
{
	return find(cache, query, true, ret_entry);
}

int cache_peek(struct cache *cache, const struct query *query, struct entry *ret_entry)
{
	return find(cache, query, false, ret_entry);
}

/* ---- one after the other ---- */

DEFINE_CLEANUP(MDB_cursor *, mdb_cursor_close)

/* The first record key of type behind place. */
static int next_key(struct cache *cache, uint8_t type, const struct cache_place *place,
                    struct key *ret_key)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val key, value;
	int r;

	ret_key->size = 1;
	ret_key->bytes[0] = type;
	if (place->size > 0) {
		memcpy(ret_key->bytes + 1, place->bytes, place->size);
		ret_key->size += place->size;
		ret_key->bytes[ret_key->size++] = 0;
	}

	r = lmdb_error(mdb_cursor_open(cache->env.reading, cache->env.table, &cursor));
	if (r < 0)
		return r;
	key = key_val(ret_key);
	r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	if (r < 0)
		return r;
	if (key.mv_size < 1 || val_type(key) != type)
		return -ENOENT;
	if (key.mv_size > sizeof(ret_key->bytes) - 1)
		return -EBADMSG;
	ret_key->size = key.mv_size;
	memcpy(ret_key->bytes, key.mv_data, key.mv_size);
	return 0;
}

int cache_next(struct cache *cache, enum entry_kind kind, struct cache_place *place,
               struct entry *ret_entry)
{
	uint8_t type = kind == ENTRY_USER ? KEY_USER : KEY_GROUP;
	struct found found;
	struct key key;
	int r;

	static_assert(sizeof(place->bytes) >= KEY_MAX, "a name fits");
	assert(cache->reading && (kind == ENTRY_USER || kind == ENTRY_GROUP));
	r = next_key(cache, type, place, &key);
	if (r == 0)
		r = find_exact(cache->env.reading, cache->env.table, &key, &found);
	if (r == 0)
		r = find_entry(type, &found.record, ret_entry);
	if (r < 0)
		return r;
	place->size = key.size - 1;
	memcpy(place->bytes, key.bytes + 1, place->size);
	return 0;
}
