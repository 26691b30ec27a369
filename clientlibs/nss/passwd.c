/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Passwd - users (passwd(5)): what glibc calls for "passwd: sss"
 */
#include <errno.h>
#include <string.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"

/* Points user to the five texts that fill size bytes of its buffer. False: they do not. */
static bool fill(struct passwd *user, uint32_t uid, uint32_t gid, char *text, size_t size)
{
	char *texts[5];

	if (!nss_split(text, size, texts, 5))
		return false;
	*user = (struct passwd){
		.pw_name = texts[0],
		.pw_passwd = texts[1],
		.pw_uid = uid,
		.pw_gid = gid,
		.pw_gecos = texts[2],
		.pw_dir = texts[3],
		.pw_shell = texts[4],
	};
	return true;
}

/* | uid: u32 | gid: u32 | name \0 | passwd \0 | gecos \0 | dir \0 | shell \0 | */
int passwd_read(struct reader *in, void *out, char *buffer, size_t size)
{
	uint32_t uid = reader_u32(in), gid = reader_u32(in);
	size_t texts_size = 0;
	const char *run = reader_strs(in, 5, NSS_TEXT_MAX, &texts_size);

	if (in->err == 0 && run[0] == '\0')
		reader_fail(in);
	if (in->err < 0)
		return in->err;
	if (uid == 0 || gid == 0)
		return 0; /* whoever says so: root is not ours */
	if (texts_size > size)
		return -ERANGE;

	memcpy(buffer, run, texts_size);
	return fill(out, uid, gid, buffer, texts_size) ? 1 : -EBADMSG;
}

/* | 16: u32 | uid: u32 | gid: u32 | size: u32 | name \0 | … | */
static int is_user(struct reader data, const struct memcache_key *key)
{
	uint32_t uid;

	if (key->name)
		return memcache_is_name(&data, MEMCACHE_TEXTS_AT, key->name);
	reader_u32(&data);
	uid = reader_u32(&data);
	return data.err == 0 && uid == key->id;
}

static int take_user(struct reader data, void *out)
{
	const struct nss_place *place = out;
	uint32_t texts_at = reader_u32(&data), uid = reader_u32(&data), gid = reader_u32(&data);
	uint32_t size = reader_u32(&data);
	const uint8_t *texts = reader_bytes(&data, size);

	if (!texts || texts_at != MEMCACHE_TEXTS_AT || uid == 0 || gid == 0)
		return -EBADMSG;
	if (size > place->size)
		return -ERANGE;
	memcpy(place->buffer, texts, size);
	if (size == 0 || place->buffer[0] == '\0')
		return -EBADMSG;
	return fill(place->out, uid, gid, place->buffer, size) ? 1 : -EBADMSG;
}

const struct nss_map passwd_map = {
	.by_name = PROTO_GETPWNAM,
	.by_id = PROTO_GETPWUID,
	.read = passwd_read,
	.memcache = { MAPPED_PASSWD, is_user, take_user },
	.no_name = MEMCACHE_NO_USER,
	.no_id = MEMCACHE_NO_UID,
};

enum nss_status _nss_sss_getpwnam_r(const char *name, struct passwd *result, char *buffer,
                                    size_t size, int *errnop)
{
	return nss_get_by_name(&passwd_map, name, result, buffer, size, errnop);
}

enum nss_status _nss_sss_getpwuid_r(uid_t uid, struct passwd *result, char *buffer, size_t size,
                                    int *errnop)
{
	return nss_get_by_id(&passwd_map, uid, result, buffer, size, errnop);
}

enum nss_status _nss_sss_setpwent(int stay_open)
{
	(void)stay_open;
	return nss_rewind(CLIENT_PASSWD);
}

enum nss_status _nss_sss_getpwent_r(struct passwd *result, char *buffer, size_t size, int *errnop)
{
	return nss_next(CLIENT_PASSWD, PROTO_SETPWENT, PROTO_GETPWENT, passwd_read, result, buffer,
	                size, errnop);
}

enum nss_status _nss_sss_endpwent(void)
{
	return nss_rewind(CLIENT_PASSWD);
}
