/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registry - who is alive, of what kind, since when
 */
#include "monitor/registry.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/timer.h"

#define NAME_MAX_SIZE  300 /* a prefix and a domain */
#define STATE_MAX_SIZE 500
#define NAMES_MAX      256

/* What outlives the processes of a name. */
struct named {
	struct list node;
	char *name;
	uint32_t starts;
	char *last_end;
};

struct registry {
	struct list services, names;
	unsigned n_names;
	void (*changed)(void *data);
	void *data;
};

static int registry_free(struct registry *registry)
{
	struct service *service;

	list_for_each(service, &registry->services, node) {
		service->registry = NULL;
		list_remove(&service->node);
	}
	return 0;
}

struct registry *registry_new(TALLOC_CTX *mem, void (*changed)(void *data), void *data)
{
	struct registry *registry = talloc_zero(mem, struct registry);

	if (!registry)
		return NULL;
	list_init(&registry->services);
	list_init(&registry->names);
	registry->changed = changed;
	registry->data = data;
	talloc_set_destructor(registry, registry_free);
	return registry;
}

/* ---- names ---- */

/* It becomes a word of a line. */
static bool name_is_good(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > NAME_MAX_SIZE)
		return false;
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f)
			return false;
	return true;
}

static struct named *find_name(struct registry *registry, const char *name)
{
	struct named *named, *found = NULL;

	list_for_each(named, &registry->names, node)
		if (strcmp(named->name, name) == 0)
			found = named;
	return found;
}

static int need_name(struct registry *registry, const char *name, struct named **ret_named)
{
	struct named *named = find_name(registry, name);

	if (!named) {
		if (registry->n_names >= NAMES_MAX)
			return -ENOSPC;
		named = talloc_zero(registry, struct named);
		if (!named)
			return -ENOMEM;
		named->name = talloc_strdup(named, name);
		if (!named->name) {
			talloc_free(named);
			return -ENOMEM;
		}
		list_append(&registry->names, &named->node);
		registry->n_names++;
	}
	*ret_named = named;
	return 0;
}

void registry_note_end(struct registry *registry, const char *name, const char *end)
{
	struct named *named;

	if (need_name(registry, name, &named) < 0)
		return;
	talloc_free(named->last_end);
	named->last_end = talloc_strdup(named, end);
}

const char *registry_last_end(struct registry *registry, const char *name)
{
	struct named *named = find_name(registry, name);

	return named ? named->last_end : NULL;
}

/* ---- live processes ---- */

static int service_free(struct service *service)
{
	list_remove(&service->node);
	if (service->pidfd >= 0)
		close(service->pidfd);
	if (service->registry)
		service->registry->changed(service->registry->data);
	return 0;
}

int registry_add(struct registry *registry, struct sbus_conn *conn, const char *name, unsigned type,
                 uint32_t pid, struct service **ret_service)
{
	auto_talloc struct service *service = NULL;
	struct named *named;
	struct peer peer;
	int r;

	sbus_conn_peer(conn, &peer);
	if ((pid_t)pid != peer.pid)
		return -EPERM;
	if (type > SERVICE_BUS || !name_is_good(name))
		return -EINVAL;
	if (registry_of(registry, conn))
		return -EALREADY;
	r = need_name(registry, name, &named);
	if (r < 0)
		return r;

	service = talloc_zero(conn, struct service);
	if (!service)
		return -ENOMEM;
	service->name = talloc_strdup(service, name);
	if (!service->name)
		return -ENOMEM;
	service->conn = conn;
	service->type = type;
	service->pid = peer.pid;
	service->starts = ++named->starts;
	service->since = walltime_now();
	liveness_heard(&service->health);

	/* It lives, it has just called: the number is still its own. */
	service->pidfd = pidfd_open(peer.pid, 0);
	service->registry = registry;
	list_append(&registry->services, &service->node);
	talloc_set_destructor(service, service_free);
	*ret_service = take_ptr(service);
	registry->changed(registry->data);
	return 0;
}

struct service *registry_of(struct registry *registry, const struct sbus_conn *conn)
{
	struct service *service, *found = NULL;

	list_for_each(service, &registry->services, node)
		if (service->conn == conn)
			found = service;
	return found;
}

struct service *registry_find(struct registry *registry, const char *name)
{
	struct service *service, *found = NULL;

	list_for_each(service, &registry->services, node)
		if (strcmp(service->name, name) == 0)
			found = service;
	return found;
}

void registry_report(struct service *service, const char *state)
{
	char *copy = str_printable_up_to(service, state, strlen(state), STATE_MAX_SIZE);

	if (!copy)
		return;
	talloc_free(service->state);
	service->state = copy;
	service->registry->changed(service->registry->data);
}

static void grace_over(void *data)
{
	struct service *service = data;

	service->kill = NULL; /* freed by its firing */
	pidfd_send_signal(service->pidfd, SIGKILL, NULL, 0);
}

int registry_end(struct service *service, struct tevent_context *ev, int64_t grace_ms)
{
	if (service->kill)
		return 0;
	if (pidfd_send_signal(service->pidfd, SIGTERM, NULL, 0) < 0)
		return -errno;
	service->kill = timer_once(service, ev, grace_ms, grace_over, service);
	if (!service->kill)
		pidfd_send_signal(service->pidfd, SIGKILL, NULL, 0);
	return 0;
}

struct list *registry_all(struct registry *registry)
{
	return &registry->services;
}

int registry_lines(struct registry *registry, TALLOC_CTX *mem, const char *const **ret_lines)
{
	auto_talloc const char **lines = NULL;
	struct service *service;
	unsigned n = 0;

	list_for_each(service, &registry->services, node)
		n++;
	lines = talloc_zero_array(mem, const char *, n + 1);
	if (!lines)
		return -ENOMEM;
	n = 0;
	list_for_each(service, &registry->services, node) {
		lines[n] =
			talloc_asprintf(lines, "%s %d %d %" PRIu32 " %" PRId64 " %s", service->name,
		                        service->type, (int)service->pid, service->starts,
		                        service->since.s, service->state ? service->state : "-");
		if (!lines[n++])
			return -ENOMEM;
	}
	*ret_lines = take_ptr(lines);
	return 0;
}
