/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Passwd - users (passwd(5)): what glibc calls for "passwd: sss"
 */
#include <errno.h>
#include <string.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"

/* | uid: u32 | gid: u32 | name \0 | passwd \0 | gecos \0 | dir \0 | shell \0 | */
int passwd_read(struct reader *in, void *out, char *buffer, size_t size)
{
	struct passwd *user = out;
	char **texts[] = { &user->pw_name, &user->pw_passwd, &user->pw_gecos, &user->pw_dir,
		           &user->pw_shell };
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
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i] = buffer;
		buffer += strlen(buffer) + 1;
	}
	user->pw_uid = uid;
	user->pw_gid = gid;
	return 1;
}

enum nss_status _nss_sss_getpwnam_r(const char *name, struct passwd *result, char *buffer,
                                    size_t size, int *errnop)
{
	return nss_get_by_name(PROTO_GETPWNAM, name, passwd_read, result, buffer, size, errnop);
}

enum nss_status _nss_sss_getpwuid_r(uid_t uid, struct passwd *result, char *buffer, size_t size,
                                    int *errnop)
{
	return nss_get_by_id(PROTO_GETPWUID, uid, passwd_read, result, buffer, size, errnop);
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
