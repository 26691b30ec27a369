/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Time - three clocks that do not mix, as three types (clock_gettime(2))
 *
 *   struct deadline   CLOCK_MONOTONIC  how long may this still take; stops during suspend
 *   struct boottime   CLOCK_BOOTTIME   how old is this; counts suspend, ends with the boot
 *   struct walltime   CLOCK_REALTIME   what a file or a person is told; may jump
 *
 * Nothing decides about idleness, retries or watchdogs by the wall clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	int64_t us; /* of CLOCK_MONOTONIC; 0 = none was set */
};
struct boottime {
	int64_t s;
};
struct walltime {
	int64_t s;
};

int64_t monotonic_us(void);
struct boottime boottime_now(void);
struct walltime walltime_now(void);

/* The first 64 bits of /proc/sys/kernel/random/boot_id, read once; 0 when it cannot be read. */
uint64_t boot_id(void);

struct deadline deadline_in_ms(int64_t ms);

/* Milliseconds left, rounded up, never below 0; INT64_MAX when none was set. */
int64_t deadline_left_ms(struct deadline deadline);

/* Never true when none was set. */
bool deadline_passed(struct deadline deadline);

/* The one that comes first; a deadline with us == 0 counts as "none". */
struct deadline deadline_earlier(struct deadline a, struct deadline b);
