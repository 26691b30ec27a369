/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frame - one message on a stream: the header of proto.h, and KCM's length
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/wire/writer.h"

struct frame_header {
	uint32_t length; /* of the whole message */
	uint32_t command, status;
};

/* How long the message is that begins with bytes: 0 when fewer than a header are there yet, else
 * what its header claims, at least a header and at most max. The caller compares it with size.
 * Errors (negative): -EBADMSG shorter than a header; -EMSGSIZE longer than max. */
int64_t frame_length(const void *bytes, size_t size, uint32_t max);

/* Reads the header of a message that is at least PROTO_HEADER_SIZE long. */
struct frame_header frame_header(const void *bytes);

/* Begins a message in out, which must be empty; the body is written behind it. */
void frame_begin(struct writer *out, uint32_t command, uint32_t status);

/* How long, its length counted, the message is that begins with a u32 in network byte order that
 * does not count itself: 0 when that is not there yet. Errors: -EMSGSIZE longer than max. */
#define FRAME_BE_SIZE 4
int64_t frame_be_length(const void *bytes, size_t size, uint32_t max);

/* Fills in the length. Returns writer_end(); -EMSGSIZE too when a u32 cannot hold the length. */
int frame_finish(struct writer *out);
