/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writer - build a message whose every byte somebody wrote
 */
#include "common/wire/writer.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256u         /* most replies fit: a passwd entry is about 80 bytes */
#define KEPT_ROOM  (64u * 1024) /* what writer_reset() leaves in an idle connection */

struct writer writer_new(size_t max)
{
	return (struct writer){ .max = max };
}

struct writer writer_new_secretive(size_t max)
{
	return (struct writer){ .max = max, .secretive = true };
}

/* Behind size bytes nothing was written since the last time. */
static void wipe(struct writer *out)
{
	if (out->secretive && out->size > 0)
		explicit_bzero(out->bytes, out->size);
}

void writer_reset(struct writer *out)
{
	wipe(out);
	out->size = 0;
	out->err = 0;
	if (out->room > KEPT_ROOM)
		writer_free(out);
}

void writer_free(struct writer *out)
{
	wipe(out);
	free(out->bytes);
	*out = (struct writer){ .max = out->max, .secretive = out->secretive };
}

/* A larger buffer with the same bytes. realloc(3) would leave what it moves in freed memory. */
static uint8_t *move(struct writer *out, size_t room)
{
	uint8_t *bytes;

	if (!out->secretive)
		return realloc(out->bytes, room);
	bytes = malloc(room);
	if (!bytes)
		return NULL;
	if (out->size > 0)
		memcpy(bytes, out->bytes, out->size);
	wipe(out);
	free(out->bytes);
	return bytes;
}

/* Makes the buffer hold size bytes, doubling it so that n appends copy O(n) bytes in all. */
static int grow(struct writer *out, size_t size)
{
	size_t room = out->room ? out->room : FIRST_ROOM;
	uint8_t *bytes;

	if (out->bytes && size <= out->room)
		return 0;
	if (size > SIZE_MAX / 2)
		return -ENOMEM;

	while (room < size)
		room *= 2;
	bytes = move(out, room);
	if (!bytes)
		return -ENOMEM;
	out->bytes = bytes;
	out->room = room;
	return 0;
}

/* The next size bytes of the message, not written yet; NULL after a failure. */
static uint8_t *extend(struct writer *out, size_t size)
{
	uint8_t *place;

	if (out->err == 0 && size > out->max - out->size)
		out->err = -EMSGSIZE;
	if (out->err == 0)
		out->err = grow(out, out->size + size);
	if (out->err < 0)
		return NULL;

	place = out->bytes + out->size;
	out->size += size;
	return place;
}

void writer_bytes(struct writer *out, const void *bytes, size_t size)
{
	uint8_t *place = extend(out, size);

	if (place && size > 0)
		memcpy(place, bytes, size);
}

void writer_u8(struct writer *out, uint8_t value)
{
	writer_bytes(out, &value, sizeof(value));
}

void writer_u16(struct writer *out, uint16_t value)
{
	writer_bytes(out, &value, sizeof(value));
}

void writer_u32(struct writer *out, uint32_t value)
{
	writer_bytes(out, &value, sizeof(value));
}

void writer_u64(struct writer *out, uint64_t value)
{
	writer_bytes(out, &value, sizeof(value));
}

void writer_be16(struct writer *out, uint16_t value)
{
	writer_u16(out, htobe16(value));
}

void writer_be32(struct writer *out, uint32_t value)
{
	writer_u32(out, htobe32(value));
}

void writer_be64(struct writer *out, uint64_t value)
{
	writer_u64(out, htobe64(value));
}

void writer_str(struct writer *out, const char *text)
{
	writer_bytes(out, text ? text : "", text ? strlen(text) + 1 : 1);
}

void writer_text(struct writer *out, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length > UINT32_MAX && out->err == 0)
		out->err = -EMSGSIZE;
	writer_u32(out, (uint32_t)length);
	writer_str(out, text);
}

uint8_t *writer_room(struct writer *out, size_t size)
{
	uint8_t *place = extend(out, size);

	return place ? memset(place, 0, size) : NULL;
}

size_t writer_mark_u32(struct writer *out)
{
	size_t mark = out->size;

	writer_u32(out, 0);
	return mark;
}

void writer_patch_u32(struct writer *out, size_t mark, uint32_t value)
{
	if (out->err < 0)
		return;
	assert(out->size >= sizeof(value) && mark <= out->size - sizeof(value));
	memcpy(out->bytes + mark, &value, sizeof(value));
}

int writer_end(const struct writer *out)
{
	return out->err;
}
