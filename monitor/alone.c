/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Alone - started by hand, without systemd: do what the unit's root steps do, then be nobody
 * special
 *
 * The directories are those of monitor/dirs.h.
 */
#include "monitor/alone.h"

#include <dirent.h>
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
#include "monitor/dirs.h"

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

/* Gives all below the directory fd to uid and gid, or with away removes it. Links are not
 * followed, and a file that has another name elsewhere is not given away: the service could have
 * put it there. fd is taken over. */
static void walk(int fd, uid_t uid, gid_t gid, bool away)
{
	DIR *folder = fdopendir(fd);
	struct dirent *item;

	if (!folder) {
		close(fd);
		return;
	}
	while ((item = readdir(folder)) != NULL) {
		int dir = dirfd(folder), below, r = 0;
		auto_close int one = -1; /* what is looked at and what is given away are the same */
		struct stat st;

		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		one = openat(dir, item->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (one < 0 || fstat(one, &st) < 0)
			continue;
		below = S_ISDIR(st.st_mode)
		                ? openat(one, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		                : -1;
		if (below >= 0)
			walk(below, uid, gid, away);
		if (away)
			r = unlinkat(dir, item->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
		else if ((st.st_uid != uid || st.st_gid != gid) &&
		         (S_ISDIR(st.st_mode) || st.st_nlink == 1))
			r = fchownat(one, "", uid, gid, AT_EMPTY_PATH);
		if (r < 0)
			say(item->d_name, -errno);
	}
	closedir(folder);
}

/* As "L+" of tmpfiles.d(5): whatever else is there goes. */
static void make_link(const char *path, const char *target)
{
	char found[64];
	ssize_t size = readlink(path, found, sizeof(found));
	int fd;

	if (size == (ssize_t)strlen(target) && memcmp(found, target, (size_t)size) == 0)
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		walk(fd, 0, 0, true);
	if (remove(path) < 0 && errno != ENOENT)
		say(path, -errno);
	else if (symlink(target, path) < 0)
		say(path, -errno);
}

/* Makes the last directory of path, or gives an existing one back its owner and mode; below: and
 * all that lies in it its owner. */
static void make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, bool below)
{
	int fd;

	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		say(path, -errno);
		return;
	}
	/* Through a descriptor, so that nobody puts a symlink between two steps. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		say(path, -errno);
	else if (below)
		walk(dup(fd), uid, gid, false);
	if (fd >= 0)
		close(fd);
}

void alone_make_run_dir(const struct monitor_paths *paths)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (geteuid() != 0)
		return;
	account_find(NULL, ACCOUNT_SERVICE, &uid, &gid); /* missing: all is root's */
	make_dir(paths->run_dir, 0755, uid, gid, false);
}

void alone_make_dirs(const struct monitor_paths *paths)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (geteuid() != 0)
		return;
	account_find(NULL, ACCOUNT_SERVICE, &uid, &gid);

	if (paths->conf_dir || paths->cache_dir) { /* a test's, with its own tree */
		make_dir(paths->pipes_dir, 0755, 0, 0, false);
		return;
	}
	for (const struct dirs_item *item = dirs_items; item->path; item++)
		if (!item->target)
			make_dir(item->path, item->mode, item->user ? uid : 0,
			         item->group ? gid : 0, item->below);
		else
			make_link(item->path, item->target);
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
