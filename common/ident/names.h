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
