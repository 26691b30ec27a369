/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Timers - on CLOCK_BOOTTIME, because tevent's own run by the wall clock
 *
 * One timerfd for each event context, armed only while something is due: an idle process sleeps
 * until its next timer and no earlier. Use these everywhere; tevent_add_timer() and
 * tevent_req_set_endtime() fire at once, or never, when somebody sets the clock.
 *
 * Timers fire in order of their time, those of the same time in the order they were set. The time
 * a machine is suspended counts. A context and its timers belong to one thread; a process forked
 * from us shares the descriptor and must free the context before it sets a timer.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/time.h"

struct timer; /* a talloc object: freeing it cancels it */

/* Makes the context's timerfd now, so that timers need no descriptor later, when there may be none
 * left. Errors: -ENOMEM; errno of timerfd_create(2). */
int timer_prepare(struct tevent_context *ev);

/* Runs fire once, after_ms milliseconds from now, never before the caller returned to the loop.
 * The timer is freed after fire returned, unless fire freed it itself or set it again.
 * NULL without memory, or without a descriptor for the context's first timer. */
struct timer *timer_once(TALLOC_CTX *mem, struct tevent_context *ev, int64_t after_ms,
                         void (*fire)(void *data), void *data);

/* Runs fire every interval_ms (at least 1), the first time after interval_ms; each wait is
 * lengthened by a random 0 to jitter_ms. Firings that were missed are not made up for. */
struct timer *timer_every(TALLOC_CTX *mem, struct tevent_context *ev, int64_t interval_ms,
                          int64_t jitter_ms, void (*fire)(void *data), void *data);

/* Moves the next firing to after_ms from now. */
void timer_again(struct timer *timer, int64_t after_ms);

/* Ends req with -ETIMEDOUT when deadline passes before it finished. A deadline that was never set
 * (us == 0) does nothing. Errors: -ENOMEM. */
int req_set_deadline(struct tevent_req *req, struct tevent_context *ev, struct deadline deadline);
