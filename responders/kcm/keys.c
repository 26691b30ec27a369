/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys - how they are built: what belongs together stands together, in the order it is asked for
 */
#include <endian.h>
#include <string.h>

#include "common/base/map.h"
#include "responders/kcm/impl.h"

struct key key_new(enum key_type type)
{
	return (struct key){ .size = 1, .bytes = { (uint8_t)type } };
}

void key_add(struct key *key, const void *bytes, size_t size)
{
	memcpy(key->bytes + key->size, bytes, size);
	key->size += size;
}

static void key_add_u32(struct key *key, uint32_t value)
{
	value = htobe32(value);
	key_add(key, &value, sizeof(value));
}

void key_add_u64(struct key *key, uint64_t value)
{
	value = htobe64(value);
	key_add(key, &value, sizeof(value));
}

struct key key_of_uid(enum key_type type, uid_t uid)
{
	struct key key = key_new(type);

	key_add_u32(&key, uid);
	return key;
}

struct key key_of_ccache_id(enum key_type type, uid_t uid, uint64_t id)
{
	struct key key = key_of_uid(type, uid);

	key_add_u64(&key, id);
	return key;
}

/* name is at most CCACHE_NAME_MAX bytes long. */
struct key key_of_ccache(uid_t uid, const char *name)
{
	struct key key = key_of_uid(KEY_CCACHE, uid);

	key_add(&key, name, strlen(name));
	return key;
}

struct key key_of_number(const struct ccache *ccache, uint64_t number)
{
	struct key key = key_of_ccache_id(KEY_CREDENTIAL, ccache->uid, ccache->id);

	key_add_u64(&key, number);
	return key;
}

struct key key_of_time(enum key_type type, int64_t at_s, const struct ccache *ccache,
                       uint64_t number)
{
	struct key key = key_new(type);

	key_add_u64(&key, (uint64_t)at_s);
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
struct key key_of_server(const uint64_t seed[2], uid_t uid, uint64_t id,
                         const struct principal *server)
{
	struct key key = key_of_ccache_id(KEY_NAMES, uid, id);

	key_add_u64(&key, hash_of(seed, server->components));
	return key;
}

/* Of those that kcm_store_add() takes for the same. */
struct key key_of_names(const uint64_t seed[2], uid_t uid, uint64_t id,
                        const struct credential *credential)
{
	struct key key = key_of_server(seed, uid, id, &credential->server);

	key_add_u64(&key, hash_of(seed, credential->client.components) ^
	                          hash_of(seed, credential->client.realm) * 3 ^
	                          hash_of(seed, credential->server.realm) * 5);
	return key;
}

MDB_val key_val(const struct key *key)
{
	return (MDB_val){ .mv_size = key->size, .mv_data = (void *)key->bytes };
}

bool key_begins(MDB_val key, const struct key *prefix)
{
	return key.mv_size > prefix->size && memcmp(key.mv_data, prefix->bytes, prefix->size) == 0;
}

/* The number at the end of a key. */
uint64_t key_number(MDB_val key)
{
	uint64_t number;

	memcpy(&number, (uint8_t *)key.mv_data + key.mv_size - sizeof(number), sizeof(number));
	return be64toh(number);
}
