/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Watch - the descriptor of a libdbus connection or server on tevent
 */
#include "common/sbus/watch.h"

#include <errno.h>

#include "common/base/str.h"

struct watch {
	struct tevent_context *ev; /* borrowed */
	struct tevent_fd *event;   /* owned; NULL while libdbus wants nothing */
	DBusWatch *items[2];       /* borrowed from libdbus; in no order */
	void (*handle)(uint16_t flags, void *data);
	void *data;
};

struct watch *watch_new(TALLOC_CTX *mem, struct tevent_context *ev,
                        void (*handle)(uint16_t flags, void *data), void *data)
{
	struct watch *watch = talloc_zero(mem, struct watch);

	if (!watch)
		return NULL;
	watch->ev = ev;
	watch->handle = handle;
	watch->data = data;
	return watch;
}

/* ---- called by libdbus ---- */

static dbus_bool_t add(DBusWatch *item, void *data)
{
	struct watch *watch = data;

	for (size_t i = 0; i < str_size(watch->items); i++)
		if (!watch->items[i]) {
			watch->items[i] = item;
			return TRUE;
		}
	return FALSE;
}

static void withdraw(DBusWatch *item, void *data)
{
	struct watch *watch = data;

	for (size_t i = 0; i < str_size(watch->items); i++)
		if (watch->items[i] == item)
			watch->items[i] = NULL;

	/* The descriptor is closed next, and epoll must not hear of it after that. */
	if (watch_fd(watch) < 0)
		TALLOC_FREE(watch->event);
}

static void toggled(DBusWatch *item, void *data)
{
	(void)item;
	(void)data; /* watch_settle() asks */
}

int watch_connection(struct watch *watch, DBusConnection *dbus)
{
	return dbus_connection_set_watch_functions(dbus, add, withdraw, toggled, watch, NULL)
	               ? 0
	               : -ENOMEM;
}

int watch_server(struct watch *watch, DBusServer *dbus)
{
	return dbus_server_set_watch_functions(dbus, add, withdraw, toggled, watch, NULL) ? 0
	                                                                                  : -ENOMEM;
}

/* ---- called by us and by the loop ---- */

int watch_fd(const struct watch *watch)
{
	for (size_t i = 0; i < str_size(watch->items); i++)
		if (watch->items[i])
			return dbus_watch_get_unix_fd(watch->items[i]);
	return -1;
}

static unsigned enabled_flags(DBusWatch *item)
{
	return item && dbus_watch_get_enabled(item) ? dbus_watch_get_flags(item) : 0;
}

void watch_handle(struct watch *watch, uint16_t flags)
{
	unsigned ready = 0;

	if (flags & TEVENT_FD_READ)
		ready |= DBUS_WATCH_READABLE;
	if (flags & TEVENT_FD_WRITE)
		ready |= DBUS_WATCH_WRITABLE;

	/* Each handling may take the other watch away. */
	for (size_t i = 0; i < str_size(watch->items); i++) {
		unsigned now = ready & enabled_flags(watch->items[i]);

		if (now)
			dbus_watch_handle(watch->items[i], now);
	}
}

static void fd_ready(struct tevent_context *ev, struct tevent_fd *event, uint16_t flags, void *data)
{
	struct watch *watch = data;

	(void)ev;
	(void)event;
	watch->handle(flags, watch->data);
}

uint16_t watch_wants(const struct watch *watch)
{
	unsigned wanted = enabled_flags(watch->items[0]) | enabled_flags(watch->items[1]);
	uint16_t flags = 0;

	if (wanted & DBUS_WATCH_READABLE)
		flags |= TEVENT_FD_READ;
	if (wanted & DBUS_WATCH_WRITABLE)
		flags |= TEVENT_FD_WRITE;
	return flags;
}

int watch_settle(struct watch *watch)
{
	uint16_t flags = watch_wants(watch);

	if (watch->event) {
		if (tevent_fd_get_flags(watch->event) != flags)
			tevent_fd_set_flags(watch->event, flags);
	} else if (watch_fd(watch) >= 0) {
		watch->event =
			tevent_add_fd(watch->ev, watch, watch_fd(watch), flags, fd_ready, watch);
		if (!watch->event)
			return -ENOMEM;
	}
	return 0;
}
