/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lock - who writes the files of the memory cache, and who changes one just now
 *
 * A file of the cache can be opened by everybody, and whoever may read it may hold a lock for
 * reading on it (fcntl(2), flock(2)), which keeps all writers' locks off. So ours are on a file
 * beside each, ".passwd.lock", that nobody else can open: one byte for its writer, who holds it as
 * long as he lives, and one for whoever changes a record, for some microseconds.
 *
 * Whoever changes a file may die or be stopped in the middle of it. The former gives the lock back;
 * for the latter nobody waits long.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/memcache/impl.h"

#define SUFFIX          ".lock"
#define WRITER_AT       0
#define CHANGE_AT       1
#define CHANGE_PAUSE_NS 20000
#define ATTEMPTS        3 /* somebody may take the file away meanwhile */

static const char *const names[] = { MCMAP_NAMES };

static int lock_byte(int fd, short type, off_t at)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

/* One of another owner, from a backup for one, is nobody's who runs now. */
static int open_file(const char *path)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags, 0600);

	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == ELOOP) && unlink(path) == 0)
		fd = open(path, flags, 0600);
	return fd < 0 ? -errno : fd;
}

static char *path_in(const char *dir, enum mcmap_kind kind)
{
	return talloc_asprintf(NULL, "%s/.%s" SUFFIX, dir, names[kind]);
}

static char *path_of(const struct mcmap *map)
{
	return path_in(map->options.dir, map->options.kind);
}

bool mcmap_lock_is_called(enum mcmap_kind kind, const char *name)
{
	size_t size = strlen(names[kind]);

	return name[0] == '.' && strncmp(name + 1, names[kind], size) == 0 &&
	       strcmp(name + 1 + size, SUFFIX) == 0;
}

/* Nobody who opens the path would find our lock on another file. */
static bool is_there(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

bool mcmap_lock_is_there(const struct mcmap *map)
{
	auto_talloc char *path = path_of(map);

	return path && map->lock_fd >= 0 && is_there(map->lock_fd, path);
}

int mcmap_lock_whole(const char *dir, enum mcmap_kind kind, int *ret_fd)
{
	auto_talloc char *path = path_in(dir, kind);
	auto_close int fd = -1;
	int r;

	if (!path)
		return -ENOMEM;
	fd = open_file(path);
	if (fd < 0)
		return fd;
	r = lock_byte(fd, F_WRLCK, WRITER_AT);
	if (r == 0)
		r = lock_byte(fd, F_WRLCK, CHANGE_AT);
	if (r == 0 && !is_there(fd, path))
		r = -EBUSY;
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

void mcmap_lock_close(struct mcmap *map)
{
	if (map->lock_fd >= 0)
		close(map->lock_fd);
	map->lock_fd = -1;
	map->has_change_lock = false;
}

int mcmap_lock_open(struct mcmap *map, bool as_writer)
{
	auto_talloc char *path = path_of(map);
	int r = -EBUSY;

	if (!path)
		return -ENOMEM;
	if (mcmap_lock_is_there(map))
		return 0;
	for (int i = 0; i < ATTEMPTS && r == -EBUSY; i++) {
		mcmap_lock_close(map);
		map->lock_fd = open_file(path);
		if (map->lock_fd < 0)
			return map->lock_fd;
		r = as_writer ? lock_byte(map->lock_fd, F_WRLCK, WRITER_AT) : 0;
		if (r == 0 && !is_there(map->lock_fd, path))
			r = -EBUSY;
		else if (r == -EBUSY)
			break;
	}
	if (r < 0)
		mcmap_lock_close(map);
	return r;
}

void mcmap_lock_abandon(struct mcmap *map)
{
	auto_talloc char *path = path_of(map);

	if (path && mcmap_lock_is_there(map))
		unlink(path);
	mcmap_lock_close(map);
}

bool mcmap_lock_has_writer(const struct mcmap *map)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WRITER_AT, .l_len = 1
	};

	return fcntl(map->lock_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int mcmap_lock_change(struct mcmap *map, int64_t *wait_us)
{
	const struct timespec pause = { .tv_nsec = CHANGE_PAUSE_NS };
	int64_t began_us = 0, waited_us = 0;
	int r;

	while ((r = lock_byte(map->lock_fd, F_WRLCK, CHANGE_AT)) == -EBUSY) {
		if (!began_us)
			began_us = monotonic_us();
		waited_us = monotonic_us() - began_us;
		if (waited_us >= *wait_us)
			break;
		nanosleep(&pause, NULL);
	}
	*wait_us = waited_us < *wait_us ? *wait_us - waited_us : 0;
	map->has_change_lock = r == 0;
	return r;
}

void mcmap_unlock_change(struct mcmap *map)
{
	lock_byte(map->lock_fd, F_UNLCK, CHANGE_AT);
	map->has_change_lock = false;
}
