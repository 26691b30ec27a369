/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Touched - what counts as expired although it is not old: said by anybody, read by all
 *
 * A file beside the environment, so that who wants something to be asked for again (sss_cache(8))
 * writes no database, waits for no disk and needs no process of ours: the environment keeps its one
 * writer. It is written under a lock with pwrite(2), and mapped by those who read.
 *
 *   | magic: u64 | epoch: u32 | users, groups, initgroups: u32 each | slot: u32 … |
 *
 * epoch is a number that only grows, and an entry carries the one in which its server was asked. A
 * slot holds the epoch of the last touch of any of the names that fall into it, those before the
 * slots that of all of a kind; what was asked for in an earlier epoch is expired. That several
 * names share a slot costs a question too many. A new epoch is at least the wall clock's second,
 * so that one that a power cut took back does not come again.
 *
 * Where the file is missing nobody knows what was touched, so everything is, until the writer makes
 * a new one.
 */
#pragma once

#include <stdint.h>

#include "common/cache/file.h"

#define TOUCHED_SIZE 16384

/* The file as it is mapped; all zero is none. */
struct touched {
	const uint32_t *words;
	struct file_id id;
};

/* Without a file, or with one that is none of ours, all zero. */
void touched_open(struct touched *touched, const struct cache_files *files);
void touched_close(struct touched *touched);

/* Is the file at the path the one that was opened, or still none? */
bool touched_still_there(const struct touched *touched, const struct cache_files *files);

/* Makes the file where there is none; for the writer. Nobody knows what the one before said: all
 * that is stored, up to the epoch last, is touched. Errors: -ENOSPC; -E_CACHE_LOCKED; errno of
 * open(2), write(2). */
int touched_make(const struct cache_files *files, uint32_t last);

uint32_t touched_epoch(const struct touched *touched);

/* The first epoch that counts; UINT32_MAX none does. name NULL: of what has none. */
uint32_t touched_since(const struct touched *touched, enum entry_kind kind, const char *name);
