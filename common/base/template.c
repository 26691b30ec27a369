/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Template - see template.h
 */
#include "common/base/template.h"

#include <errno.h>
#include <string.h>

#include "common/base/mem.h"

const char *template_fault(const char *text, const char *letters)
{
	while ((text = strchr(text, '%')) != NULL) {
		if (!text[1] || (text[1] != '%' && !strchr(letters, text[1])))
			return text;
		text += 2;
	}
	return NULL;
}

static int value_of(const struct template_value *values, char letter, const char **ret_text)
{
	if (letter == '%') {
		*ret_text = "%";
		return 0;
	}
	while (values->letter && values->letter != letter)
		values++;
	if (!values->letter || !letter)
		return -EINVAL;
	*ret_text = values->text;
	return values->text ? 0 : -ENODATA;
}

int template_fill(TALLOC_CTX *mem, const char *text, const struct template_value *values,
                  char **ret_filled)
{
	auto_talloc char *filled = talloc_strdup(mem, "");

	while (filled && *text) {
		size_t plain = strcspn(text, "%");
		const char *value;
		int r;

		/* Appended to NULL, the rest would be all. */
		filled = talloc_strndup_append_buffer(filled, text, plain);
		text += plain;
		if (!filled || !*text)
			break;
		r = value_of(values, text[1], &value);
		if (r < 0)
			return r;
		filled = talloc_strdup_append_buffer(filled, value);
		text += 2;
	}
	if (!filled)
		return -ENOMEM;
	*ret_filled = take_ptr(filled);
	return 0;
}
