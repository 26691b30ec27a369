/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Callers - fairness between the users of this host
 */
#include "responders/core/callers.h"

#include <unistd.h>

#include "common/base/map.h"

#define ALONE_AFTER_US 100000
#define PAUSE_US       100 /* far longer than from one ready connection to the next */

struct callers {
	struct map *by_uid;
	struct list all;
	struct list line; /* of struct caller */
	uint64_t round;
	uint64_t turns;   /* so many there were */
	uid_t last;       /* who was served */
	int64_t since_us; /* when nobody else was any more */
	int64_t busy_us;  /* when there was something to do, the last time */
};

struct callers *callers_new(TALLOC_CTX *mem)
{
	struct callers *callers = talloc_zero(mem, struct callers);

	if (!callers)
		return NULL;
	list_init(&callers->all);
	list_init(&callers->line);
	callers->round = 1;
	callers->last = (uid_t)-1; /* nobody's */
	callers->by_uid = map_new(callers);
	if (!callers->by_uid) {
		talloc_free(callers);
		return NULL;
	}
	return callers;
}

struct caller *callers_came(struct callers *callers, uid_t uid)
{
	struct caller *caller = map_get(callers->by_uid, &uid, sizeof(uid));

	if (!caller) {
		caller = talloc_zero(callers, struct caller);
		if (!caller)
			return NULL;
		caller->uid = uid;
		caller->exempt = uid == 0 || uid == getuid();
		list_init(&caller->node);
		list_init(&caller->waiting);
		list_init(&caller->line);
		list_init(&caller->ready);
		if (map_set(callers->by_uid, &uid, sizeof(uid), caller) < 0) {
			talloc_free(caller);
			return NULL;
		}
		list_append(&callers->all, &caller->node);
	}
	if (!caller->exempt && caller->connections >= CALLER_CONNECTIONS)
		return NULL;
	caller->connections++;
	return caller;
}

struct caller *callers_came_over(struct callers *callers, uid_t uid)
{
	struct caller *caller = map_get(callers->by_uid, &uid, sizeof(uid));

	if (!caller || caller->connections >= CALLER_CONNECTIONS + CALLER_LEAVING)
		return NULL;
	caller->connections++;
	return caller;
}

void callers_left(struct callers *callers, struct caller *caller)
{
	if (--caller->connections > 0)
		return;
	map_remove(callers->by_uid, &caller->uid, sizeof(caller->uid));
	list_remove(&caller->node);
	talloc_free(caller);
}

bool caller_begins(struct caller *caller)
{
	if (!caller->exempt && caller->requests >= CALLER_REQUESTS)
		return false;
	caller->requests++;
	return true;
}

void caller_finished(struct caller *caller)
{
	caller->requests--;
}

struct list *callers_next(struct callers *callers)
{
	struct caller *caller;

	list_for_each(caller, &callers->all, node)
		if (!list_empty(&caller->waiting) && caller->requests < CALLER_REQUESTS)
			return caller->waiting.next;
	return NULL;
}

/* ---- turns ---- */

static bool is_alone(const struct callers *callers, const struct caller *caller)
{
	return callers->last == caller->uid &&
	       callers->busy_us - callers->since_us > ALONE_AFTER_US;
}

static bool has_turn(const struct callers *callers, const struct caller *caller)
{
	return caller->round != callers->round ||
	       (caller->used_us < CALLER_TURN_US && is_alone(callers, caller));
}

static void begin_turn(struct callers *callers, struct caller *caller, struct turn *turn)
{
	if (caller->round == callers->round)
		return;
	caller->round = callers->round;
	caller->used_us = 0;
	turn->number = caller->turn = ++callers->turns;
}

bool caller_may_go(struct callers *callers, struct caller *caller, struct turn *turn, bool arrived,
                   int64_t now_us)
{
	bool is_over = (turn->number > 0 && turn->number == caller->turn) ||
	               now_us - callers->busy_us > PAUSE_US;

	callers->busy_us = now_us;
	if (!list_empty(&caller->ready))
		return false;
	if (arrived && is_over && list_empty(&callers->line))
		callers->round++;
	if (!has_turn(callers, caller))
		return false;
	begin_turn(callers, caller, turn);
	return true;
}

void caller_lines_up(struct callers *callers, struct caller *caller, struct turn *turn)
{
	list_append(&caller->ready, &turn->node);
	if (list_empty(&caller->line))
		list_append(&callers->line, &caller->line);
}

void caller_leaves_line(struct caller *caller, struct turn *turn)
{
	list_remove(&turn->node);
	if (list_empty(&caller->ready))
		list_remove(&caller->line);
}

struct turn *callers_turn(struct callers *callers)
{
	struct caller *caller;
	struct turn *turn;

	if (list_empty(&callers->line))
		return NULL;
	caller = list_item(callers->line.next, struct caller, line);
	if (!has_turn(callers, caller))
		return NULL;
	turn = list_item(caller->ready.next, struct turn, node);
	begin_turn(callers, caller, turn);
	list_remove(&turn->node);
	list_remove(&caller->line);
	if (!list_empty(&caller->ready))
		list_append(&callers->line, &caller->line);
	return turn;
}

void callers_begin_round(struct callers *callers)
{
	callers->round++;
}

bool callers_in_line(const struct callers *callers)
{
	return !list_empty(&callers->line);
}

void callers_served(struct callers *callers, struct caller *caller, int64_t began_us,
                    int64_t ended_us)
{
	if (callers->last != caller->uid) {
		callers->last = caller->uid;
		callers->since_us = began_us;
	}
	caller->used_us += ended_us - began_us;
	callers->busy_us = ended_us;
}

/* ---- descriptors ---- */

void callers_count_idle(struct callers *callers)
{
	struct caller *caller;

	list_for_each(caller, &callers->all, node)
		caller->idle = 0;
}

static bool is_greedier(const struct caller *caller, const struct caller *greediest)
{
	if (!greediest || caller->exempt != greediest->exempt)
		return !greediest || greediest->exempt;
	return caller->idle > greediest->idle;
}

struct caller *callers_greediest(struct callers *callers)
{
	struct caller *caller, *greediest = NULL;

	list_for_each(caller, &callers->all, node)
		if (caller->idle > 0 && is_greedier(caller, greediest))
			greediest = caller;
	return greediest;
}
