/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values - the arguments of a method: C structs ↔ D-Bus messages; our error codes ↔ error names
 *
 * generate.py writes one struct sbus_args for the arguments of each direction. They travel as one
 * D-Bus structure: with each argument beside another libdbus writes the signature in the message's
 * header anew, which costs ten times what the argument does. For every type in it, fields holds the
 * place of the member:
 *
 *   s const char *   q uint16_t   u uint32_t   t uint64_t   i int32_t   b bool
 *   as const char *const *, NULL-terminated
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#include <dbus/dbus.h>

#include "common/base/mem.h"

#define SBUS_MESSAGE_MAX (1u << 20)

DEFINE_CLEANUP(DBusMessage *, dbus_message_unref)

struct sbus_args {
	const char *signature; /* "(us)", or "" */
	const size_t *fields;
	size_t size; /* of the struct */
};

/* Appends the members of from. A NULL text or list is written as an empty one.
 * Errors: -EILSEQ a text is not UTF-8 (libdbus would abort); -EMSGSIZE; -ENOMEM. */
int sbus_args_write(DBusMessage *message, const struct sbus_args *args, const void *from);

/* Reads all arguments of message. With copy, texts are copied to mem; without, they point into
 * message and only lists are on mem.
 * Errors: -EBADMSG they are not those of args; -ENOMEM. */
int sbus_args_read(DBusMessage *message, const struct sbus_args *args, TALLOC_CTX *mem, bool copy,
                   void *ret_struct);

/* "sssd.Error.E_OFFLINE" for -E_OFFLINE. On mem, NULL without memory. */
char *sbus_error_name(TALLOC_CTX *mem, int r);

/* The way back. -ENOSYS for the peer's "no such method", -E_BUS for names that are not ours. */
int sbus_error_code(const char *name);
