/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssctl domain-list, domain-status
 *
 * The domains are those of the compiled configuration; whether one is online is what its backend
 * told the monitor, in a line that begins with "online since …, SERVER" or "offline since …".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "monitor/registry.h"
#include "monitor/tools/command.h"
#include "monitor/tools/tools.h"

/* --start: as an administrator would. */
static int start_sssd(void)
{
	char *argv[] = { (char *)"systemctl", (char *)"start", (char *)"sssd.service", NULL };

	return run_program(argv);
}

/* ---- domain-list ---- */

int domain_list(int argc, char *argv[])
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	bool start = false, verbose = false;
	const struct command_option options[] = {
		{ "start", 's', "Start SSSD first", &start },
		{ "verbose", 'v', "Say of each what kind it is", &verbose },
		{ NULL },
	};
	const struct command_line line = { .options = options };
	int status = command_read(&line, argc, argv, NULL);
	struct conf *conf;

	if (status >= 0)
		return status;
	if (start && start_sssd() != 0)
		return EXIT_FAILURE;
	conf = compiled_conf(mem, "sssd");
	if (!conf)
		return EXIT_FAILURE;
	for (char *const *name = conf_domains(conf); *name; name++)
		printf("%s%s\n", verbose ? "Primary domain: " : "", *name);
	return EXIT_SUCCESS;
}

/* ---- domain-status ---- */

/* What the backend of domain told: the line behind "%BE_NAME TYPE PID STARTS SINCE "; NULL when it
 * does not live. */
static const char *state_of(const struct monitor_list_services_out *services, const char *domain)
{
	for (const char *const *line = services->lines; *line; line++) {
		size_t prefix = strlen(PROVIDER_PREFIX), size = strlen(domain);
		const char *state = *line + prefix + size;

		if (strncmp(*line, PROVIDER_PREFIX, prefix) != 0 ||
		    strncasecmp(*line + prefix, domain, size) != 0 || *state != ' ')
			continue;
		for (unsigned i = 0; i < 4 && state; i++)
			state = strchr(state + 1, ' ');
		return state ? state + 1 : NULL;
	}
	return NULL;
}

/* The host of a URI: what is between "://" and a port, path, blank or the end; brackets stay. */
static void print_host(const char *uri)
{
	const char *host = strstr(uri, "://");
	size_t size;

	host = host ? host + 3 : uri;
	size = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/ ");
	printf("%.*s\n", (int)size, host);
}

static bool is_online(const char *state)
{
	return state && strncmp(state, "online", 6) == 0;
}

static void print_active(const char *state)
{
	const char *server = is_online(state) ? strstr(state, ", ") : NULL;

	printf("Active servers:\nLDAP: ");
	if (server)
		print_host(server + 2);
	else
		printf("not connected\n");
	printf("\n");
}

static int print_servers(TALLOC_CTX *mem, const char *domain)
{
	struct failover_list_servers_out out;
	int r = bus_list_servers(mem, domain, &out);

	if (r == -E_NO_BACKEND) {
		printf("No servers discovered.\n\n");
		return 0;
	}
	if (r < 0) {
		failed("the backend", r);
		return r;
	}
	printf("Discovered LDAP servers:\n");
	if (!*out.servers)
		printf("None so far.\n");
	for (const char *const *server = out.servers; *server; server++)
		printf("- %s\n", *server);
	printf("\n");
	return 0;
}

static const char *find_domain(const struct conf *conf, const char *name)
{
	char *const *domain = conf_domains(conf);

	while (*domain && strcasecmp(*domain, name) != 0)
		domain++;
	return *domain;
}

int domain_status(int argc, char *argv[])
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	bool online = false, active = false, servers = false, start = false;
	const struct command_option options[] = {
		{ "online", 'o', "Is it online?", &online },
		{ "active-server", 'a', "Which server is in use?", &active },
		{ "servers", 'r', "Which servers are there?", &servers },
		{ "start", 's', "Start SSSD first", &start },
		{ NULL },
	};
	const struct command_line line = { .argument = "DOMAIN", .options = options };
	struct monitor_list_services_out services;
	const char *name, *domain, *state;
	struct conf *conf;
	int status;

	status = command_read(&line, argc, argv, &name);
	if (status >= 0)
		return status;
	if (!online && !active && !servers)
		online = active = servers = true;
	if (start && start_sssd() != 0)
		return EXIT_FAILURE;

	conf = compiled_conf(mem, "sssd");
	if (!conf)
		return EXIT_FAILURE;
	domain = find_domain(conf, name);
	if (!domain) {
		fprintf(stderr, "Unknown domain: %s\n", name);
		return EXIT_FAILURE;
	}
	if (bus_list_services(mem, &services) < 0)
		return EXIT_FAILURE;

	state = state_of(&services, domain);
	/* Not to stdout, whose lines scripts know. */
	if (online && state && !is_online(state))
		fprintf(stderr, "%s: %s\n", domain, state);
	if (online)
		printf("Online status: %s\n\n", is_online(state) ? "Online" : "Offline");
	if (active)
		print_active(state);
	if (servers && print_servers(mem, domain) < 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
