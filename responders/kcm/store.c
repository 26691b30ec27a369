/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - the credential caches of all users
 */
#include "responders/kcm/store.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/wire/writer.h"
#include "responders/kcm/env.h"

#define LOOK_INTERVAL_US 1000000
#define CCACHE_ROOM      (CCACHE_PRINCIPAL + 1024)
#define CREDENTIAL_ROOM  512

DEFINE_CLEANUP(MDB_cursor *, mdb_cursor_close)

struct store {
	struct kcm_env *env;
	struct store_limits limits;
	MDB_txn *reading;   /* reset while nobody reads */
	MDB_txn *txn;       /* between store_begin() and store_end() */
	MDB_cursor *cursor; /* of txn, once one was needed */
	bool writing, changed;
	int64_t looked_us; /* when the file was last looked at */
	struct writer value;
};

/* ---- keys ---- */

enum key_type {
	KEY_CCACHE = 'c',
	KEY_DEFAULT = 'd',
	KEY_PRINCIPAL = 'p',
	KEY_CREDENTIAL = 'r',
	KEY_NAMES = 's',
	KEY_ID = 'u',
	KEY_EXPIRY = 'x',
};

struct key {
	size_t size;
	uint8_t bytes[1 + 4 + CCACHE_NAME_MAX + 1];
};

static struct key key_new(enum key_type type)
{
	return (struct key){ .size = 1, .bytes = { (uint8_t)type } };
}

static void key_add(struct key *key, const void *bytes, size_t size)
{
	memcpy(key->bytes + key->size, bytes, size);
	key->size += size;
}

static void key_add_u32(struct key *key, uint32_t value)
{
	value = htobe32(value);
	key_add(key, &value, sizeof(value));
}

static void key_add_u64(struct key *key, uint64_t value)
{
	value = htobe64(value);
	key_add(key, &value, sizeof(value));
}

static struct key key_of_uid(enum key_type type, uid_t uid)
{
	struct key key = key_new(type);

	key_add_u32(&key, uid);
	return key;
}

static struct key key_of_id(enum key_type type, uid_t uid, uint64_t id)
{
	struct key key = key_of_uid(type, uid);

	key_add_u64(&key, id);
	return key;
}

/* name is at most CCACHE_NAME_MAX bytes long. */
static struct key key_of_name(uid_t uid, const char *name)
{
	struct key key = key_of_uid(KEY_CCACHE, uid);

	key_add(&key, name, strlen(name));
	return key;
}

static struct key key_of_number(const struct ccache *ccache, uint64_t number)
{
	struct key key = key_of_id(KEY_CREDENTIAL, ccache->uid, ccache->id);

	key_add_u64(&key, number);
	return key;
}

static struct key key_of_expiry(int64_t expires_s, const struct ccache *ccache, uint64_t number)
{
	struct key key = key_new(KEY_EXPIRY);

	key_add_u64(&key, (uint64_t)expires_s);
	key_add_u32(&key, ccache->uid);
	key_add_u64(&key, ccache->id);
	key_add_u64(&key, number);
	return key;
}

static uint64_t hash_of(const uint64_t seed[2], struct bytes bytes)
{
	return map_hash(seed, bytes.at, bytes.size);
}

/* Of all credentials for one server, whatever its realm. */
static struct key key_of_server(const uint64_t seed[2], uid_t uid, uint64_t id,
                                const struct principal *server)
{
	struct key key = key_of_id(KEY_NAMES, uid, id);

	key_add_u64(&key, hash_of(seed, server->components));
	return key;
}

/* Of those that store_add() takes for the same. */
static struct key key_of_names(const uint64_t seed[2], uid_t uid, uint64_t id,
                               const struct credential *credential)
{
	struct key key = key_of_server(seed, uid, id, &credential->server);

	key_add_u64(&key, hash_of(seed, credential->client.components) ^
	                          hash_of(seed, credential->client.realm) * 3 ^
	                          hash_of(seed, credential->server.realm) * 5);
	return key;
}

static MDB_val val_of(const struct key *key)
{
	return (MDB_val){ .mv_size = key->size, .mv_data = (void *)key->bytes };
}

static bool begins_with(MDB_val key, const struct key *prefix)
{
	return key.mv_size > prefix->size && memcmp(key.mv_data, prefix->bytes, prefix->size) == 0;
}

/* The number at the end of a key. */
static uint64_t number_of(MDB_val key)
{
	uint64_t number;

	memcpy(&number, (uint8_t *)key.mv_data + key.mv_size - sizeof(number), sizeof(number));
	return be64toh(number);
}

/* ---- values ---- */

static int get(struct store *store, const struct key *key, struct reader *ret_in)
{
	MDB_val asked = val_of(key), value;
	int r;

	r = lmdb_error(mdb_get(store->txn, store->env->table, &asked, &value));
	return r < 0 ? r : kcm_unseal(asked, value, ret_in);
}

/* What is built in store->value, behind the place for its sum, becomes the value of key. */
static struct writer *value_begin(struct store *store)
{
	writer_reset(&store->value);
	writer_u64(&store->value, 0);
	return &store->value;
}

static int put(struct store *store, const struct key *key)
{
	struct writer *out = &store->value;
	MDB_val asked = val_of(key), value;
	uint64_t sum;
	int r;

	r = writer_end(out);
	if (r < 0)
		return r;
	sum = kcm_sum(asked, out->bytes + sizeof(sum), out->size - sizeof(sum));
	memcpy(out->bytes, &sum, sizeof(sum));
	value = (MDB_val){ .mv_size = out->size, .mv_data = out->bytes };
	store->changed = true;
	return lmdb_error(mdb_put(store->txn, store->env->table, &asked, &value, 0));
}

static int put_bytes(struct store *store, const struct key *key, const void *bytes, size_t size)
{
	writer_bytes(value_begin(store), bytes, size);
	return put(store, key);
}

/* What is not there although something else says so is damage. */
static int drop(struct store *store, const struct key *key)
{
	MDB_val asked = val_of(key);
	int r;

	r = lmdb_error(mdb_del(store->txn, store->env->table, &asked, NULL));
	store->changed = true;
	return r == -ENOENT ? -E_CACHE_DAMAGED : r;
}

/* The first key at or behind from that begins with prefix. Errors: -ENOENT. */
static int seek(struct store *store, const struct key *from, const struct key *prefix,
                MDB_val *ret_key, MDB_val *ret_value)
{
	int r = 0;

	*ret_key = val_of(from);
	if (!store->cursor)
		r = lmdb_error(mdb_cursor_open(store->txn, store->env->table, &store->cursor));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_cursor_get(store->cursor, ret_key, ret_value, MDB_SET_RANGE));
	if (r < 0)
		return r;
	return begins_with(*ret_key, prefix) ? 0 : -ENOENT;
}

/* ---- clocks ---- */

/* By the KDC's, 0 = never. What is about the cache itself never expires. */
static uint32_t end_of(const struct credential *credential)
{
	return is_cache_config(credential) ? 0 : credential->times[TIME_END];
}

static int64_t by_our_clock(const struct ccache *ccache, uint32_t end_s)
{
	int64_t expires_s = (int64_t)end_s - ccache->kdc_offset;

	if (end_s == 0)
		return 0;
	return expires_s > 0 ? expires_s : 1;
}

/* ---- sound ---- */

static int read_ccache(struct reader *in, struct ccache *ccache)
{
	ccache->id = reader_be64(in);
	ccache->kdc_offset = (int32_t)reader_be32(in);
	ccache->n_credentials = reader_be32(in);
	ccache->n_tickets = reader_be32(in);
	ccache->next_number = reader_be64(in);
	ccache->size = reader_be64(in);
	return reader_end(in) < 0 ? -E_CACHE_DAMAGED : 0;
}

static bool there(MDB_txn *txn, MDB_dbi table, const struct key *key, struct reader *ret_in)
{
	MDB_val asked = val_of(key), value;

	return mdb_get(txn, table, &asked, &value) == 0 && kcm_unseal(asked, value, ret_in) == 0;
}

static bool text_is(const struct reader *in, const void *bytes, size_t size)
{
	return reader_left(in) == size && memcmp(in->pos, bytes, size) == 0;
}

/* The cache with that id. */
static bool find_id(MDB_txn *txn, MDB_dbi table, uid_t uid, uint64_t id, struct ccache *ret_ccache)
{
	struct key key = key_of_id(KEY_ID, uid, id);
	struct reader name, found;

	*ret_ccache = (struct ccache){ .uid = uid };
	if (!there(txn, table, &key, &name) || reader_left(&name) > CCACHE_NAME_MAX)
		return false;
	key = key_of_uid(KEY_CCACHE, uid);
	key_add(&key, name.pos, reader_left(&name));
	return there(txn, table, &key, &found) && read_ccache(&found, ret_ccache) == 0 &&
	       ret_ccache->id == id;
}

static bool sound_credential(MDB_txn *txn, MDB_dbi table, uid_t uid, uint64_t id, uint64_t number,
                             struct reader *value, const uint64_t seed[2])
{
	uint32_t end_s = reader_be32(value);
	struct credential credential = read_credential(value);
	struct ccache ccache;
	struct reader found;
	struct key key;

	if (reader_end(value) < 0 || end_s != end_of(&credential) ||
	    !find_id(txn, table, uid, id, &ccache))
		return false;
	key = key_of_names(seed, uid, id, &credential);
	key_add_u64(&key, number);
	if (!there(txn, table, &key, &found))
		return false;
	key = key_of_expiry(by_our_clock(&ccache, end_s), &ccache, number);
	return end_s == 0 || there(txn, table, &key, &found);
}

/* Does the cache of that name exist, with this id (0 = any)? */
static bool sound_name(MDB_txn *txn, MDB_dbi table, uid_t uid, uint64_t id,
                       const struct reader *name)
{
	struct key key = key_of_uid(KEY_CCACHE, uid);
	struct reader found;

	if (reader_left(name) > CCACHE_NAME_MAX)
		return false;
	key_add(&key, name->pos, reader_left(name));
	return there(txn, table, &key, &found) && (id == 0 || reader_be64(&found) == id);
}

static bool sound_index(MDB_txn *txn, MDB_dbi table, uid_t uid, uint64_t id, uint64_t number)
{
	struct ccache ccache = { .uid = uid, .id = id };
	struct key key = key_of_number(&ccache, number);
	struct reader found;

	return there(txn, table, &key, &found);
}

static bool sound_expiry(MDB_txn *txn, MDB_dbi table, struct reader *in, uint64_t expires_s)
{
	uid_t uid = reader_be32(in);
	uint64_t id = reader_be64(in), number = reader_be64(in);
	struct ccache ccache;
	struct reader found;
	struct key key;

	if (reader_end(in) < 0 || !find_id(txn, table, uid, id, &ccache))
		return false;
	key = key_of_number(&ccache, number);
	return there(txn, table, &key, &found) &&
	       (uint64_t)by_our_clock(&ccache, reader_be32(&found)) == expires_s;
}

/* Is what stands at key what this file writes, and does it lead where it should? */
static bool sound(MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value, void *data)
{
	struct reader in = reader_over(key.mv_data, key.mv_size), bytes, found;
	uint8_t type = reader_u8(&in);
	const uint64_t *seed = data;
	struct ccache ccache;
	struct key other;
	uint64_t id;
	uid_t uid;

	if (kcm_unseal(key, value, &bytes) < 0)
		return false;
	if (type == 0)
		return reader_end(&in) == 0;
	if (type == KEY_EXPIRY)
		return sound_expiry(txn, table, &in, reader_be64(&in));

	uid = reader_be32(&in);
	if (type == KEY_DEFAULT)
		return reader_end(&in) == 0 && sound_name(txn, table, uid, 0, &bytes);
	if (type == KEY_CCACHE) {
		if (read_ccache(&bytes, &ccache) < 0 || in.err < 0)
			return false;
		other = key_of_id(KEY_ID, uid, ccache.id);
		return there(txn, table, &other, &found) &&
		       text_is(&found, in.pos, reader_left(&in));
	}

	id = reader_be64(&in);
	switch (type) {
	case KEY_ID:
		return reader_end(&in) == 0 && sound_name(txn, table, uid, id, &bytes);
	case KEY_PRINCIPAL:
		other = key_of_id(KEY_ID, uid, id);
		return reader_end(&in) == 0 && there(txn, table, &other, &found);
	case KEY_NAMES:
		reader_be64(&in);
		reader_be64(&in);
		return reader_left(&in) == sizeof(uint64_t) &&
		       sound_index(txn, table, uid, id, number_of(key));
	case KEY_CREDENTIAL:
		return reader_left(&in) == sizeof(uint64_t) &&
		       sound_credential(txn, table, uid, id, number_of(key), &bytes, seed);
	default:
		return false;
	}
}

/* ---- open, begin, end ---- */

static int store_gone(struct store *store)
{
	if (store->reading)
		mdb_txn_abort(store->reading);
	if (store->value.bytes)
		secret_wipe(store->value.bytes, store->value.room);
	writer_free(&store->value);
	return 0;
}

int store_open(TALLOC_CTX *mem, const char *dir, struct store **ret_store)
{
	auto_talloc struct store *store = talloc_zero(mem, struct store);
	int r;

	if (!store)
		return -ENOMEM;
	store->value = writer_new(SIZE_MAX / 4);
	store->looked_us = monotonic_us();
	r = kcm_env_open(store, dir, sound, &store->env);
	if (r < 0)
		return r;
	talloc_set_destructor(store, store_gone);

	*ret_store = take_ptr(store);
	return 0;
}

void store_set_limits(struct store *store, const struct store_limits *limits)
{
	store->limits = *limits;
}

static int begin_reading(struct store *store)
{
	int r;

	if (store->reading)
		r = lmdb_error(mdb_txn_renew(store->reading));
	else
		r = lmdb_error(mdb_txn_begin(store->env->mdb, NULL, MDB_RDONLY, &store->reading));
	if (r == 0)
		store->txn = store->reading;
	return r;
}

int store_begin(struct store *store, bool writing)
{
	int64_t now_us = monotonic_us();
	int r;

	if (now_us - store->looked_us >= LOOK_INTERVAL_US) {
		r = kcm_env_still_there(store->env);
		if (r < 0)
			return r;
		store->looked_us = now_us;
	}

	store->writing = writing;
	store->changed = false;
	crash_begin(store->env->files);
	r = writing ? lmdb_error(mdb_txn_begin(store->env->mdb, NULL, 0, &store->txn))
	            : begin_reading(store);
	if (r < 0)
		crash_end();
	return r;
}

/* LMDB says EIO of a write that was cut short, which is what a full disk does first. */
static int commit(struct store *store, MDB_txn *txn)
{
	int r = lmdb_error(mdb_txn_commit(txn)), fd;
	struct statvfs fs;

	mdb_env_get_fd(store->env->mdb, &fd);
	if (r == -EIO && fstatvfs(fd, &fs) == 0 && fs.f_bavail == 0)
		return -ENOSPC;
	return r;
}

int store_end(struct store *store, int r)
{
	MDB_txn *txn = take_ptr(store->txn);

	if (store->cursor)
		mdb_cursor_close(take_ptr(store->cursor));
	if (!store->writing)
		mdb_txn_reset(txn);
	else if (r < 0 || !store->changed)
		mdb_txn_abort(txn);
	else
		r = commit(store, txn);
	crash_end();

	if (store->value.bytes)
		secret_wipe(store->value.bytes, store->value.size);
	writer_reset(&store->value);
	if (r == 0 && store->writing && store->changed)
		kcm_env_sync_soon(store->env);
	if (r == -E_CACHE_DAMAGED)
		kcm_env_suspect(store->env);
	return r;
}

/* ---- caches ---- */

static int save(struct store *store, const struct ccache *ccache)
{
	struct key key = key_of_name(ccache->uid, ccache->name);
	struct writer *out = value_begin(store);

	writer_be64(out, ccache->id);
	writer_be32(out, (uint32_t)ccache->kdc_offset);
	writer_be32(out, ccache->n_credentials);
	writer_be32(out, ccache->n_tickets);
	writer_be64(out, ccache->next_number);
	writer_be64(out, ccache->size);
	return put(store, &key);
}

int store_find(struct store *store, uid_t uid, const char *name, struct ccache *ret_ccache)
{
	struct ccache ccache = { .uid = uid, .name = name };
	struct reader in;
	struct key key;
	int r;

	if (strlen(name) > CCACHE_NAME_MAX)
		return -ENOENT;
	key = key_of_name(uid, name);
	r = get(store, &key, &in);
	if (r == 0)
		r = read_ccache(&in, &ccache);
	if (r == 0)
		*ret_ccache = ccache;
	return r;
}

static int copy_name(const void *bytes, size_t size, char ret_name[CCACHE_NAME_MAX + 1])
{
	if (size == 0 || size > CCACHE_NAME_MAX || memchr(bytes, '\0', size))
		return -E_CACHE_DAMAGED;
	memcpy(ret_name, bytes, size);
	ret_name[size] = '\0';
	return 0;
}

int store_name(struct store *store, uid_t uid, uint64_t id, char ret_name[CCACHE_NAME_MAX + 1])
{
	struct key key = key_of_id(KEY_ID, uid, id);
	struct reader in;
	int r;

	r = get(store, &key, &in);
	return r < 0 ? r : copy_name(in.pos, reader_left(&in), ret_name);
}

/* The first cache at or behind from that begins with prefix. */
static int next_ccache(struct store *store, const struct key *from, const struct key *prefix,
                       char name[CCACHE_NAME_MAX + 1], struct ccache *ret_ccache)
{
	struct ccache ccache = { .name = name };
	struct reader key_in, in;
	MDB_val key, value;
	int r;

	r = seek(store, from, prefix, &key, &value);
	if (r == 0)
		r = kcm_unseal(key, value, &in);
	if (r == 0)
		r = read_ccache(&in, &ccache);
	if (r < 0)
		return r;

	key_in = reader_over(key.mv_data, key.mv_size);
	reader_u8(&key_in);
	ccache.uid = reader_be32(&key_in);
	r = copy_name(key_in.pos, reader_left(&key_in), name);
	if (r == 0)
		*ret_ccache = ccache;
	return r;
}

/* Right behind the cache of that name, or before the first of uid. */
static struct key key_behind(uid_t uid, const char *name)
{
	struct key key = key_of_name(uid, name);

	if (name[0] != '\0')
		key_add(&key, "", 1); /* no name has a NUL */
	return key;
}

int store_next(struct store *store, uid_t uid, char name[CCACHE_NAME_MAX + 1],
               struct ccache *ret_ccache)
{
	struct key prefix = key_of_uid(KEY_CCACHE, uid), from = key_behind(uid, name);

	return next_ccache(store, &from, &prefix, name, ret_ccache);
}

int store_next_of_all(struct store *store, char name[CCACHE_NAME_MAX + 1],
                      struct ccache *ret_ccache)
{
	struct key prefix = key_new(KEY_CCACHE), from = key_behind(ret_ccache->uid, name);

	return next_ccache(store, &from, &prefix, name, ret_ccache);
}

static int count_keys(struct store *store, const struct key *prefix, uint64_t *ret_count)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val key = val_of(prefix), value;
	uint64_t count = 0;
	int r;

	r = lmdb_error(mdb_cursor_open(store->txn, store->env->table, &cursor));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	while (r == 0 && begins_with(key, prefix)) {
		count++;
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_count = count;
	return 0;
}

/* What the caches of uid take, with what is kept about each and about each credential. */
static int uid_size(struct store *store, uid_t uid, uint64_t *ret_size)
{
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache;
	uint64_t size = 0;
	int r;

	while ((r = store_next(store, uid, name, &ccache)) == 0)
		size += CCACHE_ROOM + ccache.n_credentials * CREDENTIAL_ROOM + ccache.size;
	if (r == -ENOENT)
		*ret_size = size;
	return r == -ENOENT ? 0 : r;
}

/* Is there room for so many bytes more? Errors: -EDQUOT. */
static int admit_size(struct store *store, uid_t uid, uint64_t more)
{
	uint64_t limit = store->limits.uid_size, size;
	int r;

	if (limit == 0)
		return 0;
	r = uid_size(store, uid, &size);
	if (r < 0 || size + more <= limit)
		return r;
	log_notice("uid %u: the credential caches of a user have %llu KiB: no more", (unsigned)uid,
	           (unsigned long long)limit / 1024);
	return -EDQUOT;
}

static int admit(struct store *store, uid_t uid)
{
	struct key of_uid = key_of_uid(KEY_CCACHE, uid), of_all = key_new(KEY_CCACHE);
	uint64_t count;
	int r = 0;

	if (store->limits.uid_ccaches > 0) {
		r = count_keys(store, &of_uid, &count);
		if (r == 0 && count >= store->limits.uid_ccaches) {
			log_notice("uid %u has max_uid_ccaches = %u credential caches: no more",
			           (unsigned)uid, store->limits.uid_ccaches);
			r = -EDQUOT;
		}
	}
	if (r == 0 && store->limits.ccaches > 0) {
		r = count_keys(store, &of_all, &count);
		if (r == 0 && count >= store->limits.ccaches) {
			log_notice("there are max_ccaches = %u credential caches: no more for "
			           "uid %u",
			           store->limits.ccaches, (unsigned)uid);
			r = -ENFILE;
		}
	}
	return r < 0 ? r : admit_size(store, uid, CCACHE_ROOM);
}

/* Not 0, and not that of another cache of uid. */
static int draw_id(struct store *store, uid_t uid, uint64_t *ret_id)
{
	struct reader in;
	struct key key;
	uint64_t id;
	int r;

	do {
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			return -errno;
		key = key_of_id(KEY_ID, uid, id);
		r = get(store, &key, &in);
	} while (r == 0 || id == 0);
	*ret_id = id;
	return r == -ENOENT ? 0 : r;
}

int store_make(struct store *store, uid_t uid, const char *name, struct ccache *ret_ccache)
{
	struct ccache ccache = { .uid = uid, .name = name, .next_number = 1 };
	struct key key;
	int r;

	if (name[0] == '\0' || strlen(name) > CCACHE_NAME_MAX)
		return -ENAMETOOLONG;
	r = admit(store, uid);
	if (r == 0)
		r = draw_id(store, uid, &ccache.id);
	if (r == 0)
		r = save(store, &ccache);
	if (r < 0)
		return r;
	key = key_of_id(KEY_ID, uid, ccache.id);
	r = put_bytes(store, &key, name, strlen(name));
	if (r == 0)
		*ret_ccache = ccache;
	return r;
}

int store_default(struct store *store, uid_t uid, char ret_name[CCACHE_NAME_MAX + 1])
{
	struct key key = key_of_uid(KEY_DEFAULT, uid);
	struct reader in;
	int r;

	r = get(store, &key, &in);
	return r < 0 ? r : copy_name(in.pos, reader_left(&in), ret_name);
}

int store_set_default(struct store *store, const struct ccache *ccache)
{
	struct key key = key_of_uid(KEY_DEFAULT, ccache->uid);

	return put_bytes(store, &key, ccache->name, strlen(ccache->name));
}

/* Is it the default? 1, 0 or an error. */
static int is_default(struct store *store, const struct ccache *ccache)
{
	char name[CCACHE_NAME_MAX + 1];
	int r = store_default(store, ccache->uid, name);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : strcmp(name, ccache->name) == 0;
}

int store_destroy(struct store *store, struct ccache *ccache)
{
	struct key key = key_of_id(KEY_PRINCIPAL, ccache->uid, ccache->id);
	struct reader in;
	int r;

	r = store_empty(store, ccache);
	if (r < 0)
		return r;
	r = get(store, &key, &in);
	if (r == 0)
		r = drop(store, &key);
	if (r < 0 && r != -ENOENT)
		return r;
	r = is_default(store, ccache);
	if (r > 0) {
		key = key_of_uid(KEY_DEFAULT, ccache->uid);
		r = drop(store, &key);
	}
	if (r < 0)
		return r;
	key = key_of_id(KEY_ID, ccache->uid, ccache->id);
	r = drop(store, &key);
	if (r < 0)
		return r;
	key = key_of_name(ccache->uid, ccache->name);
	return drop(store, &key);
}

int store_rename(struct store *store, struct ccache *ccache, const char *name)
{
	struct key key = key_of_name(ccache->uid, ccache->name);
	int was_default, r;

	if (name[0] == '\0' || strlen(name) > CCACHE_NAME_MAX)
		return -ENAMETOOLONG;
	was_default = is_default(store, ccache);
	if (was_default < 0)
		return was_default;
	r = drop(store, &key);
	if (r < 0)
		return r;
	ccache->name = name;
	r = save(store, ccache);
	if (r < 0)
		return r;
	key = key_of_id(KEY_ID, ccache->uid, ccache->id);
	r = put_bytes(store, &key, name, strlen(name));
	return r < 0 || !was_default ? r : store_set_default(store, ccache);
}

int store_principal(struct store *store, const struct ccache *ccache, struct bytes *ret_principal)
{
	struct key key = key_of_id(KEY_PRINCIPAL, ccache->uid, ccache->id);
	struct reader in;
	int r;

	r = get(store, &key, &in);
	if (r == 0)
		*ret_principal = (struct bytes){ in.pos, reader_left(&in) };
	return r;
}

int store_set_principal(struct store *store, const struct ccache *ccache, struct bytes principal)
{
	struct key key = key_of_id(KEY_PRINCIPAL, ccache->uid, ccache->id);

	if (principal.size > CCACHE_PRINCIPAL)
		return -EFBIG;
	return put_bytes(store, &key, principal.at, principal.size);
}

/* ---- credentials ---- */

static int read_stored(struct reader *in, const struct ccache *ccache, uint64_t number,
                       struct stored *ret_stored)
{
	struct stored stored = { .number = number, .end_s = reader_be32(in) };

	stored.expires_s = by_our_clock(ccache, stored.end_s);
	if (in->err < 0)
		return -E_CACHE_DAMAGED;
	stored.credential = (struct bytes){ in->pos, reader_left(in) };
	*ret_stored = stored;
	return 0;
}

static int parse(const struct stored *stored, struct credential *ret_credential)
{
	struct reader in = reader_over(stored->credential.at, stored->credential.size);

	*ret_credential = read_credential(&in);
	return reader_end(&in) < 0 ? -E_CACHE_DAMAGED : 0;
}

int store_get(struct store *store, const struct ccache *ccache, uint64_t number,
              struct stored *ret_stored)
{
	struct key key = key_of_number(ccache, number);
	struct reader in;
	int r;

	r = get(store, &key, &in);
	return r < 0 ? r : read_stored(&in, ccache, number, ret_stored);
}

int store_next_credential(struct store *store, const struct ccache *ccache, uint64_t number,
                          struct stored *ret_stored)
{
	struct key prefix = key_of_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	struct key from = key_of_number(ccache, number + 1);
	MDB_val key, value;
	struct reader in;
	int r;

	if (number == UINT64_MAX)
		return -ENOENT;
	r = seek(store, &from, &prefix, &key, &value);
	if (r == 0 && key.mv_size != from.size)
		r = -E_CACHE_DAMAGED;
	if (r == 0)
		r = kcm_unseal(key, value, &in);
	return r < 0 ? r : read_stored(&in, ccache, number_of(key), ret_stored);
}

static int write_expiry(struct store *store, const struct ccache *ccache, uint64_t number,
                        int64_t expires_s)
{
	struct key key = key_of_expiry(expires_s, ccache, number);

	return expires_s == 0 ? 0 : put_bytes(store, &key, NULL, 0);
}

static int drop_expiry(struct store *store, const struct ccache *ccache, uint64_t number,
                       int64_t expires_s)
{
	struct key key = key_of_expiry(expires_s, ccache, number);

	return expires_s == 0 ? 0 : drop(store, &key);
}

/* Without saving the cache. */
static int remove_stored(struct store *store, struct ccache *ccache, const struct stored *stored)
{
	struct credential credential;
	uint64_t number = stored->number;
	int64_t expires_s = stored->expires_s;
	struct key key;
	int r;

	r = parse(stored, &credential);
	if (r < 0)
		return r;
	key = key_of_names(store->env->seed, ccache->uid, ccache->id, &credential);
	ccache->n_credentials--;
	ccache->n_tickets -= expires_s != 0;
	ccache->size -= stored->credential.size;

	key_add_u64(&key, number);
	r = drop(store, &key);
	if (r < 0)
		return r;
	key = key_of_number(ccache, number);
	r = drop(store, &key);
	return r < 0 ? r : drop_expiry(store, ccache, number, expires_s);
}

int store_remove(struct store *store, struct ccache *ccache, uint64_t number)
{
	struct stored stored;
	int r;

	r = store_get(store, ccache, number, &stored);
	if (r == 0)
		r = remove_stored(store, ccache, &stored);
	return r < 0 ? r : save(store, ccache);
}

int store_empty(struct store *store, struct ccache *ccache)
{
	struct stored stored;
	int r;

	while ((r = store_next_credential(store, ccache, 0, &stored)) == 0) {
		r = remove_stored(store, ccache, &stored);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? save(store, ccache) : r;
}

/* Goes through the keys at or behind at that begin with prefix, which end with a credential's
 * number: the first whose credential tag matches. at becomes the place behind it, so that who goes
 * on from there, whatever was removed, meets each of them once. */
static int next_match(struct store *store, const struct ccache *ccache, const struct key *prefix,
                      struct key *at, const struct tag *tag, uint32_t how, int64_t now_s,
                      struct stored *ret_stored)
{
	struct credential credential;
	struct stored stored;
	MDB_val key, value;
	int r;

	while ((r = seek(store, at, prefix, &key, &value)) == 0) {
		if (key.mv_size >= sizeof(at->bytes))
			return -E_CACHE_DAMAGED;
		at->size = 0;
		key_add(at, key.mv_data, key.mv_size);
		key_add(at, "", 1);
		r = store_get(store, ccache, number_of(key), &stored);
		if (r == 0)
			r = parse(&stored, &credential);
		if (r < 0)
			return r == -ENOENT ? -E_CACHE_DAMAGED : r;
		if ((stored.expires_s == 0 || stored.expires_s > now_s) &&
		    tag_matches(tag, how, &credential)) {
			*ret_stored = stored;
			return 0;
		}
	}
	return r;
}

/* Before all that tag may match. */
static struct key key_of_tag(const struct store *store, const struct ccache *ccache,
                             const struct tag *tag)
{
	if (!tag->like.server.all.at)
		return key_of_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	return key_of_server(store->env->seed, ccache->uid, ccache->id, &tag->like.server);
}

int store_match(struct store *store, const struct ccache *ccache, const struct tag *tag,
                uint32_t how, int64_t now_s, struct stored *ret_stored)
{
	struct key prefix = key_of_tag(store, ccache, tag), at = prefix;

	return next_match(store, ccache, &prefix, &at, tag, how, now_s, ret_stored);
}

/* Without saving the cache. Errors: -ENOENT there was none. */
static int remove_all(struct store *store, struct ccache *ccache, const struct key *prefix,
                      const struct tag *tag, uint32_t how)
{
	struct key at = *prefix;
	struct stored stored;
	bool any = false;
	int r;

	while ((r = next_match(store, ccache, prefix, &at, tag, how, 0, &stored)) == 0) {
		r = remove_stored(store, ccache, &stored);
		if (r < 0)
			return r;
		any = true;
	}
	return r == -ENOENT && any ? 0 : r;
}

int store_remove_matching(struct store *store, struct ccache *ccache, const struct tag *tag,
                          uint32_t how)
{
	struct key prefix = key_of_tag(store, ccache, tag);
	int r = remove_all(store, ccache, &prefix, tag, how);

	return r < 0 ? r : save(store, ccache);
}

/* Removes the one with the same client and server, if there is one. */
static int remove_same(struct store *store, struct ccache *ccache,
                       const struct credential *credential)
{
	struct key prefix = key_of_names(store->env->seed, ccache->uid, ccache->id, credential);
	struct tag tag = { .like = *credential };
	int r = remove_all(store, ccache, &prefix, &tag, 0);

	return r == -ENOENT ? 0 : r;
}

int store_add(struct store *store, struct ccache *ccache, const struct credential *credential)
{
	struct key key = key_of_names(store->env->seed, ccache->uid, ccache->id, credential);
	uint64_t number = ccache->next_number++;
	uint32_t end_s = end_of(credential);
	struct writer *out;
	int r;

	r = remove_same(store, ccache, credential);
	if (r < 0)
		return r;
	ccache->size += credential->all.size;
	ccache->n_credentials++;
	ccache->n_tickets += end_s != 0;
	if (store->limits.ccache_size > 0 && ccache->size > store->limits.ccache_size) {
		log_notice("uid %u: a credential cache has max_ccache_size = %llu KiB: no more",
		           (unsigned)ccache->uid,
		           (unsigned long long)store->limits.ccache_size / 1024);
		return -EFBIG;
	}
	if (ccache->n_credentials > CCACHE_CREDENTIALS) {
		log_notice("uid %u: a credential cache has %u credentials: no more",
		           (unsigned)ccache->uid, CCACHE_CREDENTIALS);
		return -EFBIG;
	}

	key_add_u64(&key, number);
	r = put_bytes(store, &key, NULL, 0);
	if (r < 0)
		return r;
	key = key_of_number(ccache, number);
	out = value_begin(store);
	writer_be32(out, end_s);
	writer_bytes(out, credential->all.at, credential->all.size);
	r = put(store, &key);
	return r < 0 ? r : write_expiry(store, ccache, number, by_our_clock(ccache, end_s));
}

int store_save(struct store *store, const struct ccache *ccache)
{
	int r = save(store, ccache);

	return r < 0 ? r : admit_size(store, ccache->uid, 0);
}

int store_set_offset(struct store *store, struct ccache *ccache, int32_t kdc_offset)
{
	struct ccache before = *ccache;
	struct stored stored = { 0 };
	int r;

	if (ccache->kdc_offset == kdc_offset)
		return 0;
	ccache->kdc_offset = kdc_offset;
	while ((r = store_next_credential(store, &before, stored.number, &stored)) == 0) {
		uint64_t number = stored.number;
		uint32_t end_s = stored.end_s;

		r = drop_expiry(store, ccache, number, stored.expires_s);
		if (r == 0)
			r = write_expiry(store, ccache, number, by_our_clock(ccache, end_s));
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? save(store, ccache) : r;
}

/* No sum is asked for: what this leads to is read with its own, and a cache may hold a lot. */
int store_is_usable(struct store *store, const struct ccache *ccache, int64_t now_s,
                    bool *ret_usable)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct key prefix = key_of_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	MDB_val key = val_of(&prefix), value;
	bool usable = ccache->n_tickets == 0;
	int r;

	r = lmdb_error(mdb_cursor_open(store->txn, store->env->table, &cursor));
	if (r == 0)
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	while (r == 0 && !usable && begins_with(key, &prefix)) {
		struct reader in = reader_over(value.mv_data, value.mv_size);

		reader_u64(&in);
		usable = by_our_clock(ccache, reader_be32(&in)) > now_s;
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_usable = usable;
	return 0;
}

/* ---- what expired ---- */

static int purge_one(struct store *store, MDB_val key)
{
	struct reader in = reader_over(key.mv_data, key.mv_size);
	char name[CCACHE_NAME_MAX + 1];
	struct ccache ccache;
	uint64_t id, number;
	uid_t uid;
	int r;

	reader_u8(&in);
	reader_be64(&in);
	uid = reader_be32(&in);
	id = reader_be64(&in);
	number = reader_be64(&in);
	if (reader_end(&in) < 0)
		return -E_CACHE_DAMAGED;

	r = store_name(store, uid, id, name);
	if (r == 0)
		r = store_find(store, uid, name, &ccache);
	if (r == 0)
		r = store_remove(store, &ccache, number);
	if (r == 0 && ccache.n_tickets == 0)
		r = store_destroy(store, &ccache);
	return r == -ENOENT ? -E_CACHE_DAMAGED : r;
}

int store_purge(struct store *store, int64_t now_s, unsigned max, int64_t *ret_next_s)
{
	struct key prefix = key_new(KEY_EXPIRY);
	MDB_val key, value;
	struct reader in;
	int r;

	for (;;) {
		r = seek(store, &prefix, &prefix, &key, &value);
		if (r == -ENOENT) {
			*ret_next_s = 0;
			return 0;
		}
		if (r == 0)
			r = kcm_unseal(key, value, &in);
		if (r < 0)
			return r;
		in = reader_over((uint8_t *)key.mv_data + 1, key.mv_size - 1);
		*ret_next_s = (int64_t)reader_be64(&in);
		if (*ret_next_s > now_s || max-- == 0)
			return 0;
		r = purge_one(store, key);
		if (r < 0)
			return r;
	}
}
