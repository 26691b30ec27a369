/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entry - a record as the cache keeps it: when it was learnt, how long it holds, what it says
 *
 *   byte 0         1        2             4            8         16               24
 *   | format: u8 | kind: u8 | flags: u16 | epoch: u32 | boot: u64 | stored wall: u64 |
 *   | stored boottime: u64 | lifetime: u32 | with ENTRY_CREATED: u64 | body: user.h, group.h
 *   24                     32              36
 *
 * In host byte order, not aligned. format is 1; what has another, or flags that are not here, is
 * refused, not guessed at. Times are seconds, below 2^63.
 *
 * Age is measured by CLOCK_BOOTTIME while the boot is the one that stored it, else by the wall
 * clock; a clock earlier than the storing one counts as expired, not as eternal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/time.h"
#include "common/ident/group.h"
#include "common/ident/user.h"

#define ENTRY_FORMAT 1

/* A flag: when the first of this name was stored, by the wall clock. Without it this is the first,
 * or the first that we know of. */
#define ENTRY_CREATED 1

enum entry_kind {
	ENTRY_USER = 1,
	ENTRY_GROUP,
	ENTRY_INITGROUPS,
};

struct entry_times {
	struct walltime stored_wall;
	struct boottime stored_boot;
	uint64_t boot;           /* boot_id() of the moment it was stored */
	uint32_t lifetime_s;     /* entry_cache_timeout when it was stored */
	uint32_t epoch;          /* the domain's epoch of this kind when it was stored */
	struct walltime created; /* 0: as stored_wall */
};

struct entry {
	enum entry_kind kind;
	struct entry_times times;
	union {
		struct user user;
		struct group group;
		struct initgroups initgroups;
	};
};

/* The moment an age is asked for, read once per request. */
struct entry_now {
	struct walltime wall;
	struct boottime boot;
	uint64_t boot_id;
};
struct entry_now entry_now(void);

enum entry_age {
	ENTRY_FRESH,
	ENTRY_AGEING,  /* past nowait_percent of its life: answer, and refresh behind */
	ENTRY_EXPIRED, /* or older than the epoch */
};

/* nowait_percent is 1 to 99, any other = no entry is ever ageing; an entry is never ageing in its
 * first 10 s (sssd.conf(5), entry_cache_nowait_percentage). epoch is the domain's current one for
 * this kind. */
enum entry_age entry_age(const struct entry *entry, const struct entry_now *now,
                         uint32_t nowait_percent, uint32_t epoch);

/* How many seconds it will stay ENTRY_FRESH, at least; 0 if it is not. */
int64_t entry_fresh_s(const struct entry *entry, const struct entry_now *now,
                      uint32_t nowait_percent, uint32_t epoch);

/* Whose it is: of a list of groups, the user's. Borrowed. */
static inline const char *entry_name(const struct entry *entry)
{
	switch (entry->kind) {
	case ENTRY_USER:
		return entry->user.name;
	case ENTRY_GROUP:
		return entry->group.name;
	default:
		return entry->initgroups.name;
	}
}

static inline struct walltime entry_created(const struct entry *entry)
{
	return entry->times.created.s ? entry->times.created : entry->times.stored_wall;
}

/* Where the body begins in bytes that entry_decode() took: two entries say the same when the bytes
 * from there on are equal. */
size_t entry_body_at(const void *bytes);

void entry_encode(struct writer *out, const struct entry *entry);

/* Texts and lists point into bytes. Errors: -EBADMSG this is no such form. */
int entry_decode(const void *bytes, size_t size, struct entry *ret_entry);
