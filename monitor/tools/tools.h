/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tools - shared by the commands of sssctl(8), by nobody else
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "common/sbus/iface_failover.h"
#include "common/sbus/iface_monitor.h"
#include "monitor/tools/tool.h"

#define CALL_MS 20000 /* a reload waits twice for backends, and twice for answers */

/* ---- bus.c: the monitor and the backends, as function calls ---- */

struct bus {
	struct tevent_context *ev;
	struct sbus_client *client;
	struct sbus_conn *conn;
	bool late;
};

/* A connection to the monitor; NULL, and a line on stderr, when there is none to be had. */
struct bus *bus_open(TALLOC_CTX *mem);

/* The register, on mem. Errors: after a line on stderr. */
int bus_list_services(TALLOC_CTX *mem, struct monitor_list_services_out *ret_out);

/* The servers of a domain, on mem. Errors: -E_NO_BACKEND nobody is there to tell. */
int bus_list_servers(TALLOC_CTX *mem, const char *domain,
                     struct failover_list_servers_out *ret_out);

/* ---- the commands, in files of their name; each returns the exit status ---- */

int domain_list(int argc, char *argv[]);
int domain_status(int argc, char *argv[]);
int user_show(int argc, char *argv[]);
int group_show(int argc, char *argv[]);
int metrics(int argc, char *argv[]);
