/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Holder - see holder.h; /proc/net/unix and /proc/PID/fd (proc(5))
 */
#include "monitor/holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTENS 0x10000 /* of Flags: __SO_ACCEPTCON */

/* Is the socket with that inode among those of the directory? */
static bool has_inode(DIR *fds, uint64_t inode)
{
	char wanted[40], link[40];
	struct dirent *item;
	ssize_t n;

	snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	rewinddir(fds);
	while ((item = readdir(fds)) != NULL) {
		n = readlinkat(dirfd(fds), item->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (strcmp(link, wanted) == 0)
			return true;
	}
	return false;
}

/* Does the line speak of a socket that listens at path? */
static bool is_listener(const char *line, const char *path, uint64_t *ret_inode)
{
	unsigned flags;
	int at = 0;

	if (sscanf(line, "%*s %*s %*s %x %*s %*s %" SCNu64 " %n", &flags, ret_inode, &at) != 2)
		return false;
	return (flags & LISTENS) && at > 0 && strncmp(line + at, path, strlen(path)) == 0 &&
	       strcmp(line + at + strlen(path), "\n") == 0;
}

bool holder_is(pid_t pid, const char *path)
{
	FILE *sockets = fopen("/proc/net/unix", "re");
	char name[40], line[512];
	bool found = false;
	uint64_t inode;
	DIR *fds;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
	fds = opendir(name);
	if (!sockets || !fds)
		found = fds || errno != ENOENT;
	else
		while (!found && fgets(line, sizeof(line), sockets))
			found = is_listener(line, path, &inode) && has_inode(fds, inode);
	if (sockets)
		fclose(sockets);
	if (fds)
		closedir(fds);
	return found;
}
