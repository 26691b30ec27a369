/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frame - the header of a message that arrives in pieces, and the way back through the writer
 *
 *   | max: u16 | the stream |
 */
#include "common/wire/frame.h"

#include <errno.h>
#include <string.h>

#include "common/wire/proto.h"
#include "common/wire/reader.h"
#include "tests/fuzz/require.h"

/* A message that is there whole, written again, is the same but for its reserved word. */
static void write_again(const uint8_t *message, size_t size, uint32_t max)
{
	struct frame_header header = frame_header(message);
	struct writer out = writer_new(max);

	frame_begin(&out, header.command, header.status);
	writer_bytes(&out, message + PROTO_HEADER_SIZE, size - PROTO_HEADER_SIZE);
	require(frame_finish(&out) == 0);
	require(out.size == size && memcmp(out.bytes, message, 12) == 0);
	require(memcmp(out.bytes + PROTO_HEADER_SIZE, message + PROTO_HEADER_SIZE,
	               size - PROTO_HEADER_SIZE) == 0);
	writer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	uint32_t max = reader_u16(&in);
	size_t left = reader_left(&in);
	const uint8_t *stream = reader_bytes(&in, left);
	int64_t length;

	if (!stream)
		return 0;

	for (size_t i = 0; i < left && i < PROTO_HEADER_SIZE; i++)
		require(frame_length(stream, i, max) == 0);
	length = frame_be_length(stream, left, max);
	require((length == 0) == (left < FRAME_BE_SIZE));
	require(length == 0 || length == -EMSGSIZE || (length >= FRAME_BE_SIZE && length <= max));
	length = frame_length(stream, left, max);

	require(length == 0 || length == -EBADMSG || length == -EMSGSIZE ||
	        (length >= PROTO_HEADER_SIZE && length <= max));
	require((length == 0) == (left < PROTO_HEADER_SIZE));
	if (length > 0 && (size_t)length <= left)
		write_again(stream, (size_t)length, max);
	return 0;
}
