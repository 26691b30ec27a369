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

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct pidfile {
	int fd; /* of the lock */
	char *path, *lock;
};

/* Only the holder of the lock removes either file, the lock last: who comes next has a new one. */
static int pidfile_free(struct pidfile *pidfile)
{
	unlink(pidfile->path);
	unlink(pidfile->lock);
	close(pidfile->fd);
	return 0;
}

static bool still_there(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && lstat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

/* Nobody else may open the file, so nobody else has a lock on it, not even one for reading: what a
 * crash has left is free, and is never removed from here. */
static int open_locked(const char *path, int *ret_fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (;;) {
		auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return -errno;
		if (fcntl(fd, F_SETLK, &lock) < 0)
			return errno == EACCES || errno == EAGAIN ? -EEXIST : -errno;
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
	pidfile->lock = talloc_asprintf(pidfile, "%s.lock", path);
	if (!pidfile->path || !pidfile->lock)
		return -ENOMEM;
	r = open_locked(pidfile->lock, &pidfile->fd);
	if (r < 0)
		return r;
	talloc_set_destructor(pidfile, pidfile_free);

	size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	r = fd_write_file(path, text, (size_t)size, 0644);
	if (r < 0)
		return r;
	*ret_pidfile = take_ptr(pidfile);
	return 0;
}

void pidfile_give(struct pidfile *pidfile, uid_t uid, gid_t gid)
{
	struct stat st;

	/* The directory is theirs: what has another name elsewhere may be anybody's file. */
	if (fstat(pidfile->fd, &st) < 0 || st.st_nlink != 1 || fchown(pidfile->fd, uid, gid) < 0)
		log_debug("%s stays with its owner", pidfile->lock);
}
