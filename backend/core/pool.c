/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pool - see pool.h
 *
 * All decisions are made on the loop's thread. A worker thread touches its task's data, then puts
 * the task on the list of finished ones and rings the eventfd; that list is all they share.
 */
#include "backend/core/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/list.h"
#include "common/event/req.h"

/* TLS handshakes need little; what is not touched costs nothing anyway. */
#define THREAD_STACK_SIZE (512 * 1024)

/* Outlives the pool while threads run. */
struct shared {
	pthread_mutex_t lock;
	struct list finished;
	int wake_fd;
	unsigned users;
};

struct task {
	struct list node; /* of pool->waiting, then of shared->finished */
	struct shared *shared;
	const struct pool_job *job;
	void *data;
	struct tevent_req *req; /* the loop's; NULL once abandoned */
	bool started;           /* the loop's; until it is taken from the finished ones */
};

struct pool {
	struct shared *shared;
	struct list waiting;
	unsigned threads;
};

struct pool_state {
	struct task *task; /* owned until it is abandoned to its thread; NULL then */
};

static void pool_cleanup(struct tevent_req *req, enum tevent_req_state req_state);

static void shared_release(struct shared *shared)
{
	bool last;

	pthread_mutex_lock(&shared->lock);
	last = --shared->users == 0;
	pthread_mutex_unlock(&shared->lock);
	if (!last)
		return;

	close(shared->wake_fd);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

static void *run_task(void *argument)
{
	static const uint64_t one = 1;
	struct task *task = argument;
	struct shared *shared = task->shared;
	ssize_t written;

	task->job->work(task->data);

	pthread_mutex_lock(&shared->lock);
	list_append(&shared->finished, &task->node);
	do
		written = write(shared->wake_fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
	pthread_mutex_unlock(&shared->lock);

	shared_release(shared);
	return NULL;
}

static int start_thread(struct task *task)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_mutex_lock(&task->shared->lock);
	task->shared->users++;
	pthread_mutex_unlock(&task->shared->lock);

	/* Signals belong to the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, THREAD_STACK_SIZE);
	r = pthread_create(&thread, &attr, run_task, task);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	if (r != 0)
		shared_release(task->shared);
	return -r;
}

static void start_waiting(struct pool *pool)
{
	while (pool->threads < POOL_THREADS && !list_empty(&pool->waiting)) {
		struct task *task = list_item(pool->waiting.next, struct task, node);

		list_remove(&task->node);
		task->started = true;
		pool->threads++;
		if (start_thread(task) < 0) {
			task->started = false;
			pool->threads--;
			req_finish(task->req, -EAGAIN);
		}
	}
}

static void take_finished(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                          void *data)
{
	struct pool *pool = data;
	struct shared *shared = pool->shared;
	uint64_t count;

	(void)ev;
	(void)fde;
	(void)flags;
	if (read(shared->wake_fd, &count, sizeof(count)) < 0)
		return;

	for (;;) {
		struct task *task = NULL;

		pthread_mutex_lock(&shared->lock);
		if (!list_empty(&shared->finished)) {
			task = list_item(shared->finished.next, struct task, node);
			list_remove(&task->node);
		}
		pthread_mutex_unlock(&shared->lock);
		if (!task)
			break;

		pool->threads--;
		task->started = false;
		if (task->req) {
			req_finish(task->req, 0);
		} else {
			task->job->drop(task->data);
			free(task);
		}
	}
	start_waiting(pool);
}

static int pool_destroy(struct pool *pool)
{
	if (pool->shared)
		shared_release(pool->shared);
	return 0;
}

struct pool *pool_new(TALLOC_CTX *mem, struct tevent_context *ev)
{
	struct pool *pool = talloc_zero(mem, struct pool);
	struct shared *shared = calloc(1, sizeof(*shared));

	if (!pool || !shared)
		goto fail;
	list_init(&pool->waiting);

	shared->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (shared->wake_fd < 0)
		goto fail;
	pthread_mutex_init(&shared->lock, NULL);
	list_init(&shared->finished);
	shared->users = 1;
	pool->shared = shared;
	talloc_set_destructor(pool, pool_destroy);

	if (!tevent_add_fd(ev, pool, shared->wake_fd, TEVENT_FD_READ, take_finished, pool)) {
		talloc_free(pool);
		return NULL;
	}
	return pool;

fail:
	free(shared);
	talloc_free(pool);
	return NULL;
}

struct tevent_req *pool_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                             const struct pool_job *job, void *data)
{
	struct pool_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct pool_state);
	struct task *task = calloc(1, sizeof(*task));

	if (!req || !task) {
		talloc_free(req);
		free(task);
		return NULL;
	}
	*task = (struct task){ .shared = pool->shared, .job = job, .data = data, .req = req };
	list_init(&task->node);
	state->task = task;
	tevent_req_set_cleanup_fn(req, pool_cleanup);

	/* A thread that cannot be started finishes req at once: only from the loop, then. */
	tevent_req_defer_callback(req, ev);
	list_append(&pool->waiting, &task->node);
	start_waiting(pool);
	return req;
}

/* Freed before pool_recv() saw its end: nobody wants data any more. */
static void pool_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct pool_state *state = tevent_req_data(req, struct pool_state);
	struct task *task = state->task;

	if (req_state != TEVENT_REQ_RECEIVED || !task)
		return;
	state->task = NULL;
	task->req = NULL;

	if (task->started) {
		if (task->job->hurry)
			task->job->hurry(task->data);
		return; /* take_finished() drops it */
	}
	list_remove(&task->node);
	task->job->drop(task->data);
	free(task);
}

int pool_recv(struct tevent_req *req)
{
	struct pool_state *state = tevent_req_data(req, struct pool_state);
	int r = req_result(req);

	free(state->task);
	state->task = NULL;
	tevent_req_received(req);
	return r;
}
