/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Boots - how the files of the memory cache come from one boot into the next
 *
 *   close: locked? ─▶ remove what is none of them ─▶ mark and sync each ─▶ series ─▶ the link
 *   open:  was it closed? ─▶ unmark each ─▶ the link of the disk, synced ─▶ that in /run
 *                  └ no ─▶ remove all ─┘         (from here a crash finds none)
 *
 * The last step of each is the one that counts: a crash between two others loses the files.
 */
#include "common/memcache/boots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/memcache/impl.h"

#define LINK          "mc"
#define FILES         "mc.files"
#define SERIES        ".series" /* behind the name of the link that leads to the files */
#define LOCK          ".lock"   /* behind the name of the link in /run */
#define NEW           ".new"
#define OPEN_WAIT_MS  10000 /* longer than one who closes waits for writers */
#define LOOK_AGAIN_MS 20

static const char *const names[] = { MCMAP_NAMES };

/* What nobody knows is not told to another boot: it holds for a minute. */
static const enum mcmap_kind kept[] = { MCMAP_PASSWD, MCMAP_GROUP, MCMAP_INITGROUPS, MCMAP_SID };
#define N_KEPT (sizeof(kept) / sizeof(kept[0]))

/* ---- links ---- */

static bool read_link(const char *path, char target[static PATH_MAX])
{
	ssize_t size = readlink(path, target, PATH_MAX - 1);

	target[size < 0 ? 0 : size] = '\0';
	return size > 0;
}

bool boots_are_closed(const char *dir)
{
	char target[PATH_MAX];

	return read_link(dir, target) && target[0] != '/';
}

uint64_t boots_series(const char *dir)
{
	char target[PATH_MAX], path[PATH_MAX + sizeof(SERIES)];
	uint64_t series = 0;

	if (read_link(dir, target)) {
		snprintf(path, sizeof(path), "%s" SERIES, target[0] == '/' ? target : dir);
		if (read_link(path, target))
			series = strtoull(target, NULL, 16);
	}
	return series ? series : boot_id();
}

/* Puts a link in the place of whatever is there. */
static int set_link(const char *path, const char *target)
{
	char aside[PATH_MAX];

	snprintf(aside, sizeof(aside), "%s" NEW, path);
	unlink(aside);
	return symlink(target, aside) < 0 || rename(aside, path) < 0 ? -errno : 0;
}

static int set_series(const char *link, uint64_t series)
{
	char path[PATH_MAX], digits[17];

	snprintf(path, sizeof(path), "%s" SERIES, link);
	snprintf(digits, sizeof(digits), "%016" PRIx64, series);
	return set_link(path, digits);
}

/* ---- directories ---- */

struct places {
	char link[PATH_MAX], files[PATH_MAX], run_link[PATH_MAX], series[PATH_MAX];
	char lock[PATH_MAX];
	int fd;      /* of the directory on the disk */
	int lock_fd; /* locked against another one of us */
};

static void close_places(struct places *places)
{
	close_fd(&places->fd);
	close_fd(&places->lock_fd);
}

static int open_places(const struct boots *boots, struct places *places)
{
	snprintf(places->link, PATH_MAX, "%s/" LINK, boots->dir);
	snprintf(places->files, PATH_MAX, "%s/" FILES, boots->dir);
	snprintf(places->series, PATH_MAX, "%s/" LINK SERIES, boots->dir);
	snprintf(places->run_link, PATH_MAX, "%s/" LINK, boots->run_dir);
	snprintf(places->lock, PATH_MAX, "%s/" LINK LOCK, boots->run_dir);
	places->fd = open(boots->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return places->fd < 0 ? -errno : 0;
}

static void pause_briefly(void)
{
	struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * 1000000 };

	nanosleep(&pause, NULL);
}

/* On a file that root alone can open: whoever can open something can hold a lock on it.
 * Errors: -EBUSY another one of us has it. */
static int lock_file(const char *path, int *ret_fd)
{
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return -EBUSY; /* removed meanwhile: the next one would lock another file */
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int lock_places(struct places *places, struct deadline deadline)
{
	int r;

	while ((r = lock_file(places->lock, &places->lock_fd)) == -EBUSY &&
	       !deadline_passed(deadline))
		pause_briefly();
	return r;
}

static bool is_in_use(const struct places *places)
{
	char target[PATH_MAX];

	return read_link(places->link, target) && strcmp(target, places->run_link) == 0 &&
	       read_link(places->run_link, target) && strcmp(target, places->files) == 0 &&
	       access(places->files, F_OK) == 0;
}

static bool is_kept(const char *name)
{
	for (size_t i = 0; i < N_KEPT; i++)
		if (strcmp(name, names[kept[i]]) == 0)
			return true;
	return false;
}

/* While files are closed those we hold locks on stay: a new one in their place could be locked,
 * too, and its owner begin a file. They go when the files are opened. */
static bool is_kept_or_lock(const char *name)
{
	for (size_t i = 0; i < N_KEPT; i++)
		if (mcmap_lock_is_called(kept[i], name))
			return true;
	return is_kept(name);
}

/* Removes what is in the directory at path, but for what stays there; NULL: nothing does. A
 * directory that is not empty is nobody's memory cache. */
static int empty_directory(const char *path, bool (*stays)(const char *name))
{
	DIR *folder;
	struct dirent *item;
	int r = 0, fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (item = readdir(folder)) != NULL) {
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
		    (stays && stays(item->d_name)))
			continue;
		if (unlinkat(fd, item->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EISDIR)
			unlinkat(fd, item->d_name, AT_REMOVEDIR);
		else
			r = -errno;
	}
	closedir(folder);
	return r;
}

/* What is ours may be what an attempt has left that was cut short. */
static int make_directory(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return 0; /* seen by who looks into it */
	if (st.st_uid == geteuid() && chmod(path, 0755) < 0)
		return -errno;
	if (st.st_uid == uid && st.st_gid == gid)
		return 0;
	return chown(path, uid, gid) < 0 ? -errno : 0;
}

/* ---- files ---- */

/* -1: there is none, or it is nobody's who writes them. */
static int open_file(const struct boots *boots, const struct places *places, enum mcmap_kind kind)
{
	char path[PATH_MAX + sizeof("/initgroups")];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", places->files, names[kind]);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == boots->uid &&
	    st.st_nlink == 1)
		return fd;
	close_fd(&fd);
	unlink(path);
	return -1;
}

/* Takes the writer's place, and opens what there is; fd and lock_fd are -1, or of the last attempt.
 * Our lock comes first: with it nobody of ours puts another file there. Those of other vendors have
 * one on the file itself; ours for reading keeps them out, and no reader can keep us out.
 * Errors: -EBUSY somebody still writes or changes the file; of fcntl(2). */
static int lock_out(const struct boots *boots, const struct places *places, enum mcmap_kind kind,
                    int *fd, int *lock_fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	bool is_new = *lock_fd < 0;
	int r = is_new ? mcmap_lock_whole(places->files, kind, lock_fd) : 0;

	/* A writer that comes now waits for it like for any other; it could not open root's. */
	if (r == 0 && is_new && fchown(*lock_fd, boots->uid, boots->gid) < 0)
		r = -errno;
	if (r < 0)
		return r;
	close_fd(fd);
	*fd = open_file(boots, places, kind);
	if (*fd < 0 || fcntl(*fd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

static int wait_for_writer(const struct boots *boots, const struct places *places,
                           enum mcmap_kind kind, struct deadline deadline, int *fd, int *lock_fd)
{
	int r;

	while ((r = lock_out(boots, places, kind, fd, lock_fd)) == -EBUSY &&
	       !deadline_passed(deadline))
		pause_briefly();
	return r;
}

static uint32_t wall_s(void)
{
	return (uint32_t)walltime_now().s;
}

/* Sets the two words that readers of other vendors do not look at. 1, or 0 the file is none that
 * answers, or its words are not those that were expected. */
static int mark(int fd, bool was_closed, uint32_t closed_at, uint32_t booted_at)
{
	uint8_t bytes[MEMCACHE_DATA_AT];
	struct memcache_header header;
	struct stat st;
	uint32_t barrier;

	if (fstat(fd, &st) < 0 || pread(fd, bytes, sizeof(bytes), 0) != sizeof(bytes) ||
	    memcache_header_read(bytes, (uint64_t)st.st_size, &header) < 0 ||
	    memcache_is_closed(bytes) != was_closed || !memcache_clock_is_right(bytes))
		return 0;
	barrier = memcache_barrier_next(header.b1);
	if (pwrite(fd, &barrier, 4, MEMCACHE_HEADER_SIZE - 4) != 4 ||
	    pwrite(fd, &closed_at, 4, MEMCACHE_CLOSED_AT) != 4 ||
	    pwrite(fd, &booted_at, 4, MEMCACHE_HEADER_SIZE) != 4 || pwrite(fd, &barrier, 4, 0) != 4)
		return -EIO;
	return 1;
}

static int remove_file(const struct places *places, enum mcmap_kind kind)
{
	char path[PATH_MAX + sizeof("/initgroups")];

	snprintf(path, sizeof(path), "%s/%s", places->files, names[kind]);
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR ? 0 : -errno; /* a directory answers nobody */
}

static int sync_directory(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* ---- closing ---- */

static int sync_files(const int fds[static N_KEPT])
{
	for (size_t i = 0; i < N_KEPT; i++)
		if (fds[i] >= 0 && fsync(fds[i]) < 0)
			return -errno;
	return 0;
}

/* Those that answer are marked; the others go. */
static int mark_closed(const struct places *places, int fds[static N_KEPT])
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < N_KEPT; i++) {
		if (fds[i] < 0)
			continue;
		r = mark(fds[i], false, wall_s(), 0);
		if (r == 0)
			r = remove_file(places, kept[i]);
	}
	return r < 0 ? r : 0;
}

/* Whoever gives a file up meanwhile has done so before it was synced for the last time, or sees
 * that it is closed and syncs it himself. */
static int close_files(const struct places *places, int fds[static N_KEPT])
{
	int r = empty_directory(places->files, is_kept_or_lock);

	if (r == 0)
		r = mark_closed(places, fds);
	if (r == 0)
		r = sync_files(fds);
	if (r == 0)
		r = sync_directory(places->files);
	if (r == 0)
		r = set_series(places->link, boots_series(places->link));
	if (r == 0)
		r = set_link(places->link, FILES);
	if (r == 0)
		r = sync_files(fds);
	if (r == 0 && fsync(places->fd) < 0)
		r = -errno;
	if (r == 0 && unlink(places->run_link) < 0)
		r = -errno;
	return r;
}

int boots_close(const struct boots *boots, int64_t wait_ms)
{
	__attribute__((cleanup(close_places))) struct places places = { .fd = -1, .lock_fd = -1 };
	struct deadline deadline = deadline_in_ms(wait_ms);
	int fds[N_KEPT], lock_fds[N_KEPT];
	int r = open_places(boots, &places);

	if (r == 0)
		r = lock_places(&places, deadline);
	if (r == -ENOENT)
		return 0; /* nothing is in use without the directory in /run */
	if (r < 0 || !is_in_use(&places))
		return r;
	for (size_t i = 0; i < N_KEPT; i++) {
		fds[i] = lock_fds[i] = -1;
		if (r == 0)
			r = wait_for_writer(boots, &places, kept[i], deadline, &fds[i],
			                    &lock_fds[i]);
	}
	if (r == 0)
		r = close_files(&places, fds);
	for (size_t i = 0; i < N_KEPT; i++) {
		close_fd(&fds[i]);
		close_fd(&lock_fds[i]);
	}
	return r < 0 ? r : 1;
}

/* ---- opening ---- */

/* What is not as it was closed goes, and what somebody else has put there. */
static int mark_in_use(const struct boots *boots, const struct places *places)
{
	int r = empty_directory(places->files, is_kept);

	for (size_t i = 0; r >= 0 && i < N_KEPT; i++) {
		auto_close int fd = open_file(boots, places, kept[i]);

		r = fd >= 0 ? mark(fd, true, 0, memcache_booted_at()) : 0;
		if (r == 0)
			r = remove_file(places, kept[i]);
	}
	return r < 0 ? r : 0;
}

/* Then it is somebody else's directory: the host's, in a container. */
static bool is_mount_point(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int begin_anew(const struct places *places)
{
	int r = empty_directory(places->files, NULL);

	/* As others leave it. */
	if (r == 0 && empty_directory(places->link, NULL) == 0)
		rmdir(places->link);
	return r;
}

int boots_open(const struct boots *boots)
{
	__attribute__((cleanup(close_places))) struct places places = { .fd = -1, .lock_fd = -1 };
	uint64_t series = boot_id();
	bool closed;
	int r = open_places(boots, &places);

	if (r == 0)
		r = make_directory(boots->run_dir, 0, 0);
	if (r == 0)
		r = lock_places(&places, deadline_in_ms(OPEN_WAIT_MS));
	if (r < 0 || is_in_use(&places))
		return r;
	if (is_mount_point(places.link))
		return -EXDEV;
	closed = boots_are_closed(places.link);
	if (closed)
		series = boots_series(places.link);
	r = make_directory(places.files, boots->uid, boots->gid);
	if (r == 0 && unlink(places.run_link) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = closed ? mark_in_use(boots, &places) : begin_anew(&places);
	if (r == 0)
		r = set_series(places.run_link, series);
	if (r == 0)
		r = set_link(places.link, places.run_link);
	if (r == 0 && unlink(places.series) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0 && fsync(places.fd) < 0)
		r = -errno;
	if (r == 0)
		r = set_link(places.run_link, places.files);
	return r < 0 ? r : 1;
}
