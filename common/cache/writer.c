/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writer - hands changes over to the thread that commits them, in groups
 *
 *   loop    cache_commit_send ─▶ outbox ─ end of this turn ─▶ inbox
 *   thread                                inbox ─▶ one transaction for all that waits ─▶ done
 *   loop    callbacks ◀─ tevent_req ◀─ eventfd ◀─ done
 *
 * A single change is committed at once; what arrives while a group is being written joins it, up
 * to 1,000 records or 10 ms of work, or forms the next. A sweep is work like any other, in slices,
 * when nothing else waits.
 *
 * The loop reads through the same environment (LMDB forbids to open a file twice), which the
 * thread exchanges when the file is replaced; the mutex swap is held by whoever uses it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/cache/writer.h"

#define MAX_SIZE_DEFAULT ((uint64_t)512 << 20)
#define STEPS_MAX        ((size_t)1 << 30)
#define THREAD_STACK     (512 * 1024)

/* ---- jobs ---- */

static struct job *job_new(struct tevent_req *req)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->req = req;
	job->steps = writer_new(STEPS_MAX);
	job->notes.bytes = writer_new(STEPS_MAX);
	return job;
}

static void job_free(struct job *job)
{
	writer_free(&job->steps);
	writer_free(&job->notes.bytes);
	free(job);
}

/* ---- requests ---- */

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

/* At the end there is one for each kind of which there are more than these. */
struct told {
	struct cache_note notes[NOTES_MAX + 2 * ENTRY_INITGROUPS];
	size_t n;
};

static void gather(struct told *told, struct notes *all, const struct notes *notes)
{
	struct reader in = reader_over(notes->bytes.bytes, notes->bytes.size);

	all->more_gone |= notes->more_gone;
	all->more_new |= notes->more_new;
	for (uint32_t i = 0; i < notes->n; i++) {
		struct cache_note note = { .kind = reader_u8(&in) };

		note.is_new = reader_u8(&in);
		note.id = reader_u32(&in);
		note.name = reader_str(&in, reader_left(&in), NULL);
		if (told->n < NOTES_MAX && note.name)
			told->notes[told->n++] = note;
		else if (note.is_new)
			all->more_new |= 1u << note.kind;
		else
			all->more_gone |= 1u << note.kind;
	}
}

static void tell_changes(const struct cache_writer *writer, const struct queue *done)
{
	struct told told = { 0 };
	struct notes all = { 0 };

	if (!writer->changed)
		return;
	for (const struct job *job = done->first; job; job = job->next)
		if (job->r == 0)
			gather(&told, &all, &job->notes);
	for (enum entry_kind kind = ENTRY_USER; kind <= ENTRY_INITGROUPS; kind++) {
		if (all.more_gone & 1u << kind)
			told.notes[told.n++] = (struct cache_note){ .kind = kind };
		if (all.more_new & 1u << kind)
			told.notes[told.n++] = (struct cache_note){ .kind = kind, .is_new = true };
	}
	if (told.n > 0)
		writer->changed(told.notes, told.n, writer->changed_data);
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
	tell_changes(writer, &done);
	finish_jobs(&done, NULL);
}

static void hand_over(struct cache_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	queue_move(&writer->inbox, &writer->outbox);
	pthread_mutex_unlock(&writer->lock);
	/* Not before: the thread would wake up only to wait for the lock, five futex(2) calls
	 * more. */
	pthread_cond_signal(&writer->wake);
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
	r = change_finish(change, writer->names, &job->steps, &job->n_records);
	job->answer = change_answer(change);
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
	job->sweep.keep_s = job->sweep.keep_needed_s = keep_s;
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

/* ---- open and close ---- */

static int start_thread(struct cache_writer *writer)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int r;

	r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	pthread_attr_setstacksize(&attr, THREAD_STACK);

	/* Signals are the loop's; but a fault of the thread must be heard of (crash.c). */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGABRT);
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

int cache_set_listed(struct cache_writer *writer, bool listed)
{
	uint64_t id = cache_environment_id(writer->reader);
	auto_close int fd = -1;

	if (!listed)
		return unlink(writer->files->listed) < 0 && errno != ENOENT ? -errno : 0;
	fd = open(writer->files->listed, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	errno = fd < 0 ? errno : EIO; /* what a short write means here */
	return fd < 0 || write(fd, &id, sizeof(id)) != sizeof(id) ? -errno : 0;
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
		tell_changes(writer, &writer->done);
		finish_jobs(&writer->done, writer->ev);
	}
	if (writer->state_fd >= 0)
		close(writer->state_fd);
	if (writer->done_fd >= 0)
		close(writer->done_fd);
	writer_free(&writer->buffers.rewritten);
	writer_free(&writer->buffers.gone);
	writer_free(&writer->buffers.put);
	writer_free(&writer->buffers.dated);
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
	writer->buffers = (struct buffers){ writer_new(STEPS_MAX), writer_new(STEPS_MAX),
		                            writer_new(STEPS_MAX), writer_new(STEPS_MAX) };
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

	r = writer_claim(writer, NULL, env);
	if (r < 0 || env->header.names == writer->names)
		return r;

	env_close(env);
	if (unlink(writer->files->data) < 0)
		return -errno;
	return writer_claim(writer, NULL, env);
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
	crash_begin(writer->files);
	r = open_file(writer);
	crash_end();
	if (r < 0)
		return r;

	writer->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->done_fd < 0)
		return -errno;
	writer->done_fde =
		tevent_add_fd(ev, writer, writer->done_fd, TEVENT_FD_READ, jobs_done, writer);
	if (!writer->done_fde)
		return -ENOMEM;
	r = start_thread(writer);
	if (r < 0)
		return r;

	*ret_writer = take_ptr(writer);
	return 0;
}

void cache_on_change(struct cache_writer *writer, cache_changed *changed, void *data)
{
	writer->changed = changed;
	writer->changed_data = data;
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
