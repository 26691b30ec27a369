/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Alone - started by hand, without systemd: do what the unit's root steps do, then be nobody
 * special
 *
 * The directories are those of units/sssd.tmpfiles.
 */
#include "monitor/alone.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"

bool alone_has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

bool alone_is_supervised(void)
{
	return getenv("NOTIFY_SOCKET") && alone_has_systemd();
}

static void say(const char *path, int r)
{
	fprintf(stderr, "sssd: %s: %s\n", path, error_text(r));
}

/* Makes the last directory of path, or gives an existing one back its owner and mode. */
static void make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	auto_close int fd = -1;

	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		say(path, -errno);
		return;
	}
	/* Through a descriptor, so that nobody puts a symlink between two steps. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		say(path, -errno);
}

void alone_make_dirs(const struct monitor_paths *paths)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (geteuid() != 0)
		return;
	account_find(NULL, ACCOUNT_SERVICE, &uid, &gid); /* missing: all is root's */

	if (strcmp(paths->pipes_dir, "/run/sss/pipes") == 0)
		make_dir("/run/sss", 0755, 0, 0);
	make_dir(paths->pipes_dir, 0755, 0, 0);
	make_dir(paths->run_dir, 0755, uid, gid);
	if (paths->conf_dir || paths->cache_dir)
		return; /* a test's, with its own tree */

	make_dir("/var/lib/sss", 0755, 0, 0);
	make_dir("/var/lib/sss/db", 0700, uid, gid);
	make_dir("/var/lib/sss/mc", 0755, uid, gid);
	make_dir("/var/lib/sss/conf", 02750, 0, gid);
	make_dir("/var/log/sssd", 0750, uid, gid);
	if (symlink("/run/sss/pipes", "/var/lib/sss/pipes") < 0 && errno != EEXIST)
		say("/var/lib/sss/pipes", -errno);
	if (symlink("/run/sssd/sssd.pid", "/run/sssd.pid") < 0 && errno != EEXIST)
		say("/run/sssd.pid", -errno);
}

int alone_run_conf(const struct monitor_paths *paths, const char *action, const char *config)
{
	auto_talloc char *program = talloc_asprintf(NULL, "%s/sssd_conf", paths->libexec);
	char *argv[8] = { program, (char *)action };
	int status, r, n = 2;
	pid_t pid;

	if (!program)
		return -ENOMEM;
	if (config) {
		argv[n++] = (char *)"--config";
		argv[n++] = (char *)config;
	}
	if (paths->conf_dir) {
		argv[n++] = (char *)"--out";
		argv[n++] = (char *)paths->conf_dir;
	}

	r = posix_spawn(&pid, program, NULL, NULL, argv, environ);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int alone_drop(void)
{
	uid_t uid;
	gid_t gid;
	int r;

	if (geteuid() != 0)
		return 0;
	r = account_find(NULL, ACCOUNT_SERVICE, &uid, &gid);
	if (r < 0) {
		fprintf(stderr, "sssd: there is no user " ACCOUNT_SERVICE
		                " in /etc/passwd: everything runs as root\n");
		return 0;
	}
	return account_become(uid, gid);
}
