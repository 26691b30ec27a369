/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pid file - one monitor at a time, and where scripts find it
 */
#include "monitor/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

struct pidfile {
	int fd;
	char *path;
};

/* Only the holder of the lock removes or writes the file. */
static int pidfile_free(struct pidfile *pidfile)
{
	unlink(pidfile->path);
	close(pidfile->fd);
	return 0;
}

static bool still_there(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

/* The lock that keeps another one from the file; F_UNLCK: none. */
static short lock_in_the_way(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type : F_UNLCK;
}

/* A new file is nobody else's to open before it is locked. */
static int open_locked(const char *path, int *ret_fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (;;) {
		auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		short type;

		if (fd < 0)
			return -errno;
		if (fcntl(fd, F_SETLK, &lock) < 0) {
			if (errno != EACCES && errno != EAGAIN)
				return -errno;
			type = lock_in_the_way(fd);
			if (type == F_WRLCK)
				return -EEXIST;
			/* Whoever may read what a crash has left can have one for reading. */
			if (type == F_RDLCK && still_there(fd, path) && unlink(path) < 0)
				return -errno;
			continue;
		}
		/* Its holder may have removed it, in its end, between our two calls. */
		if (!still_there(fd, path))
			continue;
		*ret_fd = fd;
		fd = -1;
		return 0;
	}
}

int pidfile_take(TALLOC_CTX *mem, const char *path, struct pidfile **ret_pidfile)
{
	auto_talloc struct pidfile *pidfile = talloc_zero(mem, struct pidfile);
	char text[16];
	int r, size;

	if (!pidfile)
		return -ENOMEM;
	pidfile->path = talloc_strdup(pidfile, path);
	if (!pidfile->path)
		return -ENOMEM;
	r = open_locked(path, &pidfile->fd);
	if (r < 0)
		return r;
	talloc_set_destructor(pidfile, pidfile_free);

	size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (fchmod(pidfile->fd, 0644) < 0 || ftruncate(pidfile->fd, 0) < 0 ||
	    pwrite(pidfile->fd, text, (size_t)size, 0) != size)
		return errno ? -errno : -EIO;
	*ret_pidfile = take_ptr(pidfile);
	return 0;
}

bool pidfile_held(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && lock_in_the_way(fd) == F_WRLCK;
}
