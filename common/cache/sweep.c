/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sweep - take out what expired long ago, a slice at a time
 *
 * Also to make room in a cache that is full, oldest first. Then what a login needs while no server
 * can be reached is kept for longer: users whose groups somebody wanted to know, as every login
 * does and ls(1) does not, their lists, and groups.
 *
 * The expiry keys are in the order of the wall clock, which is only a first guess: the clock may
 * have been set. Whether a record goes is decided by its own age, in the same boot by BOOTTIME.
 */
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/cache/impl.h"

DEFINE_CLEANUP(MDB_cursor *, mdb_cursor_close)

static const struct key first_expiry = { .size = 1, .bytes = { KEY_EXPIRY } };

static int64_t expired_for(const struct entry *entry, const struct entry_now *now)
{
	const struct entry_times *times = &entry->times;

	if (times->boot != 0 && times->boot == now->boot_id)
		return now->boot.s - times->stored_boot.s - times->lifetime_s;
	return now->wall.s - times->stored_wall.s - times->lifetime_s;
}

static bool is_needed(struct store *store, const struct entry *entry, const struct key *record)
{
	struct found found;
	struct entry list;
	struct key key;

	return entry->kind != ENTRY_USER ||
	       (key_of_folded(&key, KEY_INITGROUPS, val_name(key_val(record))) == 0 &&
	        store_look(store, &key, &found, &list) != -ENOENT);
}

/* Removes the record of one expiry key, or leaves it and moves sweep behind it. */
static int sweep_one(struct store *store, struct sweep *sweep, const struct entry_now *now,
                     MDB_val name)
{
	int64_t before = store->n_entries;
	int64_t keep_s = sweep->keep_s, old_s;
	struct found found;
	struct entry entry;
	struct key record;
	int r;

	record.size = name.mv_size;
	memcpy(record.bytes, name.mv_data, name.mv_size);
	r = store_look(store, &record, &found, &entry);
	if (r < 0)
		return r == -ENOENT ? -E_CACHE_DAMAGED : r;

	sweep->looked_at++;
	old_s = expired_for(&entry, now);
	if (old_s > keep_s && old_s <= sweep->keep_needed_s && is_needed(store, &entry, &record))
		keep_s = sweep->keep_needed_s;
	if (old_s <= keep_s) {
		sweep->next.bytes[sweep->next.size++] = 0;
		return 0;
	}
	r = store_remove(store, &record);
	sweep->removed += (uint64_t)(before - store->n_entries);
	return r;
}

/* Finds the first expiry key not below sweep->next, and moves there. -ENOENT when there is none,
 * or it is after cut_s. */
static int sweep_next(MDB_cursor *cursor, struct sweep *sweep, int64_t cut_s, MDB_val *ret_name)
{
	MDB_val key = key_val(&sweep->next), value, name;
	int64_t wall_s;
	int r;

	r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
	if (r < 0)
		return r;
	if (val_type(key) != KEY_EXPIRY)
		return -ENOENT;
	r = key_parse_expiry(key, &wall_s, &name);
	if (r < 0)
		return -E_CACHE_DAMAGED;
	if (wall_s >= cut_s)
		return -ENOENT;

	memcpy(sweep->next.bytes, key.mv_data, key.mv_size);
	sweep->next.size = key.mv_size;
	*ret_name = name;
	return 0;
}

int sweep_slice(struct store *store, struct sweep *sweep, const struct entry_now *now,
                struct deadline deadline, bool *ret_done)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val name;
	int r;

	if (sweep->next.size == 0)
		sweep->next = first_expiry;
	r = lmdb_error(mdb_cursor_open(store->txn, store->table, &cursor));

	while (r == 0) {
		r = sweep_next(cursor, sweep, now->wall.s - sweep->keep_s, &name);
		if (r == 0)
			r = sweep_one(store, sweep, now, name);
		if (r == 0 && (deadline_passed(deadline) ||
		               (sweep->until_used > 0 && store_used(store) <= sweep->until_used))) {
			*ret_done = false;
			return 0;
		}
	}
	if (r != -ENOENT)
		return r;

	*ret_done = true;
	return 0;
}

int sweep_count(MDB_txn *txn, MDB_dbi table, int64_t *ret_count)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val key = key_val(&first_expiry), value;
	MDB_cursor_op move = MDB_SET_RANGE;
	int64_t count = 0;
	int r;

	r = lmdb_error(mdb_cursor_open(txn, table, &cursor));
	while (r == 0) {
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, move));
		if (r == 0 && val_type(key) != KEY_EXPIRY)
			r = -ENOENT;
		if (r == 0)
			count++;
		move = MDB_NEXT;
	}
	if (r != -ENOENT)
		return r;

	*ret_count = count;
	return 0;
}
