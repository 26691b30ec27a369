/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Queue - see queue.h
 *
 *   queue_ask_send ─┬─ the same is under way ─▶ joins it ──────┐
 *                   └─ new ─▶ in line ─▶ run_start ─▶ run_ended ┴─▶ every asker's queue_ask_recv
 */
#include "backend/core/queue.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/event/req.h"
#include "common/event/timer.h"

/* One kind byte, the id, the epoch, then the name. */
#define NAME_AT 9
#define KEY_MAX (NAME_AT + 1024)

struct lane_state {
	struct list waiting; /* of struct run */
	unsigned n_waiting, n_running;
};

struct queue {
	struct tevent_context *ev;     /* borrowed */
	const struct provider_op *ops; /* borrowed */
	void *data;                    /* borrowed */
	struct map *runs;
	struct lane_state lanes[N_LANES];
	bool open;
};

/* What the askers of one question share. */
struct run {
	struct list node; /* of its lane while it waits */
	struct queue *queue;
	const struct provider_op *op;
	struct query query;
	struct request_id id;    /* of the first asker */
	struct list askers;      /* of struct ask_state */
	struct tevent_req *work; /* owned; NULL while it waits */
	bool running;
	unsigned attempts;
	int64_t began_us;
	size_t key_size;
	uint8_t key[];
};

struct ask_state {
	struct list node; /* of run->askers */
	struct tevent_req *req;
	struct run *run; /* NULL when it has ended */
};

static void ask_cleanup(struct tevent_req *req, enum tevent_req_state req_state);
static void run_start(struct run *run);
static void run_ended(struct tevent_req *work);

struct queue *queue_new(TALLOC_CTX *mem, struct tevent_context *ev, const struct provider_op *ops,
                        void *data)
{
	struct queue *queue = talloc_zero(mem, struct queue);

	if (!queue)
		return NULL;
	queue->ev = ev;
	queue->ops = ops;
	queue->data = data;
	queue->runs = map_new(queue);
	if (!queue->runs) {
		talloc_free(queue);
		return NULL;
	}
	for (size_t i = 0; i < N_LANES; i++)
		list_init(&queue->lanes[i].waiting);
	return queue;
}

unsigned queue_length(const struct queue *queue)
{
	return (unsigned)map_count(queue->runs);
}

static struct lane_state *lane_of(const struct run *run)
{
	return &run->queue->lanes[run->op->lane];
}

/* Starts what waits as long as there are places. */
static void lane_go(struct queue *queue, struct lane_state *lane)
{
	while (queue->open && lane->n_running < QUEUE_RUNNING && !list_empty(&lane->waiting))
		run_start(list_item(lane->waiting.next, struct run, node));
}

void queue_open(struct queue *queue)
{
	queue->open = true;
	for (size_t i = 0; i < N_LANES; i++)
		lane_go(queue, &queue->lanes[i]);
}

static const struct provider_op *find_op(const struct queue *queue, enum query_kind kind)
{
	for (const struct provider_op *op = queue->ops; op->kind; op++)
		if (op->kind == kind)
			return op;
	return NULL;
}

static size_t key_of(const struct query *query, uint32_t epoch, uint8_t key[KEY_MAX])
{
	size_t size = query->name ? strnlen(query->name, KEY_MAX - NAME_AT) : 0;

	key[0] = (uint8_t)query->kind;
	memcpy(key + 1, &query->id, sizeof(query->id));
	memcpy(key + 5, &epoch, sizeof(epoch));
	if (size > 0)
		memcpy(key + NAME_AT, query->name, size);
	return NAME_AT + size;
}

/* ---- one asker ---- */

/* Finds the run for query or puts a new one in line. Errors: -ENOTSUP; -EAGAIN; -ENOMEM. */
static int find_run(struct queue *queue, const struct query *query, uint32_t epoch,
                    const struct request_id *id, struct run **ret_run)
{
	const struct provider_op *op = find_op(queue, query->kind);
	struct lane_state *lane;
	uint8_t key[KEY_MAX];
	size_t key_size;
	struct run *run;

	if (!op)
		return -ENOTSUP;
	if (query->name && strlen(query->name) > KEY_MAX - NAME_AT)
		return -ENAMETOOLONG;

	key_size = key_of(query, epoch, key);
	run = map_get(queue->runs, key, key_size);
	if (run) {
		run->query.unasked &= query->unasked;
		*ret_run = run;
		return 0;
	}

	lane = &queue->lanes[op->lane];
	if (lane->n_waiting >= QUEUE_WAITING)
		return -EAGAIN;

	run = talloc_zero_size(queue, sizeof(*run) + key_size);
	if (!run)
		return -ENOMEM;
	talloc_set_name_const(run, "struct run");
	run->queue = queue;
	run->op = op;
	run->id = *id;
	run->began_us = monotonic_us();
	run->key_size = key_size;
	memcpy(run->key, key, key_size);
	list_init(&run->askers);
	run->query = *query;
	if (query->name)
		run->query.name = talloc_strdup(run, query->name);
	if ((query->name && !run->query.name) || map_set(queue->runs, key, key_size, run) < 0) {
		talloc_free(run);
		return -ENOMEM;
	}

	list_append(&lane->waiting, &run->node);
	lane->n_waiting++;
	*ret_run = run;
	return 0;
}

struct tevent_req *queue_ask_send(TALLOC_CTX *mem, struct tevent_context *ev, struct queue *queue,
                                  const struct query *query, uint32_t epoch,
                                  const struct request_id *id, struct deadline deadline)
{
	struct ask_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct ask_state);
	if (!req)
		return NULL;
	state->req = req;
	list_init(&state->node);

	r = find_run(queue, query, epoch, id, &state->run);
	if (r < 0)
		return req_finish_now(req, ev, r);
	list_append(&state->run->askers, &state->node);
	tevent_req_set_cleanup_fn(req, ask_cleanup);

	r = req_set_deadline(req, ev, deadline);
	if (r < 0)
		return req_finish_now(req, ev, r);

	/* A provider may finish at once, before the caller has set its callback. */
	tevent_req_defer_callback(req, ev);
	lane_go(queue, lane_of(state->run));
	return req;
}

/* Takes run out of everything; its askers, if any, are no longer its concern. */
static void run_leave(struct run *run)
{
	struct lane_state *lane = lane_of(run);

	map_remove(run->queue->runs, run->key, run->key_size);
	if (run->running) {
		lane->n_running--;
	} else {
		list_remove(&run->node);
		lane->n_waiting--;
	}
}

/* The last asker has gone: nobody waits for this any more. */
static void run_abandon(struct run *run, bool timed_out)
{
	struct queue *queue = run->queue;
	struct lane_state *lane = lane_of(run);
	char *what = query_text(run, &run->query);

	if (timed_out)
		log_at(LEVEL_WARN, &run->id,
		       "lookup of %s: gave up after %lld ms, the time its request had left, "
		       "waiting for %s",
		       what ? what : "?", (long long)((monotonic_us() - run->began_us) / 1000),
		       run->work     ? run->op->waits_for(run->work)
		       : queue->open ? "a place in the queue"
		                     : "the cache to be opened");
	run_leave(run);
	talloc_free(run);
	lane_go(queue, lane);
}

/* The asker has its answer, ran out of time or was freed. */
static void ask_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct ask_state *state = tevent_req_data(req, struct ask_state);
	struct run *run = state->run;

	if (!run)
		return;
	state->run = NULL;
	list_remove(&state->node);
	if (list_empty(&run->askers))
		run_abandon(run, req_state == TEVENT_REQ_TIMED_OUT ||
		                         req_state == TEVENT_REQ_USER_ERROR);
}

int queue_ask_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

/* ---- what they share ---- */

static void run_finish(struct run *run, int r)
{
	struct queue *queue = run->queue;
	struct lane_state *lane = lane_of(run);

	/* Out of the map first: who asks from now on asks anew. */
	run_leave(run);
	while (!list_empty(&run->askers)) {
		struct ask_state *asker = list_item(run->askers.next, struct ask_state, node);

		list_remove(&asker->node);
		asker->run = NULL;
		req_finish(asker->req, r);
	}
	talloc_free(run);
	lane_go(queue, lane);
}

static void run_work(struct run *run)
{
	run->attempts++;
	run->work = run->op->send(run, run->queue->data, &run->query, &run->id);
	if (run->work)
		tevent_req_set_callback(run->work, run_ended, run);
	else
		run_finish(run, -ENOMEM);
}

static void run_start(struct run *run)
{
	struct lane_state *lane = lane_of(run);

	list_remove(&run->node);
	lane->n_waiting--;
	lane->n_running++;
	run->running = true;
	run_work(run);
}

static void run_ended(struct tevent_req *work)
{
	struct run *run = tevent_req_callback_data(work, struct run);
	int r = run->op->recv(work);

	TALLOC_FREE(run->work);

	/* The next attempt finds another server, the new cache file, or what it is now. */
	if ((r == -E_DISCONNECTED || r == -E_CACHE_REPLACED || r == -E_CHANGED) &&
	    run->attempts < QUEUE_ATTEMPTS)
		run_work(run);
	else
		run_finish(run, r);
}
