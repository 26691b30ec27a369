/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Settled time - the wall clock, for what cannot be taken back
 *
 * A ticket that was removed is gone, also where the clock was wrong for a minute. In one boot
 * CLOCK_BOOTTIME knows better: a step forward counts when it has lasted SETTLED_S, one back at
 * once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/time.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define SETTLED_S       600
#define SETTLED_SLACK_S 60 /* no step: clocks are corrected */

struct settled {
	int64_t ahead_s;   /* of CLOCK_BOOTTIME, as far as it is believed */
	bool doubted;      /* it is more than that */
	int64_t doubted_s; /* so much */
	int64_t since_s;   /* since then, of CLOCK_BOOTTIME */
};

/* Believes what the clock says now. */
struct settled settled_begin(struct walltime wall, struct boottime boot);

/* The time, never after wall, which is what the clock says at boot. */
int64_t settled_s(struct settled *settled, struct walltime wall, struct boottime boot);

/* | boot_id(): u64 | ahead_s: u64 |, so that the next process of this boot believes no more than we
 * do; a record of another boot, or that is none, changes nothing. */
void settled_write(const struct settled *settled, struct writer *out);
void settled_read(struct settled *settled, struct reader in);
