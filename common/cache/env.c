/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Environment - open, make, and notice when the files are others
 *
 * What LMDB leaves to us (lmdb.h, "Caveats"): on a read-only mount it goes on without reader locks
 * and says nothing, so each opening looks for itself in the reader table. It makes the lock file
 * sparse and maps it, so that a full disk would be a SIGBUS: its blocks are reserved first. A file
 * that is shorter than its meta page says would be one too: it is measured before it is mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/cache/impl.h"

#define READERS      256
#define LOCK_RESERVE (READERS * 64 + 1024) /* a cache line for each reader, and the mutexes */
#define ENV_FLAGS    (MDB_NOSUBDIR | MDB_NOTLS)

DEFINE_CLEANUP(MDB_txn *, mdb_txn_abort)
DEFINE_CLEANUP(MDB_env *, mdb_env_close)

int lmdb_error(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
		return -E_CACHE_QUOTA;
	case MDB_READERS_FULL:
		return -E_CACHE_NO_SLOT;
	case MDB_BAD_RSLOT: /* the lock file was begun anew without us */
		return -E_CACHE_REPLACED;
	case MDB_VERSION_MISMATCH:
		return -E_CACHE_VERSION;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_CURSOR_FULL:
	case MDB_MAP_RESIZED:
		return -E_CACHE_DAMAGED;
	case EFBIG:
	case EDQUOT:
		return -ENOSPC; /* three words for a full disk */
	default:
		return code > 0 ? -code : -EIO;
	}
}

int env_begin(MDB_env *mdb, unsigned flags, MDB_txn **ret_txn, MDB_dbi *ret_table)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	int r;

	r = lmdb_error(mdb_txn_begin(mdb, NULL, flags, &txn));
	if (r == 0)
		r = lmdb_error(mdb_dbi_open(txn, NULL, 0, ret_table));
	if (r == 0)
		*ret_txn = take_ptr(txn);
	return r;
}

/* ---- the header ---- */

static const struct key header_key = { .size = 1, .bytes = { KEY_HEADER } };

int header_read(MDB_txn *txn, MDB_dbi table, struct header *ret_header)
{
	MDB_val key = key_val(&header_key), value;
	int r;

	r = lmdb_error(mdb_get(txn, table, &key, &value));
	if (r < 0)
		return r == -ENOENT ? -E_CACHE_DAMAGED : r;
	r = header_parse(value, ret_header);
	if (r < 0)
		return r == -EBADMSG ? -E_CACHE_DAMAGED : r;
	return mdb_env_get_userctx(mdb_txn_env(txn)) ? 0 : page_find_map(txn, table, value);
}

int header_write(MDB_txn *txn, MDB_dbi table, const struct header *header)
{
	struct writer out = writer_new(1024);
	MDB_val key = key_val(&header_key), value;
	int r;

	header_build(&out, header);
	value = (MDB_val){ .mv_size = out.size, .mv_data = out.bytes };
	r = writer_end(&out);
	if (r == 0)
		r = lmdb_error(mdb_put(txn, table, &key, &value, 0));
	writer_free(&out);
	return r;
}

/* ---- open ---- */

int env_create(MDB_env **ret_mdb)
{
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	int r;

	r = lmdb_error(mdb_env_create(&mdb));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_set_mapsize(mdb, MAP_SIZE));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_set_maxreaders(mdb, READERS));
	if (r < 0)
		return r;

	*ret_mdb = take_ptr(mdb);
	return 0;
}

/* Gives the lock file its blocks but not its size, which is LMDB's to set: it counts the reader
 * slots by it. Closing a lock file drops the locks this process has on it, so the environment
 * must not be open here yet. */
static int reserve_lock(const char *path)
{
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EROFS ? -E_CACHE_NO_SLOT : -errno;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOCK_RESERVE) < 0 && errno != EOPNOTSUPP)
		return lmdb_error(errno);
	return 0;
}

/* One line for each reader: "%10d thread txnid", the first of them a title. */
static int slot_seen(const char *line, void *data)
{
	bool *found = data;

	if (strtol(line, NULL, 10) == getpid())
		*found = true;
	return 0;
}

/* The table may be full of processes that were killed; a writer with nothing to do does not clear
 * it. */
static int begin_reading(struct env *env)
{
	int r, dead = 0;

	r = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &env->reading);
	if (r == MDB_READERS_FULL && mdb_reader_check(env->mdb, &dead) == 0 && dead > 0)
		r = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &env->reading);
	return lmdb_error(r);
}

static int read_header(struct env *env, const struct cache_files *files)
{
	bool found = false;
	int r;

	r = begin_reading(env);
	if (r < 0)
		return r;
	r = lmdb_error(mdb_dbi_open(env->reading, NULL, 0, &env->table));
	if (r < 0)
		return r;
	r = header_read(env->reading, env->table, &env->header);
	if (r < 0)
		return r;
	if (strcmp(env->header.domain, files->domain) != 0)
		return -E_CACHE_DAMAGED;
	env->header.domain = NULL; /* the map it points into may go */

	if (mdb_reader_list(env->mdb, slot_seen, &found) < 0 || !found)
		return -E_CACHE_NO_SLOT;
	mdb_txn_reset(env->reading);
	return 0;
}

static int identify(struct env *env, const struct cache_files *files)
{
	int fd, r;

	r = file_id(files->lock, &env->lock);
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_get_fd(env->mdb, &fd));
	return r < 0 ? r : file_id_open(fd, &env->data);
}

int env_open(struct env *ret_env, const struct cache_files *files, unsigned flags)
{
	struct env env = { 0 };
	int r;

	r = files_look(files);
	if (r < 0)
		return r;
	r = reserve_lock(files->lock);
	if (r < 0)
		return r;
	r = env_create(&env.mdb);
	if (r < 0)
		return r;

	r = lmdb_error(mdb_env_open(env.mdb, files->data, ENV_FLAGS | flags, 0600));
	if (r == 0)
		r = identify(&env, files);
	if (r == 0)
		r = read_header(&env, files);
	if (r == 0)
		touched_open(&env.touched, files);
	if (r == 0)
		r = env_still_there(&env, files);
	if (r < 0) {
		env_close(&env);
		return r;
	}

	*ret_env = env;
	return 0;
}

void env_close(struct env *env)
{
	if (env->reading)
		mdb_txn_abort(env->reading);
	if (env->mdb)
		mdb_env_close(env->mdb);
	touched_close(&env->touched);
	*env = (struct env){ 0 };
}

int env_still_there(const struct env *env, const struct cache_files *files)
{
	struct file_id data, lock;

	/* The lock file too: with another one, reader and writer would not see each other. */
	if (file_id(files->data, &data) < 0 || file_id(files->lock, &lock) < 0 ||
	    !file_id_equal(&data, &env->data) || !file_id_equal(&lock, &env->lock) ||
	    !touched_still_there(&env->touched, files))
		return -E_CACHE_REPLACED;
	return 0;
}

/* ---- make ---- */

static int remove_file(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int write_first(MDB_env *mdb, const struct header *header)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	MDB_dbi table;
	int r;

	r = env_begin(mdb, 0, &txn, &table);
	if (r < 0)
		return r;
	r = header_write(txn, table, header);
	if (r < 0)
		return r;
	return lmdb_error(mdb_txn_commit(take_ptr(txn))); /* with both syncs, once */
}

static int make_aside(const struct cache_files *files, const struct header *header)
{
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	int r;

	r = reserve_lock(files->made_lock);
	if (r < 0)
		return r;
	r = env_create(&mdb);
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_open(mdb, files->made, ENV_FLAGS, 0600));
	if (r < 0)
		return r;
	return write_first(mdb, header);
}

int env_make(const struct cache_files *files, enum cache_case names)
{
	struct header header = { .names = names, .made = walltime_now(), .domain = files->domain };
	int r;

	do {
		if (getrandom(&header.environment_id, sizeof(header.environment_id), 0) < 0)
			return -errno;
	} while (header.environment_id == 0); /* what a caller has that knows of none */

	r = remove_file(files->made);
	if (r == 0)
		r = remove_file(files->made_lock);
	if (r == 0)
		r = make_aside(files, &header);
	if (r == 0)
		r = remove_file(files->made_lock);
	if (r < 0)
		return r;

	/* Aside and renamed: a reader finds no file or a whole one. A lock file that is left over
	 * may be in use by readers of a file that is gone; the new one begins with its own. */
	r = remove_file(files->lock);
	if (r == 0)
		r = remove_file(files->suspect);
	if (r < 0)
		return r;
	if (rename(files->made, files->data) < 0)
		return -errno;
	return fd_sync_dir(files->dir);
}
