/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets - the credentials in a cache: stored, found, removed, and gone when they expire
 */
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "responders/kcm/impl.h"

/* ---- clocks ---- */

/* By the KDC's, 0 = never. What is about the cache itself never expires. */
uint32_t ticket_end(const struct credential *credential)
{
	return is_cache_config(credential) ? 0 : credential->times[TIME_END];
}

int64_t ticket_expires(const struct ccache *ccache, uint32_t end_s)
{
	int64_t expires_s = (int64_t)end_s - ccache->kdc_offset;

	if (end_s == 0)
		return 0;
	return expires_s > 0 ? expires_s : 1;
}

/* ---- credentials ---- */

static int read_stored(struct reader *in, const struct ccache *ccache, uint64_t number,
                       struct stored *ret_stored)
{
	struct stored stored = { .number = number, .end_s = reader_be32(in) };

	stored.expires_s = ticket_expires(ccache, stored.end_s);
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

	r = table_get(store, &key, &in);
	return r < 0 ? r : read_stored(&in, ccache, number, ret_stored);
}

int store_next_credential(struct store *store, const struct ccache *ccache, uint64_t number,
                          struct stored *ret_stored)
{
	struct key prefix = key_of_ccache_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	struct key from = key_of_number(ccache, number + 1);
	MDB_val key, value;
	struct reader in;
	int r;

	if (number == UINT64_MAX)
		return -ENOENT;
	r = table_seek(store, &from, &prefix, &key, &value);
	if (r == 0 && key.mv_size != from.size)
		r = -E_CACHE_DAMAGED;
	if (r == 0)
		r = kcm_unseal(key, value, &in);
	return r < 0 ? r : read_stored(&in, ccache, key_number(key), ret_stored);
}

static int write_expiry(struct store *store, const struct ccache *ccache, uint64_t number,
                        int64_t expires_s)
{
	struct key key = key_of_ticket_expiry(expires_s, ccache, number);

	return expires_s == 0 ? 0 : table_put_bytes(store, &key, NULL, 0);
}

static int drop_expiry(struct store *store, const struct ccache *ccache, uint64_t number,
                       int64_t expires_s)
{
	struct key key = key_of_ticket_expiry(expires_s, ccache, number);

	return expires_s == 0 ? 0 : table_drop(store, &key);
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
	if (ccache->n_tickets == 0)
		ccache->last_end_s = 0;
	ccache->size -= stored->credential.size;

	key_add_u64(&key, number);
	r = table_drop(store, &key);
	if (r < 0)
		return r;
	key = key_of_number(ccache, number);
	r = table_drop(store, &key);
	return r < 0 ? r : drop_expiry(store, ccache, number, expires_s);
}

int store_remove(struct store *store, struct ccache *ccache, uint64_t number)
{
	struct stored stored;
	int r;

	r = store_get(store, ccache, number, &stored);
	if (r == 0)
		r = remove_stored(store, ccache, &stored);
	return r < 0 ? r : ccache_save(store, ccache);
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
	return r == -ENOENT ? ccache_save(store, ccache) : r;
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

	while ((r = table_seek(store, at, prefix, &key, &value)) == 0) {
		if (key.mv_size >= sizeof(at->bytes))
			return -E_CACHE_DAMAGED;
		at->size = 0;
		key_add(at, key.mv_data, key.mv_size);
		key_add(at, "", 1);
		r = store_get(store, ccache, key_number(key), &stored);
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
		return key_of_ccache_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
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

	return r < 0 ? r : ccache_save(store, ccache);
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
	uint32_t end_s = ticket_end(credential);
	struct writer *out;
	int r;

	r = remove_same(store, ccache, credential);
	if (r < 0)
		return r;
	ccache->size += credential->all.size;
	ccache->n_credentials++;
	ccache->n_tickets += end_s != 0;
	if (end_s > ccache->last_end_s)
		ccache->last_end_s = end_s;
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
	r = table_put_bytes(store, &key, NULL, 0);
	if (r < 0)
		return r;
	key = key_of_number(ccache, number);
	out = table_value(store);
	writer_be32(out, end_s);
	writer_bytes(out, credential->all.at, credential->all.size);
	r = table_put(store, &key);
	return r < 0 ? r : write_expiry(store, ccache, number, ticket_expires(ccache, end_s));
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
			r = write_expiry(store, ccache, number, ticket_expires(ccache, end_s));
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? ccache_save(store, ccache) : r;
}

/* No sum is asked for: what this leads to is read with its own, and a cache may hold a lot. */
int store_is_usable(struct store *store, const struct ccache *ccache, int64_t now_s,
                    bool *ret_usable)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct key prefix = key_of_ccache_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	MDB_val key = key_val(&prefix), value;
	bool usable = ccache->n_tickets == 0;
	int r;

	if (!usable && ticket_expires(ccache, ccache->last_end_s) <= now_s) {
		*ret_usable = false;
		return 0;
	}
	r = lmdb_error(mdb_cursor_open(store->txn, store->env->table, &cursor));
	if (r == 0)
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	while (r == 0 && !usable && key_begins(key, &prefix)) {
		struct reader in = reader_over(value.mv_data, value.mv_size);

		reader_u64(&in);
		usable = ticket_expires(ccache, reader_be32(&in)) > now_s;
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
		r = table_seek(store, &prefix, &prefix, &key, &value);
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
