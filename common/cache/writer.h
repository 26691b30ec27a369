/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writer - what its two sides share: writer.c runs on the loop, thread.c on the writer thread
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cache/impl.h"

struct job {
	struct job *next;
	struct tevent_req *req; /* the loop's: who waits, NULL when nobody does any more */
	bool is_sweep;
	bool had_room; /* some was made for it, or there was none to be made */
	int r;
	struct writer steps; /* owned; of a change */
	uint32_t n_records;
	unsigned answer;    /* the kind whose puts do not count as changes, as a bit */
	struct notes notes; /* owned */
	struct sweep sweep;
};

struct queue {
	struct job *first, **end;
};

struct cache_writer {
	/* the loop's */
	struct tevent_context *ev;
	struct cache *reader; /* owned; its env is the thread's to exchange */
	enum cache_case names;
	struct queue outbox;
	struct tevent_immediate *handover;
	cache_changed *changed; /* NULL: nobody wants to know */
	void *changed_data;
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
	struct job *held;   /* owned: waits for room; what comes after it waits, too */
	bool crowded;       /* the last of the group is to be held */
	struct sweep room;  /* how far room was made */
	int64_t no_room_us; /* since when there is none to be made; 0 there may be */
	struct buffers buffers;
};

/* ---- jobs ---- */

static inline void queue_init(struct queue *queue)
{
	*queue = (struct queue){ .end = &queue->first };
}

static inline void queue_append(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
}

static inline struct job *queue_take(struct queue *queue)
{
	struct job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

static inline void queue_move(struct queue *to, struct queue *from)
{
	struct job *job;

	while ((job = queue_take(from)))
		queue_append(to, job);
}

/* ---- thread.c ---- */

/* Opens the file at its path as the one writer, making it where there is none. ours is the file
 * that is known to be good; another one that appeared was copied from somewhere while nobody
 * looked, and is set aside. NULL: what is there has been checked. */
int writer_claim(struct cache_writer *writer, const struct file_id *ours, struct env *ret_env);

/* The thread's main function; data is the writer. */
void *writer_thread(void *data);
