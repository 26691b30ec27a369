/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Range - see range.h
 */
#include "backend/ldap/range.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/wire/reader.h"

#define DIGITS_MAX 9 /* fit into 32 bits, and no entry has so many values */

static const char option[] = ";range=";
#define OPTION_SIZE (sizeof(option) - 1)

static uint32_t read_number(struct reader *in)
{
	uint32_t number = 0;
	unsigned n = 0;

	for (; reader_left(in) > 0 && *in->pos >= '0' && *in->pos <= '9'; n++) {
		if (n == DIGITS_MAX)
			reader_fail(in);
		number = number * 10 + (uint32_t)(reader_u8(in) - '0');
	}
	if (n == 0)
		reader_fail(in);
	return number;
}

/* "0-1499" or "3000-*" */
static int read_range(struct reader *in, struct range *ret_range)
{
	struct range range = { .first = read_number(in) };
	uint32_t last;
	int r;

	if (reader_u8(in) != '-')
		reader_fail(in);
	if (reader_left(in) == 1 && *in->pos == '*') {
		reader_u8(in);
	} else {
		last = read_number(in);
		range.next = last + 1;
		if (last < range.first)
			reader_fail(in);
	}
	r = reader_end(in);
	if (r == 0)
		*ret_range = range;
	return r;
}

int range_parse(const char *description, size_t size, size_t *ret_size, struct range *ret_range)
{
	for (size_t at = 0; at + OPTION_SIZE <= size; at++) {
		struct reader in;

		if (strncasecmp(description + at, option, OPTION_SIZE) != 0)
			continue;
		*ret_size = at;
		in = reader_over(description + at + OPTION_SIZE, size - at - OPTION_SIZE);
		return read_range(&in, ret_range);
	}
	return -ENOENT;
}

char *range_from(TALLOC_CTX *mem, const char *attr, uint32_t first)
{
	size_t size = strlen(attr);
	struct range unused;

	range_parse(attr, size, &size, &unused);
	return talloc_asprintf(mem, "%.*s%s%" PRIu32 "-*", (int)size, attr, option, first);
}
