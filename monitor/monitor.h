/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Monitor - what its parts share
 *
 *   main.c       the order of start and end, STATUS=     arguments.c  the command line
 *   backends.c   one process per domain                  activate.c   without systemd: sockets,
 * responders registry.c   who is alive                            ping.c       is it well?
 *   control.c    the bus: answers, orders, reload        network.c    "something changed, try
 * again" alone.c      without systemd: what the unit's root steps do, and dropping privileges
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

#include "common/conf/conf.h"
#include "common/conf/options.h"
#include "common/event/daemon.h"
#include "monitor/registry.h"

/* All may be set by hidden options, for tests. */
struct monitor_paths {
	const char *run_dir;   /* the bus and the pid file */
	const char *pipes_dir; /* what clients connect to */
	const char *conf_dir;  /* NULL = CONF_COMPILED_DIR */
	const char *cache_dir; /* NULL = the children's default */
	const char *mc_dir;    /* of the memory cache */
	const char *libexec;
};

struct monitor {
	struct monitor_paths paths;
	const char *debug_level, *logger; /* for children; NULL = they decide */
	bool microseconds;                /* --debug-microseconds */
	bool owns_sockets;                /* no service manager does it */
	bool disable_netlink;             /* the command line says so */

	struct daemon *daemon;
	struct tevent_context *ev;
	struct conf *conf;
	struct sssd_conf options;
	struct registry *registry;
	struct backends *backends;
	struct activate *activate; /* NULL unless owns_sockets */
	struct control *control;
	struct ping *ping;
	struct network *network;
	struct tevent_immediate *look; /* something changed */
	struct background *background; /* NULL unless -D, or once its parent was told */
	bool ready, stopping;
	int exit_status; /* of main(), once stopping */
};

/* argv[0] is paths.libexec/program, then args (NULL-terminated), then the options that every child
 * gets. NULL without memory. */
char **monitor_child_argv(TALLOC_CTX *mem, const struct monitor *monitor, const char *program,
                          const char *const *args);

/* Reads the compiled configuration; what was in force is freed. Errors: those of conf_load() and
 * conf_read(): then it stays in force. */
int monitor_load(struct monitor *monitor);

/* Something that STATUS= or the order of start and end may depend on happened: a registration, a
 * report, a child's end. Looked at from the loop. */
void monitor_changed(struct monitor *monitor);
