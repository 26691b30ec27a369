/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Caches - found, made, renamed and destroyed, and their limits
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "responders/kcm/impl.h"

#define CCACHE_ROOM     (CCACHE_PRINCIPAL + 1024)
#define CREDENTIAL_ROOM (512 + PAGE) /* a larger one has pages of its own, the last never full */
#define PAGE            4096

/* ---- find ---- */

int ccache_read(struct reader *in, struct ccache *ccache)
{
	ccache->id = reader_be64(in);
	ccache->kdc_offset = (int32_t)reader_be32(in);
	ccache->n_credentials = reader_be32(in);
	ccache->n_tickets = reader_be32(in);
	ccache->next_number = reader_be64(in);
	ccache->size = reader_be64(in);
	ccache->last_end_s = reader_be32(in);
	return reader_end(in) < 0 ? -E_CACHE_DAMAGED : 0;
}

/* Each time something is written there the hour of an empty cache begins again. */
static uint32_t empty_end(const struct ccache *ccache)
{
	int64_t end_s = walltime_now().s + ccache->kdc_offset + EMPTY_S;

	return end_s < 1 ? 1 : end_s > UINT32_MAX ? UINT32_MAX : (uint32_t)end_s;
}

int ccache_save(struct kcm_store *store, const struct ccache *ccache)
{
	struct key key = key_of_ccache(ccache->uid, ccache->name);
	struct writer *out = table_value(store);

	writer_be64(out, ccache->id);
	writer_be32(out, (uint32_t)ccache->kdc_offset);
	writer_be32(out, ccache->n_credentials);
	writer_be32(out, ccache->n_tickets);
	writer_be64(out, ccache->next_number);
	writer_be64(out, ccache->size);
	writer_be32(out, ccache->n_tickets > 0 ? ccache->last_end_s : empty_end(ccache));
	return table_put(store, &key);
}

int kcm_store_find(struct kcm_store *store, uid_t uid, const char *name, struct ccache *ret_ccache)
{
	struct ccache ccache = { .uid = uid, .name = name };
	struct reader in;
	struct key key;
	int r;

	if (strlen(name) > CCACHE_NAME_MAX)
		return -ENOENT;
	key = key_of_ccache(uid, name);
	r = table_get(store, &key, &in);
	if (r == 0)
		r = ccache_read(&in, &ccache);
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

int kcm_store_name(struct kcm_store *store, uid_t uid, uint64_t id,
                   char ret_name[CCACHE_NAME_MAX + 1])
{
	struct key key = key_of_ccache_id(KEY_ID, uid, id);
	struct reader in;
	int r;

	r = table_get(store, &key, &in);
	return r < 0 ? r : copy_name(in.pos, reader_left(&in), ret_name);
}

/* The first cache at or behind from that begins with prefix. */
static int next_ccache(struct kcm_store *store, const struct key *from, const struct key *prefix,
                       char name[CCACHE_NAME_MAX + 1], struct ccache *ret_ccache)
{
	struct ccache ccache = { .name = name };
	struct reader key_in, in;
	MDB_val key, value;
	int r;

	r = table_seek(store, from, prefix, &key, &value);
	if (r == 0)
		r = kcm_unseal(key, value, &in);
	if (r == 0)
		r = ccache_read(&in, &ccache);
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
	struct key key = key_of_ccache(uid, name);

	if (name[0] != '\0')
		key_add(&key, "", 1); /* no name has a NUL */
	return key;
}

int kcm_store_next(struct kcm_store *store, uid_t uid, char name[CCACHE_NAME_MAX + 1],
                   struct ccache *ret_ccache)
{
	struct key prefix = key_of_uid(KEY_CCACHE, uid), from = key_behind(uid, name);

	return next_ccache(store, &from, &prefix, name, ret_ccache);
}

int kcm_store_next_of_all(struct kcm_store *store, char name[CCACHE_NAME_MAX + 1],
                          struct ccache *ret_ccache)
{
	struct key prefix = key_new(KEY_CCACHE), from = key_behind(ret_ccache->uid, name);

	return next_ccache(store, &from, &prefix, name, ret_ccache);
}

/* ---- limits ---- */

static int count_keys(struct kcm_store *store, const struct key *prefix, uint64_t *ret_count)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val key = key_val(prefix), value;
	uint64_t count = 0;
	int r;

	r = lmdb_error(mdb_cursor_open(store->txn, store->env->table, &cursor));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	while (r == 0 && key_begins(key, prefix)) {
		count++;
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_count = count;
	return 0;
}

/* What the caches of uid take, with what is kept about each and about each credential. */
static int uid_size(struct kcm_store *store, uid_t uid, uint64_t *ret_size)
{
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache;
	uint64_t size = 0;
	int r;

	while ((r = kcm_store_next(store, uid, name, &ccache)) == 0)
		size += CCACHE_ROOM + ccache.n_credentials * CREDENTIAL_ROOM + ccache.size;
	if (r == -ENOENT)
		*ret_size = size;
	return r == -ENOENT ? 0 : r;
}

/* Is there room for so many bytes more? Errors: -EDQUOT. */
static int admit_size(struct kcm_store *store, uid_t uid, uint64_t more, bool tell)
{
	uint64_t limit = store->limits.uid_size, size;
	int r;

	if (limit == 0)
		return 0;
	r = uid_size(store, uid, &size);
	if (r < 0 || size + more <= limit)
		return r;
	if (tell)
		log_notice("uid %u: the credential caches of a user have %llu KiB: no more",
		           (unsigned)uid, (unsigned long long)limit / 1024);
	return -EDQUOT;
}

static int has_room(struct kcm_store *store, uid_t uid, bool tell)
{
	struct key of_uid = key_of_uid(KEY_CCACHE, uid), of_all = key_new(KEY_CCACHE);
	const struct kcm_store_limits *limits = &store->limits;
	uint64_t count;
	int r = 0;

	if (limits->uid_ccaches > 0) {
		r = count_keys(store, &of_uid, &count);
		if (r == 0 && count >= limits->uid_ccaches)
			r = -EDQUOT;
		if (r == -EDQUOT && tell)
			log_notice("uid %u has max_uid_ccaches = %u credential caches: no more",
			           (unsigned)uid, limits->uid_ccaches);
	}
	if (r == 0 && limits->ccaches > 0) {
		r = count_keys(store, &of_all, &count);
		if (r == 0 && count >= limits->ccaches)
			r = -ENFILE;
		if (r == -ENFILE && tell)
			log_notice("there are max_ccaches = %u credential caches: no more for "
			           "uid %u",
			           limits->ccaches, (unsigned)uid);
	}
	return r < 0 ? r : admit_size(store, uid, CCACHE_ROOM, tell);
}

/* What is over makes place before anybody is refused; nobody waits for what others have left. */
static int admit(struct kcm_store *store, uid_t uid, int64_t now_s)
{
	int r = has_room(store, uid, false);
	int64_t next_s;

	if (r == -EDQUOT)
		r = purge_uid(store, uid, now_s, PURGE_AT_ONCE);
	else if (r == -ENFILE)
		r = kcm_store_purge(store, now_s, PURGE_AT_ONCE, &next_s);
	else
		return r;
	return r < 0 ? r : has_room(store, uid, true);
}

int kcm_store_save(struct kcm_store *store, const struct ccache *ccache)
{
	struct ccache before;
	bool grew;
	int r = kcm_store_find(store, ccache->uid, ccache->name, &before);

	if (r < 0)
		return r;
	grew = ccache->size > before.size || ccache->n_credentials > before.n_credentials;
	r = ccache_save(store, ccache);
	return r < 0 || !grew ? r : admit_size(store, ccache->uid, 0, true);
}

/* ---- make, choose, rename, destroy ---- */

/* Not 0, and not that of another cache of uid. */
static int draw_id(struct kcm_store *store, uid_t uid, uint64_t *ret_id)
{
	struct reader in;
	struct key key;
	uint64_t id;
	int r;

	do {
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			return -errno;
		key = key_of_ccache_id(KEY_ID, uid, id);
		r = table_get(store, &key, &in);
	} while (r == 0 || id == 0);
	*ret_id = id;
	return r == -ENOENT ? 0 : r;
}

int kcm_store_make(struct kcm_store *store, uid_t uid, const char *name, int64_t now_s,
                   struct ccache *ret_ccache)
{
	struct ccache ccache = { .uid = uid, .name = name, .next_number = 1 };
	struct key key;
	int r;

	if (name[0] == '\0' || strlen(name) > CCACHE_NAME_MAX)
		return -ENAMETOOLONG;
	r = admit(store, uid, now_s);
	if (r == 0)
		r = draw_id(store, uid, &ccache.id);
	if (r == 0)
		r = ccache_save(store, &ccache);
	if (r < 0)
		return r;
	key = key_of_ccache_id(KEY_ID, uid, ccache.id);
	r = table_put_bytes(store, &key, name, strlen(name));
	if (r == 0)
		*ret_ccache = ccache;
	return r;
}

int kcm_store_default(struct kcm_store *store, uid_t uid, char ret_name[CCACHE_NAME_MAX + 1])
{
	struct key key = key_of_uid(KEY_DEFAULT, uid);
	struct reader in;
	int r;

	r = table_get(store, &key, &in);
	return r < 0 ? r : copy_name(in.pos, reader_left(&in), ret_name);
}

int kcm_store_set_default(struct kcm_store *store, const struct ccache *ccache)
{
	struct key key = key_of_uid(KEY_DEFAULT, ccache->uid);

	return table_put_bytes(store, &key, ccache->name, strlen(ccache->name));
}

/* Is it the default? 1, 0 or an error. */
static int is_default(struct kcm_store *store, const struct ccache *ccache)
{
	char name[CCACHE_NAME_MAX + 1];
	int r = kcm_store_default(store, ccache->uid, name);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : strcmp(name, ccache->name) == 0;
}

int kcm_store_destroy(struct kcm_store *store, struct ccache *ccache)
{
	struct key key = key_of_ccache_id(KEY_PRINCIPAL, ccache->uid, ccache->id);
	struct reader in;
	int r;

	r = kcm_store_empty(store, ccache);
	if (r < 0)
		return r;
	r = table_get(store, &key, &in);
	if (r == 0)
		r = table_drop(store, &key);
	if (r < 0 && r != -ENOENT)
		return r;
	r = is_default(store, ccache);
	if (r > 0) {
		key = key_of_uid(KEY_DEFAULT, ccache->uid);
		r = table_drop(store, &key);
	}
	if (r < 0)
		return r;
	key = key_of_ccache_id(KEY_ID, ccache->uid, ccache->id);
	r = table_drop(store, &key);
	if (r < 0)
		return r;
	key = key_of_ccache(ccache->uid, ccache->name);
	return table_drop(store, &key);
}

int kcm_store_rename(struct kcm_store *store, struct ccache *ccache, const char *name)
{
	struct key key = key_of_ccache(ccache->uid, ccache->name);
	int was_default, r;

	if (name[0] == '\0' || strlen(name) > CCACHE_NAME_MAX)
		return -ENAMETOOLONG;
	was_default = is_default(store, ccache);
	if (was_default < 0)
		return was_default;
	r = table_drop(store, &key);
	if (r < 0)
		return r;
	ccache->name = name;
	r = ccache_save(store, ccache);
	if (r < 0)
		return r;
	key = key_of_ccache_id(KEY_ID, ccache->uid, ccache->id);
	r = table_put_bytes(store, &key, name, strlen(name));
	return r < 0 || !was_default ? r : kcm_store_set_default(store, ccache);
}

int kcm_store_principal(struct kcm_store *store, const struct ccache *ccache,
                        struct bytes *ret_principal)
{
	struct key key = key_of_ccache_id(KEY_PRINCIPAL, ccache->uid, ccache->id);
	struct reader in;
	int r;

	r = table_get(store, &key, &in);
	if (r == 0)
		*ret_principal = (struct bytes){ in.pos, reader_left(&in) };
	return r;
}

int kcm_store_set_principal(struct kcm_store *store, const struct ccache *ccache,
                            struct bytes principal)
{
	struct key key = key_of_ccache_id(KEY_PRINCIPAL, ccache->uid, ccache->id);

	if (principal.size > CCACHE_PRINCIPAL)
		return -EFBIG;
	return table_put_bytes(store, &key, principal.at, principal.size);
}

int kcm_store_destroy_some(struct kcm_store *store, uid_t uid, unsigned *left, unsigned *ret_n)
{
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache;
	unsigned cost, n = 0;
	int r = 0;

	while (*left > 0 && (r = kcm_store_next(store, uid, name, &ccache)) == 0) {
		cost = 1 + ccache.n_credentials;
		r = kcm_store_destroy(store, &ccache);
		if (r < 0)
			return r;
		*left -= cost < *left ? cost : *left;
		n++;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_n = n;
	return r == -ENOENT ? 0 : -EAGAIN;
}

/* ---- sessions ---- */

int kcm_store_is_seen(struct kcm_store *store, uid_t uid, bool *ret_seen)
{
	struct key key = key_of_uid(KEY_LOGIN, uid);
	struct reader in;
	int r = table_get(store, &key, &in);

	if (r < 0 && r != -ENOENT)
		return r;
	*ret_seen = r == 0;
	return 0;
}

int kcm_store_set_seen(struct kcm_store *store, uid_t uid, bool seen)
{
	struct key key = key_of_uid(KEY_LOGIN, uid);

	return seen ? table_put_bytes(store, &key, NULL, 0) : table_drop(store, &key);
}

int kcm_store_next_seen(struct kcm_store *store, uid_t uid, uid_t *ret_uid)
{
	struct key prefix = key_new(KEY_LOGIN), from = key_of_uid(KEY_LOGIN, uid + 1);
	MDB_val key, value;
	struct reader in;
	int r;

	r = table_seek(store, &from, &prefix, &key, &value);
	if (r == 0)
		r = kcm_unseal(key, value, &in);
	if (r < 0)
		return r;
	in = reader_over((uint8_t *)key.mv_data + 1, key.mv_size - 1);
	*ret_uid = reader_be32(&in);
	return reader_end(&in) < 0 ? -E_CACHE_DAMAGED : 0;
}
