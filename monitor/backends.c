/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backends - one process for each enabled domain, started again whenever it ends
 *
 *   waiting ─ back-off over ─▶ running ─ ends ─▶ waiting …
 *      └─ another's process serves the domain ─▶ adopted ─ its connection closes ─▶ waiting
 *
 * After a kill -9 of the monitor its backends live on and register with the next one. A second
 * process could not listen where the first does, so that one is left to serve until it ends.
 */
#include "monitor/backends.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/child.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"
#include "monitor/backoff.h"
#include "monitor/control.h"

#define HUNG_GRACE_MS 10000
#define GONE_GRACE_MS 10000 /* of a domain that is not enabled any more */

struct backend {
	struct list node;
	struct backends *backends; /* borrowed: our parent */
	char *domain, *name;       /* name: what it registers as */
	struct child *child;       /* NULL unless it runs */
	pid_t pid;                 /* of the child, or the one before it */
	struct timer *wait;        /* before the next start */
	struct backoff backoff;
	bool adopted;     /* a process that is not our child serves the domain */
	bool suspect;     /* the next start is told to check the cache */
	bool ended_by_us; /* because it hung */
	bool told;        /* of a new configuration: it may end for that */
	bool leaves;      /* its domain is gone: not started again */
};

struct backends {
	struct monitor *monitor; /* borrowed */
	struct list all;
	bool stopping;
};

static void start(struct backend *backend);

struct backends *backends_new(TALLOC_CTX *mem, struct monitor *monitor)
{
	struct backends *backends = talloc_zero(mem, struct backends);

	if (!backends)
		return NULL;
	backends->monitor = monitor;
	list_init(&backends->all);
	return backends;
}

/* ---- one process ---- */

static void wait_is_over(void *data)
{
	struct backend *backend = data;

	backend->wait = NULL; /* freed by its firing */
	start(backend);
}

static void wait_and_start(struct backend *backend)
{
	int64_t wait_ms = backoff_ended(&backend->backoff, monotonic_us());

	TALLOC_FREE(backend->wait);
	backend->wait =
		timer_once(backend, backend->backends->monitor->ev, wait_ms, wait_is_over, backend);
	if (!backend->wait)
		log_error("domain %s: no memory to start its backend again", backend->domain);
}

static const char *describe_end(char *text, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
		         sigdescr_np(WTERMSIG(status)));
	else
		snprintf(text, size, "exit status %d", WEXITSTATUS(status));
	return text;
}

static void ended(struct child *child, int status, void *data)
{
	struct backend *backend = data;
	struct monitor *monitor = backend->backends->monitor;
	char text[80];

	(void)child;
	backend->child = NULL;
	describe_end(text, sizeof(text), status);
	registry_note_end(monitor->registry, backend->name, text);

	if (backend->backends->stopping || backend->leaves) {
		list_remove(&backend->node);
		talloc_free(backend);
		monitor_changed(monitor);
		return;
	}
	if (status == 0) {
		log_notice("domain %s: its backend ended, starting it again", backend->domain);
		backoff_orderly(&backend->backoff, monotonic_us());
	} else {
		log_error("domain %s: its backend ended (%s), starting it again", backend->domain,
		          text);
	}
	if (backoff_is_crash(status, backend->ended_by_us) &&
	    backoff_crashed(&backend->backoff, monotonic_us())) {
		log_error("domain %s: two crashes within a minute, its cache will be checked",
		          backend->domain);
		backend->suspect = true;
	}
	if (status == 0 ? backend->told : backoff_is_kill(status) && !backend->ended_by_us)
		backoff_forgive(&backend->backoff);
	backend->ended_by_us = backend->told = false;
	metrics_count(METRICS_RESTARTS);
	wait_and_start(backend);
	monitor_changed(monitor);
}

/* A live process that serves the domain and is none of ours. */
static struct service *foreign(struct backend *backend)
{
	struct service *service =
		registry_find(backend->backends->monitor->registry, backend->name);

	return service && service->pid != backend->pid ? service : NULL;
}

static void start(struct backend *backend)
{
	struct monitor *monitor = backend->backends->monitor;
	const char *args[] = { "--domain", backend->domain, backend->suspect ? "--suspect" : NULL,
		               NULL };
	auto_talloc char **argv = NULL;
	struct service *other = foreign(backend);
	int r;

	if (other) {
		log_notice("domain %s: pid %d, started by somebody else, serves it",
		           backend->domain, (int)other->pid);
		backend->adopted = true;
		return;
	}

	argv = monitor_child_argv(NULL, monitor, "sssd_be", args);
	backoff_started(&backend->backoff, monotonic_us());
	r = argv ? child_start(backend, monitor->ev, argv, NULL, NULL, 0, ended, backend,
	                       &backend->child)
	         : -ENOMEM;
	if (r < 0) {
		log_error("domain %s: its backend cannot be started: %s", backend->domain,
		          error_text(r));
		wait_and_start(backend);
		return;
	}
	backend->pid = child_pid(backend->child);
	backend->suspect = false;
}

/* ---- all of them ---- */

static struct backend *find(struct backends *backends, const char *domain)
{
	struct backend *backend, *found = NULL;

	list_for_each(backend, &backends->all, node)
		if (strcmp(backend->domain, domain) == 0 && !backend->leaves)
			found = backend;
	return found;
}

static int add(struct backends *backends, const char *domain)
{
	auto_talloc struct backend *backend = talloc_zero(backends, struct backend);

	if (!backend)
		return -ENOMEM;
	backend->backends = backends;
	backend->domain = talloc_strdup(backend, domain);
	backend->name = talloc_asprintf(backend, "%s%s", PROVIDER_PREFIX, domain);
	if (!backend->domain || !backend->name)
		return -ENOMEM;
	list_append(&backends->all, &backend->node);
	start(take_ptr(backend));
	return 0;
}

/* Its process, when there is one of ours, takes the struct along at its end. */
static void leave(struct backend *backend, int64_t grace_ms)
{
	struct service *other = foreign(backend);

	backend->leaves = true;
	TALLOC_FREE(backend->wait);
	if (other)
		control_drain(backend->backends->monitor->control, other);
	if (backend->child) {
		child_stop(backend->child, grace_ms);
		return;
	}
	list_remove(&backend->node);
	talloc_free(backend);
}

bool backends_follow(struct backends *backends)
{
	char *const *domains = conf_domains(backends->monitor->conf);
	struct backend *backend;
	bool started = false;

	list_for_each(backend, &backends->all, node)
		if (!backend->leaves && !str_list_contains(domains, backend->domain)) {
			log_notice("domain %s is not enabled any more", backend->domain);
			leave(backend, GONE_GRACE_MS);
		}

	for (; *domains; domains++)
		if (!find(backends, *domains)) {
			if (add(backends, *domains) < 0)
				log_error("domain %s: no memory for its backend", *domains);
			started = true;
		}
	return started;
}

void backends_look(struct backends *backends)
{
	struct backend *backend;

	if (backends->stopping)
		return;
	list_for_each(backend, &backends->all, node)
		if (backend->adopted && !foreign(backend)) {
			backend->adopted = false;
			start(backend);
		}
}

bool backends_registered(struct backends *backends)
{
	struct backend *backend;
	bool all = true;

	list_for_each(backend, &backends->all, node)
		if (!backend->leaves && !registry_find(backends->monitor->registry, backend->name))
			all = false;
	return all;
}

void backends_told(struct backends *backends)
{
	struct backend *backend;

	list_for_each (backend, &backends->all, node)
		backend->told = true;
}

bool backends_end(struct backends *backends, pid_t pid)
{
	struct backend *backend, *found = NULL;

	list_for_each(backend, &backends->all, node)
		if (backend->child && child_pid(backend->child) == pid)
			found = backend;
	if (!found)
		return false;
	found->ended_by_us = true;
	child_stop(found->child, HUNG_GRACE_MS);
	return true;
}

void backends_stop(struct backends *backends, int64_t grace_ms)
{
	struct backend *backend;

	backends->stopping = true;
	list_for_each(backend, &backends->all, node)
		leave(backend, grace_ms);
}

bool backends_stopped(struct backends *backends)
{
	return list_empty(&backends->all);
}

void backends_each(struct backends *backends,
                   void (*each)(const char *domain, const char *state, void *data), void *data)
{
	struct backend *backend;

	list_for_each(backend, &backends->all, node) {
		auto_talloc char *text = NULL;
		struct service *service = registry_find(backends->monitor->registry, backend->name);
		const char *last_end =
			registry_last_end(backends->monitor->registry, backend->name);

		if (backend->leaves)
			continue;
		if (service)
			text = talloc_strdup(NULL, service->state ? service->state : "started");
		else if (last_end)
			text = talloc_asprintf(NULL, "starting again after %s", last_end);
		else
			text = talloc_strdup(NULL, "starting");
		if (text)
			each(backend->domain, text, data);
	}
}
