/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Touched - see touched.h
 */
#include "common/cache/touched.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/cache/cache.h"
#include "common/cache/record.h"
#include "common/wire/memcache.h"

#define MAGIC    UINT64_C(0x6863756f74737373) /* "ssstouch" */
#define WORDS    (TOUCHED_SIZE / sizeof(uint32_t))
#define EPOCH_AT 2 /* in words; two are the magic */
#define KINDS_AT 3
#define SLOTS_AT (KINDS_AT + EPOCHS)
#define SLOTS    (WORDS - SLOTS_AT)

/* 5 ms in all. */
#define LOCK_TRIES    10
#define LOCK_PAUSE_NS 500000

/* Names are compared without the case of ASCII's letters, whatever the domain thinks of it: one
 * too many is no harm. */
static size_t slot_of(enum entry_kind kind, const char *name)
{
	char folded[NAME_SIZE_MAX];
	size_t size = 0;

	for (; size < sizeof(folded) && name[size]; size++) {
		bool upper = name[size] >= 'A' && name[size] <= 'Z';

		folded[size] = (char)(upper ? name[size] + 'a' - 'A' : name[size]);
	}
	return SLOTS_AT + memcache_hash(folded, size, (uint32_t)kind) % SLOTS;
}

static size_t place_of(enum entry_kind kind, const char *name)
{
	return name ? slot_of(kind, name) : KINDS_AT + epoch_at(kind);
}

/* ---- reading ---- */

void touched_open(struct touched *touched, const struct cache_files *files)
{
	auto_close int fd = open(files->touched, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct touched opened;
	struct stat st;
	uint64_t magic;
	void *map;

	*touched = (struct touched){ 0 };
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != TOUCHED_SIZE ||
	    file_id_open(fd, &opened.id) < 0 ||
	    pread(fd, &magic, sizeof(magic), 0) != sizeof(magic) || magic != MAGIC)
		return;
	map = mmap(NULL, TOUCHED_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return;
	opened.words = map;
	*touched = opened;
}

void touched_close(struct touched *touched)
{
	if (touched->words)
		munmap((void *)touched->words, TOUCHED_SIZE);
	*touched = (struct touched){ 0 };
}

bool touched_still_there(const struct touched *touched, const struct cache_files *files)
{
	struct touched now;
	struct file_id there;

	if (touched->words)
		return file_id(files->touched, &there) == 0 && file_id_equal(&there, &touched->id);
	touched_open(&now, files);
	if (!now.words)
		return true;
	touched_close(&now);
	return false;
}

static uint32_t word(const struct touched *touched, size_t at)
{
	return __atomic_load_n(&touched->words[at], __ATOMIC_ACQUIRE);
}

uint32_t touched_epoch(const struct touched *touched)
{
	return touched->words ? word(touched, EPOCH_AT) : 0;
}

uint32_t touched_since(const struct touched *touched, enum entry_kind kind, const char *name)
{
	uint32_t all, one;

	if (!touched->words)
		return UINT32_MAX;
	all = word(touched, place_of(kind, NULL));
	one = name ? word(touched, place_of(kind, name)) : 0;
	return all > one ? all : one;
}

/* ---- writing ---- */

static uint32_t next_epoch(uint32_t epoch)
{
	int64_t now_s = walltime_now().s;

	return now_s > epoch && now_s < UINT32_MAX ? (uint32_t)now_s : epoch + 1;
}

static int put(int fd, size_t at, const void *bytes, size_t size)
{
	ssize_t n = pwrite(fd, bytes, size, (off_t)(at * sizeof(uint32_t)));

	if (n < 0)
		return errno == EDQUOT || errno == EFBIG ? -ENOSPC : -errno;
	return (size_t)n == size ? 0 : -ENOSPC;
}

/* Nobody holds the lock for longer than a few system calls, unless it was stopped in the middle. */
static int lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };

	for (unsigned tries = 0; fcntl(fd, F_OFD_SETLK, &lock) < 0; tries++) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -errno;
		if (tries == LOCK_TRIES)
			return -E_CACHE_LOCKED;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Opens the file and locks it until it is closed. */
static int open_locked(const struct cache_files *files, int flags, int *ret_fd)
{
	auto_close int fd =
		open(files->touched, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
	int r = fd < 0 ? -errno : lock(fd);

	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static bool is_whole(int fd)
{
	struct stat st;
	uint64_t magic;

	return fstat(fd, &st) == 0 && st.st_size == TOUCHED_SIZE &&
	       pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) && magic == MAGIC;
}

/* The magic comes last. Written over what is there, which somebody may have mapped. */
static int begin(int fd, uint32_t last)
{
	uint32_t words[WORDS] = { 0 }, epoch = next_epoch(last);
	uint64_t magic = MAGIC;
	int r;

	words[EPOCH_AT] = epoch;
	for (size_t i = 0; i < EPOCHS; i++)
		words[KINDS_AT + i] = epoch;
	r = put(fd, 0, words, sizeof(words));
	if (r == 0 && ftruncate(fd, TOUCHED_SIZE) < 0)
		r = -errno;
	return r == 0 ? put(fd, 0, &magic, sizeof(magic)) : r;
}

int touched_make(const struct cache_files *files, uint32_t last)
{
	auto_close int fd = -1;
	int r = open_locked(files, O_CREAT, &fd);

	struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (r < 0 || is_whole(fd))
		return r;
	r = begin(fd, last);
	if (r < 0)
		return r;

	/* Without the file all would be asked for again, so a new one shall outlast a power cut.
	 * The disk may take its time: nobody waits for that. */
	fcntl(fd, F_OFD_SETLK, &unlock);
	return fsync(fd) < 0 ? -errno : 0;
}

int cache_touch(const struct cache_options *options, enum entry_kind kind, const char *name)
{
	auto_talloc struct cache_files *files = NULL;
	auto_close int fd = -1;
	uint32_t epoch;
	int r;

	r = files_of(NULL, options, &files);
	if (r == 0 && access(files->data, F_OK) < 0)
		r = -errno;
	if (r < 0)
		return r;
	r = open_locked(files, 0, &fd);
	if (r == -ENOENT || (r == 0 && !is_whole(fd)))
		return 0; /* all of it is, already */
	if (r == 0 && pread(fd, &epoch, sizeof(epoch), EPOCH_AT * sizeof(epoch)) != sizeof(epoch))
		r = -EIO;
	if (r < 0)
		return r;

	/* Whoever asks a server from here on has begun after us; what was asked before is expired
	 * when the second word is there. */
	epoch = next_epoch(epoch);
	r = put(fd, EPOCH_AT, &epoch, sizeof(epoch));
	return r < 0 ? r : put(fd, place_of(kind, name), &epoch, sizeof(epoch));
}
