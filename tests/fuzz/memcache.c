/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A whole file of the memory cache, as any program on the machine may find it
 *
 *   | size of the caller's buffer, or room for groups: u16 | file |
 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "clientlibs/nss/memcache.h"
#include "clientlibs/nss/nss.h"

#define NOW 1000000000 /* the corpus expires a second later, or earlier */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool right)
{
	if (!right)
		abort();
}

/* text and its NUL lie in the buffer. */
static void expect_inside(const char *text, const struct nss_place *place)
{
	expect(text >= place->buffer && text < place->buffer + place->size);
	expect(memchr(text, '\0', place->size - (size_t)(text - place->buffer)) != NULL);
}

static void try_user(const struct mapped *mapped, const struct memcache_key *key,
                     struct nss_place place)
{
	struct passwd user;

	place.out = &user;
	if (memcache_find_in(mapped, &passwd_map.memcache, key, NOW, &place) <= 0)
		return;
	expect_inside(user.pw_name, &place);
	expect_inside(user.pw_passwd, &place);
	expect_inside(user.pw_gecos, &place);
	expect_inside(user.pw_dir, &place);
	expect_inside(user.pw_shell, &place);
	expect(user.pw_gid != 0);
	expect(key->name ? strcmp(user.pw_name, key->name) == 0 : user.pw_uid == key->id);
}

static void try_group(const struct mapped *mapped, const struct memcache_key *key,
                      struct nss_place place)
{
	struct group group;

	place.out = &group;
	if (memcache_find_in(mapped, &group_map.memcache, key, NOW, &place) <= 0)
		return;
	expect_inside(group.gr_name, &place);
	expect_inside(group.gr_passwd, &place);
	expect((uintptr_t)group.gr_mem % alignof(char *) == 0);
	for (size_t i = 0; group.gr_mem[i]; i++)
		expect_inside(group.gr_mem[i], &place);
	expect(key->name ? strcmp(group.gr_name, key->name) == 0 : group.gr_gid == key->id);
}

static void try_initgroups(const struct mapped *mapped, const struct memcache_key *key, long room,
                           long limit)
{
	gid_t *gids = calloc((size_t)room + 1, sizeof(*gids));
	long start = 0;
	struct nss_groups wanted = { 5, &start, &room, &gids, limit, 0 };

	if (memcache_find_in(mapped, &initgroups_kind, key, NOW, &wanted) > 0) {
		expect(wanted.end <= room);
		for (long i = 0; i < wanted.end; i++)
			expect(gids[i] != 0 && gids[i] != 5);
	}
	expect(start == 0);
	free(gids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct memcache_key by_name = { .name = "a" }, by_id = { .id = 1 };
	struct reader in = reader_over(data, size);
	uint16_t buffer_size = reader_u16(&in);
	size_t file_size = reader_left(&in);
	/* An odd address, because the member list has to be aligned; the ends are exact. */
	char *block = malloc((size_t)buffer_size + 1);
	struct nss_place place = { NULL, block + 1, buffer_size };
	uint8_t *file = malloc(file_size ? file_size : 1);
	struct mapped mapped = { .bytes = file, .size = file_size };

	memcpy(file, in.pos, file_size);
	if (memcache_header_read(file, file_size, &mapped.header) == 0) {
		try_user(&mapped, &by_name, place);
		try_user(&mapped, &by_id, place);
		try_group(&mapped, &by_name, place);
		try_group(&mapped, &by_id, place);
		try_initgroups(&mapped, &by_name, buffer_size, -1);
		try_initgroups(&mapped, &by_name, buffer_size % 8, 4);
	}
	free(file);
	free(block);
	return 0;
}
