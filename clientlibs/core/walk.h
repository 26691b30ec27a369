/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walk - all entries of a map, one after the other (setpwent, getpwent, endpwent)
 *
 * The place in the list belongs to the connection, so a walk has one of its own, and losing it is
 * an error: starting again would repeat entries, stopping would pass a part for the whole. Entries
 * come in portions of many, read from the last reply until it is used up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "clientlibs/core/conn.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

struct walk {
	struct conn conn;
	struct writer request; /* the last one: here, so that a cancelled thread does not lose it */
	int lost;              /* 0, or the error that ended this walk */
	bool begun, finished;  /* the first entry was asked for; there is none any more */
	uint32_t left;         /* entries of the last reply that were not taken yet */
	struct reader entries; /* stands before the first of them */
};

struct walk walk_new(void);

/* Back to the start. Sends nothing: programs call setpwent(3) and then do not walk. */
void walk_rewind(struct walk *walk);

/* Finds the next entry: 1 it stands in ret_entry, which is the caller's to read and may hold more
 * behind it; 0 all were taken. The first call of a walk asks with set, the others with get.
 * Errors: those of conn_open() and conn_ask(), and then again until walk_rewind(). */
int walk_next(struct walk *walk, uint32_t set, uint32_t get, struct reader *ret_entry);

/* The entry that walk_next() found was read: the next one begins where entry stands now. An entry
 * that was not taken comes again. */
void walk_taken(struct walk *walk, const struct reader *entry);

/* Ends the walk with r, a negative code. */
void walk_lose(struct walk *walk, int r);

/* In a forked child: it leaves the connection to its parent, and has lost its place. */
void walk_adopt(struct walk *walk);

void walk_free(struct walk *walk);
