/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Own - a descriptor whose number the program may have given to something else meanwhile
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Is fd what it was when it had that device and inode? */
static inline bool own_is(int fd, dev_t dev, ino_t ino)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Closes fd if it is still that. Who may not look (a sandbox without fstat(2)) takes it for
 * granted: else one descriptor would be lost at each try. */
static inline void own_close(int fd, dev_t dev, ino_t ino)
{
	struct stat st;

	if (fstat(fd, &st) < 0 ? errno != EBADF : st.st_dev == dev && st.st_ino == ino)
		close(fd);
}
