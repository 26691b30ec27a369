/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Client - what the client library finds in the files of a memory cache
 */
#include "tests/unit/responders/nss/client.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clientlibs/nss/nss.h"

static int find(const char *dir, const char *name, const struct memcache_kind *kind,
                const struct memcache_key *key, int64_t now, void *out)
{
	char path[64];
	struct mapped mapped;
	struct stat st;
	uint8_t *bytes;
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && kind == &unknown_kind)
		return 0; /* made when it is needed */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	ck_assert_int_eq(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	mapped = (struct mapped){ .bytes = bytes, .size = (size_t)st.st_size };
	r = memcache_header_read(bytes, mapped.size, &mapped.header);
	if (r == 0)
		r = memcache_find_in(&mapped, kind, key, now, out);
	free(bytes);
	return r;
}

bool client_has_user(const char *dir, const char *name, uint32_t uid, int64_t now)
{
	char texts[256];
	struct passwd user;
	struct nss_place place = { &user, texts, sizeof(texts) };
	struct memcache_key key = { .name = name, .id = uid };

	return find(dir, "passwd", &passwd_map.memcache, &key, now, &place) > 0;
}

bool client_knows_of_none(const char *dir, char what, const char *name, uint32_t id, int64_t now)
{
	char text[MEMCACHE_UNKNOWN_SIZE];
	struct memcache_key key = { .name = text };

	return memcache_unknown_key((enum memcache_unknown)what, name, id, text) &&
	       find(dir, "unknown", &unknown_kind, &key, now, NULL) > 0;
}

long client_counts_groups(const char *dir, const char *name, int64_t now)
{
	gid_t *gids = NULL;
	long start = 0, size = 0;
	struct nss_groups wanted = { 1, &start, &size, &gids, -1, 0 };
	struct memcache_key key = { .name = name };
	int r = find(dir, "initgroups", &initgroups_kind, &key, now, &wanted);

	free(gids);
	return r > 0 ? wanted.end : 0;
}
