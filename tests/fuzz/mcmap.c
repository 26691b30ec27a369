/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file of the memory cache that a writer finds: header and geometry are made right, all else is
 * as the fuzzer wants it. Whether it is taken over or not, what is stored next is found. The same
 * is done to a file that is in use: then each call comes to an end.
 *
 *   | kind: u8 | { place: u32 | bytes: 4 } … |   place counts from the data's start, in steps of 4
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memcache/mcmap.h"
#include "common/wire/reader.h"

#define FOREVER 0x7fffffff
#define SMALL   28
#define LARGE   131000 /* as much as a record may hold: seven fill the part of the wanted */
#define NEAR    2048   /* most changes go where the records are, or to the table */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { MCMAP_NAMES };
static const enum mcmap_kind kinds[] = { MCMAP_PASSWD, MCMAP_GROUP, MCMAP_INITGROUPS,
	                                 MCMAP_UNKNOWN };
static char dir[] = "/dev/shm/fuzz_mcmap_XXXXXX";

static void expect(bool right)
{
	if (!right)
		abort();
}

static void leave(void)
{
	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++)
		mcmap_remove(dir, kind);
	rmdir(dir);
}

/* The same bytes make a user, a group and somebody unknown, others the groups of a user. */
static int put(struct mcmap *map, enum mcmap_kind kind, const char name[static 2], size_t size,
               uint64_t expires)
{
	uint32_t words[6] = { 16, (uint8_t)name[0], 9, 12, 0, 0 };
	static char bytes[LARGE];

	if (kind == MCMAP_INITGROUPS) {
		words[0] = 24;
		words[1] = 26;
		memcpy(bytes, words, 24);
		memcpy(bytes + 24, (char[]){ name[0], '\0', name[0], '\0' }, 4);
	} else {
		memcpy(bytes, words, 16);
		memcpy(bytes + 16, (char[]){ name[0], '\0', '*', '\0', 'g', '\0', 'h', '\0' }, 8);
		memcpy(bytes + 24, (char[]){ 's', '\0', '\0', '\0' }, 4);
	}
	return mcmap_put(map, bytes, size, expires, MCMAP_BY_BOTH);
}

static struct mcmap *begin(const struct mcmap_options *options, uint64_t expires)
{
	struct mcmap *map = NULL;

	mcmap_remove(dir, options->kind);
	expect(mcmap_open(NULL, options, &map) == 0);
	for (char name = 'a'; name < 'k'; name++)
		expect(put(map, options->kind, (char[]){ name, '\0' }, SMALL, expires) >= 0);
	return map;
}

static void damage(const char *path, struct reader *in)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint32_t place, value, table_at;

	expect(fd >= 0 && pread(fd, &table_at, 4, 40) == 4);
	while (reader_left(in) >= 8) {
		place = reader_u32(in);
		value = reader_u32(in);
		place = place & 1u << 31 ? table_at + place % 26216 * 4
		                         : MEMCACHE_DATA_AT + place % NEAR / 4 * 4;
		expect(pwrite(fd, &value, 4, place) == 4);
	}
	close(fd);
}

/* Rooms are looked for among those that are over, too. */
static void damage_in_use(const char *path, const struct mcmap_options *options, struct reader in)
{
	struct mcmap *map = begin(options, 1);

	for (char name = 'A'; name < 'G'; name++)
		expect(put(map, options->kind, (char[]){ name, '\0' }, LARGE, FOREVER) >= 0);
	damage(path, &in);
	for (char name = 'a'; name < 'n'; name++) {
		mcmap_forget(map, name % 2 ? MCMAP_BY_KEY1 : MCMAP_BY_KEY2, (char[]){ name, '\0' });
		put(map, options->kind, (char[]){ name, '\0' }, name % 3 ? LARGE : SMALL, FOREVER);
	}
	talloc_free(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	struct mcmap_options options = { dir, kinds[reader_u8(&in) % 4], 1, 1 };
	struct mcmap *map = NULL;
	static bool made;
	char path[64];

	if (!made) {
		expect(mkdtemp(dir) != NULL);
		atexit(leave);
		made = true;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, names[options.kind]);
	damage_in_use(path, &options, in);
	map = begin(&options, FOREVER);
	TALLOC_FREE(map);
	damage(path, &in);

	expect(mcmap_open(NULL, &options, &map) == 0);
	expect(mcmap_is_sound(map));
	for (char name = 'a'; name < 'n'; name++)
		expect(put(map, options.kind, (char[]){ name, '\0' }, SMALL, FOREVER) >= 0);
	for (char name = 'a'; name < 'n'; name++)
		expect(mcmap_forget(map, MCMAP_BY_KEY1, (char[]){ name, '\0' }) == 1);
	TALLOC_FREE(map);
	return 0;
}
