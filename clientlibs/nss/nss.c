/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NSS - what the maps have in common
 *
 * The results are those of nss(5) and of the GNU C library's manual, "NSS Modules Interface":
 *
 *   found                          SUCCESS   errno as it was
 *   not found, or not ours         NOTFOUND  errno as it was
 *   a name that cannot be          NOTFOUND  EINVAL
 *   the buffer is too small        TRYAGAIN  ERANGE, and never else: glibc grows it and repeats
 *   the responder says EAGAIN      TRYAGAIN  EAGAIN
 *   anything else                  UNAVAIL   what went wrong: it is not known who exists
 */
#include "clientlibs/nss/nss.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/wire/proto.h"

#define SERVICE_USER "sssd"

/* Read each time, as programs set _SSS_LOOPS around single calls. Not in programs that run with
 * more rights than their caller: he must not be able to make users and groups vanish there. */
bool nss_is_barred(void)
{
	const char *loops = secure_getenv("_SSS_LOOPS");
	const char *bypass = secure_getenv("SYSTEMD_NSS_DYNAMIC_BYPASS");

	if (loops && strcmp(loops, "NO") == 0)
		return true;
	if (!bypass || bypass[0] == '\0')
		return false;
	/* systemd's yes: 1, yes, y, true, t, on */
	return strchr("1yYtT", bypass[0]) || strcasecmp(bypass, "on") == 0;
}

enum nss_status nss_status(int r, int *errnop)
{
	if (r > 0)
		return NSS_STATUS_SUCCESS;
	if (r == 0)
		return NSS_STATUS_NOTFOUND;
	*errnop = -r;
	return r == -ERANGE || r == -EAGAIN ? NSS_STATUS_TRYAGAIN : NSS_STATUS_UNAVAIL;
}

bool nss_is_name(const char *name)
{
	return name && name[0] != '\0' && strnlen(name, PROTO_NAME_MAX + 1) <= PROTO_NAME_MAX;
}

bool nss_is_local(const char *name)
{
	return strcmp(name, "root") == 0 || strcmp(name, SERVICE_USER) == 0;
}

/* Eight bytes at a time: a group may have thousands of members, and each call of strlen(3) costs as
 * much as a short name. The sum has no carry from byte to byte, so just the zeros stand out. */
bool nss_split(char *text, size_t size, char **list, size_t n)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	char *start = text, *end = text + size;
	uint64_t word, zeros;
	size_t found = 0;

	for (; end - text >= (ptrdiff_t)sizeof(word); text += sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		word = le64toh(word);
		zeros = ~(((word & low) + low) | word | low);
		for (; zeros != 0; zeros &= zeros - 1) {
			if (found == n)
				return false;
			list[found++] = start;
			start = text + __builtin_ctzll(zeros) / 8 + 1;
		}
	}
	for (; text < end; text++) {
		if (*text != '\0')
			continue;
		if (found == n)
			return false;
		list[found++] = start;
		start = text + 1;
	}
	return found == n && start == end;
}

/* | number: u32 | 0: u32 | entry |   what follows the entry is not ours to judge */
int nss_read_one(struct reader *in, nss_read_fn *read, void *out, char *buffer, size_t size)
{
	uint32_t n = reader_u32(in);

	reader_u32(in);
	if (n > 1)
		reader_fail(in);
	if (in->err < 0)
		return in->err;
	return n == 0 ? 0 : read(in, out, buffer, size);
}

static enum nss_status ask(uint32_t command, const void *key, size_t key_size, nss_read_fn *read,
                           const struct nss_place *place, int *errnop)
{
	struct client *client = client_begin();
	struct reader body;
	int r;

	if (!client)
		return nss_status(-ENOMEM, errnop);
	r = client_lookup(client, command, key, key_size, &body);
	if (r == 0)
		r = nss_read_one(&body, read, place->out, place->buffer, place->size);
	client_end(client, r);
	return nss_status(r, errnop);
}

enum nss_status nss_get_by_name(const struct nss_map *map, const char *name, void *out,
                                char *buffer, size_t size, int *errnop)
{
	struct memcache_key key = { .name = name };
	struct nss_place place = { out, buffer, size };
	int r;

	if (!buffer || size == 0)
		return nss_status(-ERANGE, errnop);
	if (!nss_is_name(name)) {
		*errnop = EINVAL;
		return NSS_STATUS_NOTFOUND;
	}
	if (nss_is_local(name) || nss_is_barred())
		return NSS_STATUS_NOTFOUND;
	r = memcache_find(&map->memcache, &key, &place);
	if (r != -ENOENT)
		return nss_status(r, errnop);
	if (memcache_is_unknown(map->no_name, &key))
		return NSS_STATUS_NOTFOUND;
	return ask(map->by_name, name, strlen(name) + 1, map->read, &place, errnop);
}

enum nss_status nss_get_by_id(const struct nss_map *map, uint32_t id, void *out, char *buffer,
                              size_t size, int *errnop)
{
	struct memcache_key key = { .id = id };
	struct nss_place place = { out, buffer, size };
	int r;

	if (!buffer || size == 0)
		return nss_status(-ERANGE, errnop);
	if (id == 0 || nss_is_barred())
		return NSS_STATUS_NOTFOUND;
	r = memcache_find(&map->memcache, &key, &place);
	if (r != -ENOENT)
		return nss_status(r, errnop);
	if (memcache_is_unknown(map->no_id, &key))
		return NSS_STATUS_NOTFOUND;
	return ask(map->by_id, &id, sizeof(id), map->read, &place, errnop);
}

enum nss_status nss_rewind(enum client_map map)
{
	struct client *client = client_begin();
	struct walk *walk = client ? client_walk(client, map) : NULL;

	if (walk)
		walk_rewind(walk);
	if (client)
		client_end(client, 0);
	return NSS_STATUS_SUCCESS;
}

enum nss_status nss_next(enum client_map map, uint32_t set, uint32_t get_next, nss_read_fn *read,
                         void *out, char *buffer, size_t size, int *errnop)
{
	struct client *client;
	struct reader entry;
	struct walk *walk;
	int r = -EBUSY; /* of a thread that has no place to keep */

	if (!buffer || size == 0)
		return nss_status(-ERANGE, errnop);
	if (nss_is_barred())
		return NSS_STATUS_NOTFOUND;
	client = client_begin();
	if (!client)
		return nss_status(-ENOMEM, errnop);

	walk = client_walk(client, map);
	while (walk && (r = walk_next(walk, set, get_next, &entry)) > 0) {
		r = read(&entry, out, buffer, size);
		if (r >= 0)
			walk_taken(walk, &entry);
		else if (r != -ERANGE)
			walk_lose(walk, r);
		if (r != 0)
			break;
	}
	client_end(client, r == -ERANGE ? 0 : r); /* the entry stays where it is */
	return nss_status(r, errnop);
}
