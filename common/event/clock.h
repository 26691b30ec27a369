/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clock - the wall clock was set, or the machine was suspended
 *
 * The kernel ends a timer that asks for it (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET) when the
 * clock is set, and sets the clock itself when it wakes up from a suspend. Slewing (adjtime(3))
 * does not count.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

/* Calls was_set from the loop after each time, once for several that came together. On mem, until
 * which is freed. Errors: -ENOMEM; errno of timerfd_create(2). */
int clock_watch(TALLOC_CTX *mem, struct tevent_context *ev, void (*was_set)(void *data),
                void *data);
