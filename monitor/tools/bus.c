/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bus - the monitor, for the commands of sssctl(8)
 */
#include <errno.h>
#include <stdio.h>

#include "common/base/error.h"
#include "common/event/timer.h"
#include "monitor/tools/tools.h"

#define CONNECT_MS 3000

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	(void)client;
	((struct bus *)data)->conn = conn;
}

static void too_late(void *data)
{
	((struct bus *)data)->late = true;
}

static struct bus *open_at(TALLOC_CTX *mem, const char *path)
{
	struct bus *bus = talloc_zero(mem, struct bus);

	if (!bus)
		return NULL;
	bus->ev = tevent_context_init(bus);
	if (bus->ev &&
	    sbus_client_new(bus, bus->ev, path, true, connected, bus, &bus->client) == 0 &&
	    sbus_client_wake(bus->client) && timer_once(bus, bus->ev, CONNECT_MS, too_late, bus))
		while (!bus->conn && !bus->late)
			tevent_loop_once(bus->ev);
	return bus->conn ? bus : NULL;
}

struct bus *bus_open(TALLOC_CTX *mem)
{
	struct bus *bus = open_at(mem, SBUS_MONITOR_PATH);

	if (!bus)
		fprintf(stderr, "SSSD is not running.\n");
	return bus;
}

int bus_list_servers(TALLOC_CTX *mem, const char *domain, struct failover_list_servers_out *ret_out)
{
	static const struct failover_list_servers_in in = { .service = "LDAP" };
	char *path = sbus_backend_path(mem, NULL, domain);
	struct bus *bus = path ? open_at(mem, path) : NULL;
	struct tevent_req *req;

	if (!bus)
		return -E_NO_BACKEND;
	req = failover_list_servers_send(mem, bus->ev, bus->conn, &in, CALL_MS);
	if (!req || !tevent_req_poll(req, bus->ev))
		return -ENOMEM;
	return failover_list_servers_recv(req, mem, ret_out);
}

int bus_list_services(TALLOC_CTX *mem, struct monitor_list_services_out *ret_out)
{
	struct bus *bus = bus_open(mem);
	struct tevent_req *req;
	int r;

	if (!bus)
		return -E_NO_BACKEND;
	req = monitor_list_services_send(mem, bus->ev, bus->conn, CALL_MS);
	if (!req || !tevent_req_poll(req, bus->ev))
		r = -ENOMEM;
	else
		r = monitor_list_services_recv(req, mem, ret_out);
	if (r < 0)
		failed("the monitor", r);
	return r;
}
