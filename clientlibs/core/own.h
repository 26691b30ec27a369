/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Own - a descriptor whose number the program may have given to something else meanwhile
 */
#pragma once

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

/* Closes fd if it is still that. Who may not look any more (a sandbox without fstat(2)) loses the
 * one descriptor that it had: nothing is kept open that could not be looked at in the beginning. */
static inline void own_close(int fd, dev_t dev, ino_t ino)
{
	if (own_is(fd, dev, ino))
		close(fd);
}
