/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Watch - the descriptor of a libdbus connection or server on tevent
 *
 * libdbus has one watch for reading and one for writing on the same descriptor and switches the
 * latter on and off around every message. Here both are one tevent_fd, and the loop hears of a
 * change only when it is still there after libdbus returned (watch_settle()): a message that can
 * be written at once costs no epoll_ctl(2).
 *
 * Timeouts of libdbus are not mapped, because there are none: it makes one only for a call it
 * waits for itself, and call.c does the waiting.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include <dbus/dbus.h>

struct watch; /* a talloc object */

/* handle is called from the loop with the flags of a tevent_fd_handler_t. It passes them on with
 * watch_handle(). */
struct watch *watch_new(TALLOC_CTX *mem, struct tevent_context *ev,
                        void (*handle)(uint16_t flags, void *data), void *data);

/* Gives the watches of one libdbus object to watch. Errors: -ENOMEM. */
int watch_connection(struct watch *watch, DBusConnection *dbus);
int watch_server(struct watch *watch, DBusServer *dbus);

/* The descriptor, -1 when libdbus has none (any more). */
int watch_fd(const struct watch *watch);

/* The TEVENT_FD_ flags of what libdbus waits for. */
uint16_t watch_wants(const struct watch *watch);

/* Lets libdbus read and write. */
void watch_handle(struct watch *watch, uint16_t flags);

/* Tells the loop what libdbus wants to hear of now: to be called after anything that may have
 * written. Errors: -ENOMEM. */
int watch_settle(struct watch *watch);
