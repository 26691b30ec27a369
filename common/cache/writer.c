/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writer - one thread that commits what the loop hands over, in groups
 *
 *   loop    cache_commit_send ─▶ outbox ─ end of this turn ─▶ inbox
 *   thread                                inbox ─▶ one transaction for all that waits ─▶ done
 *   loop    callbacks ◀─ tevent_req ◀─ eventfd ◀─ done
 *
 * A single change is committed at once; what arrives while a group is being written joins it, up to
 * 1,000 records or 10 ms of work, or forms the next. A sweep is work like any other, in slices, when
 * nothing else waits. The thread sleeps on a condition and has no timer. It knows nothing of talloc:
 * what it touches is in malloc(3)ed jobs, or its own.
 *
 * The loop reads through the same environment (LMDB forbids to open a file twice), which the thread
 * exchanges when the file is replaced; the mutex swap is held by whoever uses it.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/cache/impl.h"

#define GROUP_RECORDS    1000
#define GROUP_MS         10
#define TRIES            3
#define READER_CHECK_US  (60 * INT64_C(1000000))
#define MAX_SIZE_DEFAULT ((uint64_t)512 << 20)
#define STEPS_MAX        ((size_t)1 << 30)
#define THREAD_STACK     (512 * 1024)

/* The file is kept that much longer than its pages, sparse: see lengthen(). */
#define AHEAD ((uint64_t)8 << 20)

DEFINE_CLEANUP(MDB_txn *, mdb_txn_abort)

struct job {
	struct job *next;
	struct tevent_req *req; /* the loop's: who waits, NULL when nobody does any more */
	bool is_sweep;
	int r;
	struct writer steps; /* owned; of a change */
	uint32_t n_records;
	struct sweep sweep;
};

struct queue {
	struct job *first, **end;
};

struct cache_writer {
	/* the loop's */
	struct tevent_context *ev;
	struct cache *reader; /* owned; the thread has its env */
	enum cache_case names;
	uint32_t epochs[EPOCHS];
	struct queue outbox;
	struct tevent_immediate *handover;
	int done_fd;
	struct tevent_fd *done_fde; /* owned */
	pthread_t thread;
	bool running;

	/* both, under lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct queue inbox, done;
	bool stop;
	struct cache_stats stats;

	/* the thread's, while it runs */
	pthread_mutex_t swap;
	struct cache_files *files; /* borrowed from reader */
	int state_fd;
	uint64_t max_size;
	uint64_t file_size;
	int64_t readers_checked_us;
	struct queue sweeps;
	struct buffers buffers;
};

/* ---- jobs ---- */

static void queue_init(struct queue *queue)
{
	*queue = (struct queue){ .end = &queue->first };
}

static void queue_append(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
}

static struct job *queue_take(struct queue *queue)
{
	struct job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

static void queue_move(struct queue *to, struct queue *from)
{
	struct job *job;

	while ((job = queue_take(from)))
		queue_append(to, job);
}

static struct job *job_new(struct tevent_req *req)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->req = req;
	job->steps = writer_new(STEPS_MAX);
	return job;
}

static void job_free(struct job *job)
{
	writer_free(&job->steps);
	free(job);
}

/* ---- the file, on the thread ---- */

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

/* Opens the file at its path as the one writer, making it where there is none. ours is the file
 * that is known to be good; another one that appeared was copied from somewhere while nobody looked,
 * and is set aside. NULL: what is there has been checked. */
static int claim(struct cache_writer *writer, const struct file_id *ours, struct env *ret_env)
{
	static const uint32_t first_epochs[EPOCHS] = { 1, 1, 1 };
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
		r = env_make(files, writer->names, first_epochs);
	if (r < 0)
		return r;

	r = env_open(&env, files, MDB_NOMETASYNC);
	if (r < 0)
		return r;
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
	writer->reader->epochs_txn = 0;
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
	r = claim(writer, &ours, &fresh);
	if (r < 0)
		return r;
	exchange(writer, fresh);
	count_entries(writer);
	return lengthen(writer);
}

/* ---- groups, on the thread ---- */

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

/* -EAGAIN: this job can never be carried out, the others can, in a new transaction. */
static int carry_out(struct cache_writer *writer, struct store *store, struct job *job)
{
	int r;

	if (job->r < 0)
		return 0;

	job->r = store_admits(store, &job->steps, writer->max_size);
	if (job->r < 0)
		return 0;
	r = store_steps(store, &job->steps);
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

	for (job = group->first; job && r == 0; job = job->next) {
		r = carry_out(writer, store, job);
		n_records += job->n_records;
	}
	while (r == 0 && n_records < GROUP_RECORDS &&
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

static void write_group(struct cache_writer *writer)
{
	struct queue group;
	uint64_t n_commits = 0;
	unsigned tries = 0;
	int r;

	queue_init(&group);
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
	for (struct job *job = group.first; job; job = job->next) {
		if (job->r == 0)
			job->r = r;
		n_commits += job->r == 0;
	}
	pthread_mutex_lock(&writer->lock);
	writer->stats.commits += n_commits;
	pthread_mutex_unlock(&writer->lock);
	tell(writer, &group);
}

/* ---- sweeps, on the thread ---- */

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

static void *writer_thread(void *data)
{
	struct cache_writer *writer = data;
	bool work, stop;

	count_entries(writer);
	do {
		pthread_mutex_lock(&writer->lock);
		while (!writer->inbox.first && !writer->sweeps.first && !writer->stop)
			pthread_cond_wait(&writer->wake, &writer->lock);
		work = writer->inbox.first;
		stop = writer->stop;
		pthread_mutex_unlock(&writer->lock);

		if (work)
			write_group(writer);
		else if (!stop)
			write_sweep(writer);
	} while (work || !stop);

	cancel_sweeps(writer);
	return NULL;
}

/* ---- requests, on the loop ---- */

struct wait_state {
	struct job *job; /* the thread's; NULL when it came back */
	uint64_t removed;
};

static int wait_gone(struct wait_state *state)
{
	if (state->job)
		state->job->req = NULL;
	return 0;
}

static void finish(struct tevent_req *req, int r)
{
	if (r < 0)
		tevent_req_error(req, (uint64_t)-r);
	else
		tevent_req_done(req);
}

static int result(struct tevent_req *req)
{
	enum tevent_req_state state;
	uint64_t code;

	if (!tevent_req_is_error(req, &state, &code))
		return 0;
	return state == TEVENT_REQ_USER_ERROR ? -(int)code : -ENOMEM;
}

/* Finishing a request may free the writer: nothing of it is touched. ev: let the callbacks run
 * later, from the loop. */
static void finish_jobs(struct queue *done, struct tevent_context *ev)
{
	struct wait_state *state;
	struct job *job;

	while ((job = queue_take(done))) {
		if (job->req) {
			state = tevent_req_data(job->req, struct wait_state);
			state->job = NULL;
			state->removed = job->sweep.removed;
			if (ev)
				tevent_req_defer_callback(job->req, ev);
			finish(job->req, job->r);
		}
		job_free(job);
	}
}

static void jobs_done(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct cache_writer *writer = data;
	struct queue done;
	uint64_t count;
	ssize_t n;

	(void)ev;
	(void)fde;
	(void)flags;

	n = read(writer->done_fd, &count, sizeof(count));
	(void)n; /* the list is what counts */
	queue_init(&done);
	pthread_mutex_lock(&writer->lock);
	queue_move(&done, &writer->done);
	pthread_mutex_unlock(&writer->lock);
	finish_jobs(&done, NULL);
}

static void hand_over(struct cache_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	queue_move(&writer->inbox, &writer->outbox);
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
}

static void turn_ended(struct tevent_context *ev, struct tevent_immediate *immediate, void *data)
{
	(void)ev;
	(void)immediate;
	hand_over(data);
}

/* All that one turn of the loop sends is handed over at its end, to be one group. */
static void submit(struct cache_writer *writer, struct job *job)
{
	if (!writer->outbox.first)
		tevent_schedule_immediate(writer->handover, writer->ev, turn_ended, writer);
	queue_append(&writer->outbox, job);
}

static struct tevent_req *wait_create(TALLOC_CTX *mem, struct job **ret_job)
{
	struct wait_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct wait_state);

	if (!req)
		return NULL;
	state->job = job_new(req);
	if (!state->job) {
		talloc_free(req);
		return NULL;
	}
	talloc_set_destructor(state, wait_gone);
	*ret_job = state->job;
	return req;
}

/* Ends req before its job was submitted. */
static struct tevent_req *finish_now(struct tevent_req *req, struct tevent_context *ev, int r)
{
	struct wait_state *state = tevent_req_data(req, struct wait_state);

	job_free(state->job);
	state->job = NULL;
	finish(req, r);
	return tevent_req_post(req, ev);
}

struct tevent_req *cache_commit_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                     struct cache_writer *writer, struct cache_change *change)
{
	struct tevent_req *req;
	struct job *job;
	int r;

	req = wait_create(mem, &job);
	if (!req) {
		talloc_free(change);
		return NULL;
	}
	r = change_finish(change, writer->names, writer->epochs, &job->steps, &job->n_records);
	talloc_free(change);
	if (r < 0 || job->steps.size == 0)
		return finish_now(req, ev, r);

	submit(writer, job);
	return req;
}

int cache_commit_recv(struct tevent_req *req)
{
	int r = result(req);

	tevent_req_received(req);
	return r;
}

struct tevent_req *cache_sweep_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                    struct cache_writer *writer, int64_t keep_s)
{
	struct tevent_req *req;
	struct job *job;

	(void)ev;
	req = wait_create(mem, &job);
	if (!req)
		return NULL;
	job->is_sweep = true;
	job->sweep.keep_s = keep_s;
	submit(writer, job);
	return req;
}

int cache_sweep_recv(struct tevent_req *req, uint64_t *ret_removed)
{
	struct wait_state *state = tevent_req_data(req, struct wait_state);
	int r = result(req);

	if (r == 0)
		*ret_removed = state->removed;
	tevent_req_received(req);
	return r;
}

/* ---- open and close, on the loop ---- */

static int start_thread(struct cache_writer *writer)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int r;

	r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	pthread_attr_setstacksize(&attr, THREAD_STACK);

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&writer->thread, &attr, writer_thread, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r != 0)
		return -r;

	pthread_setname_np(writer->thread, "cache-writer");
	writer->running = true;
	return 0;
}

static void stop_thread(struct cache_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	queue_move(&writer->inbox, &writer->outbox);
	writer->stop = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
}

/* The clean mark comes last: all that it vouches for is on the disk. */
static void close_clean(struct cache_writer *writer)
{
	struct env *env = &writer->reader->env;
	struct file_id data = env->data;
	bool ours;
	int r;

	if (!env->mdb)
		return;
	ours = env_still_there(env, writer->files) == 0 &&
	       state_lock_holds(writer->files, writer->state_fd);
	r = lmdb_error(mdb_env_sync(env->mdb, 1));
	env_close(env);
	if (r == 0 && ours)
		state_write(writer->state_fd, &data, true);
}

static int writer_gone(struct cache_writer *writer)
{
	assert(!writer->reader || !writer->reader->reading);

	TALLOC_FREE(writer->done_fde); /* before its descriptor */
	if (writer->running) {
		stop_thread(writer);
		close_clean(writer);
		finish_jobs(&writer->done, writer->ev);
	}
	if (writer->state_fd >= 0)
		close(writer->state_fd);
	if (writer->done_fd >= 0)
		close(writer->done_fd);
	writer_free(&writer->buffers.rewritten);
	writer_free(&writer->buffers.gone);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	return 0;
}

static struct cache_writer *writer_new_closed(TALLOC_CTX *mem, struct tevent_context *ev,
                                              const struct cache_options *options)
{
	struct cache_writer *writer = talloc_zero(mem, struct cache_writer);
	pthread_mutexattr_t recursive;

	if (!writer)
		return NULL;
	writer->ev = ev;
	writer->names = options->names;
	writer->max_size = options->max_size ? options->max_size : MAX_SIZE_DEFAULT;
	writer->state_fd = writer->done_fd = -1;
	writer->buffers = (struct buffers){ writer_new(STEPS_MAX), writer_new(STEPS_MAX) };
	queue_init(&writer->outbox);
	queue_init(&writer->inbox);
	queue_init(&writer->done);
	queue_init(&writer->sweeps);

	pthread_cond_init(&writer->wake, NULL);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&writer->swap, &recursive);
	pthread_mutexattr_destroy(&recursive);
	talloc_set_destructor(writer, writer_gone);
	return writer;
}

/* A file whose names compare another way has other keys: it is of no use, and not damaged. */
static int open_file(struct cache_writer *writer)
{
	struct env *env = &writer->reader->env;
	int r;

	r = claim(writer, NULL, env);
	if (r < 0 || env->header.names == writer->names)
		return r;

	env_close(env);
	if (unlink(writer->files->data) < 0)
		return -errno;
	return claim(writer, NULL, env);
}

int cache_writer_open(TALLOC_CTX *mem, struct tevent_context *ev,
                      const struct cache_options *options, struct cache_writer **ret_writer)
{
	auto_talloc struct cache_writer *writer = writer_new_closed(mem, ev, options);
	int r;

	if (!writer)
		return -ENOMEM;
	writer->handover = tevent_create_immediate(writer);
	if (!writer->handover)
		return -ENOMEM;
	r = cache_new_closed(writer, options, &writer->swap, &writer->reader);
	if (r < 0)
		return r;
	writer->files = writer->reader->files;

	r = files_on_network(writer->files);
	if (r < 0)
		return r;
	r = state_lock(writer->files, &writer->state_fd);
	if (r < 0)
		return r;
	if (files_need_check(writer->files))
		return -E_CACHE_DAMAGED;
	r = open_file(writer);
	if (r < 0)
		return r;
	memcpy(writer->epochs, writer->reader->env.header.epochs, sizeof(writer->epochs));

	writer->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->done_fd < 0)
		return -errno;
	writer->done_fde = tevent_add_fd(ev, writer, writer->done_fd, TEVENT_FD_READ, jobs_done,
	                                 writer);
	if (!writer->done_fde)
		return -ENOMEM;
	r = start_thread(writer);
	if (r < 0)
		return r;

	*ret_writer = take_ptr(writer);
	return 0;
}

struct cache *cache_writer_reader(struct cache_writer *writer)
{
	return writer->reader;
}

void cache_writer_stats(struct cache_writer *writer, struct cache_stats *ret_stats)
{
	pthread_mutex_lock(&writer->lock);
	*ret_stats = writer->stats;
	pthread_mutex_unlock(&writer->lock);
	ret_stats->bytes_max = writer->max_size;
}
