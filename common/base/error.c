/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Errors - the texts
 */
#include "common/base/error.h"

#include <stddef.h>
#include <string.h>

#include "common/base/str.h"

/* In the order of the enum: the entry of E_X is errors[E_X - ERROR_FIRST - 1]. */
static const struct {
	const char *name, *text;
} errors[] = {
#define X(code, text) { #code, text },
	ERROR_LIST(X)
#undef X
};

/* Where -r stands in errors; their count or more for errno values and for what is no code. */
static unsigned place_of(int r)
{
	return -(unsigned)r - ERROR_FIRST - 1;
}

/* strerror(3) would translate by locale and share a buffer between threads. */
const char *error_text(int r)
{
	unsigned place = place_of(r);
	const char *text;

	if (place < str_size(errors))
		return errors[place].text;
	text = strerrordesc_np((int)-(unsigned)r);
	return text ? text : "unknown error";
}

const char *error_name(int r)
{
	unsigned place = place_of(r);
	const char *name;

	if (place < str_size(errors))
		return errors[place].name;
	name = strerrorname_np((int)-(unsigned)r);
	return name ? name : "UNKNOWN";
}
