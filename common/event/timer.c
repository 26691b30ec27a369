/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Timers - a heap of them for each event context, over one timerfd (timerfd_create(2))
 *
 * Setting a timer costs a system call only when it is due before all others; cancelling one costs
 * none unless it was the last. So the descriptor may wake us for a timer that is gone: nothing is
 * due then, and it is armed for the next. The fast case, a deadline set and cancelled with each
 * request, stays inside the process.
 */
#include "common/event/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"

#define SLEEP_S (14 * 24 * 3600)

/* A century; keeps sums of microseconds far from overflow. */
#define AFTER_MAX_MS (INT64_C(100) * 365 * 24 * 3600 * 1000)

struct timer {
	struct timer_queue *queue; /* borrowed; NULL once the event context is gone */
	unsigned place;            /* in queue->heap; 0 = it does not wait */
	int64_t due_us;            /* of CLOCK_BOOTTIME */
	uint64_t turn;             /* counts up with each setting: among equals the first wins */
	int64_t interval_ms;       /* 0 = once */
	int64_t jitter_ms;
	void (*fire)(void *data);
	void *data;
};

/* heap[1..n] is a binary heap by (due_us, turn); heap[0] is not used. It has room for every timer
 * that is alive, so setting one again cannot fail. */
struct timer_queue {
	struct timer_queue *next; /* in queues */
	struct tevent_context *ev;
	struct tevent_fd *fde;
	int fd;
	struct timer **heap;
	unsigned n, alive, room;
	uint64_t turn;
	int64_t armed_us;     /* 0 = not armed */
	bool is_firing;
	struct timer *firing; /* NULL also when its callback freed it */
};

/* tevent has no place for data of a context, so ours are found through this list: almost always a
 * single item, unlinked when its context is freed. */
static _Thread_local struct timer_queue *queues;

static int64_t boottime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the heap ---- */

static bool comes_before(const struct timer *a, const struct timer *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->turn < b->turn;
}

static void put(struct timer_queue *queue, unsigned place, struct timer *timer)
{
	queue->heap[place] = timer;
	timer->place = place;
}

/* Finds the place of timer on the way from place up or down; what it passes moves over. */
static void settle(struct timer_queue *queue, unsigned place, struct timer *timer)
{
	unsigned child;

	for (; place > 1 && comes_before(timer, queue->heap[place / 2]); place /= 2)
		put(queue, place, queue->heap[place / 2]);

	for (; (child = place * 2) <= queue->n; place = child) {
		if (child < queue->n && comes_before(queue->heap[child + 1], queue->heap[child]))
			child++;
		if (!comes_before(queue->heap[child], timer))
			break;
		put(queue, place, queue->heap[child]);
	}
	put(queue, place, timer);
}

static void take_out(struct timer_queue *queue, struct timer *timer)
{
	struct timer *last = queue->heap[queue->n--];

	if (last != timer)
		settle(queue, timer->place, last);
	timer->place = 0;
}

/* ---- the descriptor ---- */

static void arm(struct timer_queue *queue, int64_t at_us)
{
	struct itimerspec when = {
		.it_value.tv_sec = at_us / 1000000,
		.it_value.tv_nsec = at_us % 1000000 * 1000,
	};

	/* Takes back an expiration that was not read, too, so we never read(2). */
	timerfd_settime(queue->fd, TFD_TIMER_ABSTIME, &when, NULL);
	queue->armed_us = at_us;
}

/* Arms for an earlier time at once; a later one is left to the wake-up that is due anyway. */
static void arm_if_needed(struct timer_queue *queue)
{
	if (queue->is_firing)
		return;
	if (queue->n == 0) {
		if (queue->armed_us != 0)
			arm(queue, 0);
	} else if (queue->armed_us == 0 || queue->heap[1]->due_us < queue->armed_us) {
		arm(queue, queue->heap[1]->due_us);
	}
}

static void set(struct timer *timer, int64_t after_ms)
{
	struct timer_queue *queue = timer->queue;

	if (after_ms < 0)
		after_ms = 0;
	if (after_ms > AFTER_MAX_MS)
		after_ms = AFTER_MAX_MS;

	if (timer->place)
		take_out(queue, timer);
	timer->due_us = boottime_us() + after_ms * 1000;
	timer->turn = queue->turn++;
	settle(queue, ++queue->n, timer);
	arm_if_needed(queue);
}

static int64_t next_wait_ms(const struct timer *timer)
{
	uint64_t dice;

	if (timer->jitter_ms <= 0)
		return timer->interval_ms;

	/* Before the kernel has gathered entropy the clock is random enough to spread load. */
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != sizeof(dice))
		dice = (uint64_t)boottime_us();
	return timer->interval_ms + (int64_t)(dice % ((uint64_t)timer->jitter_ms + 1));
}

static void fire_one(struct timer_queue *queue, struct timer *timer)
{
	/* The callback may free the timer or set it to a time of its own. */
	queue->firing = timer;
	if (timer->interval_ms > 0)
		set(timer, next_wait_ms(timer));
	else
		take_out(queue, timer);
	timer->fire(timer->data);

	if (queue->firing && timer->interval_ms == 0 && timer->place == 0)
		talloc_free(timer);
	queue->firing = NULL;
}

/* What a callback sets gets a later turn and waits for the next iteration of the loop, whatever its
 * time: timers of 0 ms cannot starve the sockets. */
static void wake(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct timer_queue *queue = data;
	int64_t now_us = boottime_us();
	uint64_t turn = queue->turn;

	(void)ev;
	(void)fde;
	(void)flags;

	queue->is_firing = true;
	while (queue->n > 0 && queue->heap[1]->due_us <= now_us && queue->heap[1]->turn < turn)
		fire_one(queue, queue->heap[1]);
	queue->is_firing = false;

	arm(queue, queue->n > 0 ? queue->heap[1]->due_us : 0);
}

/* ---- the queue of a context ---- */

static int queue_free(struct timer_queue *queue)
{
	struct timer_queue **link = &queues;

	while (*link != queue)
		link = &(*link)->next;
	*link = queue->next;

	for (unsigned place = 1; place <= queue->n; place++)
		queue->heap[place]->queue = NULL;
	if (queue->firing)
		queue->firing->queue = NULL;

	TALLOC_FREE(queue->fde);
	close(queue->fd);
	return 0;
}

static int queue_new(struct tevent_context *ev, struct timer_queue **ret_queue)
{
	struct timer_queue *queue;
	auto_close int fd = -1;

	fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;

	queue = talloc_zero(ev, struct timer_queue);
	if (!queue)
		return -ENOMEM;
	queue->fde = tevent_add_fd(ev, queue, fd, TEVENT_FD_READ, wake, queue);
	if (!queue->fde) {
		talloc_free(queue);
		return -ENOMEM;
	}
	queue->ev = ev;
	queue->fd = fd;
	fd = -1;
	queue->next = queues;
	queues = queue;
	talloc_set_destructor(queue, queue_free);

	*ret_queue = queue;
	return 0;
}

static int queue_of(struct tevent_context *ev, struct timer_queue **ret_queue)
{
	for (struct timer_queue *queue = queues; queue; queue = queue->next)
		if (queue->ev == ev) {
			*ret_queue = queue;
			return 0;
		}
	return queue_new(ev, ret_queue);
}

static int queue_make_room(struct timer_queue *queue)
{
	unsigned room = queue->room ? queue->room * 2 : 16;
	struct timer **heap;

	if (queue->alive + 1 < queue->room)
		return 0;
	heap = talloc_realloc(queue, queue->heap, struct timer *, room);
	if (!heap)
		return -ENOMEM;
	queue->heap = heap;
	queue->room = room;
	return 0;
}

/* tevent looks around every 30 s when it has no timer of its own, so it gets one that is never due
 * but every two weeks: fewer milliseconds than an int holds, which is what epoll_wait(2) takes. It
 * runs by the wall clock; a step of that makes it come at another time and do nothing. */
static void sleep_long(struct tevent_context *ev, struct tevent_timer *te, struct timeval now,
                       void *data)
{
	struct timeval then = tevent_timeval_add(&now, SLEEP_S, 0);

	(void)te;
	tevent_add_timer(ev, data, then, sleep_long, data);
}

int timer_prepare(struct tevent_context *ev)
{
	struct timer_queue *queue;
	int r = queue_of(ev, &queue);

	if (r == 0)
		sleep_long(ev, NULL, tevent_timeval_current(), queue);
	return r;
}

/* ---- timers ---- */

static int timer_free(struct timer *timer)
{
	struct timer_queue *queue = timer->queue;

	if (!queue)
		return 0;
	if (queue->firing == timer)
		queue->firing = NULL;
	queue->alive--;
	if (timer->place) {
		take_out(queue, timer);
		arm_if_needed(queue);
	}
	return 0;
}

static struct timer *timer_new(TALLOC_CTX *mem, struct tevent_context *ev, void (*fire)(void *data),
                               void *data)
{
	struct timer_queue *queue;
	struct timer *timer;

	if (queue_of(ev, &queue) < 0 || queue_make_room(queue) < 0)
		return NULL;
	timer = talloc_zero(mem, struct timer);
	if (!timer)
		return NULL;
	timer->queue = queue;
	timer->fire = fire;
	timer->data = data;
	queue->alive++;
	talloc_set_destructor(timer, timer_free);
	return timer;
}

struct timer *timer_once(TALLOC_CTX *mem, struct tevent_context *ev, int64_t after_ms,
                         void (*fire)(void *data), void *data)
{
	struct timer *timer = timer_new(mem, ev, fire, data);

	if (timer)
		set(timer, after_ms);
	return timer;
}

struct timer *timer_every(TALLOC_CTX *mem, struct tevent_context *ev, int64_t interval_ms,
                          int64_t jitter_ms, void (*fire)(void *data), void *data)
{
	struct timer *timer;

	assert(interval_ms > 0);

	timer = timer_new(mem, ev, fire, data);
	if (timer) {
		timer->interval_ms = interval_ms;
		timer->jitter_ms = jitter_ms;
		set(timer, next_wait_ms(timer));
	}
	return timer;
}

void timer_again(struct timer *timer, int64_t after_ms)
{
	if (timer->queue)
		set(timer, after_ms);
}

/* ---- deadlines of requests ---- */

struct req_deadline {
	struct tevent_req *req; /* borrowed: it is our parent */
	struct deadline deadline;
	struct timer *timer;    /* owned */
};

static void deadline_fired(void *data)
{
	struct req_deadline *state = data;

	/* A finished request may wait a while for its owner to free it. */
	if (!tevent_req_is_in_progress(state->req))
		return;

	/* Deadlines stand still while the machine is suspended, timers do not. */
	if (!deadline_passed(state->deadline))
		timer_again(state->timer, deadline_left_ms(state->deadline));
	else
		tevent_req_error(state->req, ETIMEDOUT);
}

int req_set_deadline(struct tevent_req *req, struct tevent_context *ev, struct deadline deadline)
{
	struct req_deadline *state;

	if (deadline.us == 0)
		return 0;

	state = talloc(req, struct req_deadline);
	if (!state)
		return -ENOMEM;
	state->req = req;
	state->deadline = deadline;
	state->timer = timer_once(state, ev, deadline_left_ms(deadline), deadline_fired, state);
	if (!state->timer) {
		talloc_free(state);
		return -ENOMEM;
	}
	return 0;
}
