/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Group - groups (group(5)) and the groups of a user: what glibc calls for "group: sss"
 */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"

/* Points group to the texts that fill size bytes of its buffer, and list to the members: n, and the
 * end. False: there are not as many. */
static bool fill(struct group *group, uint32_t gid, uint32_t n, char **list, char *text,
                 size_t size)
{
	size_t name_size = strnlen(text, size) + 1, passwd_size;

	if (name_size >= size)
		return false;
	passwd_size = strnlen(text + name_size, size - name_size) + 1;
	if (name_size + passwd_size > size ||
	    !nss_split(text + name_size + passwd_size, size - name_size - passwd_size, list, n))
		return false;
	list[n] = NULL;
	*group = (struct group){
		.gr_name = text,
		.gr_passwd = text + name_size,
		.gr_gid = gid,
		.gr_mem = list,
	};
	return true;
}

/* | gid: u32 | members: u32 | name \0 | passwd \0 | member \0 … |
 *
 * In the buffer the member list comes first, aligned, then the texts in the order of the reply. */
int group_read(struct reader *in, void *out, char *buffer, size_t size)
{
	size_t gap = -(uintptr_t)buffer % alignof(char *);
	uint32_t gid = reader_u32(in), n = reader_u32(in);
	size_t head_size = 0, members_size = 0, list_size;
	const char *head = reader_strs(in, 2, NSS_TEXT_MAX, &head_size);
	const char *members = reader_strs(in, n, NSS_TEXT_MAX, &members_size);
	char *text;

	if (in->err == 0 && head[0] == '\0')
		reader_fail(in);
	if (in->err < 0)
		return in->err;
	if (gid == 0)
		return 0; /* whoever says so: root is not ours */

	/* No overflow: each member has a byte of the reply, and that is at most PROTO_REPLY_MAX. */
	list_size = ((size_t)n + 1) * sizeof(char *);
	if (gap + list_size + head_size + members_size > size)
		return -ERANGE;

	text = buffer + gap + list_size;
	memcpy(text, head, head_size);
	if (members_size > 0)
		memcpy(text + head_size, members, members_size);
	return fill(out, gid, n, (char **)(void *)(buffer + gap), text, head_size + members_size)
	               ? 1
	               : -EBADMSG;
}

/* | 16: u32 | gid: u32 | members: u32 | size: u32 | name \0 | passwd \0 | member \0 … | */
static int is_group(struct reader data, const struct memcache_key *key)
{
	uint32_t gid;

	if (key->name)
		return memcache_is_name(&data, MEMCACHE_TEXTS_AT, key->name);
	reader_u32(&data);
	gid = reader_u32(&data);
	return data.err == 0 && gid == key->id;
}

static int take_group(struct reader data, void *out)
{
	const struct nss_place *place = out;
	size_t gap = -(uintptr_t)place->buffer % alignof(char *);
	uint32_t texts_at = reader_u32(&data), gid = reader_u32(&data), n = reader_u32(&data);
	uint32_t size = reader_u32(&data);
	const uint8_t *texts = reader_bytes(&data, size);
	size_t list_size = ((size_t)n + 1) * sizeof(char *);
	char *text;

	if (!texts || texts_at != MEMCACHE_TEXTS_AT || gid == 0 || n > size)
		return -EBADMSG;
	if (gap + list_size + size > place->size)
		return -ERANGE;
	text = place->buffer + gap + list_size;
	memcpy(text, texts, size);
	if (size == 0 || text[0] == '\0')
		return -EBADMSG;
	return fill(place->out, gid, n, (char **)(void *)(place->buffer + gap), text, size)
	               ? 1
	               : -EBADMSG;
}

const struct nss_map group_map = {
	.by_name = PROTO_GETGRNAM,
	.by_id = PROTO_GETGRGID,
	.read = group_read,
	.memcache = { MAPPED_GROUP, is_group, take_group },
	.no_name = MEMCACHE_NO_GROUP,
	.no_id = MEMCACHE_NO_GID,
};

/* Makes room for n more, as far as limit allows. */
static int grow(long n, long start, long *size, gid_t **groups, long limit)
{
	long wanted = start + n > *size * 2 ? start + n : *size * 2;
	gid_t *grown;

	if (start + n <= *size)
		return 0;
	if (limit > 0 && wanted > limit)
		wanted = limit;
	if (wanted <= *size)
		return 0;
	grown = realloc(*groups, (size_t)wanted * sizeof(gid_t));
	if (!grown)
		return -ENOMEM;
	*groups = grown;
	*size = wanted;
	return 0;
}

/* | groups: u32 | 0: u32 | gid: u32 … |   upstream's packet may be longer than that */
int initgroups_read(struct reader *in, gid_t skip, long *start, long *size, gid_t **groups,
                    long limit)
{
	uint32_t n = reader_u32(in), gid;
	int r;

	reader_u32(in);
	if (reader_left(in) / sizeof(gid) < n)
		reader_fail(in);
	if (in->err < 0)
		return in->err;
	if (n == 0)
		return 0;

	r = grow((long)n, *start, size, groups, limit);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n && *start < *size; i++) {
		gid = reader_u32(in);
		if (gid != skip && gid != 0)
			(*groups)[(*start)++] = gid;
	}
	return 1;
}

/* | canonical at: u32 | name at: u32 | texts at: u32 | their size: u32 | size: u32 | groups: u32 |
 * | gid: u32 … | canonical \0 | name \0 | */
static int is_initgroups(struct reader data, const struct memcache_key *key)
{
	struct reader in = data;

	reader_u32(&in);
	return memcache_is_name(&data, reader_u32(&in), key->name);
}

static int take_initgroups(struct reader data, void *out)
{
	struct nss_groups *wanted = out;
	long start = *wanted->start;
	const uint8_t *gids;
	uint32_t n, gid;
	int r;

	reader_bytes(&data, MEMCACHE_GIDS_AT - sizeof(n));
	n = reader_u32(&data);
	gids = reader_left(&data) / sizeof(gid) < n ? NULL : reader_bytes(&data, n * sizeof(gid));
	if (!gids)
		return -EBADMSG;
	r = grow((long)n, start, wanted->size, wanted->groups, wanted->limit);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n && start < *wanted->size; i++) {
		memcpy(&gid, gids + i * sizeof(gid), sizeof(gid));
		if (gid != wanted->skip && gid != 0)
			(*wanted->groups)[start++] = gid;
	}
	wanted->end = start;
	return 1;
}

const struct memcache_kind initgroups_kind = { MAPPED_INITGROUPS, is_initgroups, take_initgroups };

enum nss_status _nss_sss_getgrnam_r(const char *name, struct group *result, char *buffer,
                                    size_t size, int *errnop)
{
	return nss_get_by_name(&group_map, name, result, buffer, size, errnop);
}

enum nss_status _nss_sss_getgrgid_r(gid_t gid, struct group *result, char *buffer, size_t size,
                                    int *errnop)
{
	return nss_get_by_id(&group_map, gid, result, buffer, size, errnop);
}

enum nss_status _nss_sss_initgroups_dyn(const char *name, gid_t skip, long *start, long *size,
                                        gid_t **groups, long limit, int *errnop)
{
	struct nss_groups wanted = { skip, start, size, groups, limit };
	struct memcache_key key = { .name = name };
	struct client *client;
	struct reader body;
	int r;

	if (!nss_is_name(name)) {
		*errnop = EINVAL;
		return NSS_STATUS_NOTFOUND;
	}
	if (nss_is_local(name) || nss_is_barred())
		return NSS_STATUS_NOTFOUND;
	r = memcache_find(&initgroups_kind, &key, &wanted);
	if (r > 0)
		*start = wanted.end;
	if (r != -ENOENT)
		return nss_status(r, errnop);
	if (memcache_is_unknown(MEMCACHE_NO_GROUPS_OF, &key))
		return NSS_STATUS_NOTFOUND;

	client = client_begin();
	if (!client)
		return nss_status(-ENOMEM, errnop);
	r = client_lookup(client, PROTO_INITGR, name, strlen(name) + 1, &body);
	if (r == 0)
		r = initgroups_read(&body, skip, start, size, groups, limit);
	client_end(client, r);
	return nss_status(r, errnop);
}

enum nss_status _nss_sss_setgrent(int stay_open)
{
	(void)stay_open;
	return nss_rewind(CLIENT_GROUP);
}

enum nss_status _nss_sss_getgrent_r(struct group *result, char *buffer, size_t size, int *errnop)
{
	return nss_next(CLIENT_GROUP, PROTO_SETGRENT, PROTO_GETGRENT, group_read, result, buffer,
	                size, errnop);
}

enum nss_status _nss_sss_endgrent(void)
{
	return nss_rewind(CLIENT_GROUP);
}
