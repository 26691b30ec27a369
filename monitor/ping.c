/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ping - asks whoever registered and is silent whether it is well
 *
 * One timer for all, and whoever would be due soon is asked together with the one that is due now:
 * an idle host wakes once a minute for this. A ping stays on its way until it is answered, so
 * that a process that was stopped for a night finds one, and its late answer counts.
 */
#include "monitor/ping.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/event/timer.h"
#include "common/sbus/iface_service.h"
#include "monitor/activate.h"
#include "monitor/backends.h"

#define FOREVER_MS    UINT32_MAX
#define HUNG_GRACE_MS 10000 /* as that of a child */

struct ping {
	struct monitor *monitor; /* borrowed */
	struct timer *timer;     /* NULL while nobody is registered */
};

/* timeout = N of the process' section sets the interval (design §2). */
static int64_t interval_us(const struct ping *ping, const struct service *service)
{
	const char *prefix = PROVIDER_PREFIX;
	bool provider = strncmp(service->name, prefix, strlen(prefix)) == 0;
	char *section = talloc_asprintf(NULL, "%s%s", provider ? "domain/" : "",
	                                provider ? service->name + strlen(prefix) : service->name);
	const struct conf_value *value =
		section ? conf_get(ping->monitor->conf, section, "timeout") : NULL;
	int64_t interval_ms = LIVENESS_INTERVAL_MS;
	uint32_t timeout_s;

	if (value && str_to_u32(value->text, &timeout_s) == 0)
		interval_ms = (int64_t)timeout_s * 1000;
	if (interval_ms < LIVENESS_INTERVAL_MIN_MS)
		interval_ms = LIVENESS_INTERVAL_MIN_MS;
	talloc_free(section);
	return interval_ms * 1000;
}

static void answered(struct tevent_req *req)
{
	struct service *service = tevent_req_callback_data(req, struct service);
	int r = service_ping_recv(req, NULL);

	talloc_free(req);
	if (r == 0 || r == -ENOSYS)
		liveness_heard(&service->health);
}

static void ask(struct ping *ping, struct service *service)
{
	struct tevent_req *req;
	uint64_t ticks = 0;
	char state;

	liveness_read_stat(service->pid, &state, &ticks);
	liveness_asked(&service->health, ticks);
	req = service_ping_send(service, ping->monitor->ev, service->conn, FOREVER_MS);
	if (req)
		tevent_req_set_callback(req, answered, service);
}

static void end(struct ping *ping, struct service *service)
{
	struct monitor *monitor = ping->monitor;
	int r;

	log_error("%s, pid %d, does not answer and uses the CPU all the time: ending it",
	          service->name, (int)service->pid);
	if (backends_end(monitor->backends, service->pid))
		return;
	if (monitor->activate && activate_end(monitor->activate, service->pid))
		return;
	/* Of a service manager, which starts it again, or of the monitor before us. */
	r = registry_end(service, monitor->ev, HUNG_GRACE_MS);
	if (r < 0)
		log_error("pid %d cannot be ended: %s", (int)service->pid, error_text(r));
}

static void missed(struct ping *ping, struct service *service)
{
	uint64_t ticks;
	char state;

	if (liveness_read_stat(service->pid, &state, &ticks) < 0) {
		liveness_heard(&service->health); /* it is gone, and its connection closes soon */
		return;
	}

	switch (liveness_missed(&service->health, state, ticks)) {
	case LIVENESS_WAIT:
		break;
	case LIVENESS_LEAVE:
		log_warn("%s, pid %d, does not answer: it is %s", service->name, (int)service->pid,
		         state == 'D'                   ? "waiting for a disk"
		         : state == 'T' || state == 't' ? "stopped"
		                                        : "asleep");
		break;
	case LIVENESS_END:
		end(ping, service);
		/* What follows is its end, or somebody's decision. */
		liveness_heard(&service->health);
		break;
	}
}

static void wake(void *data);

static void sleep_until(struct ping *ping, int64_t at_us)
{
	TALLOC_FREE(ping->timer);
	ping->timer = timer_once(ping, ping->monitor->ev, (at_us - monotonic_us()) / 1000 + 1, wake,
	                         ping);
}

static void wake(void *data)
{
	struct ping *ping = data;

	ping->timer = NULL; /* freed by its firing */
	ping_look(ping);
}

void ping_look(struct ping *ping)
{
	int64_t now_us = monotonic_us(), next_us = INT64_MAX;
	struct service *service;
	bool due = false;

	list_for_each(service, registry_all(ping->monitor->registry), node)
		if (service->health.since_us + interval_us(ping, service) <= now_us)
			due = true;

	list_for_each(service, registry_all(ping->monitor->registry), node) {
		int64_t each_us = interval_us(ping, service);

		/* When we are awake anyway, who is due within a quarter of its interval is due now.
		 */
		if (due && service->health.since_us + each_us - each_us / 4 <= now_us) {
			if (service->health.asked)
				missed(ping, service);
			else
				ask(ping, service);
		}
		if (service->health.since_us + each_us < next_us)
			next_us = service->health.since_us + each_us;
	}
	if (next_us < INT64_MAX)
		sleep_until(ping, next_us);
}

struct ping *ping_new(TALLOC_CTX *mem, struct monitor *monitor)
{
	struct ping *ping = talloc_zero(mem, struct ping);

	if (ping)
		ping->monitor = monitor;
	return ping;
}
