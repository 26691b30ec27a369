/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network - addresses, routes, links or resolv.conf changed, the machine was suspended or its clock
 * set: backends should try again now
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

struct network; /* a talloc object */

/* Calls changed at most once a second, a second after the first change. resolv_conf NULL: not
 * watched. What cannot be watched is named in the log and done without. NULL without memory. */
struct network *network_new(TALLOC_CTX *mem, struct tevent_context *ev, bool netlink,
                            const char *resolv_conf, void (*changed)(void *data), void *data);

/* Does a datagram of rtnetlink(7) tell of a change? For network.c and its tests. */
bool network_is_change(const void *bytes, size_t size);
