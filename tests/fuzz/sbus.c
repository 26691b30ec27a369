/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Arguments of every method of every interface: the first byte chooses whose, the rest is a whole
 * D-Bus message as libdbus takes it from the socket. What was read in both ways is written again,
 * and must be the same.
 */
#include <stdlib.h>
#include <string.h>

#include "common/sbus/call.h"
#include "common/sbus/iface_dataprovider.h"
#include "common/sbus/iface_monitor.h"
#include "common/sbus/iface_service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Method number wanted, counted over all interfaces, its in and out arguments apart. */
static const struct sbus_args *choose(unsigned wanted)
{
	static const struct sbus_interface *const interfaces[] = {
		&dataprovider_interface,
		&monitor_interface,
		&service_interface,
	};
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++)
		for (const struct sbus_method *method = interfaces[i]->methods; method->name;
		     method++) {
			if (n++ == wanted)
				return &method->in;
			if (n++ == wanted)
				return &method->out;
		}
	return NULL;
}

/* The arguments of message as bytes of a fresh message; NULL when they are not those of args. */
static DBusMessage *rewritten(DBusMessage *message, const struct sbus_args *args, bool copy)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	void *fields = talloc_zero_size(mem, args->size + 1);
	DBusMessage *again = NULL;

	if (sbus_args_read(message, args, mem, copy, fields) == 0) {
		again = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
		dbus_message_set_serial(again, 1);
		dbus_message_set_reply_serial(again, 1);
		if (sbus_args_write(again, args, fields) < 0)
			abort();
	}
	talloc_free(mem);
	return again;
}

static void check_same(DBusMessage *a, DBusMessage *b)
{
	char *bytes_a, *bytes_b;
	int size_a, size_b;

	if (!dbus_message_marshal(a, &bytes_a, &size_a) ||
	    !dbus_message_marshal(b, &bytes_b, &size_b))
		abort();
	if (size_a != size_b || memcmp(bytes_a, bytes_b, (size_t)size_a) != 0)
		abort();
	dbus_free(bytes_a);
	dbus_free(bytes_b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sbus_args *args = size > 0 ? choose(data[0]) : NULL;
	DBusMessage *message, *pointing, *copied;

	/* Larger ones end in the loader, which has its limit from conn.c. */
	if (!args || size > SBUS_MESSAGE_MAX / 2)
		return 0;
	message = dbus_message_demarshal((const char *)data + 1, (int)size - 1, NULL);
	if (!message)
		return 0;

	if (dbus_message_get_error_name(message) &&
	    sbus_error_code(dbus_message_get_error_name(message)) >= 0)
		abort();
	pointing = rewritten(message, args, false);
	copied = rewritten(message, args, true);
	if (!pointing != !copied)
		abort();
	if (pointing) {
		check_same(pointing, copied);
		dbus_message_unref(pointing);
		dbus_message_unref(copied);
	}
	dbus_message_unref(message);
	return 0;
}
