/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metrics - see metrics.h
 *
 *   metrics_start, metrics_look ─▶ open_file ─┬─ ours ───────────────────▶ map_file
 *                                             └─ none, or no good ─▶ make_file ─▶┘
 */
#include "common/metrics/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/metrics/text.h"
#include "common/wire/writer.h"

static uint64_t own_memory[METRICS_CELLS];
uint64_t *metrics_cells = own_memory;

static struct {
	char path[PATH_MAX], aside[PATH_MAX];
	enum metrics_program program;
	bool is_mapped;
	dev_t dev; /* of what is mapped */
	ino_t ino;
} file;

enum metrics_result metrics_result_of(int r)
{
	switch (r) {
	case 0:
		return METRICS_OK;
	case -ENOENT:
		return METRICS_NOT_FOUND;
	case -E_OFFLINE:
		return METRICS_WAS_OFFLINE;
	case -ETIMEDOUT:
		return METRICS_TIMEOUT;
	default:
		return METRICS_ERROR;
	}
}

/* ---- the file ---- */

/* A page of a mapping that the file system has no room for is a SIGBUS when it is first written, so
 * it is taken now. Not posix_fallocate(3), which would write over what others count. */
static int take_room(int fd)
{
	return fallocate(fd, 0, 0, (off_t)METRICS_FILE) < 0 ? -errno : 0;
}

/* Errors: -EBADMSG what is there is not ours; errno. */
static int open_file(int *ret_fd)
{
	uint8_t bytes[METRICS_FILE];
	struct metrics_file found;
	struct stat st;
	auto_close int fd =
		open(file.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)METRICS_FILE ||
	    pread(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EBADMSG;
	r = metrics_read(bytes, sizeof(bytes), &found);
	if (r == 0 && found.program != file.program)
		r = -EBADMSG;
	if (r == 0)
		r = take_room(fd);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int write_head(int fd)
{
	struct writer out = writer_new(METRICS_HEAD);
	int r;

	writer_bytes(&out, METRICS_MAGIC, sizeof(METRICS_MAGIC));
	writer_u32(&out, METRICS_VERSION);
	writer_u32(&out, file.program);
	writer_u32(&out, METRICS_CELLS);
	writer_u32(&out, 0);
	r = writer_end(&out);
	if (r == 0 && pwrite(fd, out.bytes, out.size, 0) != (ssize_t)out.size)
		r = -EIO;
	writer_free(&out);
	return r;
}

/* Aside and renamed: at its path there is a whole file, or none. */
static int make_file(int *ret_fd)
{
	auto_close int fd = -1;
	int r;

	unlink(file.aside); /* of a process that was killed here, and had our pid */
	fd = open(file.aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = take_room(fd);
	if (r == 0)
		r = write_head(fd);
	if (r == 0 && rename(file.aside, file.path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(file.aside);
		return r;
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* ---- going over to it ---- */

/* What was counted until now comes along. A thread may be counting in the old cells just now, so
 * they stay; its one count may be lost. */
static void use_cells(uint64_t *cells)
{
	uint64_t *old = __atomic_exchange_n(&metrics_cells, cells, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < METRICS_CELLS; i++)
		metrics_add(i, __atomic_exchange_n(&old[i], 0, __ATOMIC_RELAXED));
}

static int map_file(int fd)
{
	struct stat st;
	uint8_t *bytes;

	if (fstat(fd, &st) < 0)
		return -errno;
	bytes = mmap(NULL, METRICS_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	file.is_mapped = true;
	file.dev = st.st_dev;
	file.ino = st.st_ino;
	use_cells((uint64_t *)(void *)(bytes + METRICS_HEAD));
	return 0;
}

int metrics_look(void)
{
	auto_close int fd = -1;
	struct stat there;
	int r;

	if (!file.program)
		return 0; /* not started: a test, or a tool */
	if (file.is_mapped && stat(file.path, &there) == 0 && there.st_dev == file.dev &&
	    there.st_ino == file.ino)
		return 0;
	r = open_file(&fd);
	if (r < 0)
		r = make_file(&fd);
	return r < 0 ? r : map_file(fd);
}

int metrics_start(const char *run_dir, const char *name, enum metrics_program program)
{
	int n, m;

	metrics_count(METRICS_STARTS);
	if (!*name || *name == '.' || strchr(name, '/'))
		return -EINVAL;
	n = snprintf(file.path, sizeof(file.path), "%s/" METRICS_DIR "/%s", run_dir, name);
	m = snprintf(file.aside, sizeof(file.aside), "%s/" METRICS_DIR "/.%s.%d", run_dir, name,
	             (int)getpid());
	if (n >= (int)sizeof(file.path) || m >= (int)sizeof(file.aside))
		return -ENAMETOOLONG;
	file.program = program;
	return metrics_look();
}
