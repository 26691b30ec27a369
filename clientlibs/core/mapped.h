/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Mapped - the files of the memory cache, mapped once for all threads of a program
 *
 * Entering and leaving a file that is mapped costs no system call; once a second its path is looked
 * at, and the guard. A file that was replaced, recycled, cut or grown is left to those who are
 * still reading it and unmapped by the last of them. Nothing is locked, so that a fork or a signal
 * handler may come at any point; no descriptor and no allocated memory is kept.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/wire/memcache.h"

enum mapped_file {
	MAPPED_PASSWD,
	MAPPED_GROUP,
	MAPPED_INITGROUPS,
	MAPPED_UNKNOWN,
	MAPPED_N_FILES,
};

struct mapped {
	const uint8_t *bytes; /* size of them, and anybody's to change meanwhile */
	size_t size;
	struct memcache_header header; /* as found, and checked against size */
};

/* Enters a file, until mapped_leave(). NULL: there is no cache to use; errno is as it was. */
const struct mapped *mapped_enter(enum mapped_file file, int64_t now);

void mapped_leave(const struct mapped *mapped);

/* CLOCK_REALTIME in seconds, a few milliseconds old: no system call. */
int64_t mapped_now(void);
