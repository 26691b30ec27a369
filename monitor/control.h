/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Control - the bus: who registers, what the monitor is asked, what it tells all
 */
#pragma once

#include "monitor/monitor.h"

struct control; /* a talloc object */

/* Listens at SBUS_MONITOR_PATH's name in run_dir. Errors: those of sbus_server_new(). */
int control_new(TALLOC_CTX *mem, struct monitor *monitor, struct control **ret_control);

enum command {
	COMMAND_HANGUP,  /* logs, all caches in memory, resolv.conf; to everybody */
	COMMAND_OFFLINE, /* to backends */
	COMMAND_ONLINE,
	COMMAND_NETWORK,
	COMMAND_DRAIN, /* to everybody */
};

/* Tells whom it concerns, and waits for nobody. */
void control_tell(struct control *control, enum command command);

/* Tells one process to end. */
void control_drain(struct control *control, struct service *service);

/* Reads the compiled configuration again and has everybody follow. Errors: those of conf_load();
 * then all stays as it was. */
int control_reload(struct control *control);

/* Something changed that a reload may wait for. */
void control_look(struct control *control);
