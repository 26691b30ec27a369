/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pages - is what LMDB found, or did not find, what the page says?
 *
 * A record proves itself by its sum. What is not there proves nothing: a search that went astray
 * on a damaged page ends nowhere, too, and a user would be told that he does not exist. So before
 * "not there" is believed, the keys right before and right behind the gap are looked at: they must
 * be sound, and neighbours, on pages that know their own numbers and are in order. What is left is
 * a branch page that leads to a wrong leaf which fits: only the check, which goes everywhere, finds
 * that one. The layout of a leaf is LMDB's of version 0.9, as that of the meta pages in file.c:
 *
 *   page   | number: word | u16 | flags: u16 | lower: u16 | upper: u16 | place: u16 … | … | node …
 * | node   | value size: u32 | flags: u16 | key size: u16 | key | value |
 *
 * A place is a node's offset, in the order of the keys; nodes lie in any order and without gaps
 * between upper and the end of the page. flags 1: the value is the number of another page.
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/cache/impl.h"

DEFINE_CLEANUP(MDB_cursor *, mdb_cursor_close)

#define PAGE_HEADER   (sizeof(size_t) + 8)
#define NODE_HEADER   8
#define LEAF_FLAG     0x02
#define FAR_FLAG      0x01 /* of a node */
#define FAR_PAGE_FLAG 0x04 /* of the page it leads to */

/* Where a key stands. */
struct place {
	const uint8_t
		*page;   /* NULL: not in the map, but written a moment ago by this transaction */
	unsigned at, of; /* the at-th key of a page with this many */
};

static size_t page_size(void)
{
	return (size_t)getpagesize();
}

static const uint8_t *page_of(const void *data)
{
	return (const uint8_t *)data - ((uintptr_t)data & (page_size() - 1));
}

struct leaf {
	uint64_t number;
	unsigned count, upper;
	struct reader places;
};

static int leaf_read(const uint8_t *page, struct leaf *ret_leaf)
{
	struct reader in = reader_over(page, page_size());
	uint16_t flags, lower, upper;

	ret_leaf->number = reader_word(&in);
	reader_u16(&in);
	flags = reader_u16(&in);
	lower = reader_u16(&in);
	upper = reader_u16(&in);
	if (flags != LEAF_FLAG || lower < PAGE_HEADER || lower > upper || upper > page_size())
		return -E_CACHE_DAMAGED;
	ret_leaf->count = (lower - (unsigned)PAGE_HEADER) / 2;
	ret_leaf->upper = upper;
	ret_leaf->places = in;
	return 0;
}

int page_find_map(MDB_txn *txn, MDB_dbi table, MDB_val value)
{
	const uint8_t *page = page_of(value.mv_data);
	MDB_env *mdb = mdb_txn_env(txn);
	MDB_envinfo info;
	struct leaf leaf;
	MDB_stat stat;
	int r;

	/* Those of a file from another kind of machine need not lie on pages of this one. */
	if (mdb_stat(txn, table, &stat) != 0 || stat.ms_psize != page_size())
		return 0;
	r = leaf_read(page, &leaf);
	if (r < 0)
		return r;
	if (mdb_env_info(mdb, &info) != 0 || leaf.number > info.me_last_pgno)
		return -E_CACHE_DAMAGED;
	mdb_env_set_userctx(mdb, (void *)(page - leaf.number * page_size()));
	return 0;
}

/* Is page one of the map, and not of what this transaction wrote a moment ago? */
static bool in_map(MDB_txn *txn, const uint8_t *page, uint64_t *ret_number)
{
	const uint8_t *map = mdb_env_get_userctx(mdb_txn_env(txn));
	uintptr_t offset = (uintptr_t)page - (uintptr_t)map;

	if (!map || offset >= MAP_SIZE)
		return false;
	*ret_number = offset / page_size();
	return true;
}

int page_holds(MDB_txn *txn, MDB_val value)
{
	const uint8_t *page = page_of(value.mv_data);
	size_t offset = (size_t)((const uint8_t *)value.mv_data - page);
	struct reader in = reader_over(page, page_size());
	uint64_t number;
	uint16_t flags, upper;

	if (!in_map(txn, page, &number))
		return 0;
	if (reader_word(&in) != number)
		return -E_CACHE_DAMAGED;
	reader_u16(&in);
	flags = reader_u16(&in);
	reader_u16(&in);
	upper = reader_u16(&in);
	if (flags == FAR_PAGE_FLAG)
		return offset == PAGE_HEADER ? 0 : -E_CACHE_DAMAGED;
	return flags == LEAF_FLAG && offset > upper ? 0 : -E_CACHE_DAMAGED;
}

static int place_of(MDB_txn *txn, MDB_val key, struct place *ret_place)
{
	const uint8_t *page = page_of(key.mv_data);
	size_t wanted = (size_t)((const uint8_t *)key.mv_data - page);
	struct leaf leaf;
	uint64_t number;
	int r;

	*ret_place = (struct place){ 0 };
	if (!in_map(txn, page, &number))
		return 0;
	r = leaf_read(page, &leaf);
	if (r < 0)
		return r;
	if (leaf.number != number)
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
		r = place_of(txn, before, &first);
	if (r == 0 && key.mv_data)
		r = place_of(txn, key, &second);
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

/* Reads the node at offset; its size with padding, or 0 when it is none. */
static size_t node_read(const uint8_t *page, size_t offset, MDB_val *ret_key)
{
	struct reader in = reader_over(page + offset, page_size() - offset);
	uint32_t value_size = reader_u32(&in);
	uint16_t flags = reader_u16(&in), key_size = reader_u16(&in);
	size_t size;

	*ret_key = (MDB_val){ key_size, (void *)reader_bytes(&in, key_size) };
	reader_bytes(&in, flags & FAR_FLAG ? sizeof(size_t) : value_size);
	size = NODE_HEADER + key_size + (flags & FAR_FLAG ? sizeof(size_t) : value_size);
	return in.err < 0 ? 0 : size + (size & 1);
}

/* Are all keys of the leaf that key stands on in order, and is there nothing else? */
static int leaf_in_order(const struct view *view, MDB_val key)
{
	const uint8_t *page = page_of(key.mv_data);
	size_t used = 0, size;
	MDB_val before = { 0 }, at;
	struct leaf leaf;
	uint16_t offset;
	int r;

	r = leaf_read(page, &leaf);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < leaf.count; i++, before = at, used += size) {
		offset = reader_u16(&leaf.places);
		if (offset < leaf.upper || offset >= page_size())
			return -E_CACHE_DAMAGED;
		size = node_read(page, offset, &at);
		if (size == 0 ||
		    (before.mv_data && mdb_cmp(view->txn, view->table, &before, &at) >= 0))
			return -E_CACHE_DAMAGED;
	}
	return used == page_size() - leaf.upper ? 0 : -E_CACHE_DAMAGED;
}

/* mv_data NULL: there is no such neighbour. */
static int neighbour_check(const struct view *view, MDB_val key, MDB_val value)
{
	uint64_t number;

	if (!key.mv_data)
		return 0;
	if (key.mv_size == 0 || !sound_key(view, key, value))
		return -E_CACHE_DAMAGED;
	return in_map(view->txn, page_of(key.mv_data), &number) ? leaf_in_order(view, key) : 0;
}

int page_absent(const struct view *view, const struct key *asked_key)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val asked = key_val(asked_key), before = { 0 }, behind = asked;
	MDB_val before_value = { 0 }, behind_value = { 0 };
	int r;

	r = lmdb_error(mdb_cursor_open(view->txn, view->table, &cursor));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_cursor_get(cursor, &behind, &behind_value, MDB_SET_RANGE));
	if (r == -ENOENT) {
		behind = (MDB_val){ 0 };
		r = lmdb_error(mdb_cursor_get(cursor, &before, &before_value, MDB_LAST));
	} else if (r == 0) {
		if (mdb_cmp(view->txn, view->table, &asked, &behind) >= 0)
			return -E_CACHE_DAMAGED;
		r = lmdb_error(mdb_cursor_get(cursor, &before, &before_value, MDB_PREV));
	}
	if (r < 0)
		return r == -ENOENT ? -E_CACHE_DAMAGED : r; /* the header is before everything */
	if (mdb_cmp(view->txn, view->table, &before, &asked) >= 0)
		return -E_CACHE_DAMAGED;

	r = page_follows(view->txn, view->table, before, behind);
	if (r == 0)
		r = neighbour_check(view, before, before_value);
	if (r == 0)
		r = neighbour_check(view, behind, behind_value);
	return r < 0 ? r : -ENOENT;
}
