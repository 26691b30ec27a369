/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache files for the tests of their reader, made without the product's writer
 */
#include "tests/unit/clientlibs/mcfile.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/wire/memcache.h"
#include "common/wire/writer.h"

#define SEED    0x12345678u
#define BARRIER 0xf0000001u
#define DATA_AT 56

void mcfile_put(uint8_t *bytes, uint32_t value)
{
	memcpy(bytes, &value, sizeof(value));
}

static uint32_t get(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

struct mcfile mcfile_new(uint32_t n_slots)
{
	uint32_t bits_at = DATA_AT + n_slots * 40, table_at = (bits_at + n_slots / 8 + 7) & ~7u;
	uint32_t words[] = { BARRIER,      1,           1,           1,       SEED,
		             n_slots * 40, n_slots / 8, n_slots * 4, DATA_AT, bits_at,
		             table_at,     0,           BARRIER };
	struct mcfile file = { .n_slots = n_slots, .size = table_at + n_slots * 4 };

	file.bytes = malloc(file.size);
	ck_assert_ptr_nonnull(file.bytes);
	memset(file.bytes, 0xff, file.size);
	memcpy(file.bytes, words, sizeof(words));
	memset(file.bytes + bits_at, 0, table_at - bits_at);
	return file;
}

void mcfile_free(struct mcfile *file)
{
	free(file->bytes);
	file->bytes = NULL;
}

uint8_t *mcfile_record(const struct mcfile *file, uint32_t slot)
{
	return file->bytes + DATA_AT + slot * 40;
}

/* The place of the last link of hash's chain. */
static uint8_t *chain_end(const struct mcfile *file, uint32_t hash)
{
	uint8_t *link = file->bytes + get(file->bytes + 40) + hash * 4, *record;

	while (get(link) != MEMCACHE_NONE) {
		record = mcfile_record(file, get(link));
		link = get(record + 24) == hash ? record + 16 : record + 20;
	}
	return link;
}

static uint32_t add(struct mcfile *file, const char *key1, const char *key2,
                    const struct writer *data, uint64_t expires)
{
	uint32_t hash1 = memcache_hash(key1, strlen(key1) + 1, SEED) % file->n_slots;
	uint32_t hash2 = memcache_hash(key2, strlen(key2) + 1, SEED) % file->n_slots;
	uint32_t slot = file->used, length = 40 + (uint32_t)data->size;
	uint8_t *record = mcfile_record(file, slot);

	ck_assert_int_eq(writer_end(data), 0);
	file->used += (length + 39) / 40;
	ck_assert_uint_le(file->used, file->n_slots);
	for (uint32_t i = slot; i < file->used; i++)
		file->bytes[get(file->bytes + 36) + i / 8] |= (uint8_t)(0x80 >> i % 8);

	mcfile_put(record, BARRIER);
	mcfile_put(record + 4, length);
	memcpy(record + 8, &expires, sizeof(expires));
	mcfile_put(record + 24, hash1);
	mcfile_put(record + 28, hash2);
	mcfile_put(record + 36, BARRIER);
	memcpy(record + 40, data->bytes, data->size);
	mcfile_put(chain_end(file, hash1), slot);
	if (hash2 != hash1)
		mcfile_put(chain_end(file, hash2), slot);
	return slot;
}

uint32_t mcfile_add_user(struct mcfile *file, const char *name, uint32_t uid, uint64_t expires)
{
	struct writer data = writer_new(4096);
	char digits[16];
	uint32_t slot;

	snprintf(digits, sizeof(digits), "%u", uid);
	writer_u32(&data, 16);
	writer_u32(&data, uid);
	writer_u32(&data, 100);
	writer_u32(&data, (uint32_t)(strlen(name) + 1 + sizeof("*\0A User\0/home/user\0/bin/sh")));
	writer_str(&data, name);
	writer_bytes(&data, "*\0A User\0/home/user\0/bin/sh",
	             sizeof("*\0A User\0/home/user\0/bin/sh"));
	slot = add(file, name, digits, &data, expires);
	writer_free(&data);
	return slot;
}

uint32_t mcfile_add_group(struct mcfile *file, const char *name, uint32_t gid, uint32_t n_members,
                          uint64_t expires)
{
	struct writer data = writer_new(1 << 20);
	char digits[16], member[32];
	size_t size_at;
	uint32_t slot;

	snprintf(digits, sizeof(digits), "%u", gid);
	writer_u32(&data, 16);
	writer_u32(&data, gid);
	writer_u32(&data, n_members);
	size_at = writer_mark_u32(&data);
	writer_str(&data, name);
	writer_str(&data, "*");
	for (uint32_t i = 0; i < n_members; i++) {
		snprintf(member, sizeof(member), "user%u", i);
		writer_str(&data, member);
	}
	writer_patch_u32(&data, size_at, (uint32_t)data.size - 16);
	slot = add(file, name, digits, &data, expires);
	writer_free(&data);
	return slot;
}

uint32_t mcfile_add_initgroups(struct mcfile *file, const char *name, uint32_t n, uint64_t expires)
{
	struct writer data = writer_new(1 << 20);
	uint32_t texts_at = 24 + n * 4, name_at, slot;
	char canonical[64];

	snprintf(canonical, sizeof(canonical), "%s@test", name);
	name_at = texts_at + (uint32_t)strlen(canonical) + 1;
	writer_u32(&data, texts_at);
	writer_u32(&data, name_at);
	writer_u32(&data, texts_at);
	writer_u32(&data, name_at - texts_at + (uint32_t)strlen(name) + 1);
	writer_u32(&data, name_at - 24 + (uint32_t)strlen(name) + 1);
	writer_u32(&data, n);
	for (uint32_t i = 0; i < n; i++)
		writer_u32(&data, 20000 + i);
	writer_str(&data, canonical);
	writer_str(&data, name);
	slot = add(file, name, canonical, &data, expires);
	writer_free(&data);
	return slot;
}

void mcfile_save(const struct mcfile *file, const char *path)
{
	int fd = open("aside", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, file->bytes, file->size), (ssize_t)file->size);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(rename("aside", path), 0);
}
