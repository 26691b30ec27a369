/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frame - one message on a stream: the header of proto.h, and KCM's length
 */
#include "common/wire/frame.h"

#include <assert.h>
#include <errno.h>

#include "common/wire/proto.h"
#include "common/wire/reader.h"

int64_t frame_length(const void *bytes, size_t size, uint32_t max)
{
	struct frame_header header;

	if (size < PROTO_HEADER_SIZE)
		return 0;

	header = frame_header(bytes);
	if (header.length < PROTO_HEADER_SIZE)
		return -EBADMSG;
	if (header.length > max)
		return -EMSGSIZE;
	return header.length;
}

struct frame_header frame_header(const void *bytes)
{
	struct reader in = reader_over(bytes, PROTO_HEADER_SIZE);
	struct frame_header header;

	header.length = reader_u32(&in);
	header.command = reader_u32(&in);
	header.status = reader_u32(&in);
	return header; /* the fourth word is reserved and means nothing yet */
}

int64_t frame_be_length(const void *bytes, size_t size, uint32_t max)
{
	struct reader in = reader_over(bytes, size);
	int64_t length = (int64_t)reader_be32(&in) + FRAME_BE_SIZE;

	if (in.err < 0)
		return 0;
	return length > max ? -EMSGSIZE : length;
}

void frame_begin(struct writer *out, uint32_t command, uint32_t status)
{
	assert(out->size == 0);

	writer_u32(out, 0); /* the length: frame_finish() */
	writer_u32(out, command);
	writer_u32(out, status);
	writer_u32(out, 0);
}

int frame_finish(struct writer *out)
{
	if (out->size > UINT32_MAX && out->err == 0)
		out->err = -EMSGSIZE;
	writer_patch_u32(out, 0, (uint32_t)out->size);
	return writer_end(out);
}
