/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sound - is a key with its value as store.c leaves them behind?
 *
 * Each index leads to a record that lists it, each index a record lists leads to it, each record
 * has its one expiry key, and sums are right.
 */
#include <string.h>

#include "common/cache/impl.h"

static bool leads_to(const struct view *view, MDB_val index, MDB_val name)
{
	MDB_val value;

	return mdb_get(view->txn, view->table, &index, &value) == 0 && val_equal(value, name);
}

/* The key a record should have: its name must be found by asking for it. */
static int own_key(const struct view *view, uint8_t type, const struct entry *entry,
                   struct key *ret_key)
{
	const char *name = NULL;

	switch (entry->kind) {
	case ENTRY_USER:
		name = entry->user.name;
		break;
	case ENTRY_GROUP:
		name = entry->group.name;
		break;
	case ENTRY_INITGROUPS:
		name = entry->initgroups.name;
		break;
	}
	return key_of_name(ret_key, type, view->header.names, name);
}

static bool lists_number(const struct record *record, const struct entry *entry)
{
	struct key key;

	switch (entry->kind) {
	case ENTRY_USER:
		key_of_id(&key, KEY_UID, entry->user.uid);
		return record_has_index(record, key_val(&key));
	case ENTRY_GROUP:
		key_of_id(&key, KEY_GID, entry->group.gid);
		return record_has_index(record, key_val(&key));
	case ENTRY_INITGROUPS:
		break;
	}
	return true;
}

static bool record_is_sound(const struct view *view, MDB_val key, MDB_val value)
{
	struct key own, expiry;
	struct record record;
	struct entry entry;
	MDB_val index = { 0 }, empty = { 0, (void *)"" };

	if (record_parse(key, value, &record) < 0 ||
	    find_entry(val_type(key), &record, &entry) < 0 ||
	    own_key(view, val_type(key), &entry, &own) < 0 || !val_equal(key_val(&own), key) ||
	    !lists_number(&record, &entry) ||
	    entry.times.epoch > view->header.epochs[epoch_at(entry.kind)])
		return false;

	while (record_next_index(&record, &index))
		if (!leads_to(view, index, val_name(key)))
			return false;
	key_of_expiry(&expiry, entry_expiry(&entry), key);
	return leads_to(view, key_val(&expiry), empty);
}

static bool index_is_sound(const struct view *view, MDB_val index, MDB_val name)
{
	struct found found;
	struct key key;

	return key_of_folded(&key, key_target(val_type(index)), name) == 0 &&
	       find_exact(view->txn, view->table, &key, &found) == 0 &&
	       record_has_index(&found.record, index);
}

static bool expiry_is_sound(const struct view *view, MDB_val expiry)
{
	struct found found;
	struct entry entry;
	struct key key;
	int64_t wall_s;
	MDB_val name;

	if (key_parse_expiry(expiry, &wall_s, &name) < 0)
		return false;
	key.size = name.mv_size;
	memcpy(key.bytes, name.mv_data, name.mv_size);
	return find_exact(view->txn, view->table, &key, &found) == 0 &&
	       find_entry(key.bytes[0], &found.record, &entry) == 0 &&
	       entry_expiry(&entry) == wall_s;
}

bool sound_key(const struct view *view, MDB_val key, MDB_val value)
{
	uint8_t type = val_type(key);

	if (type == KEY_HEADER)
		return key.mv_size == 1; /* its value was read first */
	if (key_is_record(type))
		return record_is_sound(view, key, value);
	if (key_target(type))
		return index_is_sound(view, key, value);
	return type == KEY_EXPIRY && value.mv_size == 0 && expiry_is_sound(view, key);
}
