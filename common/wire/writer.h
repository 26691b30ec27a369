/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writer - build a message whose every byte somebody wrote
 *
 * The buffer grows with malloc(3) (this folder is loaded into every program of the system and
 * knows nothing but libc). The first failure sticks, like the reader's: write all fields in a row
 * and ask once with writer_end(). Lengths and counts that are known only later are reserved with
 * writer_mark_u32() and filled in with writer_patch_u32().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
	uint8_t *bytes; /* owned; NULL while empty */
	size_t size, room;
	size_t max; /* writing beyond it fails with -EMSGSIZE */
	int err;    /* 0, -ENOMEM or -EMSGSIZE */
	bool secretive;
};

/* An empty writer; max is the largest message it may build. */
struct writer writer_new(size_t max);

/* The same for keys and tickets: memory is wiped when the message leaves it, also where the buffer
 * had to grow. */
struct writer writer_new_secretive(size_t max);

/* Forgets what was written and keeps the buffer for the next message; a buffer over 64 KiB is
 * given back. */
void writer_reset(struct writer *out);

/* Frees the buffer. */
void writer_free(struct writer *out);

void writer_bytes(struct writer *out, const void *bytes, size_t size);
void writer_u8(struct writer *out, uint8_t value);
void writer_u16(struct writer *out, uint16_t value);
void writer_u32(struct writer *out, uint32_t value);
void writer_u64(struct writer *out, uint64_t value);
void writer_be16(struct writer *out, uint16_t value);
void writer_be32(struct writer *out, uint32_t value);
void writer_be64(struct writer *out, uint64_t value);

/* text and its NUL; NULL is written as the empty text. */
void writer_str(struct writer *out, const char *text);

/* u32 length (the NUL not counted), text, NUL. */
void writer_text(struct writer *out, const char *text);

/* Room for size bytes that the caller fills at once, before it writes anything else; NULL after a
 * failure. They read as zero until then. */
uint8_t *writer_room(struct writer *out, size_t size);

/* Reserves a u32 (zero for now) and returns its place for writer_patch_u32(). */
size_t writer_mark_u32(struct writer *out);
void writer_patch_u32(struct writer *out, size_t mark, uint32_t value);

/* 0, or what went wrong first. */
int writer_end(const struct writer *out);
