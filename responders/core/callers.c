/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Callers - fairness between the users of this host
 */
#include "responders/core/callers.h"

#include <unistd.h>

#include "common/base/map.h"

struct callers {
	struct map *by_uid;
	struct list all;
};

struct callers *callers_new(TALLOC_CTX *mem)
{
	struct callers *callers = talloc_zero(mem, struct callers);

	if (!callers)
		return NULL;
	list_init(&callers->all);
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
