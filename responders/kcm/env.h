/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Environment - the file of the store: opened, checked, set aside, synced behind the answers
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

#include "common/cache/env.h"
#include "responders/kcm/vault.h"

#define SYNC_MS      4000
#define KCM_MAP_SIZE (sizeof(size_t) > 4 ? (size_t)4 << 30 : (size_t)1 << 30)

struct syncer;

struct kcm_env {                   /* a talloc object; freeing it syncs and closes it in order */
	struct cache_files *files; /* owned */
	int state_fd;              /* the lock */
	MDB_env *mdb;
	MDB_dbi table;
	struct file_id data; /* the file as it was opened */
	uint64_t seed[2];    /* of hashes in keys */
	struct vault *vault; /* borrowed; NULL: credentials are stored as they are */
	struct syncer *syncer;
	const char *unsynced_mark; /* owned: the path of a file that is there when a sync failed */
	bool unsynced;             /* one did: all is written anew when it is opened next */
};

/* As kcm_store_open(). sound is asked about each key of a file that has to be checked, in a process
 * of its own; its data is a struct kcm_env with seed and vault alone. A file whose check came to no
 * end, -ETIMEDOUT or -ECANCELED, stays as it is. reseal writes the value of a key that was stored
 * without a vault as one of the vault's would be; what it leaves alone is taken as it is. */
typedef int kcm_reseal(struct vault *vault, MDB_val key, struct reader value, struct writer *out);
int kcm_env_open(TALLOC_CTX *mem, const char *dir, struct vault *vault, env_sound *sound,
                 kcm_reseal *reseal, struct kcm_env **ret_env);

/* Is the file at its path the one that is open? 0; -E_CACHE_REPLACED. */
int kcm_env_still_there(const struct kcm_env *env);

/* Something was committed: it will be on the disk within SYNC_MS and the time that takes. */
void kcm_env_sync_soon(struct kcm_env *env);

/* The file is damaged: it is checked when it is opened next. */
void kcm_env_suspect(const struct kcm_env *env);

/* A value with its sum: u64 | bytes. */
uint64_t kcm_sum(MDB_val key, const void *bytes, size_t size);

/* What is behind the sum. Errors: -E_CACHE_DAMAGED. */
int kcm_unseal(MDB_val key, MDB_val value, struct reader *ret_in);
