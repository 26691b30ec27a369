/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Directories - the directories and links that only root can make, and whether they are as they
 * should be
 */
#include "monitor/dirs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
const struct dirs_item dirs_items[] = {
	/* path                   link to                mode   user   group  below */
	{ "/run/sss",               NULL,                  0755,  false, false, false },
	{ "/run/sss/pipes",         NULL,                  0755,  false, false, false },
	{ "/run/sss/pipes/private", NULL,                  0750,  false, false, false },
	{ "/run/sssd",              NULL,                  0755,  true,  true,  false },
	{ "/run/sssd/metrics",      NULL,                  0700,  true,  true,  true },
	{ "/run/sssd-be",           NULL,                  0755,  false, false, false },
	{ "/run/sssd-kcm",          NULL,                  0755,  false, false, false },
	{ "/run/sssd.pid",          "/run/sssd/sssd.pid",  0,     false, false, false },
	{ "/var/lib/sss",           NULL,                  0755,  false, false, false },
	{ "/var/lib/sss/db",        NULL,                  0700,  true,  true,  true },
	{ "/var/lib/sss/mc.files",  NULL,                  0755,  true,  true,  true },
	{ "/var/lib/sss/mc",        "/run/sss/mc",         0,     false, false, false },
	{ "/var/lib/sss/secrets",   NULL,                  0700,  true,  true,  true },
	{ "/var/lib/sss/conf",      NULL,                  02750, false, true,  true },
	{ "/var/lib/sss/pipes",     "/run/sss/pipes",      0,     false, false, false },
	{ "/var/log/sssd",          NULL,                  0750,  true,  true,  true },
	{ NULL },
};
/* clang-format on */

static bool is_owned(const struct stat *st, uid_t uid, gid_t gid)
{
	return st->st_uid == uid && st->st_gid == gid;
}

/* fd is taken over. Links are not followed; what cannot be looked at is not as it should be. */
static bool is_owned_below(int fd, uid_t uid, gid_t gid)
{
	DIR *folder = fdopendir(fd);
	struct dirent *item;
	bool owned = folder != NULL;

	if (!folder) {
		close(fd);
		return false;
	}
	while (owned && (item = readdir(folder)) != NULL) {
		struct stat st;
		int below;

		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		owned = fstatat(dirfd(folder), item->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		        is_owned(&st, uid, gid);
		if (!owned || !S_ISDIR(st.st_mode))
			continue;
		below = openat(dirfd(folder), item->d_name,
		               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		owned = below >= 0 && is_owned_below(below, uid, gid);
	}
	closedir(folder);
	return owned;
}

static bool is_link(const char *path, const char *target)
{
	char found[PATH_MAX];
	ssize_t size = readlink(path, found, sizeof(found));

	return size == (ssize_t)strlen(target) && memcmp(found, target, (size_t)size) == 0;
}

static bool is_directory(const char *path, const struct dirs_item *item, uid_t uid, gid_t gid)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || (st.st_mode & 07777) != item->mode ||
	    !is_owned(&st, uid, gid))
		return false;
	if (!item->below)
		return true;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && is_owned_below(fd, uid, gid);
}

bool dirs_are_whole(const char *root, uid_t uid, gid_t gid, const char **ret_wrong)
{
	for (const struct dirs_item *item = dirs_items; item->path; item++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s%s", root, item->path);
		if (item->target
		            ? is_link(path, item->target)
		            : is_directory(path, item, item->user ? uid : 0, item->group ? gid : 0))
			continue;
		*ret_wrong = item->path;
		return false;
	}
	return true;
}
