/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Environment - the file of the store
 *
 * One process and one thread use it, so LMDB needs no lock file (MDB_NOLOCK); the lock on the state
 * file keeps others out. MDB_NOSYNC: the kernel has each commit at once, the disk when the syncer
 * has run. A file that was not closed in order before another boot may therefore hold pages of
 * several moments, and is walked in a child, which may die of it.
 *
 * Of a file that could not be synced the kernel may keep, and show us until the next boot, what
 * never came to the disk, and syncs nothing of it any more (fsync(2)). It is marked, by
 * kcm.mdb-unsynced, and once it has been walked, all of it is written anew.
 *
 * With a vault, a file that was written without one is written anew, and one that was set aside
 * without one removed; with another one, or none, a file that was written with one is of no use,
 * and set aside.
 */
#include "responders/kcm/env.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/cache/record.h"
#include "common/wire/writer.h"

#define FORMAT        3
#define ENV_FLAGS     (MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK | MDB_NOSYNC)
#define CHECK_LIMIT_S 20          /* and a second for each */
#define CHECK_RATE    (32u << 20) /* bytes */
#define LOCKED_MAX    8
#define SHRINK_FROM   (16u << 20) /* bytes of the file */
#define SHRINK_USED   (64u << 20) /* at most: who starts us waits for the copy */

DEFINE_CLEANUP(MDB_env *, mdb_env_close)
DEFINE_CLEANUP(MDB_txn *, mdb_txn_abort)

/* ---- sums ---- */

uint64_t kcm_sum(MDB_val key, const void *bytes, size_t size)
{
	return checksum(checksum(0, key.mv_data, key.mv_size), bytes, size);
}

int kcm_unseal(MDB_val key, MDB_val value, struct reader *ret_in)
{
	struct reader in = reader_over(value.mv_data, value.mv_size);
	uint64_t sum = reader_u64(&in);

	if (in.err < 0 || sum != kcm_sum(key, in.pos, reader_left(&in)))
		return -E_CACHE_DAMAGED;
	*ret_in = in;
	return 0;
}

/* ---- the syncer ---- */

struct syncer {
	struct kcm_env *env; /* borrowed */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int fd; /* of the data, its own */
	bool dirty, stop;
};

static int make_mark(const char *path)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

/* That the next sync succeeds means nothing. */
static void sync_failed(struct kcm_env *env, int r)
{
	env->unsynced = true;
	log_error("credential caches cannot be written to the disk: %s", error_text(r));
	make_mark(env->unsynced_mark);
}

static void sync_data(struct kcm_env *env, int fd)
{
	if (fdatasync(fd) < 0)
		sync_failed(env, -errno);
}

/* Under the lock: waits until SYNC_MS have passed or it is time to stop. */
static void rest(struct syncer *syncer)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SYNC_MS / 1000;
	while (!syncer->stop &&
	       pthread_cond_timedwait(&syncer->wake, &syncer->lock, &until) != ETIMEDOUT)
		;
}

static void *sync_thread(void *data)
{
	struct syncer *syncer = data;

	pthread_mutex_lock(&syncer->lock);
	while (!syncer->stop || syncer->dirty) {
		if (!syncer->dirty) {
			pthread_cond_wait(&syncer->wake, &syncer->lock);
			continue;
		}
		rest(syncer);
		syncer->dirty = false;
		pthread_mutex_unlock(&syncer->lock);
		sync_data(syncer->env, syncer->fd);
		pthread_mutex_lock(&syncer->lock);
	}
	pthread_mutex_unlock(&syncer->lock);
	return NULL;
}

static int syncer_gone(struct syncer *syncer)
{
	pthread_mutex_lock(&syncer->lock);
	syncer->stop = true;
	pthread_cond_signal(&syncer->wake);
	pthread_mutex_unlock(&syncer->lock);
	pthread_join(syncer->thread, NULL);

	pthread_cond_destroy(&syncer->wake);
	pthread_mutex_destroy(&syncer->lock);
	close(syncer->fd);
	return 0;
}

static struct syncer *syncer_new(struct kcm_env *env)
{
	struct syncer *syncer = talloc_zero(env, struct syncer);
	pthread_condattr_t monotonic;
	int fd;

	if (!syncer)
		return NULL;
	syncer->env = env;
	mdb_env_get_fd(env->mdb, &fd);
	syncer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	pthread_mutex_init(&syncer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&syncer->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (syncer->fd < 0 || pthread_create(&syncer->thread, NULL, sync_thread, syncer) != 0) {
		if (syncer->fd >= 0)
			close(syncer->fd);
		talloc_free(syncer);
		return NULL;
	}
	talloc_set_destructor(syncer, syncer_gone);
	return syncer;
}

/* The thread is begun with the first commit: most of our lives only read. */
void kcm_env_sync_soon(struct kcm_env *env)
{
	int fd;

	if (!env->syncer)
		env->syncer = syncer_new(env);
	if (!env->syncer) {
		mdb_env_get_fd(env->mdb, &fd);
		sync_data(env, fd);
		return;
	}
	pthread_mutex_lock(&env->syncer->lock);
	if (!env->syncer->dirty)
		pthread_cond_signal(&env->syncer->wake);
	env->syncer->dirty = true;
	pthread_mutex_unlock(&env->syncer->lock);
}

/* ---- open ---- */

/* The clean mark comes last: all that it vouches for is on the disk. That may be what another
 * process committed, which was killed before it could sync, while this one has only read. */
static void close_clean(struct kcm_env *env)
{
	bool ours = kcm_env_still_there(env) == 0;
	int r = ours ? lmdb_error(mdb_env_sync(env->mdb, 1)) : 0;

	if (r < 0)
		sync_failed(env, r);
	mdb_env_close(env->mdb);
	if (ours && !env->unsynced && files_lengthen(env->files) == 0)
		state_write(env->state_fd, &env->data, true);
}

static int env_gone(struct kcm_env *env)
{
	TALLOC_FREE(env->syncer); /* from here on nobody else syncs */
	if (env->mdb)
		close_clean(env);
	close_fd(&env->state_fd);
	return 0;
}

/* mdb_env_open() with what all our openings have. */
static int open_file(const struct cache_files *files, unsigned flags, MDB_env **ret_mdb)
{
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	int r;

	r = lmdb_error(mdb_env_create(&mdb));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_set_mapsize(mdb, KCM_MAP_SIZE));
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_open(mdb, files->data, ENV_FLAGS | flags, 0600));
	if (r < 0)
		return r;

	*ret_mdb = take_ptr(mdb);
	return 0;
}

/* ---- the header ---- */

static MDB_val header_key(void)
{
	static uint8_t zero;

	return (MDB_val){ .mv_size = 1, .mv_data = &zero };
}

struct kcm_header {
	uint32_t format;
	uint64_t seed[2];
	uint64_t vault; /* 0 = none */
};

/* Of other formats only as far as it is known. */
static int read_header(MDB_txn *txn, MDB_dbi table, struct kcm_header *ret_header)
{
	MDB_val key = header_key(), value;
	struct kcm_header header;
	struct reader in;
	int r;

	r = lmdb_error(mdb_get(txn, table, &key, &value));
	if (r == 0)
		r = kcm_unseal(key, value, &in);
	if (r < 0)
		return r == -ENOENT ? -E_CACHE_DAMAGED : r;
	header.format = reader_be32(&in);
	if (in.err < 0)
		return -E_CACHE_DAMAGED;
	header.seed[0] = reader_be64(&in);
	header.seed[1] = reader_be64(&in);
	header.vault = reader_be64(&in);
	if (header.format == FORMAT && reader_end(&in) < 0)
		return -E_CACHE_DAMAGED;
	if (in.err < 0)
		header.vault = 0;
	*ret_header = header;
	return 0;
}

/* The vault is that of the file: the one that is given, or none. Errors: -ENOKEY it is another. */
static int take_header(MDB_txn *txn, MDB_dbi table, struct vault *vault, struct kcm_env *env)
{
	struct kcm_header header;
	int r = read_header(txn, table, &header);

	if (r < 0)
		return r;
	if (header.format != FORMAT)
		return -E_CACHE_VERSION;
	if (header.vault != 0 && header.vault != vault_id(vault))
		return -ENOKEY;
	memcpy(env->seed, header.seed, sizeof(env->seed));
	env->vault = header.vault ? vault : NULL;
	return 0;
}

/* out begins with room for the sum. */
static int put(MDB_txn *txn, MDB_dbi table, MDB_val key, struct writer *out)
{
	MDB_val value;
	uint64_t sum;
	int r;

	r = writer_end(out);
	if (r < 0)
		return r;
	sum = kcm_sum(key, out->bytes + sizeof(sum), out->size - sizeof(sum));
	memcpy(out->bytes, &sum, sizeof(sum));
	value = (MDB_val){ .mv_size = out->size, .mv_data = out->bytes };
	return lmdb_error(mdb_put(txn, table, &key, &value, 0));
}

static int write_header(MDB_txn *txn, MDB_dbi table, const uint64_t seed[2], struct vault *vault)
{
	struct writer out = writer_new(64);
	int r;

	writer_u64(&out, 0);
	writer_be32(&out, FORMAT);
	writer_be64(&out, seed[0]);
	writer_be64(&out, seed[1]);
	writer_be64(&out, vault_id(vault));
	r = put(txn, table, header_key(), &out);
	writer_free(&out);
	return r;
}

/* ---- make ---- */

/* What a file that is made begins with. */
struct source {
	struct vault *vault;
	kcm_reseal *reseal;        /* unless old has this vault, too */
	const struct kcm_env *old; /* what it takes over; NULL: nothing */
};

static int copy_one(const struct source *source, MDB_txn *txn, MDB_dbi table, MDB_val key,
                    MDB_val value, struct writer *out)
{
	struct reader in;
	int r;

	r = kcm_unseal(key, value, &in);
	if (r < 0)
		return r;
	if (source->old->vault == source->vault)
		return lmdb_error(mdb_put(txn, table, &key, &value, 0));
	writer_reset(out);
	writer_u64(out, 0);
	r = source->reseal(source->vault, key, in, out);
	return r < 0 ? r : put(txn, table, key, out);
}

static int copy_all(const struct source *source, MDB_txn *txn, MDB_dbi table)
{
	cleanup_with(mdb_txn_abort) MDB_txn *reading = NULL;
	struct writer out = writer_new_secretive(SIZE_MAX / 4);
	MDB_val key, value, header = header_key();
	MDB_cursor *cursor = NULL;
	int r;

	r = lmdb_error(mdb_txn_begin(source->old->mdb, NULL, MDB_RDONLY, &reading));
	if (r == 0)
		r = lmdb_error(mdb_cursor_open(reading, source->old->table, &cursor));
	if (r == 0)
		r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_FIRST));
	while (r == 0) {
		if (key.mv_size != header.mv_size ||
		    memcmp(key.mv_data, header.mv_data, key.mv_size) != 0)
			r = copy_one(source, txn, table, key, value, &out);
		if (r == 0)
			r = lmdb_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
	}
	if (cursor)
		mdb_cursor_close(cursor);
	writer_free(&out);
	return r == -ENOENT ? 0 : r;
}

static int write_first(MDB_env *mdb, const struct source *source)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	uint64_t seed[2];
	MDB_dbi table;
	int r;

	if (source->old)
		memcpy(seed, source->old->seed, sizeof(seed));
	else if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	r = env_begin(mdb, 0, &txn, &table);
	if (r < 0)
		return r;
	r = write_header(txn, table, seed, source->vault);
	if (r == 0 && source->old)
		r = copy_all(source, txn, table);
	if (r < 0)
		return r;
	return lmdb_error(mdb_txn_commit(take_ptr(txn)));
}

/* Aside and renamed: at its path there is the file of before, or a whole one. */
static int make_file(const struct cache_files *files, const struct source *source)
{
	struct cache_files aside = { .data = files->made };
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	int r;

	if (unlink(files->made) < 0 && errno != ENOENT)
		return -errno;
	r = open_file(&aside, 0, &mdb);
	if (r < 0)
		return r;
	r = write_first(mdb, source);
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_sync(mdb, 1));
	if (r < 0)
		return r;
	if (rename(files->made, files->data) < 0)
		return -errno;
	return fd_sync_dir(files->dir); /* or what is encrypted now may be clear again */
}

/* ---- check ---- */

/* What is done with a file in a process of its own. */
typedef int look_at(const struct cache_files *files, struct vault *vault, env_sound *sound);

static int walk_file(const struct cache_files *files, struct vault *vault, env_sound *sound)
{
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	struct kcm_env env = { 0 };
	struct meta meta;
	MDB_dbi table;
	int r;

	r = files_meta(files, &meta);
	if (r < 0)
		return r;
	r = open_file(files, MDB_RDONLY, &mdb);
	if (r < 0)
		return r;
	r = env_begin(mdb, MDB_RDONLY, &txn, &table);
	if (r < 0)
		return r;
	r = take_header(txn, table, vault, &env);
	if (r < 0)
		return r;
	mdb_txn_abort(take_ptr(txn));
	return env_walk(mdb, sound, &env);
}

/* The status of a child: 0, an errno value, or these. */
enum {
	CHECK_DAMAGED = 201,
	CHECK_VERSION = 202,
};

static int exit_status(int r)
{
	if (r == -E_CACHE_DAMAGED)
		return CHECK_DAMAGED;
	if (r == -E_CACHE_VERSION)
		return CHECK_VERSION;
	return r > -CHECK_DAMAGED ? -r : EIO;
}

/* What the child's end says of the file. One that was too slow, or that the kernel took for its
 * memory, says nothing: everybody's tickets are not given up for that. */
static int check_result(int status)
{
	if (WIFSIGNALED(status)) {
		switch (WTERMSIG(status)) {
		case SIGSEGV:
		case SIGBUS:
		case SIGABRT:
			return -E_CACHE_DAMAGED;
		case SIGALRM:
			return -ETIMEDOUT;
		default:
			return -ECANCELED;
		}
	}
	switch (WEXITSTATUS(status)) {
	case CHECK_DAMAGED:
		return -E_CACHE_DAMAGED;
	case CHECK_VERSION:
		return -E_CACHE_VERSION;
	default:
		return -WEXITSTATUS(status);
	}
}

static unsigned check_limit_s(const struct cache_files *files)
{
	struct stat st;

	return CHECK_LIMIT_S +
	       (stat(files->data, &st) < 0 ? 0 : (unsigned)(st.st_size / CHECK_RATE));
}

/* In a child, because a damaged page may be the end of it; before there is anything to wait for. */
static int check_file(const struct cache_files *files, look_at *look, struct vault *vault,
                      env_sound *sound)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		alarm(check_limit_s(files));
		_exit(exit_status(look(files, vault, sound)));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return check_result(status);
}

/* The first of LOCKED_MAX paths at which there is nothing, or else the one whose file was written
 * before all others. */
static char *locked_path(TALLOC_CTX *mem, const struct cache_files *files)
{
	char *path = NULL, *chosen = NULL;
	struct stat st, oldest = { 0 };

	for (unsigned i = 1; i <= LOCKED_MAX; i++) {
		path = talloc_asprintf(mem, "%s.locked-%u", files->data, i);
		if (!path || stat(path, &st) < 0)
			return path;
		if (!chosen || st.st_mtim.tv_sec < oldest.st_mtim.tv_sec ||
		    (st.st_mtim.tv_sec == oldest.st_mtim.tv_sec &&
		     st.st_mtim.tv_nsec < oldest.st_mtim.tv_nsec)) {
			chosen = path;
			oldest = st;
		}
	}
	return chosen;
}

/* Nobody can read it without the key it was written with, and that may come back. */
static int set_aside_locked(const struct cache_files *files)
{
	auto_talloc void *mem = talloc_new(NULL);
	char *path = mem ? locked_path(mem, files) : NULL;
	struct cache_files locked = *files;

	if (!path)
		return -ENOMEM;
	locked.damaged = path;
	log_error("credential caches: %s was encrypted with another " VAULT_KEY
	          " than there is now; it is kept as %s, and a new one begun",
	          files->data, path);
	return files_set_aside(&locked);
}

/* Errors: -ENOKEY it was written without one. */
static int look_for_key(const struct cache_files *files, struct vault *vault, env_sound *sound)
{
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	struct kcm_header header;
	struct meta meta;
	MDB_dbi table;
	int r;

	(void)vault;
	(void)sound;
	r = files_meta(files, &meta); /* of an empty file LMDB would make one */
	if (r == 0)
		r = open_file(files, MDB_RDONLY, &mdb);
	if (r == 0)
		r = env_begin(mdb, MDB_RDONLY, &txn, &table);
	if (r == 0)
		r = read_header(txn, table, &header);
	if (r == 0 && header.vault == 0)
		r = -ENOKEY;
	return r;
}

static bool is_useless(int r)
{
	return r == -E_CACHE_DAMAGED || r == -E_CACHE_VERSION || r == -ENOKEY;
}

/* A file that was set aside before there was a key, or of which that cannot be told, is not left
 * beside an encrypted one: its tickets are what the key is to protect, and nobody can use them. */
static void remove_clear(const struct cache_files *files)
{
	struct cache_files aside = { .data = files->damaged };
	int r;

	if (access(files->damaged, F_OK) < 0)
		return;
	r = check_file(&aside, look_for_key, NULL, NULL);
	if (r == 0)
		return;
	if (is_useless(r))
		r = unlink(files->damaged) < 0 ? -errno : 0;
	if (r < 0)
		log_error("%s may hold tickets that are not encrypted, and is not removed: %s",
		          files->damaged, error_text(r));
	else
		log_notice("%s might have held tickets that are not encrypted, and is removed",
		           files->damaged);
}

static int set_aside(const struct cache_files *files, int why)
{
	if (why == -ENOKEY)
		return set_aside_locked(files);
	log_error("credential caches: %s: %s; it is kept as %s, and a new one begun", files->data,
	          error_text(why), files->damaged);
	return files_set_aside(files);
}

/* Leaves a sound file at the path, or none. */
static int inspect(const struct kcm_env *env, struct vault *vault, env_sound *sound)
{
	const struct cache_files *files = env->files;
	int r;

	if (access(files->data, F_OK) < 0 ||
	    (!files_need_check(files) && access(env->unsynced_mark, F_OK) < 0))
		return 0;
	r = check_file(files, walk_file, vault, sound);
	if (is_useless(r))
		return set_aside(files, r);
	if (r < 0) {
		log_error("%s was not closed in order, and cannot be checked: %s; it stays as it "
		          "is, and is checked again before it is used",
		          files->data, error_text(r));
		return r;
	}
	log_notice("credential caches were not closed in order, and are whole");
	r = files_lengthen(files);
	if (r < 0)
		return r;
	return unlink(files->suspect) < 0 && errno != ENOENT ? -errno : 0;
}

static int open_data(struct kcm_env *env, struct vault *vault)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	int fd, r;

	r = open_file(env->files, 0, &env->mdb);
	if (r < 0)
		return r;
	r = env_begin(env->mdb, MDB_RDONLY, &txn, &env->table);
	if (r < 0)
		return r;
	r = take_header(txn, env->table, vault, env);
	if (r < 0)
		return r;
	r = lmdb_error(mdb_txn_commit(take_ptr(txn))); /* keeps the table open */
	if (r < 0)
		return r;
	r = lmdb_error(mdb_env_get_fd(env->mdb, &fd));
	return r < 0 ? r : file_id_open(fd, &env->data);
}

static void close_data(struct kcm_env *env)
{
	if (env->mdb)
		mdb_env_close(env->mdb);
	env->mdb = NULL;
}

static int reopen_data(struct kcm_env *env, struct vault *vault)
{
	close_data(env);
	return open_data(env, vault);
}

/* Into a file of its own: where the old one stood, nothing of it is left but free blocks. */
static int encrypt_all(struct kcm_env *env, const struct source *source)
{
	struct source from = *source;
	int r;

	from.old = env;
	r = make_file(env->files, &from);
	if (r < 0)
		return r;
	log_notice("credential caches are encrypted from now on");
	return reopen_data(env, source->vault);
}

/* Into a file of its own, which is synced. While there is no place for it, or the disk is not well,
 * the old one is of more use than none, and the mark stays. */
static int copy_unsynced(struct kcm_env *env)
{
	struct source from = { .vault = env->vault, .old = env };
	int r = make_file(env->files, &from);

	if (is_useless(r))
		return r;
	if (r < 0) {
		log_error("credential caches could not be written to the disk, and cannot be "
		          "written anew: %s",
		          error_text(r));
		env->unsynced = true;
		unlink(env->files->made);
		return 0;
	}
	log_notice("credential caches could not be written to the disk, and are written anew");
	return reopen_data(env, env->vault);
}

/* LMDB gives nothing back to the disk: is little in use of a file that is large? */
static int is_mostly_free(struct kcm_env *env, bool *ret_free)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	MDB_stat stat;
	MDB_envinfo info;
	size_t used, all;
	int r;

	r = lmdb_error(mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn));
	if (r == 0)
		r = lmdb_error(mdb_stat(txn, env->table, &stat));
	if (r == 0)
		r = lmdb_error(mdb_env_info(env->mdb, &info));
	if (r < 0)
		return r;
	used = (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
	all = (info.me_last_pgno + 1) * stat.ms_psize;
	*ret_free = all >= SHRINK_FROM && used <= SHRINK_USED && used < all / 4;
	return 0;
}

/* Into a file of its own, as long as what is in use. Without a place for it all stays as it is. */
static int shrink(struct kcm_env *env)
{
	struct source from = { .vault = env->vault, .old = env };
	bool mostly_free;
	int r = is_mostly_free(env, &mostly_free);

	if (r < 0 || !mostly_free)
		return r;
	r = make_file(env->files, &from);
	if (r == 0)
		return reopen_data(env, env->vault);
	if (is_useless(r))
		return r;
	log_notice("credential caches: %s could not be made smaller: %s", env->files->data,
	           error_text(r));
	unlink(env->files->made);
	return 0;
}

static int open_or_make(struct kcm_env *env, const struct source *source)
{
	bool unsynced = access(env->unsynced_mark, F_OK) == 0;
	int r;

	if (access(env->files->data, F_OK) < 0) {
		unsynced = false;
		r = make_file(env->files, source);
		if (r < 0)
			return r;
	}
	crash_begin(env->files);
	r = open_data(env, source->vault);
	if (r == 0 && env->vault != source->vault)
		r = encrypt_all(env, source);
	else if (r == 0 && unsynced)
		r = copy_unsynced(env);
	else if (r == 0)
		r = shrink(env);
	crash_end();
	if (r == 0 && !env->unsynced)
		unlink(env->unsynced_mark); /* what is there now was synced when it was made */
	return r;
}

int kcm_env_open(TALLOC_CTX *mem, const char *dir, struct vault *vault, env_sound *sound,
                 kcm_reseal *reseal, struct kcm_env **ret_env)
{
	struct source source = { .vault = vault, .reseal = reseal };
	auto_talloc struct kcm_env *env = talloc_zero(mem, struct kcm_env);
	int r;

	if (!env)
		return -ENOMEM;
	env->state_fd = -1;
	talloc_set_destructor(env, env_gone);

	r = files_named(env, dir, "kcm", &env->files);
	if (r < 0)
		return r;
	env->unsynced_mark = talloc_asprintf(env, "%s-unsynced", env->files->data);
	if (!env->unsynced_mark)
		return -ENOMEM;
	r = files_on_network(env->files);
	if (r < 0)
		return r;
	r = state_lock(env->files, &env->state_fd);
	if (r < 0)
		return r;
	r = inspect(env, vault, sound);
	if (r < 0)
		return r;
	r = open_or_make(env, &source);
	if (is_useless(r)) {
		close_data(env);
		r = set_aside(env->files, r);
		if (r == 0)
			r = open_or_make(env, &source);
	}
	if (r == 0)
		r = state_write(env->state_fd, &env->data, false);
	if (r < 0) {
		close_data(env);
		return r;
	}
	if (vault)
		remove_clear(env->files);

	*ret_env = take_ptr(env);
	return 0;
}

int kcm_env_still_there(const struct kcm_env *env)
{
	struct file_id data;

	if (file_id(env->files->data, &data) < 0 || !file_id_equal(&data, &env->data) ||
	    !state_lock_holds(env->files, env->state_fd))
		return -E_CACHE_REPLACED;
	return 0;
}

void kcm_env_suspect(const struct kcm_env *env)
{
	int r = make_mark(env->files->suspect);

	log_error("%s is damaged%s", env->files->data, r < 0 ? ", and cannot be marked" : "");
}
