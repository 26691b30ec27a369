/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network - addresses, routes, links or resolv.conf changed, the machine was suspended or its clock
 * set: backends should try again now
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

struct network; /* a talloc object */

struct network_options {
	bool netlink;            /* watch addresses, links and routes */
	const char *resolv_conf; /* NULL = not watched; borrowed for as long as the network lives */
	bool inotify;            /* watch it by inotify(7); false, or where that fails: */
	int64_t look_ms;         /* look at it so often */
};

/* Calls changed at most once a second, a second after the first change. What cannot be watched is
 * named in the log and done without. NULL without memory. */
struct network *network_new(TALLOC_CTX *mem, struct tevent_context *ev,
                            const struct network_options *options, void (*changed)(void *data),
                            void *data);

/* Does a datagram of rtnetlink(7) tell of a change? For network.c and its tests. */
bool network_is_change(const void *bytes, size_t size);
