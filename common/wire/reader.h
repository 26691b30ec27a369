/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reader - walk untrusted bytes without ever leaving them
 *
 * The first field that does not fit marks the reader as failed; from then on every read
 * yields zero or NULL. A parser therefore reads all its fields in a row and asks once,
 * with reader_end(), whether any of them may be used.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *pos, *end; /* borrowed: the message outlives its reader */
	int err;                  /* 0, or -EBADMSG from the first bad field on */
};

struct reader reader_over(const void *data, size_t size);

/* The next size bytes, inside the message; NULL after a failure. */
const uint8_t *reader_bytes(struct reader *in, size_t size);

/* A reader over the next size bytes, which are read; an empty one after a failure of in. */
struct reader reader_part(struct reader *in, size_t size);

uint8_t reader_u8(struct reader *in);

/* Numbers in host byte order: these protocols never leave the machine. */
uint16_t reader_u16(struct reader *in);
uint32_t reader_u32(struct reader *in);
uint64_t reader_u64(struct reader *in);

/* Numbers in network byte order: KCM and credential caches. */
uint16_t reader_be16(struct reader *in);
uint32_t reader_be32(struct reader *in);
uint64_t reader_be64(struct reader *in);

/* Text that ends with the first NUL: 0 to max bytes before it. Points into the message; NULL
 * after a failure. ret_size may be NULL; it leaves the NUL out and is 0 after a failure. */
const char *reader_str(struct reader *in, size_t max, size_t *ret_size);

/* Text as u32 length (the NUL not counted), bytes, NUL. 0 to max bytes of text, none of them
 * NUL. Points into the message; NULL after a failure. */
const char *reader_text(struct reader *in, size_t max);

/* count texts of the reader_str() kind in a row: checks that they are there and well ended and
 * gives the whole run, ret_size bytes long, every NUL included; NULL and 0 after a failure. */
const char *reader_strs(struct reader *in, uint32_t count, size_t max, size_t *ret_size);

/* What was not read yet, in bytes; 0 after a failure. */
size_t reader_left(const struct reader *in);

/* Marks the message as bad: for a value that was read and makes no sense. */
void reader_fail(struct reader *in);

/* 0 if every read fitted and nothing is left over, else -EBADMSG. */
int reader_end(const struct reader *in);
