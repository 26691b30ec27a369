/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entry - a record as the cache keeps it: when it was learnt, how long it holds, what it says
 *
 *   byte 0         1        2             4            8         16               24
 *   | format: u8 | kind: u8 | flags: u16 | epoch: u32 | boot: u64 | stored wall: u64 |
 *   | stored boottime: u64 | lifetime: u32 | body: user.h, group.h
 *   24                     32              36
 *
 * In host byte order, not aligned. format is 1, flags are 0: what has others is refused, not
 * guessed at. Times are seconds, below 2^63.
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

#define ENTRY_FORMAT      1
#define ENTRY_HEADER_SIZE 36 /* two entries say the same when the bytes behind it are equal */

enum entry_kind {
	ENTRY_USER = 1,
	ENTRY_GROUP,
	ENTRY_INITGROUPS,
};

struct entry_times {
	struct walltime stored_wall;
	struct boottime stored_boot;
	uint64_t boot;       /* boot_id() of the moment it was stored */
	uint32_t lifetime_s; /* entry_cache_timeout when it was stored */
	uint32_t epoch;      /* the domain's epoch of this kind when it was stored */
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

void entry_encode(struct writer *out, const struct entry *entry);

/* Texts and lists point into bytes. Errors: -EBADMSG this is no such form. */
int entry_decode(const void *bytes, size_t size, struct entry *ret_entry);
