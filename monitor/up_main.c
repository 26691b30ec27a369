/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssd_up - starts what services= names (ExecStartPost=+ of sssd.service)
 *
 * "services = nss, pam" means: keep these running. The monitor may not ask systemd for that, it is
 * unprivileged; this root step does, once the monitor is ready, in one systemctl call for sockets
 * and services together, so that they answer when `systemctl start sssd` returns. The list comes
 * from the compiled configuration, which only root writes, and picks from our own unit names.
 *
 * Before that it has sockets listen again whose file was removed from /run/sss/pipes: a socket unit
 * never makes its file a second time, and nobody else may (spec/systemd-notes.md §2).
 *
 * The call waits. That is safe only because no responder is ordered after sssd.service: one that
 * was would wait for this program's end, and this program for it.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/signals.h"
#include "common/base/str.h"
#include "common/conf/conf.h"

#define SYSTEMCTL "/usr/bin/systemctl"
#define UNITS_MAX 3 /* of one service */

static const struct service {
	const char *name;
	const char *units[UNITS_MAX + 1];
} services[] = {
	{ "nss", { "sssd-nss.socket", "sssd-nss.service" } },
	{ "pam", { "sssd-pam.socket", "sssd-pam-priv.socket", "sssd-pam.service" } },
	{ "ssh", { "sssd-ssh.socket", "sssd-ssh.service" } },
	{ "sudo", { "sssd-sudo.socket", "sssd-sudo.service" } },
	{ "autofs", { "sssd-autofs.socket", "sssd-autofs.service" } },
	{ "ifp", { "sssd-ifp.service" } },
	{ "pac", { "sssd-pac.socket", "sssd-pac.service" } },
};

/* Where the sockets of the responders that are built listen. */
static const struct socket {
	const char *unit, *path;
} sockets[] = {
	{ "sssd-nss.socket", "/run/sss/pipes/nss" },
};

/* systemd.unit(5), "Unit File Load Path": the first that has the name decides. */
static const char *const unit_folders[] = {
	"/etc/systemd/system",
	"/run/systemd/system",
	"/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",
};

enum unit_state {
	UNIT_THERE,
	UNIT_MASKED,
	UNIT_MISSING,
};

/* Masked is a link to /dev/null, or an empty file. */
static enum unit_state unit_state(const char *unit)
{
	for (size_t i = 0; i < str_size(unit_folders); i++) {
		char path[128];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", unit_folders[i], unit);
		if (stat(path, &st) == 0)
			return S_ISCHR(st.st_mode) || st.st_size == 0 ? UNIT_MASKED : UNIT_THERE;
	}
	return UNIT_MISSING;
}

static const struct service *service_of(const char *name)
{
	for (size_t i = 0; i < str_size(services); i++)
		if (strcasecmp(services[i].name, name) == 0)
			return &services[i];
	return NULL;
}

/* A service one of whose units is masked is not started at all: the administrator has said so. */
static bool may_start(const struct service *service)
{
	for (size_t i = 0; service->units[i]; i++) {
		enum unit_state found = unit_state(service->units[i]);

		if (found == UNIT_MASKED) {
			log_warn("services= names %s, but %s is masked: not started", service->name,
			         service->units[i]);
			return false;
		}
		if (found == UNIT_MISSING) {
			log_warn("services= names %s, but %s is not installed: not started",
			         service->name, service->units[i]);
			return false;
		}
	}
	return true;
}

/* Runs systemctl and returns its exit status, or a negative error. */
static int run_systemctl(char *const argv[])
{
	/* It needs none of what we were given; should it look up a name, then not with us. */
	static char *const environment[] = { (char *)"_SSS_LOOPS=NO", NULL };
	int status, r;
	pid_t pid;

	r = posix_spawn(&pid, SYSTEMCTL, NULL, NULL, argv, environment);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static bool is_dead(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != 0;
}

/* Of those that are active. */
static void revive_sockets(void)
{
	char *argv[2 + str_size(sockets) + 1] = { (char *)"systemctl", (char *)"try-restart" };
	size_t n = 2;
	int r;

	for (size_t i = 0; i < str_size(sockets); i++)
		if (is_dead(sockets[i].path))
			argv[n++] = (char *)sockets[i].unit;
	if (n == 2)
		return;
	r = run_systemctl(argv);
	if (r != 0)
		log_error("sockets without a file could not be restarted (systemctl: %d)", r);
}

int main(void)
{
	char *argv[2 + str_size(services) * UNITS_MAX + 1];
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	bool wanted[str_size(services)] = { false };
	struct conf *conf;
	size_t n = 0;
	int r;

	signals_calm();
	log_start("sssd_up", LOG_TO_JOURNAL);
	revive_sockets();

	r = conf_load(mem, NULL, "sssd", &conf);
	if (r < 0) {
		log_fatal("the compiled configuration: %s", error_text(r));
		return 1;
	}

	argv[n++] = (char *)"systemctl";
	argv[n++] = (char *)"start";
	for (char *const *name = conf_services(conf); *name; name++) {
		const struct service *service = service_of(*name);

		if (!service)
			log_warn("services= names %s, which is no service of sssd", *name);
		else if (!wanted[service - services] && may_start(service))
			for (size_t i = 0; service->units[i]; i++)
				argv[n++] = (char *)service->units[i];
		if (service)
			wanted[service - services] = true;
	}
	argv[n] = NULL;
	if (n == 2)
		return 0;

	r = run_systemctl(argv);
	if (r < 0)
		log_fatal("%s: %s", SYSTEMCTL, error_text(r));
	else if (r > 0)
		log_fatal("what services= names could not be started (systemctl: exit %d)", r);
	return r == 0 ? 0 : 1;
}
