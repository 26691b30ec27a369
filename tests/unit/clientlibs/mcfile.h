/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache files for the tests of their reader, made without the product's writer
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct mcfile {
	uint8_t *bytes; /* owned */
	size_t size;
	uint32_t n_slots, used;
};

/* An empty one, alive; n_slots is a multiple of 8. */
struct mcfile mcfile_new(uint32_t n_slots);
void mcfile_free(struct mcfile *file);

/* Add a record at the ends of its chains and return its first slot. */
uint32_t mcfile_add_user(struct mcfile *file, const char *name, uint32_t uid, uint64_t expires);
uint32_t mcfile_add_group(struct mcfile *file, const char *name, uint32_t gid, uint32_t n_members,
                          uint64_t expires);
uint32_t mcfile_add_initgroups(struct mcfile *file, const char *name, uint32_t n, uint64_t expires);

/* The header's and a record's bytes, and a u32 there. */
uint8_t *mcfile_record(const struct mcfile *file, uint32_t slot);
void mcfile_put(uint8_t *bytes, uint32_t value);

/* Writes it aside and renames it to path, as a writer would. */
void mcfile_save(const struct mcfile *file, const char *path);
