/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - opened, begun, ended, and what reads and writes the table between the two
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/metrics/metrics.h"
#include "responders/kcm/impl.h"

#define LOOK_INTERVAL_US 1000000

static int store_gone(struct kcm_store *store)
{
	if (store->reading)
		mdb_txn_abort(store->reading);
	writer_free(&store->value);
	return 0;
}

int kcm_store_open(TALLOC_CTX *mem, const char *dir, struct vault *vault,
                   struct kcm_store **ret_store)
{
	auto_talloc struct kcm_store *store = talloc_zero(mem, struct kcm_store);
	int r;

	if (!store)
		return -ENOMEM;
	store->value = writer_new_secretive(SIZE_MAX / 4);
	store->looked_us = monotonic_us();
	r = kcm_env_open(store, dir, vault, kcm_store_sound, kcm_store_reseal, &store->env);
	if (r < 0)
		return r;
	talloc_set_destructor(store, store_gone);

	*ret_store = take_ptr(store);
	return 0;
}

void kcm_store_set_limits(struct kcm_store *store, const struct kcm_store_limits *limits)
{
	store->limits = *limits;
}

static int begin_reading(struct kcm_store *store)
{
	int r;

	if (store->reading)
		r = lmdb_error(mdb_txn_renew(store->reading));
	else
		r = lmdb_error(mdb_txn_begin(store->env->mdb, NULL, MDB_RDONLY, &store->reading));
	if (r == 0)
		store->txn = store->reading;
	return r;
}

int kcm_store_begin(struct kcm_store *store, bool writing)
{
	int64_t now_us = monotonic_us();
	int r;

	if (now_us - store->looked_us >= LOOK_INTERVAL_US) {
		r = kcm_env_still_there(store->env);
		if (r < 0)
			return r;
		store->looked_us = now_us;
	}

	store->writing = writing;
	store->changed = false;
	crash_begin(store->env->files);
	r = writing ? lmdb_error(mdb_txn_begin(store->env->mdb, NULL, 0, &store->txn))
	            : begin_reading(store);
	if (r < 0)
		crash_end();
	return r;
}

/* LMDB says EIO of a write that was cut short, which is what a full disk does first. */
static int commit(struct kcm_store *store, MDB_txn *txn)
{
	int r = lmdb_error(mdb_txn_commit(txn)), fd;
	struct statvfs fs;

	if (r == 0)
		metrics_count(METRICS_COMMITS);
	mdb_env_get_fd(store->env->mdb, &fd);
	if (r == -EIO && fstatvfs(fd, &fs) == 0 && fs.f_bavail == 0)
		return -ENOSPC;
	return r;
}

int kcm_store_end(struct kcm_store *store, int r)
{
	MDB_txn *txn = take_ptr(store->txn);

	if (store->cursor)
		mdb_cursor_close(take_ptr(store->cursor));
	if (!store->writing)
		mdb_txn_reset(txn);
	else if (r < 0 || !store->changed)
		mdb_txn_abort(txn);
	else
		r = commit(store, txn);
	crash_end();

	writer_reset(&store->value);
	vault_wipe(store->env->vault);
	if (r == 0 && store->writing && store->changed)
		kcm_env_sync_soon(store->env);
	if (r == -E_CACHE_DAMAGED)
		kcm_env_suspect(store->env);
	return r;
}

/* ---- the table ---- */

int table_get(struct kcm_store *store, const struct key *key, struct reader *ret_in)
{
	MDB_val asked = key_val(key), value;
	int r;

	r = lmdb_error(mdb_get(store->txn, store->env->table, &asked, &value));
	return r < 0 ? r : kcm_unseal(asked, value, ret_in);
}

struct writer *table_value(struct kcm_store *store)
{
	writer_reset(&store->value);
	writer_u64(&store->value, 0);
	return &store->value;
}

int table_put(struct kcm_store *store, const struct key *key)
{
	struct writer *out = &store->value;
	MDB_val asked = key_val(key), value;
	uint64_t sum;
	int r;

	r = writer_end(out);
	if (r < 0)
		return r;
	sum = kcm_sum(asked, out->bytes + sizeof(sum), out->size - sizeof(sum));
	memcpy(out->bytes, &sum, sizeof(sum));
	value = (MDB_val){ .mv_size = out->size, .mv_data = out->bytes };
	store->changed = true;
	return lmdb_error(mdb_put(store->txn, store->env->table, &asked, &value, 0));
}

int table_put_bytes(struct kcm_store *store, const struct key *key, const void *bytes, size_t size)
{
	writer_bytes(table_value(store), bytes, size);
	return table_put(store, key);
}

int table_drop(struct kcm_store *store, const struct key *key)
{
	MDB_val asked = key_val(key);
	int r;

	r = lmdb_error(mdb_del(store->txn, store->env->table, &asked, NULL));
	store->changed = true;
	return r == -ENOENT ? -E_CACHE_DAMAGED : r;
}

int table_seek(struct kcm_store *store, const struct key *from, const struct key *prefix,
               MDB_val *ret_key, MDB_val *ret_value)
{
	int r = 0;

	*ret_key = key_val(from);
	if (!store->cursor)
		r = lmdb_error(mdb_cursor_open(store->txn, store->env->table, &store->cursor));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_cursor_get(store->cursor, ret_key, ret_value, MDB_SET_RANGE));
	if (r < 0)
		return r;
	return key_begins(*ret_key, prefix) ? 0 : -ENOENT;
}

int table_next(struct kcm_store *store, const struct key *prefix, MDB_val *ret_key,
               MDB_val *ret_value)
{
	int r = lmdb_error(mdb_cursor_get(store->cursor, ret_key, ret_value, MDB_NEXT));

	if (r < 0)
		return r;
	return key_begins(*ret_key, prefix) ? 0 : -ENOENT;
}
