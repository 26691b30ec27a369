/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values - the arguments of a method: C structs ↔ D-Bus messages; our error codes ↔ error names
 */
#include "common/sbus/value.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/str.h"

/* What the header of a message of ours takes at most. */
#define HEADER_ROOM 4096u

#define ERROR_PREFIX "sssd.Error."

/* ---- struct → message ---- */

static int write_text(DBusMessageIter *out, const char *text, size_t *total)
{
	size_t size;

	if (!text)
		text = "";
	size = strlen(text);
	*total += size + 8; /* length, NUL, padding */
	if (size > SBUS_MESSAGE_MAX || *total > SBUS_MESSAGE_MAX - HEADER_ROOM)
		return -EMSGSIZE;
	if (!str_is_utf8(text, size))
		return -EILSEQ;
	return dbus_message_iter_append_basic(out, DBUS_TYPE_STRING, &text) ? 0 : -ENOMEM;
}

static int write_list(DBusMessageIter *out, const char *const *items, size_t *total)
{
	DBusMessageIter inner;
	int r = 0;

	if (!dbus_message_iter_open_container(out, DBUS_TYPE_ARRAY, "s", &inner))
		return -ENOMEM;
	for (size_t i = 0; r == 0 && items && items[i]; i++)
		r = write_text(&inner, items[i], total);
	if (r < 0) {
		dbus_message_iter_abandon_container(out, &inner);
		return r;
	}
	return dbus_message_iter_close_container(out, &inner) ? 0 : -ENOMEM;
}

static int write_fields(DBusMessageIter *out, const struct sbus_args *args, const void *from)
{
	const char *type = args->signature + 1;
	size_t total = 0;
	int r = 0;

	for (size_t i = 0; *type != ')' && r == 0; i++, type++) {
		const void *field = (const char *)from + args->fields[i];
		dbus_bool_t truth;
		const void *texts;

		switch (*type) {
		case DBUS_TYPE_ARRAY:
			memcpy(&texts, field, sizeof(texts));
			r = write_list(out, texts, &total);
			type++; /* the s of "as" */
			break;
		case DBUS_TYPE_STRING:
			memcpy(&texts, field, sizeof(texts));
			r = write_text(out, texts, &total);
			break;
		case DBUS_TYPE_BOOLEAN:
			truth = *(const bool *)field;
			field = &truth;
			__attribute__((fallthrough));
		default:
			if (!dbus_message_iter_append_basic(out, *type, field))
				r = -ENOMEM;
		}
	}
	return r;
}

int sbus_args_write(DBusMessage *message, const struct sbus_args *args, const void *from)
{
	DBusMessageIter out, fields;
	int r;

	if (!*args->signature)
		return 0;
	dbus_message_iter_init_append(message, &out);
	if (!dbus_message_iter_open_container(&out, DBUS_TYPE_STRUCT, NULL, &fields))
		return -ENOMEM;
	r = write_fields(&fields, args, from);
	if (r < 0) {
		dbus_message_iter_abandon_container(&out, &fields);
		return r;
	}
	return dbus_message_iter_close_container(&out, &fields) ? 0 : -ENOMEM;
}

/* ---- message → struct ---- */

static int read_text(DBusMessageIter *in, TALLOC_CTX *mem, bool copy, const char **ret_text)
{
	const char *text;

	dbus_message_iter_get_basic(in, &text);
	if (copy) {
		text = talloc_strdup(mem, text);
		if (!text)
			return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

static int read_list(DBusMessageIter *in, TALLOC_CTX *mem, bool copy, const char ***ret_items)
{
	size_t n_items = (size_t)dbus_message_iter_get_element_count(in);
	auto_talloc const char **items =
		talloc_zero_array(mem, const char *, (unsigned)n_items + 1);
	DBusMessageIter inner;
	int r;

	if (!items)
		return -ENOMEM;
	dbus_message_iter_recurse(in, &inner);
	for (size_t i = 0; i < n_items; i++) {
		r = read_text(&inner, items, copy, &items[i]);
		if (r < 0)
			return r;
		dbus_message_iter_next(&inner);
	}
	*ret_items = take_ptr(items);
	return 0;
}

int sbus_args_read(DBusMessage *message, const struct sbus_args *args, TALLOC_CTX *mem, bool copy,
                   void *ret_struct)
{
	auto_talloc char *fields = NULL;
	const char *type = args->signature;
	DBusMessageIter whole, in;
	int r = 0;

	/* libdbus has checked the body against the message's own signature, so that one
	 * comparison makes every read below safe. */
	if (!dbus_message_has_signature(message, args->signature))
		return -EBADMSG;
	if (!*type)
		return 0;

	fields = talloc_zero_size(mem, args->size);
	if (!fields)
		return -ENOMEM;
	dbus_message_iter_init(message, &whole);
	dbus_message_iter_recurse(&whole, &in);
	type++;
	for (size_t i = 0; *type != ')' && r == 0; i++, type++) {
		void *field = fields + args->fields[i];
		const char **items, *text;
		dbus_bool_t truth;

		switch (*type) {
		case DBUS_TYPE_ARRAY:
			r = read_list(&in, mem, copy, &items);
			if (r == 0)
				memcpy(field, &items, sizeof(items));
			type++;
			break;
		case DBUS_TYPE_STRING:
			r = read_text(&in, mem, copy, &text);
			if (r == 0)
				memcpy(field, &text, sizeof(text));
			break;
		case DBUS_TYPE_BOOLEAN:
			dbus_message_iter_get_basic(&in, &truth);
			*(bool *)field = truth;
			break;
		default:
			dbus_message_iter_get_basic(&in, field);
		}
		dbus_message_iter_next(&in);
	}
	if (r == 0)
		memcpy(ret_struct, fields, args->size);
	return r;
}

/* ---- errors ---- */

char *sbus_error_name(TALLOC_CTX *mem, int r)
{
	return talloc_asprintf(mem, ERROR_PREFIX "%s", error_name(r));
}

static const int our_codes[] = {
#define X(code, text) code,
	ERROR_LIST(X)
#undef X
};

/* Above every errno value Linux has (133 in 6.x). */
#define ERRNO_END 150

int sbus_error_code(const char *name)
{
	if (strcmp(name, DBUS_ERROR_UNKNOWN_METHOD) == 0)
		return -ENOSYS;
	if (strncmp(name, ERROR_PREFIX, strlen(ERROR_PREFIX)) != 0)
		return -E_BUS;
	name += strlen(ERROR_PREFIX);

	for (size_t i = 0; i < str_size(our_codes); i++)
		if (strcmp(name, error_name(-our_codes[i])) == 0)
			return -our_codes[i];
	for (int code = 1; code < ERRNO_END; code++) {
		const char *known = strerrorname_np(code); /* NULL in the gaps */

		if (known && strcmp(name, known) == 0)
			return -code;
	}
	return -E_BUS;
}
