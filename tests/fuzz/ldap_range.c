/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: attribute descriptions with a range, as a server writes them. What was understood says the
 * same when it is written and read again, and what is asked for next is understood.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "backend/ldap/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(TALLOC_CTX *mem, const char *attr, const struct range *range)
{
	char *text = range->next ? talloc_asprintf(mem, "%s;range=%" PRIu32 "-%" PRIu32, attr,
	                                           range->first, range->next - 1)
	                         : range_from(mem, attr, range->first);
	struct range again;
	size_t size;

	assert(range_parse(text, strlen(text), &size, &again) == 0);
	assert(size == strlen(attr) && again.first == range->first && again.next == range->next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct range range = { 0 };
	size_t attr_size = size;
	int r = range_parse((const char *)data, size, &attr_size, &range);

	assert(r == 0 || r == -ENOENT || r == -EBADMSG);
	assert(r == -ENOENT ? attr_size == size : attr_size < size);
	assert(r == 0 || (range.first == 0 && range.next == 0));
	if (r == 0) {
		assert(range.next == 0 || range.next > range.first);
		if (!memchr(data, '\0', attr_size))
			read_again(mem, talloc_strndup(mem, (const char *)data, attr_size), &range);
	}
	talloc_free(mem);
	return 0;
}
