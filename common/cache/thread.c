/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writer thread - takes what waits, commits it in one transaction, tells the loop
 *
 *   keep_files ─▶ begin ─▶ carry out what waits ─▶ commit ─▶ files still there? ─▶ done
 *        ▲                        │ one cannot be carried out          │ no
 *        └────── again, without ◀─┘          again, in a new file ◀────┘
 *
 * A change for which there is no room in a full cache is held until what expired was taken out, in
 * slices, and is the first of the next group; when that does not help it is refused.
 *
 * It knows nothing of talloc, but for folding a principal beyond ASCII, below NULL: what it touches
 * is in malloc(3)ed jobs, or its own. It sleeps on a condition and has no timer.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/cache/writer.h"
#include "common/metrics/metrics.h"

#define GROUP_RECORDS   1000
#define GROUP_MS        10
#define TRIES           3
#define READER_CHECK_US (60 * INT64_C(1000000))

/* To make room. */
#define VAIN_SLICES   10 /* that found nobody to take out, for one change */
#define ROOM_PART     64 /* so small a part of the cache is made free in one slice, at most */
#define NO_ROOM_US    (60 * INT64_C(1000000))
#define KEEP_NEEDED_S (30 * 86400) /* what a login needs */

/* The file is kept that much longer than its pages, sparse: see lengthen(). */
#define AHEAD ((uint64_t)8 << 20)

DEFINE_CLEANUP(MDB_txn *, mdb_txn_abort)

/* ---- the file ---- */

/* Pages that a transaction takes and gives back are never written, so LMDB may leave the file
 * shorter than its meta page says. files_look() must be able to tell that from a file that was
 * cut, so it is kept longer than any group is large; the tail takes no room on the disk. */
static int lengthen(struct cache_writer *writer)
{
	MDB_env *mdb = writer->reader->env.mdb;
	uint64_t size;
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int fd;

	mdb_env_info(mdb, &info);
	mdb_env_stat(mdb, &stat);
	mdb_env_get_fd(mdb, &fd);
	size = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	if (size + AHEAD / 2 <= writer->file_size)
		return 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	writer->file_size = (uint64_t)st.st_size;
	if (size + AHEAD / 2 <= writer->file_size)
		return 0;
	if (ftruncate(fd, (off_t)(size + AHEAD)) < 0)
		return lmdb_error(errno);
	writer->file_size = size + AHEAD;
	return 0;
}

static int have_touched(struct env *env, const struct cache_files *files)
{
	uint32_t last = 0;
	int r;

	if (env->touched.words)
		return 0;
	for (unsigned i = 0; i < EPOCHS; i++)
		if (last < env->header.epochs[i])
			last = env->header.epochs[i];
	r = touched_make(files, last);
	if (r == 0)
		touched_open(&env->touched, files);
	return r;
}

int writer_claim(struct cache_writer *writer, const struct file_id *ours, struct env *ret_env)
{
	struct cache_files *files = writer->files;
	struct file_id there;
	struct env env;
	int r;

	if (writer->state_fd < 0 || !state_lock_holds(files, writer->state_fd)) {
		if (writer->state_fd >= 0)
			close(writer->state_fd);
		writer->state_fd = -1;
		r = state_lock(files, &writer->state_fd);
		if (r < 0)
			return r;
	}

	r = file_id(files->data, &there);
	if (r == 0 && ours && !file_id_equal(&there, ours)) {
		r = files_set_aside(files);
		if (r < 0)
			return r;
		r = -ENOENT;
	}
	if (r == -ENOENT)
		r = env_make(files, writer->names);
	if (r < 0)
		return r;

	r = env_open(&env, files, MDB_NOMETASYNC);
	if (r < 0)
		return r;
	r = have_touched(&env, files);
	if (r == 0)
		r = state_write(writer->state_fd, &env.data, false);
	if (r < 0) {
		env_close(&env);
		return r;
	}

	*ret_env = env;
	return 0;
}

static void exchange(struct cache_writer *writer, struct env env)
{
	struct env old;

	pthread_mutex_lock(&writer->swap);
	old = writer->reader->env;
	writer->reader->env = env;
	pthread_mutex_unlock(&writer->swap);

	env_close(&old);
	writer->file_size = 0;
}

static void count_entries(struct cache_writer *writer)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	struct env *env = &writer->reader->env;
	int64_t count;

	if (mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn) != 0 ||
	    sweep_count(txn, env->table, &count) < 0)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stats.entries = (uint64_t)count;
	pthread_mutex_unlock(&writer->lock);
}

/* Before each group: the files at the paths are ours, or else become it. */
static int keep_files(struct cache_writer *writer)
{
	struct env *env = &writer->reader->env, fresh;
	struct file_id ours = env->data;
	int r;

	if (env->mdb && env_still_there(env, writer->files) == 0 &&
	    state_lock_holds(writer->files, writer->state_fd))
		return lengthen(writer);

	/* The old one is closed first: were it the same lock file, closing it later would drop the
	 * locks of the new one (lmdb.h, "Caveats"). Meanwhile the loop reads nothing. */
	exchange(writer, (struct env){ .data = ours });
	r = writer_claim(writer, &ours, &fresh);
	if (r < 0)
		return r;
	exchange(writer, fresh);
	count_entries(writer);
	return lengthen(writer);
}

/* ---- groups ---- */

static void check_readers(struct cache_writer *writer)
{
	int64_t now_us = monotonic_us();
	int dead;

	/* A dead reader's transaction keeps pages from being used again, which only matters, and is
	 * only looked for, when something is written. */
	if (writer->readers_checked_us && now_us - writer->readers_checked_us < READER_CHECK_US)
		return;
	writer->readers_checked_us = now_us;
	mdb_reader_check(writer->reader->env.mdb, &dead);
}

static bool room_may_be_made(const struct cache_writer *writer)
{
	return !writer->no_room_us || monotonic_us() - writer->no_room_us >= NO_ROOM_US;
}

/* -EAGAIN: this job can never be carried out, the others can, in a new transaction. */
static int carry_out(struct cache_writer *writer, struct store *store, struct job *job)
{
	int r;

	if (job->r < 0)
		return 0;

	r = store_admits(store, &job->steps, writer->max_size);
	if (r == -E_CACHE_QUOTA && !job->next && !job->had_room && room_may_be_made(writer)) {
		writer->crowded = true;
		return 0;
	}
	job->r = r;
	if (job->r < 0)
		return 0;
	notes_begin(&job->notes);
	store->notes = &job->notes;
	store->answer = job->answer;
	r = store_steps(store, &job->steps);
	store->notes = NULL;
	if (r == -E_CACHE_DAMAGED) {
		job->r = r;
		return -EAGAIN;
	}
	return r;
}

/* The next change that waits; sweeps are put aside. */
static struct job *next_change(struct cache_writer *writer)
{
	struct job *job;

	pthread_mutex_lock(&writer->lock);
	while ((job = queue_take(&writer->inbox)) && job->is_sweep)
		queue_append(&writer->sweeps, job);
	pthread_mutex_unlock(&writer->lock);
	return job;
}

/* What group has already, after a first attempt, then what waits. */
static int fill(struct cache_writer *writer, struct store *store, struct queue *group)
{
	struct deadline deadline = deadline_in_ms(GROUP_MS);
	uint32_t n_records = 0;
	struct job *job;
	int r = 0;

	writer->crowded = false;
	for (job = group->first; job && r == 0; job = job->next) {
		r = carry_out(writer, store, job);
		n_records += job->n_records;
	}
	while (r == 0 && n_records < GROUP_RECORDS && !writer->crowded &&
	       (!group->first || !deadline_passed(deadline)) && (job = next_change(writer))) {
		queue_append(group, job);
		r = carry_out(writer, store, job);
		n_records += job->n_records;
	}
	return r;
}

static int begin(struct cache_writer *writer, MDB_txn **ret_txn, struct store *ret_store)
{
	struct env *env = &writer->reader->env;
	int r;

	r = keep_files(writer);
	if (r < 0)
		return r;
	check_readers(writer);
	r = lmdb_error(mdb_txn_begin(env->mdb, NULL, 0, ret_txn));
	if (r < 0)
		return r;
	return store_begin(ret_store, *ret_txn, env->table, writer->files->domain,
	                   &writer->buffers);
}

/* LMDB says EIO of a write that was cut short, which is what a disk does that is becoming full.
 * Whoever asks for one more block hears the right word; the end of the file has none yet. */
static int ask_disk(struct cache_writer *writer)
{
	int fd;

	mdb_env_get_fd(writer->reader->env.mdb, &fd);
	if (pwrite(fd, "", 1, (off_t)writer->file_size - 1) != 1)
		return lmdb_error(errno);
	return -EIO;
}

/* Commits txn. -E_CACHE_REPLACED: into a file that was no longer at its path. */
static int end(struct cache_writer *writer, MDB_txn *txn, const struct store *store)
{
	uint64_t used = store_used(store);
	int r;

	r = lmdb_error(mdb_txn_commit(txn));
	if (r < 0)
		return r == -EIO ? ask_disk(writer) : r;
	lengthen(writer); /* what is committed is committed; the next group has its error */
	if (env_still_there(&writer->reader->env, writer->files) < 0)
		return -E_CACHE_REPLACED;

	pthread_mutex_lock(&writer->lock);
	writer->stats.groups++;
	writer->stats.records += store->n_puts;
	writer->stats.unchanged += store->n_unchanged;
	writer->stats.entries += (uint64_t)store->n_entries;
	writer->stats.bytes_used = used;
	pthread_mutex_unlock(&writer->lock);
	metrics_count(METRICS_COMMITS);
	metrics_add(METRICS_RECORDS, store->n_puts);
	return 0;
}

static int attempt(struct cache_writer *writer, struct queue *group)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	struct store store;
	int r;

	r = begin(writer, &txn, &store);
	if (r < 0)
		return r;
	r = fill(writer, &store, group);
	if (r < 0)
		return r;
	return end(writer, take_ptr(txn), &store);
}

/* What LMDB calls a panic is for the life of the handle. */
static void open_anew(struct cache_writer *writer)
{
	exchange(writer, (struct env){ .data = writer->reader->env.data });
	keep_files(writer);
}

static void tell(struct cache_writer *writer, struct queue *finished)
{
	uint64_t one = 1;
	ssize_t n;

	if (!finished->first)
		return;
	pthread_mutex_lock(&writer->lock);
	queue_move(&writer->done, finished);
	pthread_mutex_unlock(&writer->lock);
	n = write(writer->done_fd, &one, sizeof(one)); /* cannot fail: it counts to 2^64 */
	(void)n;
}

static int sweep_once(struct cache_writer *writer, struct sweep *sweep, bool *ret_done)
{
	cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL;
	struct entry_now now = entry_now();
	struct store store;
	int r;

	r = begin(writer, &txn, &store);
	if (r < 0)
		return r;
	r = sweep_slice(&store, sweep, &now, deadline_in_ms(GROUP_MS), ret_done);
	if (r < 0)
		return r;
	return end(writer, take_ptr(txn), &store);
}

/* Takes out what expired, from where it ended the last time. Who is gone may be one of those that
 * an enumeration stored, so that they are no longer all there. */
static void make_room(struct cache_writer *writer)
{
	struct sweep *room = &writer->room;
	uint64_t removed = room->removed, before;
	bool done = false;
	int r = 0;

	writer->no_room_us = 0;
	room->keep_s = 0;
	room->keep_needed_s = KEEP_NEEDED_S;
	room->until_used = writer->max_size - writer->max_size / ROOM_PART - 1;
	for (unsigned vain = 0; vain < VAIN_SLICES && r == 0 && !done;) {
		before = room->removed;
		r = sweep_once(writer, room, &done);
		if (writer->stats.bytes_used < writer->max_size)
			break;
		vain = room->removed > before ? 0 : vain + 1;
	}
	if (room->removed > removed)
		unlink(writer->files->listed);
	if (r == 0 && !done)
		return;

	/* To look at all of them again would hardly help, for a while. */
	if (room->looked_at / 16 > room->removed)
		writer->no_room_us = monotonic_us();
	*room = (struct sweep){ 0 };
}

/* Takes the last one out. */
static struct job *take_last(struct queue *queue)
{
	struct job **last = &queue->first, *job;

	while ((*last)->next)
		last = &(*last)->next;
	job = *last;
	*last = NULL;
	queue->end = last;
	return job;
}

static void write_group(struct cache_writer *writer)
{
	struct queue group;
	uint64_t n_commits = 0;
	unsigned tries = 0;
	int r;

	queue_init(&group);
	if (writer->held)
		queue_append(&group, take_ptr(writer->held));
	do {
		r = attempt(writer, &group);
		if (r == -EIO)
			open_anew(writer);
	} while (r == -EAGAIN || ((r == -E_CACHE_REPLACED || r == -EIO) && ++tries < TRIES));

	/* When it failed before anything was taken, the first in the queue has its answer. */
	if (r < 0 && !group.first) {
		struct job *job = next_change(writer);

		if (job)
			queue_append(&group, job);
	}
	if (r == 0 && writer->crowded)
		writer->held = take_last(&group);
	for (struct job *job = group.first; job; job = job->next) {
		if (job->r == 0)
			job->r = r;
		n_commits += job->r == 0;
	}
	pthread_mutex_lock(&writer->lock);
	writer->stats.commits += n_commits;
	pthread_mutex_unlock(&writer->lock);
	metrics_add(METRICS_CHANGES, n_commits);
	tell(writer, &group);
	if (writer->held) {
		writer->held->had_room = true;
		make_room(writer);
	}
}

/* ---- sweeps ---- */

static void write_sweep(struct cache_writer *writer)
{
	struct job *job = writer->sweeps.first;
	struct queue finished;
	bool done = false;

	job->r = sweep_once(writer, &job->sweep, &done);
	if (job->r == 0 && !done)
		return;

	queue_init(&finished);
	queue_append(&finished, queue_take(&writer->sweeps));
	tell(writer, &finished);
}

/* ---- the thread ---- */

static void cancel_sweeps(struct cache_writer *writer)
{
	for (struct job *job = writer->sweeps.first; job; job = job->next)
		job->r = -ECANCELED;
	tell(writer, &writer->sweeps);
}

void *writer_thread(void *data)
{
	struct cache_writer *writer = data;
	bool work, stop;

	crash_begin(writer->files); /* the thread does nothing else */
	count_entries(writer);
	do {
		pthread_mutex_lock(&writer->lock);
		while (!writer->inbox.first && !writer->held && !writer->sweeps.first &&
		       !writer->stop)
			pthread_cond_wait(&writer->wake, &writer->lock);
		work = writer->inbox.first || writer->held;
		stop = writer->stop;
		pthread_mutex_unlock(&writer->lock);

		if (work)
			write_group(writer);
		else if (!stop)
			write_sweep(writer);
	} while (work || !stop);

	cancel_sweeps(writer);
	crash_end();
	return NULL;
}
