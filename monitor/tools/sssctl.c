/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssctl - ask and steer the suite (sssctl(8))
 *
 *   sssctl COMMAND [ARGS]
 *
 * A row of the table is a command. Those that upstream has and we have not built yet say so:
 * scripts get an honest 1 instead of a guess.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "monitor/check.h"
#include "monitor/tools/command.h"
#include "monitor/tools/kcm.h"
#include "monitor/tools/tools.h"

/* ---- services ---- */

static const char *type_name(uint32_t type)
{
	static const char *const names[] = { "service", "backend", "socket-activated",
		                             "bus-activated" };

	return type < str_size(names) ? names[type] : "?";
}

/* "name type pid starts since state …" (monitor/registry.h) as columns. */
static void print_service(const char *line)
{
	char name[301], since[32] = "?";
	uint32_t type, starts;
	int pid, state_at = 0;
	int64_t seconds;
	struct tm when;
	time_t moment;

	if (sscanf(line, "%300s %" SCNu32 " %d %" SCNu32 " %" SCNd64 " %n", name, &type, &pid,
	           &starts, &seconds, &state_at) < 5) {
		printf("%s\n", line);
		return;
	}
	moment = (time_t)seconds;
	if (localtime_r(&moment, &when))
		strftime(since, sizeof(since), "%F %T", &when);
	printf("%-24s %-16s pid %-8d start %-4" PRIu32 " since %s  %s\n", name, type_name(type),
	       pid, starts, since, state_at > 0 ? line + state_at : "");
}

static int services(int argc, char *argv[])
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	const struct command_line line = { 0 };
	int status = command_read(&line, argc, argv, NULL);
	struct monitor_list_services_out out;

	if (status >= 0)
		return status;
	if (bus_list_services(mem, &out) < 0)
		return EXIT_FAILURE;
	for (const char *const *service = out.lines; *service; service++)
		print_service(*service);
	return EXIT_SUCCESS;
}

/* ---- reload ---- */

/* The step that ExecReload= runs before us as root. Its exit status. */
static int compile(void)
{
	char *argv[] = { (char *)LIBEXEC_DIR "/sssd_conf", (char *)"--write", (char *)"--reload",
		         NULL };

	return run_program(argv);
}

static int reload(int argc, char *argv[])
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	bool wait = false;
	const struct command_option options[] = {
		{ "wait", '\0', "End when every process has it", &wait },
		{ NULL },
	};
	const struct command_line line = { .options = options };
	struct monitor_reload_out out;
	struct tevent_req *req;
	struct bus *bus;
	int r;

	r = command_read(&line, argc, argv, NULL);
	if (r >= 0)
		return r;
	r = geteuid() == 0 ? compile() : 0;
	if (r != 0)
		return r;

	bus = bus_open(mem);
	if (!bus)
		return EXIT_FAILURE;
	req = monitor_reload_send(mem, bus->ev, bus->conn, CALL_MS);
	if (!req)
		return failed("reload", -ENOMEM);
	/* Sent it is already: what the socket took, the monitor reads. */
	if (!wait && tevent_req_is_in_progress(req))
		return EXIT_SUCCESS;
	if (!tevent_req_poll(req, bus->ev))
		return failed("reload", -ENOMEM);
	r = monitor_reload_recv(req, mem, &out);
	return r < 0 ? failed("reload", r) : EXIT_SUCCESS;
}

/* ---- config-check ---- */

static int config_check(int argc, char *argv[])
{
	const char *file = NULL, *snippet_dir = NULL;
	const struct command_option options[] = {
		{ "config", 'c', "This one in place of /etc/sssd/sssd.conf", .takes = "FILE",
		  .ret_text = &file },
		{ "snippet", 's', "Snippets from here in place of conf.d beside the file",
		  .takes = "DIR", .ret_text = &snippet_dir },
		{ NULL },
	};
	const struct command_line line = { .options = options };
	int status = command_read(&line, argc, argv, NULL);

	if (status >= 0)
		return status;
	return conf_check_print(stdout, file, snippet_dir);
}

/* ---- cache-expire ---- */

/* Everything else is the program's, who may run it among it. */
static int cache_expire(int argc, char *argv[])
{
	char *command = argv[0];
	int status;

	(void)argc;
	argv[0] = (char *)SBIN_DIR "/sss_cache";
	status = run_program(argv);
	argv[0] = command;
	if (status == EXIT_SUCCESS)
		return EXIT_SUCCESS;
	fprintf(stderr, "Command 'sss_cache' failed with [%d]\n", status);
	return EXIT_FAILURE;
}

/* ---- the table ---- */

enum who {
	ROOT,
	ROOT_OR_OURS, /* the service user: ExecReload= */
	ANYBODY,
};

/* clang-format off */
static const struct command {
	const char *name;
	int (*run)(int argc, char *argv[]); /* NULL: not built yet */
	enum who who;
	const char *help;
} commands[] = {
	{ "reload",              reload,       ROOT_OR_OURS, "Check and put in force the configuration" },
	{ "services",            services,     ROOT_OR_OURS, "List the running processes" },
	{ "config-check",        config_check, ROOT,         "Check the configuration files" },
	{ "metrics",             metrics,      ROOT,         "Print what the processes counted, as OpenMetrics" },
	{ "kcm",                 sssctl_kcm,   ROOT,         "List, show or purge Kerberos credential caches" },
	{ "domain-list",         domain_list,  ROOT,         "List the domains" },
	{ "domain-status",       domain_status, ROOT,        "Tell whether a domain is online, and its servers" },
	{ "user-show",           user_show,    ROOT,         "Tell what the cache has of a user" },
	{ "group-show",          group_show,   ROOT,         "Tell what the cache has of a group" },
	{ "cache-expire",        cache_expire, ANYBODY,      "Have cached entries asked for again: sss_cache" },
	{ "user-checks",         NULL, ANYBODY, NULL }, { "access-report",       NULL, ROOT,    NULL },
	{ "netgroup-show",       NULL, ROOT,    NULL }, { "client-data-backup",  NULL, ANYBODY, NULL },
	{ "client-data-restore", NULL, ROOT,    NULL }, { "cache-remove",        NULL, ROOT,    NULL },
	{ "cache-index",         NULL, ROOT,    NULL }, { "cache-upgrade",       NULL, ROOT,    NULL },
	{ "logs-remove",         NULL, ROOT,    NULL }, { "logs-fetch",          NULL, ROOT,    NULL },
	{ "debug-level",         NULL, ROOT,    NULL }, { "analyze",             NULL, ANYBODY, NULL },
	{ "cert-show",           NULL, ANYBODY, NULL }, { "cert-map",            NULL, ROOT,    NULL },
	{ "cert-eval-rule",      NULL, ANYBODY, NULL }, { "gpo-show",            NULL, ROOT,    NULL },
	{ "gpo-list",            NULL, ROOT,    NULL }, { "gpo-remove",          NULL, ROOT,    NULL },
	{ "gpo-purge",           NULL, ROOT,    NULL }, { "passkey-register",    NULL, ANYBODY, NULL },
};
/* clang-format on */

static void print_commands(FILE *out)
{
	fprintf(out, "Usage:\nsssctl COMMAND COMMAND-ARGS\n\nAvailable commands:\n");
	for (size_t i = 0; i < str_size(commands); i++)
		if (commands[i].run)
			fprintf(out, "* %-20s\t %s\n", commands[i].name, commands[i].help);
}

static bool may_run(enum who who)
{
	uid_t uid;
	gid_t gid;

	if (who == ANYBODY || geteuid() == 0)
		return true;
	return who == ROOT_OR_OURS && account_find(NULL, ACCOUNT_SERVICE, &uid, &gid) == 0 &&
	       uid == geteuid();
}

static int run(const struct command *command, int argc, char *argv[])
{
	if (!may_run(command->who)) {
		fprintf(stderr, "'%s' must be run as root\n", command->name);
		return EXIT_FAILURE;
	}
	if (!command->run) {
		fprintf(stderr, "'%s' is not implemented yet\n", command->name);
		return EXIT_FAILURE;
	}
	return command->run(argc, argv);
}

int main(int argc, char *argv[])
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 ||
	                 strcmp(argv[1], "--usage") == 0)) {
		print_commands(stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; argc > 1 && i < str_size(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	print_commands(stderr);
	return EXIT_FAILURE;
}
