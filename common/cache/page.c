/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pages - is what LMDB found, or did not find, what the page says?
 *
 * A record proves itself by its sum. What is not there proves nothing: a search that went astray
 * on a damaged page ends nowhere, too, and a user would be told that he does not exist. So before
 * "not there" is believed, the keys right before and right behind the gap are looked at: each must
 * stand on a page that knows its own number, and they must be neighbours there. The layout of a
 * leaf page is LMDB's of version 0.9, as that of the meta pages in file.c:
 *
 *   page   | number: word | u16 | flags: u16 | lower: u16 | upper: u16 | place: u16 … | … | node … |
 *   node   | u16 | u16 | u16 | key size: u16 | key | value |       a place is a node's offset
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/cache/impl.h"

DEFINE_CLEANUP(MDB_cursor *, mdb_cursor_close)

#define PAGE_HEADER (sizeof(size_t) + 8)
#define NODE_HEADER 8
#define LEAF_FLAG   0x02

/* Where a key stands. */
struct place {
	const uint8_t *page;   /* NULL: not in the map, but written a moment ago by this transaction */
	unsigned at, of;       /* the at-th key of a page with this many */
};

static const uint8_t *page_of(const void *data, size_t page_size)
{
	return (const uint8_t *)data - ((uintptr_t)data & (page_size - 1));
}

static size_t page_size_of(MDB_txn *txn, MDB_dbi table)
{
	MDB_stat stat;

	return mdb_stat(txn, table, &stat) == 0 ? stat.ms_psize : 0;
}

struct leaf {
	uint64_t number;
	unsigned count;
	struct reader places;
};

static int leaf_read(const uint8_t *page, size_t page_size, struct leaf *ret_leaf)
{
	struct reader in = reader_over(page, page_size);
	uint16_t flags, lower, upper;

	ret_leaf->number = reader_word(&in);
	reader_u16(&in);
	flags = reader_u16(&in);
	lower = reader_u16(&in);
	upper = reader_u16(&in);
	if (flags != LEAF_FLAG || lower < PAGE_HEADER || lower > upper || upper > page_size)
		return -E_CACHE_DAMAGED;
	ret_leaf->count = (lower - (unsigned)PAGE_HEADER) / 2;
	ret_leaf->places = in;
	return 0;
}

int page_find_map(MDB_txn *txn, MDB_dbi table, MDB_val value)
{
	size_t page_size = page_size_of(txn, table);
	const uint8_t *page = page_of(value.mv_data, page_size);
	MDB_env *mdb = mdb_txn_env(txn);
	struct leaf leaf;
	MDB_envinfo info;
	int r;

	/* Of a file from a machine with larger pages they need not be aligned here. */
	if (page_size == 0 || page_size > (size_t)sysconf(_SC_PAGESIZE))
		return 0;
	r = leaf_read(page, page_size, &leaf);
	if (r < 0)
		return r;
	if (mdb_env_info(mdb, &info) != 0 || leaf.number > info.me_last_pgno)
		return -E_CACHE_DAMAGED;
	mdb_env_set_userctx(mdb, (void *)(page - leaf.number * page_size));
	return 0;
}

static int place_of(MDB_txn *txn, MDB_dbi table, MDB_val key, struct place *ret_place)
{
	const uint8_t *map = mdb_env_get_userctx(mdb_txn_env(txn));
	size_t page_size = page_size_of(txn, table);
	const uint8_t *page = page_of(key.mv_data, page_size);
	size_t wanted = (size_t)((const uint8_t *)key.mv_data - page);
	struct leaf leaf;
	int r;

	*ret_place = (struct place){ 0 };
	if (!map || (uintptr_t)page - (uintptr_t)map >= MAP_SIZE)
		return 0;
	r = leaf_read(page, page_size, &leaf);
	if (r < 0)
		return r;
	if ((uintptr_t)page - (uintptr_t)map != leaf.number * page_size)
		return -E_CACHE_DAMAGED;

	for (unsigned i = 0; i < leaf.count; i++)
		if ((size_t)reader_u16(&leaf.places) + NODE_HEADER == wanted) {
			*ret_place = (struct place){ page, i, leaf.count };
			return 0;
		}
	return -E_CACHE_DAMAGED;
}

int page_follows(MDB_txn *txn, MDB_dbi table, MDB_val before, MDB_val key)
{
	struct place first = { 0 }, second = { 0 };
	int r = 0;

	if (before.mv_data)
		r = place_of(txn, table, before, &first);
	if (r == 0 && key.mv_data)
		r = place_of(txn, table, key, &second);
	if (r < 0)
		return r;
	if (before.mv_data && key.mv_data && mdb_cmp(txn, table, &before, &key) >= 0)
		return -E_CACHE_DAMAGED;

	if (first.page && first.page == second.page)
		return second.at == first.at + 1 ? 0 : -E_CACHE_DAMAGED;
	if ((first.page && first.at + 1 != first.of) || (second.page && second.at != 0))
		return -E_CACHE_DAMAGED;
	return 0;
}

int page_absent(MDB_txn *txn, MDB_dbi table, MDB_val asked)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val before = { 0 }, behind = asked, value;
	int r;

	r = lmdb_error(mdb_cursor_open(txn, table, &cursor));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_cursor_get(cursor, &behind, &value, MDB_SET_RANGE));
	if (r == -ENOENT) {
		behind = (MDB_val){ 0 };
		r = lmdb_error(mdb_cursor_get(cursor, &before, &value, MDB_LAST));
	} else if (r == 0) {
		if (mdb_cmp(txn, table, &asked, &behind) >= 0)
			return -E_CACHE_DAMAGED;
		r = lmdb_error(mdb_cursor_get(cursor, &before, &value, MDB_PREV));
	}
	if (r < 0)
		return r == -ENOENT ? -E_CACHE_DAMAGED : r; /* the header is before everything */

	if (mdb_cmp(txn, table, &before, &asked) >= 0)
		return -E_CACHE_DAMAGED;
	r = page_follows(txn, table, before, behind);
	return r < 0 ? r : -ENOENT;
}
