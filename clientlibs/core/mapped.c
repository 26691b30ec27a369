/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Mapped - the files of the memory cache, mapped once for all threads of a program
 *
 *   slot  UNUSED ─ open_slot ─▶ CLAIMED ─ publish ─▶ 0 … n readers ─ retired, last one left ─┐
 *           ▲                      └ no such file ┐                                          │
 *           └─────────────────────────────────────┴───────────── CLAIMED, unmap ◀────────────┘
 *
 * One slot of a file is the current one. users counts its readers; below zero it is nobody's to
 * read, and a reader that comes too late takes itself out again. It is only ever added to, except
 * where a whole exchange finds no reader there: so nobody's count is lost.
 */
#include "clientlibs/core/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clientlibs/core/guard.h"
#include "clientlibs/core/own.h"

/* The unit tests build these sources with a directory of their own. */
#ifndef CLIENT_MEMCACHE_DIR
#define CLIENT_MEMCACHE_DIR MEMCACHE_DIR
#endif

#define N_SLOTS (GUARD_N_RANGES / MAPPED_N_FILES)
#define UNUSED  (INT_MIN / 2)
#define CLAIMED (INT_MIN / 4)
#define NONE    (-1)

struct slot {
	struct mapped mapped; /* first: mapped_leave() gets no more than that */
	int users;
	dev_t dev;
	ino_t ino;
	int64_t looked_at; /* the second in which its path was last looked at */
	uint8_t header[MEMCACHE_HEADER_SIZE];
};

#define UNUSED_SLOT             \
	{                       \
		.users = UNUSED \
	}
#define UNUSED_SLOTS                                               \
	{                                                          \
		UNUSED_SLOT, UNUSED_SLOT, UNUSED_SLOT, UNUSED_SLOT \
	}

static struct file {
	const char *path;
	int current;      /* a slot, or NONE */
	int64_t tried_at; /* the second in which it was last tried to open */
	struct slot slots[N_SLOTS];
} files[] = {
	[MAPPED_PASSWD] = { CLIENT_MEMCACHE_DIR "/passwd", NONE, -1, UNUSED_SLOTS },
	[MAPPED_GROUP] = { CLIENT_MEMCACHE_DIR "/group", NONE, -1, UNUSED_SLOTS },
	[MAPPED_INITGROUPS] = { CLIENT_MEMCACHE_DIR "/initgroups", NONE, -1, UNUSED_SLOTS },
	[MAPPED_UNKNOWN] = { CLIENT_MEMCACHE_DIR "/unknown", NONE, -1, UNUSED_SLOTS },
};

int64_t mapped_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec;
}

static unsigned range_of(const struct file *file, const struct slot *slot)
{
	return (unsigned)(file - files) * N_SLOTS + (unsigned)(slot - file->slots);
}

static bool is_current(const struct file *file, const struct slot *slot)
{
	return __atomic_load_n(&file->current, __ATOMIC_SEQ_CST) == (int)(slot - file->slots);
}

static bool exchange(int *value, int from, int to)
{
	return __atomic_compare_exchange_n(value, &from, to, false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_SEQ_CST);
}

/* The caller has claimed the slot. */
static void unmap_slot(const struct file *file, struct slot *slot)
{
	int saved_errno = errno;

	guard_watch(range_of(file, slot), NULL, 0);
	munmap((void *)slot->mapped.bytes, slot->mapped.size);
	__atomic_fetch_add(&slot->users, UNUSED - CLAIMED, __ATOMIC_SEQ_CST);
	errno = saved_errno;
}

/* The caller is among its readers, so it goes no earlier than with him, or has claimed it. */
static void retire(struct file *file, const struct slot *slot)
{
	if (exchange(&file->current, (int)(slot - file->slots), NONE))
		__atomic_store_n(&file->tried_at, -1, __ATOMIC_SEQ_CST);
}

/* Nobody read the slot a moment ago, and it was not the current one. A reader that came too late
 * may have unmapped it since, and somebody opened the file anew in it: then it is the current one
 * again, and would be for ever. */
static void give_back(struct file *file, struct slot *slot)
{
	if (!exchange(&slot->users, 0, CLAIMED))
		return;
	retire(file, slot);
	unmap_slot(file, slot);
}

static void leave(struct file *file, struct slot *slot)
{
	if (__atomic_sub_fetch(&slot->users, 1, __ATOMIC_SEQ_CST) == 0 && !is_current(file, slot))
		give_back(file, slot);
}

/* Not blocked by a FIFO, not led to a terminal. */
static bool map_slot(const struct file *file, struct slot *slot)
{
	struct stat st;
	void *bytes;
	int fd;

	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0) {
		if (errno != EBADF) /* then it is not ours any more */
			close(fd);
		return false;
	}
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)MEMCACHE_DATA_AT ||
	    (uint64_t)st.st_size > SIZE_MAX / 2) {
		own_close(fd, st.st_dev, st.st_ino);
		return false;
	}
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	own_close(fd, st.st_dev, st.st_ino);
	if (bytes == MAP_FAILED)
		return false;

	slot->mapped = (struct mapped){ .bytes = bytes, .size = (size_t)st.st_size };
	slot->dev = st.st_dev;
	slot->ino = st.st_ino;
	guard_watch(range_of(file, slot), bytes, slot->mapped.size);
	memcpy(slot->header, bytes, sizeof(slot->header));
	if (memcache_header_read(slot->header, slot->mapped.size, &slot->mapped.header) == 0 &&
	    memcache_clock_is_right(bytes))
		return true;
	guard_watch(range_of(file, slot), NULL, 0);
	munmap(bytes, slot->mapped.size);
	return false;
}

/* Opens the file: one thread a second tries, and if others come meanwhile, they do without. */
static void open_file(struct file *file, int64_t now)
{
	int saved_errno = errno, cancelling;
	struct slot *slot = NULL;

	if (__atomic_exchange_n(&file->tried_at, now, __ATOMIC_SEQ_CST) == now)
		return;
	/* Whoever ended in between would keep the slot for ever. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
	for (int i = 0; i < N_SLOTS && !slot; i++)
		if (exchange(&file->slots[i].users, UNUSED, CLAIMED))
			slot = &file->slots[i];
	if (slot && guard_is_on() && map_slot(file, slot)) {
		slot->looked_at = now;
		/* As a reader of it: it must not go before it is the current one. */
		__atomic_fetch_add(&slot->users, 1 - CLAIMED, __ATOMIC_SEQ_CST);
		exchange(&file->current, NONE, (int)(slot - file->slots));
		leave(file, slot);
	} else if (slot) {
		__atomic_fetch_add(&slot->users, UNUSED - CLAIMED, __ATOMIC_SEQ_CST);
	}
	pthread_setcancelstate(cancelling, NULL);
	errno = saved_errno;
}

/* Once a second: whether the path still leads to this file, it can be read in safety, and the clock
 * was not set while nobody was there to give it up. */
static bool is_still_there(const struct file *file, struct slot *slot, int64_t now)
{
	int saved_errno = errno;
	struct stat st;
	bool is;

	if (__atomic_load_n(&slot->looked_at, __ATOMIC_RELAXED) == now)
		return true;
	__atomic_store_n(&slot->looked_at, now, __ATOMIC_RELAXED);
	is = stat(file->path, &st) == 0 && st.st_dev == slot->dev && st.st_ino == slot->ino &&
	     (uint64_t)st.st_size == slot->mapped.size && guard_is_on() &&
	     memcache_clock_is_right(slot->mapped.bytes);
	errno = saved_errno;
	return is;
}

const struct mapped *mapped_enter(enum mapped_file which, int64_t now)
{
	struct file *file = &files[which];
	struct slot *slot;
	int current;

	if (!guard_covers_thread(now))
		return NULL;
	if (__atomic_load_n(&file->current, __ATOMIC_SEQ_CST) == NONE)
		open_file(file, now);
	current = __atomic_load_n(&file->current, __ATOMIC_SEQ_CST);
	if (current == NONE)
		return NULL;

	slot = &file->slots[current];
	if (__atomic_fetch_add(&slot->users, 1, __ATOMIC_SEQ_CST) >= 0 && is_current(file, slot)) {
		if (is_still_there(file, slot, now) &&
		    memcmp(slot->mapped.bytes, slot->header, sizeof(slot->header)) == 0)
			return &slot->mapped;
		retire(file, slot);
	}
	leave(file, slot);
	return NULL;
}

void mapped_leave(const struct mapped *mapped)
{
	struct slot *slot = (struct slot *)(void *)mapped;
	struct file *file = files;

	while (slot < file->slots || slot >= file->slots + N_SLOTS)
		file++;
	leave(file, slot);
}
