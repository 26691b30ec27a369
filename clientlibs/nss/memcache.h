/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - an answer from the mapped files, or none and the responder is asked
 *
 * A record may change, move or be damaged while it is read. So no byte of it is used twice before
 * it was copied, every step is checked against the file's bounds, and what was copied counts only
 * if the record's barriers say that it held still.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clientlibs/core/mapped.h"
#include "common/wire/reader.h"

/* What is looked for: the name, or the id if that is NULL. */
struct memcache_key {
	const char *name;
	uint32_t id;
};

/* One kind of record.
 * is_it  whether data, which may change meanwhile, is the record of key
 * take   copies data to out: 1 done; -ERANGE it does not fit there; -EBADMSG it makes no sense;
 *        -ENOMEM. It may be called again, and what it did before is then void */
struct memcache_kind {
	enum mapped_file file;
	int (*is_it)(struct reader data, const struct memcache_key *key);
	int (*take)(struct reader data, void *out);
};

/* Looks a record up in a file that was entered: 1 it was taken to out.
 * now  seconds of CLOCK_REALTIME
 * Errors: -ENOENT it is not there; those of take, but never -EBADMSG. */
int memcache_find_in(const struct mapped *mapped, const struct memcache_kind *kind,
                     const struct memcache_key *key, int64_t now, void *out);

/* The same in the kind's file. -ENOENT too when there is no cache, or the user of the program does
 * not want it (SSS_NSS_USE_MEMCACHE=NO). */
int memcache_find(const struct memcache_kind *kind, const struct memcache_key *key, void *out);

/* Of the file "unknown", whose key is a text in any case; take copies nothing. */
extern const struct memcache_kind unknown_kind;

/* Whether the file "unknown" says that nobody has the name or id: it is told for a few seconds. */
bool memcache_is_unknown(enum memcache_unknown what, const struct memcache_key *key);

/* Whether the bytes at place in data are name and its NUL: for is_it. */
int memcache_is_name(const struct reader *data, size_t place, const char *name);
