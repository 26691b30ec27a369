/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filter - see filter.h
 */
#include "backend/ldap/filter.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FILTER_MAX ((size_t)1 << 20)

struct filter filter_new(void)
{
	return (struct filter){ .out = writer_new(FILTER_MAX) };
}

static void put(struct filter *filter, const char *text)
{
	writer_bytes(&filter->out, text, strlen(text));
}

void filter_open(struct filter *filter, char operation)
{
	assert(operation == '&' || operation == '|' || operation == '!');
	writer_u8(&filter->out, '(');
	writer_u8(&filter->out, (uint8_t)operation);
	filter->depth++;
}

void filter_close(struct filter *filter)
{
	assert(filter->depth > 0);
	filter->depth--;
	writer_u8(&filter->out, ')');
}

/* RFC 4515 demands fewer escapes; a plain set leaves no question about what a server's or
 * library's parser makes of the rest. */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '@' || c == ' ';
}

void filter_equal(struct filter *filter, const char *attr, const char *value)
{
	static const char digits[] = "0123456789abcdef";

	put(filter, "(");
	put(filter, attr);
	put(filter, "=");
	for (; *value; value++) {
		if (is_plain(*value)) {
			writer_u8(&filter->out, (uint8_t)*value);
			continue;
		}
		writer_u8(&filter->out, '\\');
		writer_u8(&filter->out, (uint8_t)digits[(uint8_t)*value >> 4]);
		writer_u8(&filter->out, (uint8_t)digits[(uint8_t)*value & 15]);
	}
	put(filter, ")");
}

void filter_equal_number(struct filter *filter, const char *attr, uint32_t value)
{
	char text[sizeof("4294967295")];

	snprintf(text, sizeof(text), "%u", value);
	filter_equal(filter, attr, text);
}

void filter_present(struct filter *filter, const char *attr)
{
	put(filter, "(");
	put(filter, attr);
	put(filter, "=*)");
}

void filter_raw(struct filter *filter, const char *text)
{
	if (text)
		put(filter, text);
}

int filter_end(struct filter *filter, TALLOC_CTX *mem, char **ret_text)
{
	int r = writer_end(&filter->out);

	assert(filter->depth == 0);
	if (r == 0) {
		*ret_text = talloc_strndup(mem, (const char *)filter->out.bytes, filter->out.size);
		if (!*ret_text)
			r = -ENOMEM;
	}
	writer_free(&filter->out);
	*filter = (struct filter){ 0 };
	return r;
}
