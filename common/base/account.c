/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Accounts - our own service user, found without asking NSS
 */
#include "common/base/account.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

static void skip_line(FILE *file)
{
	int byte;

	do
		byte = getc_unlocked(file);
	while (byte != EOF && byte != '\n');
}

int account_find(const char *path, const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	struct passwd entry, *found = NULL;
	char line[4096];
	FILE *file;
	int r;

	file = fopen(path ? path : "/etc/passwd", "re");
	if (!file)
		return -errno;

	/* fgetpwent_r(3) parses one line of the file it is given and asks nobody. Before a line
	 * that is longer than the buffer it stays where it is, so that one is skipped by hand. */
	r = -ENOENT;
	for (;;) {
		int error = fgetpwent_r(file, &entry, line, sizeof(line), &found);

		if (error == ERANGE) {
			skip_line(file);
			continue;
		}
		if (error != 0 || !found)
			break;
		if (strcmp(entry.pw_name, name) == 0) {
			*ret_uid = entry.pw_uid;
			*ret_gid = entry.pw_gid;
			r = 0;
			break;
		}
	}
	fclose(file);
	return r;
}

/* capget(2) through syscall(2): libcap would be a library for two calls. */
static bool has_capabilities(struct __user_cap_data_struct sets[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	if (syscall(SYS_capget, &header, sets) < 0)
		return true;
	for (int i = 0; i < 2; i++)
		if (sets[i].effective || sets[i].permitted || sets[i].inheritable)
			return true;
	return false;
}

/* setresuid(2) leaves the inheritable ones. Where there are none, as in our units, nothing is set:
 * their system call filter refuses capset(2). */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	if (!has_capabilities(sets))
		return 0;
	sets[0] = sets[1] = (struct __user_cap_data_struct){ 0 };
	if (syscall(SYS_capset, &header, sets) < 0)
		return -errno;
	return has_capabilities(sets) ? -EPERM : 0;
}

int account_become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0)
		return -errno;
	if (setresgid(gid, gid, gid) < 0)
		return -errno;
	if (setresuid(uid, uid, uid) < 0)
		return -errno;
	return drop_capabilities();
}

bool account_is_local_name(const char *name)
{
	return strcasecmp(name, "root") == 0 || strcasecmp(name, ACCOUNT_SERVICE) == 0;
}
