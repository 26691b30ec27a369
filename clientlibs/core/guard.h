/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guard - a mapped file that is cut short under its readers kills nobody
 *
 * Whoever touches a page beyond the end of a file gets SIGBUS, and the end may move between any
 * check and any read: a careless restore of a backup would kill half of a machine's programs. No
 * read without a system call is safe from that, so the signal is caught: pages of ours turn into
 * zeros, which no reader takes for an answer; for all else the program's own action holds as
 * before. A program that sets another action afterwards has its way: then nothing is mapped.
 *
 * A thread that blocks the signal is killed by it, whatever the action, so nothing is read in such
 * a thread. The action and the mask are looked at once a second: what the program changes and the
 * file's end that moves in the same second are not guarded against.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_N_RANGES 16

/* Whether faults are ours to catch, now; tries to make it so. A system call or two. */
bool guard_is_on(void);

/* Whether this thread lets faults come through. A system call when the thread has not asked in the
 * second now. */
bool guard_covers_thread(int64_t now);

/* Watches over size bytes of a mapping at start. index, below GUARD_N_RANGES, is the caller's to
 * give out; NULL ends the watch. */
void guard_watch(unsigned index, const void *start, size_t size);
