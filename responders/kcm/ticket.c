/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets - the credentials in a cache: stored, found, removed, and gone when they expire
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "responders/kcm/impl.h"

/* Of one part of a walk, one of the largest credentials or a hundred small ones: 0.1 ms, some more
 * with a vault. */
#define WALK_BYTES   (256u << 10)
#define WALK_RECORD  2048  /* so many more each credential counts */
#define WALK_REMOVAL 16384 /* and one that is removed */

/* ---- clocks ---- */

/* By the KDC's, 0 = never. What is about the cache itself never expires. */
uint32_t ticket_end(const struct credential *credential)
{
	return is_cache_config(credential) ? 0 : credential->times[TIME_END];
}

/* After half its life, if another one would last longer. */
uint32_t ticket_renewal(const struct credential *credential)
{
	const uint32_t *times = credential->times;
	uint32_t start_s = times[TIME_START] ? times[TIME_START] : times[TIME_AUTH];

	if (!(credential->flags & TICKET_RENEWABLE) || !is_tgt(credential) ||
	    times[TIME_END] <= start_s || times[TIME_RENEW_TILL] <= times[TIME_END])
		return 0;
	return start_s + (times[TIME_END] - start_s) / 2;
}

int64_t ticket_time(const struct ccache *ccache, uint32_t kdc_s)
{
	int64_t our_s = (int64_t)kdc_s - ccache->kdc_offset;

	if (kdc_s == 0)
		return 0;
	return our_s > 0 ? our_s : 1;
}

/* ---- credentials ---- */

/* Leaves in where the credential begins. */
static int read_times(struct reader *in, const struct ccache *ccache, uint64_t number,
                      struct stored *ret_stored)
{
	struct stored stored = { .number = number };

	stored.end_s = reader_be32(in);
	stored.renewal_s = reader_be32(in);
	stored.expires_s = ticket_time(ccache, stored.end_s);
	stored.due_s = ticket_time(ccache, stored.renewal_s);
	if (in->err < 0)
		return -E_CACHE_DAMAGED;
	*ret_stored = stored;
	return 0;
}

static int read_stored(struct kcm_store *store, struct reader *in, const struct ccache *ccache,
                       uint64_t number, struct stored *ret_stored)
{
	struct key key = key_of_number(ccache, number);
	struct stored stored;
	int r;

	r = read_times(in, ccache, number, &stored);
	if (r == 0)
		r = vault_unseal(store->env->vault, key.bytes, key.size, *in, &stored.credential.at,
		                 &stored.credential.size);
	if (r == 0)
		*ret_stored = stored;
	return r;
}

static int parse(const struct stored *stored, struct credential *ret_credential)
{
	struct reader in = reader_over(stored->credential.at, stored->credential.size);

	*ret_credential = read_credential(&in);
	return reader_end(&in) < 0 ? -E_CACHE_DAMAGED : 0;
}

int kcm_store_get(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                  struct stored *ret_stored)
{
	struct key key = key_of_number(ccache, number);
	struct reader in;
	int r;

	r = table_get(store, &key, &in);
	return r < 0 ? r : read_stored(store, &in, ccache, number, ret_stored);
}

/* The record of the next one after number. */
static int next_record(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                       MDB_val *ret_key, MDB_val *ret_value)
{
	struct key prefix = key_of_ccache_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	struct key from = key_of_number(ccache, number + 1);
	int r;

	if (number == UINT64_MAX)
		return -ENOENT;
	r = table_seek(store, &from, &prefix, ret_key, ret_value);
	return r == 0 && ret_key->mv_size != from.size ? -E_CACHE_DAMAGED : r;
}

int kcm_store_next_credential(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                              struct stored *ret_stored)
{
	struct reader in;
	MDB_val key, value;
	int r = next_record(store, ccache, number, &key, &value);

	if (r == 0)
		r = kcm_unseal(key, value, &in);
	return r < 0 ? r : read_stored(store, &in, ccache, key_number(key), ret_stored);
}

int kcm_store_next_number(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                          struct stored *ret_stored)
{
	struct reader in;
	MDB_val key, value;
	int r = next_record(store, ccache, number, &key, &value);

	if (r < 0)
		return r;
	in = reader_over(value.mv_data, value.mv_size);
	reader_u64(&in);
	return read_times(&in, ccache, key_number(key), ret_stored);
}

/* at_s 0: there is nothing at such a key. */
static int write_time(struct kcm_store *store, enum key_type type, const struct ccache *ccache,
                      uint64_t number, int64_t at_s)
{
	struct key key = key_of_time(type, at_s, ccache, number);

	return at_s == 0 ? 0 : table_put_bytes(store, &key, NULL, 0);
}

static int drop_time(struct kcm_store *store, enum key_type type, const struct ccache *ccache,
                     uint64_t number, int64_t at_s)
{
	struct key key = key_of_time(type, at_s, ccache, number);

	return at_s == 0 ? 0 : table_drop(store, &key);
}

static int write_times(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                       uint32_t end_s, uint32_t renewal_s)
{
	int r = write_time(store, KEY_EXPIRY, ccache, number, ticket_time(ccache, end_s));

	return r < 0 ? r
	             : write_time(store, KEY_RENEWAL, ccache, number,
	                          ticket_time(ccache, renewal_s));
}

static int drop_times(struct kcm_store *store, const struct ccache *ccache,
                      const struct stored *stored)
{
	int r = drop_time(store, KEY_EXPIRY, ccache, stored->number, stored->expires_s);

	return r < 0 ? r : drop_time(store, KEY_RENEWAL, ccache, stored->number, stored->due_s);
}

static int write_record(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                        uint32_t end_s, uint32_t renewal_s, struct bytes credential)
{
	struct key key = key_of_number(ccache, number);
	struct writer *out = table_value(store);

	writer_be32(out, end_s);
	writer_be32(out, renewal_s);
	vault_seal(store->env->vault, key.bytes, key.size, credential.at, credential.size, out);
	return table_put(store, &key);
}

int kcm_store_reseal(struct vault *vault, MDB_val key, struct reader value, struct writer *out)
{
	const uint8_t *type = key.mv_data;

	if (*type == KEY_CREDENTIAL) {
		writer_be32(out, reader_be32(&value));
		writer_be32(out, reader_be32(&value));
		if (value.err < 0)
			return -E_CACHE_DAMAGED;
		vault_seal(vault, key.mv_data, key.mv_size, value.pos, reader_left(&value), out);
	} else {
		writer_bytes(out, value.pos, reader_left(&value));
	}
	return writer_end(out);
}

/* Without saving the cache. */
static int remove_stored(struct kcm_store *store, struct ccache *ccache,
                         const struct stored *stored)
{
	struct credential credential;
	uint64_t number = stored->number;
	struct key key;
	int r;

	r = parse(stored, &credential);
	if (r < 0)
		return r;
	key = key_of_names(store->env->seed, ccache->uid, ccache->id, &credential);
	ccache->n_credentials--;
	ccache->n_tickets -= stored->expires_s != 0;
	ccache->size -= stored->credential.size;

	key_add_u64(&key, number);
	r = table_drop(store, &key);
	if (r < 0)
		return r;
	key = key_of_number(ccache, number);
	r = table_drop(store, &key);
	return r < 0 ? r : drop_times(store, ccache, stored);
}

int kcm_store_remove(struct kcm_store *store, struct ccache *ccache, uint64_t number)
{
	struct stored stored;
	int r;

	r = kcm_store_get(store, ccache, number, &stored);
	if (r == 0)
		r = remove_stored(store, ccache, &stored);
	return r < 0 ? r : ccache_save(store, ccache);
}

int kcm_store_empty(struct kcm_store *store, struct ccache *ccache)
{
	struct stored stored;
	int r;

	while ((r = kcm_store_next_credential(store, ccache, 0, &stored)) == 0) {
		r = remove_stored(store, ccache, &stored);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? ccache_save(store, ccache) : r;
}

/* Goes through the keys at or behind at that begin with prefix, which end with a credential's
 * number: the first whose credential tag matches. at becomes the place behind it, so that who goes
 * on from there, whatever was removed, meets each of them once. Errors: -EAGAIN when *left, of
 * bytes, is used up. */
static int next_match(struct kcm_store *store, const struct ccache *ccache,
                      const struct key *prefix, struct key *at, const struct tag *tag, uint32_t how,
                      int64_t now_s, int64_t *left, struct stored *ret_stored)
{
	struct credential credential;
	struct stored stored;
	MDB_val key, value;
	int r;

	while ((r = table_seek(store, at, prefix, &key, &value)) == 0) {
		if (key.mv_size >= WALK_KEY_MAX)
			return -E_CACHE_DAMAGED;
		if (*left <= 0)
			return -EAGAIN;
		at->size = 0;
		key_add(at, key.mv_data, key.mv_size);
		key_add(at, "", 1);
		r = kcm_store_get(store, ccache, key_number(key), &stored);
		if (r == 0)
			r = parse(&stored, &credential);
		if (r < 0)
			return r == -ENOENT ? -E_CACHE_DAMAGED : r;
		*left -= (int64_t)stored.credential.size + WALK_RECORD;
		if ((stored.expires_s == 0 || stored.expires_s > now_s) &&
		    tag_matches(tag, how, &credential)) {
			*ret_stored = stored;
			return 0;
		}
	}
	return r;
}

/* Before all that tag may match. */
static struct key key_of_tag(const struct kcm_store *store, const struct ccache *ccache,
                             const struct tag *tag)
{
	if (!tag->like.server.all.at)
		return key_of_ccache_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	return key_of_server(store->env->seed, ccache->uid, ccache->id, &tag->like.server);
}

/* Where the walk is to go on; the cache may be another one than it was. */
static struct key walk_place(const struct ccache_walk *walk, const struct key *prefix)
{
	struct key at = { .size = walk->at_size };

	memcpy(at.bytes, walk->at, walk->at_size);
	return key_begins(key_val(&at), prefix) ? at : *prefix;
}

static void walk_rests(struct ccache_walk *walk, const struct key *at)
{
	assert(at->size <= sizeof(walk->at));
	walk->at_size = (uint8_t)at->size;
	memcpy(walk->at, at->bytes, at->size);
}

int kcm_store_match(struct kcm_store *store, const struct ccache *ccache, const struct tag *tag,
                    uint32_t how, int64_t now_s, struct ccache_walk *walk,
                    struct stored *ret_stored)
{
	struct key prefix = key_of_tag(store, ccache, tag), at = walk_place(walk, &prefix);
	int64_t left = WALK_BYTES;
	int r;

	r = next_match(store, ccache, &prefix, &at, tag, how, now_s, &left, ret_stored);
	if (r == -EAGAIN)
		walk_rests(walk, &at);
	return r;
}

/* Without saving the cache. Errors: -ENOENT there are no more; -EAGAIN. */
static int remove_some(struct kcm_store *store, struct ccache *ccache, const struct key *prefix,
                       struct key *at, const struct tag *tag, uint32_t how, int64_t *left,
                       bool *any)
{
	struct stored stored;
	int r;

	while ((r = next_match(store, ccache, prefix, at, tag, how, 0, left, &stored)) == 0) {
		r = remove_stored(store, ccache, &stored);
		if (r < 0)
			return r;
		*left -= WALK_REMOVAL;
		*any = true;
	}
	return r;
}

int kcm_store_remove_matching(struct kcm_store *store, struct ccache *ccache, const struct tag *tag,
                              uint32_t how, struct ccache_walk *walk, bool *ret_more)
{
	struct key prefix = key_of_tag(store, ccache, tag), at = walk_place(walk, &prefix);
	int64_t left = WALK_BYTES;
	int r = remove_some(store, ccache, &prefix, &at, tag, how, &left, &walk->any);

	*ret_more = r == -EAGAIN;
	if (*ret_more)
		walk_rests(walk, &at);
	else if (r != -ENOENT || !walk->any)
		return r;
	return ccache_save(store, ccache);
}

/* Removes the one with the same client and server, if there is one. */
static int remove_same(struct kcm_store *store, struct ccache *ccache,
                       const struct credential *credential)
{
	struct key prefix = key_of_names(store->env->seed, ccache->uid, ccache->id, credential);
	struct key at = prefix;
	struct tag tag = { .like = *credential };
	int64_t all = INT64_MAX;
	bool any = false;
	int r = remove_some(store, ccache, &prefix, &at, &tag, 0, &all, &any);

	return r == -ENOENT ? 0 : r;
}

int kcm_store_refuse_more(uid_t uid)
{
	log_notice("uid %u: a credential cache has %u credentials: no more", (unsigned)uid,
	           CCACHE_CREDENTIALS);
	return -EFBIG;
}

/* Was there room for what came? One that only takes the place of another needs none, also where the
 * limit was larger once. */
static int admit(const struct kcm_store *store, const struct ccache *ccache,
                 const struct ccache *before)
{
	uint64_t limit = store->limits.ccache_size;

	if (limit > 0 && ccache->size > limit && ccache->size > before->size) {
		log_notice("uid %u: a credential cache has max_ccache_size = %llu KiB: no more",
		           (unsigned)ccache->uid, (unsigned long long)limit / 1024);
		return -EFBIG;
	}
	if (ccache->n_credentials > CCACHE_CREDENTIALS &&
	    ccache->n_credentials > before->n_credentials)
		return kcm_store_refuse_more(ccache->uid);
	return 0;
}

static int admit_credential(uid_t uid, const struct credential *credential)
{
	if (credential->all.size <= CREDENTIAL_SIZE &&
	    credential_parts(credential) <= CREDENTIAL_PARTS)
		return 0;
	log_notice("uid %u: a credential of more than %u KiB or %u parts: refused", (unsigned)uid,
	           CREDENTIAL_SIZE / 1024, CREDENTIAL_PARTS);
	return -EFBIG;
}

/* 0 unless it is of the cache's own principal: there is one such TGT in a cache, and a user has no
 * more to be renewed than caches. */
static int own_renewal(struct kcm_store *store, const struct ccache *ccache,
                       const struct credential *credential, uint32_t *ret_renewal_s)
{
	uint32_t renewal_s = ticket_renewal(credential);
	struct principal owner;
	struct bytes bytes;
	struct reader in;
	int r = renewal_s == 0 ? -ENOENT : kcm_store_principal(store, ccache, &bytes);

	if (r == -ENOENT) {
		*ret_renewal_s = 0;
		return 0;
	}
	if (r < 0)
		return r;
	in = reader_over(bytes.at, bytes.size);
	owner = read_principal(&in);
	if (reader_end(&in) < 0)
		return -E_CACHE_DAMAGED;
	*ret_renewal_s = principals_equal(&owner, &credential->client) ? renewal_s : 0;
	return 0;
}

int kcm_store_add(struct kcm_store *store, struct ccache *ccache,
                  const struct credential *credential)
{
	struct key key = key_of_names(store->env->seed, ccache->uid, ccache->id, credential);
	uint64_t number = ccache->next_number++;
	struct ccache before = *ccache;
	uint32_t end_s = ticket_end(credential), renewal_s = 0;
	int r;

	r = admit_credential(ccache->uid, credential);
	if (r == 0)
		r = own_renewal(store, ccache, credential, &renewal_s);
	if (r == 0)
		r = remove_same(store, ccache, credential);
	if (r < 0)
		return r;
	if (end_s != 0 && (ccache->n_tickets == 0 || end_s > ccache->last_end_s))
		ccache->last_end_s = end_s;
	ccache->size += credential->all.size;
	ccache->n_credentials++;
	ccache->n_tickets += end_s != 0;
	r = admit(store, ccache, &before);
	if (r < 0)
		return r;

	key_add_u64(&key, number);
	r = table_put_bytes(store, &key, NULL, 0);
	if (r < 0)
		return r;
	r = write_record(store, ccache, number, end_s, renewal_s, credential->all);
	return r < 0 ? r : write_times(store, ccache, number, end_s, renewal_s);
}

int kcm_store_set_offset(struct kcm_store *store, struct ccache *ccache, int32_t kdc_offset)
{
	struct ccache before = *ccache;
	struct stored stored = { 0 };
	int r;

	if (ccache->kdc_offset == kdc_offset)
		return 0;
	ccache->kdc_offset = kdc_offset;
	while ((r = kcm_store_next_number(store, &before, stored.number, &stored)) == 0) {
		r = drop_times(store, ccache, &stored);
		if (r == 0)
			r = write_times(store, ccache, stored.number, stored.end_s,
			                stored.renewal_s);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? ccache_save(store, ccache) : r;
}

/* No sum is asked for: what this leads to is read with its own, and a cache may hold a lot. */
int kcm_store_is_usable(struct kcm_store *store, const struct ccache *ccache, int64_t now_s,
                        bool *ret_usable)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct key prefix = key_of_ccache_id(KEY_CREDENTIAL, ccache->uid, ccache->id);
	MDB_val key = key_val(&prefix), value;
	bool usable = false;
	int r;

	if (ccache->n_tickets == 0 || ticket_time(ccache, ccache->last_end_s) <= now_s) {
		*ret_usable = false;
		return 0;
	}
	r = lmdb_error(mdb_cursor_open(store->txn, store->env->table, &cursor));
	if (r == 0)
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	while (r == 0 && !usable && key_begins(key, &prefix)) {
		struct reader in = reader_over(value.mv_data, value.mv_size);

		reader_u64(&in);
		usable = ticket_time(ccache, reader_be32(&in)) > now_s;
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_usable = usable;
	return 0;
}

/* ---- what is due ---- */

int ticket_follow(struct kcm_store *store, MDB_val key, char name[CCACHE_NAME_MAX + 1],
                  struct ccache *ret_ccache, uint64_t *ret_number)
{
	struct reader in = reader_over(key.mv_data, key.mv_size);
	uint64_t id;
	uid_t uid;
	int r;

	reader_u8(&in);
	reader_be64(&in);
	uid = reader_be32(&in);
	id = reader_be64(&in);
	*ret_number = reader_be64(&in);
	if (reader_end(&in) < 0)
		return -E_CACHE_DAMAGED;

	r = kcm_store_name(store, uid, id, name);
	if (r == 0)
		r = kcm_store_find(store, uid, name, ret_ccache);
	return r == -ENOENT ? -E_CACHE_DAMAGED : r;
}

static bool is_passed_over(MDB_val key, int64_t now_s, kcm_store_waits *waits, void *data)
{
	struct reader in = reader_over((uint8_t *)key.mv_data + 1, key.mv_size - 1);
	int64_t due_s = (int64_t)reader_be64(&in);
	uid_t uid = reader_be32(&in);

	return in.err == 0 && due_s <= now_s && waits(uid, data);
}

int kcm_store_next_renewal(struct kcm_store *store, int64_t now_s, kcm_store_waits *waits,
                           void *data, char name[CCACHE_NAME_MAX + 1], struct ccache *ret_ccache,
                           struct stored *ret_stored)
{
	struct key prefix = key_new(KEY_RENEWAL), from = prefix;
	MDB_val key, value;
	uint64_t number;
	struct reader in;
	int r;

	if (ret_stored->number != 0) {
		from = key_of_time(KEY_RENEWAL, ret_stored->due_s, ret_ccache, ret_stored->number);
		key_add(&from, "", 1); /* right behind it */
	}
	r = table_seek(store, &from, &prefix, &key, &value);
	while (r == 0 && waits && is_passed_over(key, now_s, waits, data))
		r = table_next(store, &prefix, &key, &value);
	if (r < 0)
		return r;
	r = kcm_unseal(key, value, &in);
	if (r == 0)
		r = ticket_follow(store, key, name, ret_ccache, &number);
	if (r == 0)
		r = kcm_store_get(store, ret_ccache, number, ret_stored);
	return r == -ENOENT ? -E_CACHE_DAMAGED : r;
}

int kcm_store_put_off(struct kcm_store *store, const struct ccache *ccache,
                      const struct stored *stored, int64_t due_s)
{
	int64_t renewal_s = due_s + ccache->kdc_offset;
	int r;

	if (renewal_s >= stored->end_s || renewal_s < 1)
		renewal_s = 0;
	r = write_record(store, ccache, stored->number, stored->end_s, (uint32_t)renewal_s,
	                 stored->credential);
	if (r == 0)
		r = drop_time(store, KEY_RENEWAL, ccache, stored->number, stored->due_s);
	if (r == 0)
		r = write_time(store, KEY_RENEWAL, ccache, stored->number,
		               ticket_time(ccache, (uint32_t)renewal_s));
	return r;
}
