/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Environments - what common/cache and the store of kcm share about LMDB
 *
 * Key 00 holds a header in each of them.
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>

#include "common/cache/file.h"

/* LMDB answers 0, errno (positive) or MDB_* (negative): lmdb.h, "Return Codes". */
int lmdb_error(int code);

/* Begins a transaction, and opens the one table in it. After an error nothing is begun. */
int env_begin(MDB_env *mdb, unsigned flags, MDB_txn **ret_txn, MDB_dbi *ret_table);

/* What happens between these two on this thread is work on the environment of files: a fault in
 * there marks it suspect (cache_watch_crashes()). Costs nothing. */
void crash_begin(const struct cache_files *files);
void crash_end(void);

/* Walks every page and key of mdb, which nobody writes to, and asks sound about each pair. It may
 * end the process, so that is one of its own. Errors: -E_CACHE_DAMAGED; those of LMDB. */
typedef bool env_sound(MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value, void *data);
int env_walk(MDB_env *mdb, env_sound *sound, void *data);
