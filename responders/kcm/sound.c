/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sound - is what stands in the table what is written there, and does it lead where it should?
 */
#include <string.h>

#include "responders/kcm/impl.h"

static bool there(MDB_txn *txn, MDB_dbi table, const struct key *key, struct reader *ret_in)
{
	MDB_val asked = key_val(key), value;

	return mdb_get(txn, table, &asked, &value) == 0 && kcm_unseal(asked, value, ret_in) == 0;
}

static bool text_is(const struct reader *in, const void *bytes, size_t size)
{
	return reader_left(in) == size && memcmp(in->pos, bytes, size) == 0;
}

/* The cache with that id. */
static bool find_id(MDB_txn *txn, MDB_dbi table, uid_t uid, uint64_t id, struct ccache *ret_ccache)
{
	struct key key = key_of_ccache_id(KEY_ID, uid, id);
	struct reader name, found;

	*ret_ccache = (struct ccache){ .uid = uid };
	if (!there(txn, table, &key, &name) || reader_left(&name) > CCACHE_NAME_MAX)
		return false;
	key = key_of_uid(KEY_CCACHE, uid);
	key_add(&key, name.pos, reader_left(&name));
	return there(txn, table, &key, &found) && ccache_read(&found, ret_ccache) == 0 &&
	       ret_ccache->id == id;
}

static bool sound_credential(MDB_txn *txn, MDB_dbi table, uid_t uid, uint64_t id, uint64_t number,
                             struct reader *value, const struct kcm_env *env)
{
	uint32_t end_s = reader_be32(value), renewal_s = reader_be32(value);
	struct ccache ccache = { .uid = uid, .id = id };
	struct key key = key_of_number(&ccache, number);
	struct credential credential;
	struct reader in, found;
	struct bytes plain;

	if (value->err < 0 ||
	    vault_unseal(env->vault, key.bytes, key.size, *value, &plain.at, &plain.size) < 0)
		return false;
	in = reader_over(plain.at, plain.size);
	credential = read_credential(&in);
	if (reader_end(&in) < 0 || end_s != ticket_end(&credential) ||
	    !find_id(txn, table, uid, id, &ccache) || end_s > ccache.last_end_s)
		return false;
	key = key_of_names(env->seed, uid, id, &credential);
	key_add_u64(&key, number);
	if (!there(txn, table, &key, &found))
		return false;
	key = key_of_time(KEY_EXPIRY, ticket_time(&ccache, end_s), &ccache, number);
	if (end_s != 0 && !there(txn, table, &key, &found))
		return false;
	key = key_of_time(KEY_RENEWAL, ticket_time(&ccache, renewal_s), &ccache, number);
	return renewal_s == 0 ||
	       (ticket_renewal(&credential) != 0 && there(txn, table, &key, &found));
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

/* Does the time of a key stand in the record it leads to? */
static bool sound_time(MDB_txn *txn, MDB_dbi table, enum key_type type, struct reader *in)
{
	uint64_t at_s = reader_be64(in);
	uid_t uid = reader_be32(in);
	uint64_t id = reader_be64(in), number = reader_be64(in);
	uint32_t end_s, renewal_s;
	struct ccache ccache;
	struct reader found;
	struct key key;

	if (reader_end(in) < 0 || !find_id(txn, table, uid, id, &ccache))
		return false;
	key = key_of_number(&ccache, number);
	if (!there(txn, table, &key, &found))
		return false;
	end_s = reader_be32(&found);
	renewal_s = reader_be32(&found);
	return (uint64_t)ticket_time(&ccache, type == KEY_EXPIRY ? end_s : renewal_s) == at_s;
}

/* Is what stands at key what the store writes, and does it lead where it should? */
bool kcm_store_sound(MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value, void *data)
{
	struct reader in = reader_over(key.mv_data, key.mv_size), bytes, found;
	uint8_t type = reader_u8(&in);
	const struct kcm_env *env = data;
	struct ccache ccache;
	struct key other;
	uint64_t id;
	uid_t uid;

	if (kcm_unseal(key, value, &bytes) < 0)
		return false;
	if (type == 0)
		return reader_end(&in) == 0;
	if (type == KEY_EXPIRY || type == KEY_RENEWAL)
		return sound_time(txn, table, type, &in);

	uid = reader_be32(&in);
	if (type == KEY_DEFAULT)
		return reader_end(&in) == 0 && sound_name(txn, table, uid, 0, &bytes);
	if (type == KEY_LOGIN)
		return reader_end(&in) == 0 && reader_end(&bytes) == 0;
	if (type == KEY_CCACHE) {
		if (ccache_read(&bytes, &ccache) < 0 || in.err < 0)
			return false;
		other = key_of_ccache_id(KEY_ID, uid, ccache.id);
		return there(txn, table, &other, &found) &&
		       text_is(&found, in.pos, reader_left(&in));
	}

	id = reader_be64(&in);
	switch (type) {
	case KEY_ID:
		return reader_end(&in) == 0 && sound_name(txn, table, uid, id, &bytes);
	case KEY_PRINCIPAL:
		other = key_of_ccache_id(KEY_ID, uid, id);
		return reader_end(&in) == 0 && there(txn, table, &other, &found);
	case KEY_NAMES:
		reader_be64(&in);
		reader_be64(&in);
		return reader_left(&in) == sizeof(uint64_t) &&
		       sound_index(txn, table, uid, id, key_number(key));
	case KEY_CREDENTIAL:
		return reader_left(&in) == sizeof(uint64_t) &&
		       sound_credential(txn, table, uid, id, key_number(key), &bytes, env);
	default:
		return false;
	}
}
