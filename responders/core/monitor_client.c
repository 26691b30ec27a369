/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Monitor client - registers with the monitor, whenever there is one, and does what it says
 *
 * Nothing of a client's request passes through here: without a monitor everything else goes on.
 */
#include <errno.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/sbus/iface_monitor.h"
#include "common/sbus/iface_service.h"
#include "common/sbus/sbus.h"
#include "responders/core/core.h"

#define REGISTER_TIMEOUT_MS   10000
#define INTERFACE_VERSION     1
#define TYPE_SOCKET_ACTIVATED 2

struct monitor_client {
	struct core *core;
	struct sbus_client *sbus;
	struct tevent_req *registration; /* owned; NULL once it was answered */
	bool is_registered;
};

/* ---- what the monitor asks ---- */

static void ping(struct sbus_call *call, void *data)
{
	(void)data;
	service_ping_reply(call);
}

static void rotate_logs(struct sbus_call *call, void *data)
{
	(void)data;
	log_reopen();
	service_rotate_logs_reply(call);
}

static void clear_negcache(struct sbus_call *call, void *data)
{
	struct monitor_client *monitor = data;

	core_clear_negative(monitor->core);
	service_clear_negcache_reply(call);
}

static void clear_memcache(struct sbus_call *call, void *data)
{
	struct monitor_client *monitor = data;

	core_clear_memory(monitor->core);
	service_clear_memcache_reply(call);
}

static void config_changed(struct sbus_call *call, const struct service_config_changed_in *in,
                           void *data)
{
	struct monitor_client *monitor = data;

	/* Even when nothing of it is ours: a backend may see another server now. */
	core_clear_negative(monitor->core);
	if (in->generation != monitor->core->setup->generation)
		core_reload(monitor->core);
	service_config_changed_reply(call);
}

static void drain(struct sbus_call *call, void *data)
{
	struct monitor_client *monitor = data;

	service_drain_reply(call);
	core_drain(monitor->core);
}

/* What is not named here is for backends, or for caches this responder does not have; sbus
 * answers "unknown method". */
static const struct service_methods methods = {
	.ping = ping,
	.rotate_logs = rotate_logs,
	.clear_memcache = clear_memcache,
	.clear_negcache = clear_negcache,
	.config_changed = config_changed,
	.drain = drain,
};

/* ---- registration ---- */

static void registered(struct tevent_req *subreq)
{
	struct monitor_client *monitor = tevent_req_callback_data(subreq, struct monitor_client);
	struct monitor_registration_service_out out;
	int r;

	r = monitor_registration_service_recv(subreq, monitor, &out);
	TALLOC_FREE(monitor->registration);
	if (r < 0) {
		log_warn("registration with the monitor: %s", error_text(r));
		return;
	}
	monitor->is_registered = true;
	metrics_look(); /* root's steps have repaired the tree */
	log_debug("registered with the monitor, start %u, generation %llu", out.starts,
	          (unsigned long long)out.generation);
	if (out.generation != monitor->core->setup->generation)
		core_reload(monitor->core);
}

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	struct monitor_client *monitor = data;
	struct core *core = monitor->core;
	struct monitor_registration_service_in in = {
		.name = core->resp->name,
		.version = INTERFACE_VERSION,
		.type = TYPE_SOCKET_ACTIVATED,
		.pid = (uint32_t)getpid(),
	};
	int r;

	(void)client;
	TALLOC_FREE(monitor->registration);
	monitor->is_registered = false;
	if (!conn)
		return;
	r = service_serve(conn, &methods, monitor);
	if (r == 0)
		monitor->registration = monitor_registration_service_send(monitor, core->ev, conn,
		                                                          &in, REGISTER_TIMEOUT_MS);
	if (!monitor->registration) {
		log_warn("registration with the monitor: %s", error_text(r < 0 ? r : -ENOMEM));
		return;
	}
	tevent_req_set_callback(monitor->registration, registered, monitor);
}

bool monitor_client_is_known(const struct monitor_client *monitor)
{
	return monitor->registration || monitor->is_registered;
}

struct monitor_client *monitor_client_new(struct core *core)
{
	struct monitor_client *monitor = talloc_zero(core, struct monitor_client);
	char *path;

	if (!monitor)
		return NULL;
	monitor->core = core;
	path = talloc_asprintf(monitor, "%s/sbus-monitor", core->paths.run_dir);
	if (!path || sbus_client_new(monitor, core->ev, path, false, connected, monitor,
	                             &monitor->sbus) < 0) {
		talloc_free(monitor);
		return NULL;
	}
	talloc_free(path);
	return monitor;
}
