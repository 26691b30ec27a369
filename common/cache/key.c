/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys - build and take apart
 */
#include "common/cache/key.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/wire/reader.h"

static int put_name(struct key *key, const char *name, size_t size)
{
	if (size == 0 || size > FOLDED_SIZE_MAX)
		return -ENAMETOOLONG;
	memcpy(key->bytes + key->size, name, size);
	key->size += size;
	return 0;
}

static int put_folded(struct key *key, const char *name)
{
	auto_talloc char *folded = NULL;
	int r;

	r = str_fold(NULL, name, &folded);
	if (r < 0)
		return r;
	return put_name(key, folded, strlen(folded));
}

int key_of_name(struct key *key, enum key_type type, enum cache_case names, const char *name)
{
	size_t size = strnlen(name, NAME_SIZE_MAX + 1);
	uint8_t *out = key->bytes + 1, seen = 0;

	key->bytes[0] = (uint8_t)type;
	key->size = 1;
	if (size == 0 || size > NAME_SIZE_MAX)
		return -ENAMETOOLONG;
	if (names == CACHE_CASE_SENSITIVE)
		return put_name(key, name, size);

	for (size_t i = 0; i < size; i++) {
		uint8_t c = (uint8_t)name[i];

		seen |= c;
		out[i] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
	}
	if (seen & 0x80)
		return put_folded(key, name);
	key->size += size;
	return 0;
}

void key_of_id(struct key *key, enum key_type type, uint32_t id)
{
	uint32_t ordered = htobe32(id);

	key->bytes[0] = (uint8_t)type;
	memcpy(key->bytes + 1, &ordered, sizeof(ordered));
	key->size = 1 + sizeof(ordered);
}

int key_of_query(struct key *key, enum cache_case names, const struct query *query)
{
	switch (query->kind) {
	case QUERY_USER_BY_NAME:
		return key_of_name(key, KEY_USER, names, query->name);
	case QUERY_GROUP_BY_NAME:
		return key_of_name(key, KEY_GROUP, names, query->name);
	case QUERY_INITGROUPS:
		return key_of_name(key, KEY_INITGROUPS, names, query->name);
	case QUERY_USER_BY_ID:
		key_of_id(key, KEY_UID, query->id);
		return 0;
	case QUERY_GROUP_BY_ID:
		key_of_id(key, KEY_GID, query->id);
		return 0;
	case QUERY_ALL:
		break;
	}
	return -ENOTSUP;
}

int key_of_folded(struct key *key, enum key_type type, MDB_val name)
{
	key->bytes[0] = (uint8_t)type;
	key->size = 1;
	return put_name(key, name.mv_data, name.mv_size) < 0 ? -EBADMSG : 0;
}

void key_of_expiry(struct key *key, int64_t wall_s, MDB_val record)
{
	uint64_t ordered = htobe64(wall_s < 0 ? 0 : (uint64_t)wall_s);

	assert(record.mv_size <= 1 + FOLDED_SIZE_MAX);
	key->bytes[0] = KEY_EXPIRY;
	memcpy(key->bytes + 1, &ordered, sizeof(ordered));
	memcpy(key->bytes + 1 + sizeof(ordered), record.mv_data, record.mv_size);
	key->size = 1 + sizeof(ordered) + record.mv_size;
}

int key_parse_expiry(MDB_val expiry, int64_t *ret_wall_s, MDB_val *ret_record)
{
	struct reader in = reader_over(expiry.mv_data, expiry.mv_size);
	uint8_t type = reader_u8(&in);
	uint64_t wall_s = reader_be64(&in);
	size_t size = reader_left(&in);
	const uint8_t *record = reader_bytes(&in, size);
	int r;

	r = reader_end(&in);
	if (r < 0)
		return r;
	if (type != KEY_EXPIRY || wall_s > INT64_MAX || size < 2 || size > 1 + FOLDED_SIZE_MAX ||
	    !key_is_record(record[0]))
		return -EBADMSG;

	*ret_wall_s = (int64_t)wall_s;
	*ret_record = (MDB_val){ .mv_size = size, .mv_data = (void *)record };
	return 0;
}

enum key_type key_target(uint8_t index_type)
{
	switch (index_type) {
	case KEY_UID:
	case KEY_USER_ALIAS:
		return KEY_USER;
	case KEY_GID:
	case KEY_GROUP_ALIAS:
		return KEY_GROUP;
	default:
		return 0;
	}
}

enum key_type key_alias_type(uint8_t record_type)
{
	return record_type == KEY_GROUP ? KEY_GROUP_ALIAS : KEY_USER_ALIAS;
}
