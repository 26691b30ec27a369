/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reader - walk untrusted bytes without ever leaving them
 */
#include "common/wire/reader.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

struct reader reader_over(const void *data, size_t size)
{
	/* NULL + 0 is undefined in C, and an empty message may well be NULL. */
	const uint8_t *start = data ? data : (const uint8_t *)"";

	return (struct reader){ .pos = start, .end = data ? start + size : start };
}

const uint8_t *reader_bytes(struct reader *in, size_t size)
{
	const uint8_t *start = in->pos;

	if (in->err < 0)
		return NULL;
	if (reader_left(in) < size) {
		reader_fail(in);
		return NULL;
	}
	in->pos += size;
	return start;
}

struct reader reader_part(struct reader *in, size_t size)
{
	const uint8_t *bytes = reader_bytes(in, size);

	return reader_over(bytes, bytes ? size : 0);
}

/* The next size bytes, or as many zeros after a failure: what every number is made of. */
static void copy_bytes(struct reader *in, void *ret_value, size_t size)
{
	const uint8_t *bytes = reader_bytes(in, size);

	if (bytes)
		memcpy(ret_value, bytes, size);
	else
		memset(ret_value, 0, size);
}

uint8_t reader_u8(struct reader *in)
{
	uint8_t value;

	copy_bytes(in, &value, sizeof(value));
	return value;
}

uint16_t reader_u16(struct reader *in)
{
	uint16_t value;

	copy_bytes(in, &value, sizeof(value));
	return value;
}

uint32_t reader_u32(struct reader *in)
{
	uint32_t value;

	copy_bytes(in, &value, sizeof(value));
	return value;
}

uint64_t reader_u64(struct reader *in)
{
	uint64_t value;

	copy_bytes(in, &value, sizeof(value));
	return value;
}

uint16_t reader_be16(struct reader *in)
{
	return be16toh(reader_u16(in));
}

uint32_t reader_be32(struct reader *in)
{
	return be32toh(reader_u32(in));
}

uint64_t reader_be64(struct reader *in)
{
	return be64toh(reader_u64(in));
}

const char *reader_str(struct reader *in, size_t max, size_t *ret_size)
{
	size_t left = reader_left(in);
	const uint8_t *text = in->pos, *nul;

	if (ret_size)
		*ret_size = 0;
	nul = memchr(text, '\0', max < left ? max + 1 : left);
	if (in->err < 0 || !nul) {
		reader_fail(in);
		return NULL;
	}

	in->pos = nul + 1;
	if (ret_size)
		*ret_size = (size_t)(nul - text);
	return (const char *)text;
}

const char *reader_text(struct reader *in, size_t max)
{
	size_t length = reader_u32(in);
	const uint8_t *text = reader_bytes(in, length);
	uint8_t nul = reader_u8(in);

	if (in->err < 0)
		return NULL;
	if (length > max || nul != '\0' || memchr(text, '\0', length)) {
		reader_fail(in);
		return NULL;
	}
	return (const char *)text;
}

const char *reader_strs(struct reader *in, uint32_t count, size_t max, size_t *ret_size)
{
	const uint8_t *first = in->pos;

	/* Each text takes a byte at least, so a count that lies ends with the message. */
	for (uint32_t i = 0; i < count && in->err == 0; i++)
		reader_str(in, max, NULL);

	*ret_size = in->err < 0 ? 0 : (size_t)(in->pos - first);
	return in->err < 0 ? NULL : (const char *)first;
}

size_t reader_left(const struct reader *in)
{
	return in->err < 0 ? 0 : (size_t)(in->end - in->pos);
}

void reader_fail(struct reader *in)
{
	in->err = -EBADMSG;
}

int reader_end(const struct reader *in)
{
	if (in->err < 0)
		return in->err;
	return in->pos == in->end ? 0 : -EBADMSG;
}
