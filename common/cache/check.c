/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check - walk every page and every record, in a process of its own
 *
 * LMDB trusts its pages: one that was overwritten may end this process, and whoever started it
 * takes that for an answer. What it survives is compared with what store.c always leaves behind:
 * keys in order, sums right, records decodable, each index leading to a record that lists it and
 * each listed index leading back, one expiry key for each record, no page used twice as far as
 * their number tells. The walk ends: keys that do not ascend end it, and LMDB goes no deeper than
 * 32 pages.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/cache/impl.h"

DEFINE_CLEANUP(MDB_env *, mdb_env_close)
DEFINE_CLEANUP(MDB_txn *, mdb_txn_abort)
DEFINE_CLEANUP(MDB_cursor *, mdb_cursor_close)

#define FREE_TABLE 0 /* LMDB's own: transaction → pages that it gave back */

struct walk {
	MDB_txn *txn;
	MDB_dbi table;
	env_sound *sound;
	void *data; /* of sound */
	uint64_t last_page;
	uint64_t keys, free_pages;
};

static int walk_table(struct walk *walk)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val key, value, before = { 0 };
	int r;

	r = lmdb_error(mdb_cursor_open(walk->txn, walk->table, &cursor));
	while (r == 0) {
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
		if (r < 0)
			break;
		if (key.mv_size == 0 || page_follows(walk->txn, walk->table, before, key) < 0 ||
		    !walk->sound(walk->txn, walk->table, key, value, walk->data))
			return -E_CACHE_DAMAGED;
		before = key;
		walk->keys++;
	}
	return r == -ENOENT ? 0 : r;
}

/* Each value is a list: how many, then page numbers, the largest first. */
static bool list_is_sound(struct walk *walk, MDB_val list)
{
	struct reader in = reader_over(list.mv_data, list.mv_size);
	uint64_t count = reader_word(&in), page, before = walk->last_page + 1;

	for (uint64_t i = 0; i < count; i++) {
		page = reader_word(&in);
		if (in.err < 0 || page < 2 || page >= before)
			return false;
		before = page;
	}
	walk->free_pages += count;
	return in.err == 0;
}

static int walk_free(struct walk *walk)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	uint64_t before = 0, txn;
	struct reader in;
	MDB_val key, list;
	int r;

	r = lmdb_error(mdb_cursor_open(walk->txn, FREE_TABLE, &cursor));
	while (r == 0) {
		r = lmdb_error(mdb_cursor_get(cursor, &key, &list, MDB_NEXT));
		if (r < 0)
			break;
		in = reader_over(key.mv_data, key.mv_size);
		txn = reader_word(&in);
		if (reader_end(&in) < 0 || txn <= before || !list_is_sound(walk, list))
			return -E_CACHE_DAMAGED;
		before = txn;
	}
	return r == -ENOENT ? 0 : r;
}

static int tree_pages(struct walk *walk, MDB_dbi table, MDB_stat *ret_stat, uint64_t *ret_pages)
{
	int r;

	r = lmdb_error(mdb_stat(walk->txn, table, ret_stat));
	if (r < 0)
		return r;
	*ret_pages =
		ret_stat->ms_branch_pages + ret_stat->ms_leaf_pages + ret_stat->ms_overflow_pages;
	return 0;
}

/* Fewer than there are pages is room lost; more is a page with two uses. */
static int count_pages(struct walk *walk)
{
	uint64_t ours, theirs;
	MDB_stat stat;
	int r;

	r = tree_pages(walk, FREE_TABLE, &stat, &theirs);
	if (r < 0)
		return r;
	r = tree_pages(walk, walk->table, &stat, &ours);
	if (r < 0)
		return r;
	if (stat.ms_entries != walk->keys ||
	    2 + ours + theirs + walk->free_pages > walk->last_page + 1)
		return -E_CACHE_DAMAGED;
	return 0;
}

int env_walk(MDB_env *mdb, env_sound *sound, void *data)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	struct walk walk = { .sound = sound, .data = data };
	MDB_val key = { .mv_size = 1, .mv_data = (uint8_t[]){ KEY_HEADER } }, header;
	MDB_envinfo info;
	int r;

	r = env_begin(mdb, MDB_RDONLY, &txn, &walk.table);
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_info(mdb, &info));
	if (r < 0)
		return r;
	walk.txn = txn;
	walk.last_page = info.me_last_pgno;

	r = lmdb_error(mdb_get(txn, walk.table, &key, &header));
	if (r == 0)
		r = page_find_map(txn, walk.table, header);
	if (r < 0)
		return r == -ENOENT ? -E_CACHE_DAMAGED : r;

	r = walk_table(&walk);
	if (r < 0)
		return r;
	r = walk_free(&walk);
	if (r < 0)
		return r;
	return count_pages(&walk);
}

static bool sound_in_view(MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value, void *data)
{
	struct view *view = data;

	view->txn = txn;
	view->table = table;
	return sound_key(view, key, value);
}

static int walk_all(MDB_env *mdb, const struct cache_files *files)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	struct view view = { 0 };
	int r;

	r = env_begin(mdb, MDB_RDONLY, &txn, &view.table);
	if (r < 0)
		return r;
	r = header_read(txn, view.table, &view.header);
	if (r < 0)
		return r;
	if (strcmp(view.header.domain, files->domain) != 0)
		return -E_CACHE_DAMAGED;
	mdb_txn_abort(take_ptr(txn));
	return env_walk(mdb, sound_in_view, &view);
}

int cache_check(const struct cache_options *options)
{
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	auto_talloc struct cache_files *files = NULL;
	auto_close int fd = -1;
	struct meta meta;
	int r;

	r = files_of(NULL, options, &files);
	if (r < 0)
		return r;
	r = state_lock(files, &fd);
	if (r < 0)
		return r;
	r = files_meta(files, &meta);
	if (r < 0)
		return r;
	r = env_create(&mdb);
	if (r < 0)
		return r;

	/* A file shorter than its meta page says may be sound (thread.c, lengthen()): a page that
	 * is missed ends this process. No locks: the state is locked, so nobody writes, and the
	 * lock file may be bad too. */
	r = lmdb_error(mdb_env_open(mdb, files->data,
	                            MDB_NOSUBDIR | MDB_NOTLS | MDB_RDONLY | MDB_NOLOCK, 0600));
	if (r < 0)
		return r;
	return walk_all(mdb, files);
}
