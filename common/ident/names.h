/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names - many short texts in one run of bytes: alice\0bob\0
 *
 * The form in which members travel from the server to the cache and from the cache to the client:
 * nothing is allocated for a single name.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/wire/reader.h"
#include "common/wire/writer.h"

struct names {
	const char *bytes; /* borrowed; count texts, each with its NUL */
	size_t size;
	uint32_t count;
};

/* Walks the names: const char *name = NULL; while ((name = names_next(&names, name))) … */
static inline const char *names_next(const struct names *names, const char *name)
{
	const char *next = name ? name + __builtin_strlen(name) + 1 : names->bytes;

	return next && next < names->bytes + names->size ? next : NULL;
}

/* As part of a stored record:   | count: u32 | name \0 … |
 * The one walk over the names that decoding makes checks that each is ended within the bytes. */
static inline void names_encode(struct writer *out, const struct names *names)
{
	writer_u32(out, names->count);
	if (names->size > 0)
		writer_bytes(out, names->bytes, names->size);
}

static inline struct names names_decode(struct reader *in)
{
	struct names names = { 0 };

	names.count = reader_u32(in);
	names.bytes = reader_strs(in, names.count, SIZE_MAX, &names.size);
	return names;
}
