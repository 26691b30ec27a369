/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Template - a text with letters to be filled in: "/home/%d/%u"
 *
 * '%' and one letter stand for a value, "%%" for the character itself.
 */
#pragma once

#include <talloc.h>

struct template_value {
	char letter;
	const char *text; /* NULL: there is no such value here */
};

/* The first '%' of text that stands before none of letters, nor before another '%'; NULL when there
 * is none. */
const char *template_fault(const char *text, const char *letters);

/* Fills in; values ends with a letter '\0'.
 * Errors: -ENODATA a value is not there; -EINVAL template_fault(); -ENOMEM. */
int template_fill(TALLOC_CTX *mem, const char *text, const struct template_value *values,
                  char **ret_filled);
