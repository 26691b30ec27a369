/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registration - see registration.h
 */
#include "backend/core/registration.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/metrics/metrics.h"
#include "common/sbus/iface_monitor.h"
#include "common/sbus/iface_service.h"
#include "common/sbus/sbus.h"

#define CALL_TIMEOUT_MS 10000
#define TYPE_PROVIDER   1 /* interfaces/monitor.xml */
#define OUR_VERSION     1

struct registration {
	struct tevent_context *ev; /* borrowed */
	const char *name;          /* borrowed */
	const struct registration_hooks *hooks;
	void *data;
	struct sbus_client *client;
	struct tevent_req *call; /* the registration or report under way */
	char *state;             /* what to report; NULL = nothing yet */
	bool registered, reported;
};

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data);
static void registered(struct tevent_req *req);
static void report(struct registration *self);
static void reported(struct tevent_req *req);

/* ---- commands ---- */

static void on_ping(struct sbus_call *call, void *data)
{
	(void)data;
	service_ping_reply(call);
}

static void on_rotate_logs(struct sbus_call *call, void *data)
{
	struct registration *self = data;

	self->hooks->rotate_logs(self->data);
	service_rotate_logs_reply(call);
}

static void on_go_offline(struct sbus_call *call, void *data)
{
	struct registration *self = data;

	self->hooks->go_offline(self->data);
	service_go_offline_reply(call);
}

static void on_reset_offline(struct sbus_call *call, void *data)
{
	struct registration *self = data;

	self->hooks->reset_offline(self->data);
	service_reset_offline_reply(call);
}

static void on_network_changed(struct sbus_call *call, void *data)
{
	struct registration *self = data;

	self->hooks->network_changed(self->data);
	service_network_changed_reply(call);
}

/* Each resolution reads resolv.conf anew; that it changed is news of the network all the same. */
static void on_res_init(struct sbus_call *call, void *data)
{
	struct registration *self = data;

	self->hooks->network_changed(self->data);
	service_res_init_reply(call);
}

static void on_config_changed(struct sbus_call *call, const struct service_config_changed_in *in,
                              void *data)
{
	struct registration *self = data;

	if (!self->hooks->generation(in->generation, self->data))
		service_config_changed_reply(call);
}

static void on_drain(struct sbus_call *call, void *data)
{
	struct registration *self = data;

	service_drain_reply(call);
	self->hooks->drain(self->data);
}

static const struct service_methods methods = {
	.ping = on_ping,
	.rotate_logs = on_rotate_logs,
	.go_offline = on_go_offline,
	.reset_offline = on_reset_offline,
	.network_changed = on_network_changed,
	.res_init = on_res_init,
	.config_changed = on_config_changed,
	.drain = on_drain,
};

/* ---- registration and reports ---- */

int registration_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path, const char *name,
                     const struct registration_hooks *hooks, void *data,
                     struct registration **ret_registration)
{
	struct registration *self = talloc_zero(mem, struct registration);
	int r;

	if (!self)
		return -ENOMEM;
	self->ev = ev;
	self->name = name;
	self->hooks = hooks;
	self->data = data;
	r = sbus_client_new(self, ev, path, false, connected, self, &self->client);
	if (r < 0) {
		talloc_free(self);
		return r;
	}
	*ret_registration = self;
	return 0;
}

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	struct registration *self = data;
	struct monitor_registration_service_in in = {
		.name = self->name,
		.version = OUR_VERSION,
		.type = TYPE_PROVIDER,
		.pid = (uint32_t)getpid(),
	};
	int r;

	(void)client;
	self->registered = self->reported = false;
	TALLOC_FREE(self->call);
	if (!conn)
		return;

	r = service_serve(conn, &methods, self);
	if (r < 0) {
		log_warn("connection to the monitor: %s", error_text(r));
		return;
	}
	self->call = monitor_registration_service_send(self, self->ev, conn, &in, CALL_TIMEOUT_MS);
	if (self->call)
		tevent_req_set_callback(self->call, registered, self);
}

static void registered(struct tevent_req *req)
{
	struct registration *self = tevent_req_callback_data(req, struct registration);
	struct monitor_registration_service_out out;
	int r = monitor_registration_service_recv(req, self, &out);

	TALLOC_FREE(self->call);
	if (r < 0) {
		log_warn("the monitor did not register us: %s", error_text(r));
		return;
	}
	self->registered = true;
	metrics_look(); /* root's steps have repaired the tree */
	report(self);
	self->hooks->generation(out.generation, self->data);
}

void registration_report(struct registration *self, const char *state)
{
	talloc_free(self->state);
	self->state = talloc_strdup(self, state);
	self->reported = false;
	report(self);
}

/* One report at a time: the monitor sees them in order, and the last one is the latest. */
static void report(struct registration *self)
{
	struct monitor_report_status_in in = { .state = self->state };
	struct sbus_conn *conn = sbus_client_conn(self->client);

	if (!self->registered || self->reported || self->call || !self->state || !conn)
		return;
	self->reported = true;
	self->call = monitor_report_status_send(self, self->ev, conn, &in, CALL_TIMEOUT_MS);
	if (self->call)
		tevent_req_set_callback(self->call, reported, self);
}

static void reported(struct tevent_req *req)
{
	struct registration *self = tevent_req_callback_data(req, struct registration);
	int r = monitor_report_status_recv(req, self);

	TALLOC_FREE(self->call);
	if (r < 0)
		log_debug("report to the monitor: %s", error_text(r));
	report(self); /* the state may have changed meanwhile */
}
