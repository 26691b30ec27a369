/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Arguments - the monitor's command line (sssd(8))
 */
#pragma once

#include <stdbool.h>

#include "monitor/monitor.h"

/* Exit statuses scripts know. */
enum {
	EXIT_CONFIG = 1, /* the command line, or [sssd] and the domains */
	EXIT_NO_MEMORY = 2,
	EXIT_UNREADABLE =
		3, /* the configuration, or another thing without which there is no start */
	EXIT_RUNNING = 6,
	EXIT_RESTORE = 75, /* start us again, root steps included (RestartForceExitStatus=) */
};

struct arguments {
	struct monitor_paths paths;
	const char *config; /* -c; NULL = the usual file */
	const char *debug_level, *logger;
	bool interactive, check_only, microseconds, disable_netlink;
};

/* -1, or the status to exit with: then everything was printed. */
int arguments_read(int argc, char *argv[], struct arguments *ret_args);
