/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Control - the bus: who registers, what the monitor is asked, what it tells all
 *
 *   Reload ─ load ─▶ start and end backends ─ registered, or 2 s ─▶ configChanged to backends
 *          ─ answered, or ended and another registered ─▶ configChanged to all others
 *          ─ answered, or 10 s each time ─▶ the answer
 */
#include "monitor/control.h"

#include <errno.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/timer.h"
#include "common/sbus/iface_monitor.h"
#include "common/sbus/iface_service.h"
#include "monitor/activate.h"
#include "monitor/backends.h"
#include "monitor/ping.h"

#define MONITOR_VERSION 1
#define TELL_MS         10000
#define NEW_BACKENDS_MS 2000
#define SWAP_MS         (DAEMON_DRAIN_MS + 5000)

struct control {
	struct monitor *monitor; /* borrowed */
	struct sbus_server *server;
	struct reload *reloads; /* those that wait for new backends */
};

/* ---- telling ---- */

typedef struct tevent_req *tell_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                     struct sbus_conn *conn, uint32_t timeout_ms);

/* clang-format off */
static const struct row {
	enum command command;
	bool only_providers;
	tell_send *send;
} rows[] = {
	{ COMMAND_HANGUP,  false, service_rotate_logs_send },
	{ COMMAND_HANGUP,  false, service_clear_memcache_send },
	{ COMMAND_HANGUP,  false, service_clear_negcache_send },
	{ COMMAND_HANGUP,  false, service_clear_enum_cache_send },
	{ COMMAND_HANGUP,  false, service_res_init_send },
	{ COMMAND_OFFLINE, true,  service_go_offline_send },
	{ COMMAND_ONLINE,  true,  service_reset_offline_send },
	{ COMMAND_NETWORK, true,  service_network_changed_send },
	{ COMMAND_DRAIN,   false, service_drain_send },
};
/* clang-format on */

/* Whatever it answered; many commands are unknown to most. */
static void told(struct tevent_req *req)
{
	talloc_free(req);
}

static void tell(struct control *control, struct service *service, enum command command)
{
	for (size_t i = 0; i < str_size(rows); i++) {
		struct tevent_req *req;

		if (rows[i].command != command ||
		    (rows[i].only_providers && service->type != SERVICE_PROVIDER))
			continue;
		req = rows[i].send(service, control->monitor->ev, service->conn, TELL_MS);
		if (req)
			tevent_req_set_callback(req, told, NULL);
	}
}

void control_tell(struct control *control, enum command command)
{
	struct service *service;

	list_for_each(service, registry_all(control->monitor->registry), node)
		tell(control, service, command);
}

void control_drain(struct control *control, struct service *service)
{
	tell(control, service, COMMAND_DRAIN);
}

/* ---- reload ---- */

struct reload {
	struct reload *next; /* in control->reloads */
	struct control *control;
	struct caller *caller; /* NULL: nobody asked, or is there any more */
	struct timer *wait;    /* for new backends */
	bool told_backends;    /* the others are next, or are asked already */
	bool backend_left;     /* to make room for a process with the new options */
	unsigned n_asked;
};

/* Whom to answer: hangs below the call and goes with it. Neither it nor the reload ends first for
 * sure. */
struct caller {
	struct reload *reload; /* NULL once that is done */
	struct sbus_call *call;
};

static int caller_gone(struct caller *caller)
{
	if (caller->reload)
		caller->reload->caller = NULL;
	return 0;
}

static void swapped(struct tevent_req *req);

static void reload_done(struct reload *reload)
{
	struct monitor_reload_out out = { conf_generation(reload->control->monitor->conf) };

	if (reload->caller)
		monitor_reload_reply(reload->caller->call, &out);
	talloc_free(reload);
}

static int reload_free(struct reload *reload)
{
	if (reload->caller)
		reload->caller->reload = NULL;
	for (struct reload **link = &reload->control->reloads; *link; link = &(*link)->next)
		if (*link == reload) {
			*link = reload->next;
			break;
		}
	return 0;
}

static void waited(void *data);

static int wait_for_backends(struct reload *reload, bool some_start)
{
	reload->wait = timer_once(reload, reload->control->monitor->ev,
	                          some_start ? NEW_BACKENDS_MS : 0, waited, reload);
	return reload->wait ? 0 : -ENOMEM;
}

static void all_swapped(struct reload *reload)
{
	if (!reload->told_backends) {
		reload->told_backends = true;
		if (wait_for_backends(reload, reload->backend_left) == 0)
			return;
	}
	reload_done(reload);
}

/* Backends first: what another process asks them from then on is answered by the new options. */
static void waited(void *data)
{
	struct reload *reload = data;
	struct monitor *monitor = reload->control->monitor;
	struct service_config_changed_in in = { conf_generation(monitor->conf) };
	struct service *service;

	reload->wait = NULL; /* freed by its firing */
	if (!reload->told_backends)
		backends_told(monitor->backends);
	list_for_each(service, registry_all(monitor->registry), node) {
		struct tevent_req *req;

		if ((service->type == SERVICE_PROVIDER) == reload->told_backends)
			continue;
		req = service_config_changed_send(reload, monitor->ev, service->conn, &in, SWAP_MS);
		if (!req)
			continue;
		tevent_req_set_callback(req, swapped, reload);
		reload->n_asked++;
	}
	if (reload->n_asked == 0)
		all_swapped(reload);
}

static void swapped(struct tevent_req *req)
{
	struct reload *reload = tevent_req_callback_data(req, struct reload);
	int r = service_config_changed_recv(req, NULL);

	talloc_free(req);
	if (r == -E_DISCONNECTED)
		reload->backend_left = true;
	else if (r < 0 && r != -ENOSYS)
		log_warn("a process did not take the new configuration: %s", error_text(r));
	if (--reload->n_asked == 0)
		all_swapped(reload);
}

/* A backend is there before anybody hears of its domain, unless it takes too long. */
void control_look(struct control *control)
{
	if (!backends_registered(control->monitor->backends))
		return;
	for (struct reload *reload = control->reloads; reload; reload = reload->next)
		if (reload->wait)
			timer_again(reload->wait, 0);
}

static int reload_start(struct control *control, struct sbus_call *call)
{
	struct monitor *monitor = control->monitor;
	auto_talloc struct reload *reload = talloc_zero(control, struct reload);
	struct caller *caller = NULL;
	int r;

	if (!reload)
		return -ENOMEM;
	reload->control = control;
	if (call) {
		caller = talloc_zero(call, struct caller);
		if (!caller)
			return -ENOMEM;
	}
	r = monitor_load(monitor);
	if (r < 0)
		return r;
	log_notice("configuration generation %llu",
	           (unsigned long long)conf_generation(monitor->conf));
	if (monitor->activate)
		activate_follow(monitor->activate);
	monitor_changed(monitor);

	reload->next = control->reloads;
	control->reloads = reload;
	talloc_set_destructor(reload, reload_free);
	if (caller) {
		*caller = (struct caller){ reload, call };
		reload->caller = caller;
		talloc_set_destructor(caller, caller_gone);
	}
	r = wait_for_backends(reload, backends_follow(monitor->backends));
	if (r == 0)
		take_ptr(reload);
	return r;
}

int control_reload(struct control *control)
{
	return reload_start(control, NULL);
}

/* ---- what the monitor answers ---- */

static void registration_service(struct sbus_call *call,
                                 const struct monitor_registration_service_in *in, void *data)
{
	struct control *control = data;
	struct monitor *monitor = control->monitor;
	struct monitor_registration_service_out out = { MONITOR_VERSION };
	struct service *service;
	int r;

	r = registry_add(monitor->registry, sbus_call_conn(call), in->name, in->type, in->pid,
	                 &service);
	if (r < 0) {
		log_warn("the registration of %s is refused: %s", in->name, error_text(r));
		sbus_call_fail(call, r, "registration of %s: %s", in->name, error_text(r));
		return;
	}
	log_debug("%s, pid %d, start %u", service->name, (int)service->pid, service->starts);
	out.generation = conf_generation(monitor->conf);
	out.starts = service->starts;
	monitor_registration_service_reply(call, &out);
	if (monitor->activate && activate_is_orphan(monitor->activate, service->name, service->pid))
		tell(control, service, COMMAND_DRAIN);
	ping_look(monitor->ping);
}

static void report_status(struct sbus_call *call, const struct monitor_report_status_in *in,
                          void *data)
{
	struct control *control = data;
	struct service *service = registry_of(control->monitor->registry, sbus_call_conn(call));

	if (!service) {
		sbus_call_fail(call, -EPERM, "register first");
		return;
	}
	liveness_heard(&service->health);
	registry_report(service, in->state);
	monitor_report_status_reply(call);
}

static void list_services(struct sbus_call *call, void *data)
{
	struct control *control = data;
	struct monitor_list_services_out out;
	int r;

	r = registry_lines(control->monitor->registry, call, &out.lines);
	if (r < 0)
		sbus_call_fail(call, r, "%s", error_text(r));
	else
		monitor_list_services_reply(call, &out);
}

static void reload(struct sbus_call *call, void *data)
{
	int r = reload_start(data, call);

	if (r < 0)
		sbus_call_fail(call, r, "the compiled configuration cannot be read: %s",
		               error_text(r));
}

static const struct monitor_methods methods = {
	.registration_service = registration_service,
	.report_status = report_status,
	.list_services = list_services,
	.reload = reload,
};

static void accepted(struct sbus_server *server, struct sbus_conn *conn, void *data)
{
	(void)server;
	if (monitor_serve(conn, &methods, data) < 0)
		talloc_free(conn);
}

int control_new(TALLOC_CTX *mem, struct monitor *monitor, struct control **ret_control)
{
	auto_talloc struct control *control = talloc_zero(mem, struct control);
	auto_talloc char *path = talloc_asprintf(NULL, "%s/sbus-monitor", monitor->paths.run_dir);
	int r;

	if (!control || !path)
		return -ENOMEM;
	control->monitor = monitor;
	r = sbus_server_new(control, monitor->ev, path, accepted, control, &control->server);
	if (r < 0) {
		log_fatal("%s: %s", path, error_text(r));
		return r;
	}
	*ret_control = take_ptr(control);
	return 0;
}
