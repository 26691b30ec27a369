/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backend stub - stands in for sssd_be under the monitor: registers, reports, and notes in a file
 * what it is told
 *
 *   RUN_DIR/stub-DOMAIN.log: "started PID [suspect]", then a line for each command
 *
 * The domain's name chooses how it behaves: CRASH ends with SIGABRT once it has registered, DEAF
 * ignores SIGTERM and drain, SILENT never registers, SLOW takes all the time there is to end
 * (DAEMON_DRAIN_MS); all others are good.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/event/daemon.h"
#include "common/sbus/iface_monitor.h"
#include "common/sbus/iface_service.h"

static const char *domain, *run_dir;
static bool suspect;
static struct tevent_context *events;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
	char path[256], line[256];
	va_list args;
	int fd;

	snprintf(path, sizeof(path), "%s/stub-%s.log", run_dir, domain);
	va_start(args, format);
	vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	strcat(line, "\n");
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		_exit(3);
	close(fd);
}

/* ---- what the monitor asks ---- */

#define ON(name)                                                  \
	static void on_##name(struct sbus_call *call, void *data) \
	{                                                         \
		(void)data;                                       \
		note(#name);                                      \
		service_##name##_reply(call);                     \
	}
ON(ping)
ON(rotate_logs)
ON(go_offline)
ON(reset_offline)
ON(network_changed)

static _Noreturn void end_slowly(void)
{
	usleep(1000 * (DAEMON_DRAIN_MS + 300));
	note("ended in order");
	exit(0);
}

static void on_config_changed(struct sbus_call *call, const struct service_config_changed_in *in,
                              void *data)
{
	(void)data;
	note("config_changed %llu", (unsigned long long)in->generation);
	if (strcmp(domain, "SLOW") == 0)
		end_slowly();
	service_config_changed_reply(call);
}

static void on_drain(struct sbus_call *call, void *data)
{
	(void)data;
	note("drain");
	service_drain_reply(call);
	if (strcmp(domain, "SLOW") == 0)
		end_slowly();
	if (strcmp(domain, "DEAF") != 0)
		exit(0);
}

static const struct service_methods methods = {
	.ping = on_ping,
	.rotate_logs = on_rotate_logs,
	.go_offline = on_go_offline,
	.reset_offline = on_reset_offline,
	.network_changed = on_network_changed,
	.config_changed = on_config_changed,
	.drain = on_drain,
};

/* ---- registration ---- */

static void reported(struct tevent_req *req)
{
	if (monitor_report_status_recv(req, NULL) < 0)
		note("report refused");
	talloc_free(req);
}

static void registered(struct tevent_req *req)
{
	struct sbus_conn *conn = tevent_req_callback_data_void(req);
	struct monitor_report_status_in in = { "online since 2026-11-21 10:20:55 (stub)" };
	struct monitor_registration_service_out out;
	int r = monitor_registration_service_recv(req, req, &out);

	talloc_free(req);
	if (r < 0) {
		note("refused");
		exit(4);
	}
	note("registered %llu %u", (unsigned long long)out.generation, out.starts);
	if (strcmp(domain, "CRASH") == 0) {
		signal(SIGABRT, SIG_DFL);
		raise(SIGABRT);
	}
	req = monitor_report_status_send(conn, events, conn, &in, 5000);
	tevent_req_set_callback(req, reported, NULL);
}

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	char name[256];
	struct monitor_registration_service_in in = {
		.name = name, .version = 1, .type = 1, .pid = (uint32_t)getpid()
	};

	(void)client;
	(void)data;
	snprintf(name, sizeof(name), "%%BE_%s", domain);
	if (!conn || service_serve(conn, &methods, NULL) < 0)
		return;
	tevent_req_set_callback(monitor_registration_service_send(conn, events, conn, &in, 5000),
	                        registered, conn);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "domain", required_argument, NULL, 'D' },
		{ "run-dir", required_argument, NULL, 'R' },
		{ "suspect", no_argument, NULL, 's' },
		{ "conf-dir", required_argument, NULL, 'x' },
		{ "cache-dir", required_argument, NULL, 'x' },
		{ "logger", required_argument, NULL, 'x' },
		{ "debug-level", required_argument, NULL, 'x' },
		{ NULL },
	};
	struct sbus_client *client;
	char path[256];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'D':
			domain = optarg;
			break;
		case 'R':
			run_dir = optarg;
			break;
		case 's':
			suspect = true;
			break;
		case 'x':
			break;
		default:
			return 2;
		}
	if (!domain || !run_dir)
		return 2;
	events = tevent_context_init(NULL);
	if (strcmp(domain, "DEAF") == 0 || strcmp(domain, "SLOW") == 0)
		signal(SIGTERM, SIG_IGN);
	else
		signal(SIGTERM, SIG_DFL);
	note("started %d%s", (int)getpid(), suspect ? " suspect" : "");
	snprintf(path, sizeof(path), "%s/sbus-monitor", run_dir);
	if (strcmp(domain, "SILENT") != 0 &&
	    sbus_client_new(events, events, path, false, connected, NULL, &client) < 0)
		return 1;
	for (;;)
		if (strcmp(domain, "SILENT") == 0)
			pause();
		else
			tevent_loop_once(events);
}
