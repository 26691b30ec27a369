/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * User - the stored form
 */
#include "common/ident/user.h"

void user_encode(struct writer *out, const struct user *user)
{
	writer_u32(out, user->uid);
	writer_u32(out, user->gid);
	writer_str(out, user->name);
	writer_str(out, user->gecos);
	writer_str(out, user->home);
	writer_str(out, user->shell);
	writer_str(out, user->upn);
	writer_str(out, user->dn);
	names_encode(out, &user->aliases);
	names_encode(out, &user->attrs);
}

void user_decode(struct reader *in, struct user *ret_user)
{
	ret_user->uid = reader_u32(in);
	ret_user->gid = reader_u32(in);
	ret_user->name = reader_str(in, SIZE_MAX, NULL);
	ret_user->gecos = reader_str(in, SIZE_MAX, NULL);
	ret_user->home = reader_str(in, SIZE_MAX, NULL);
	ret_user->shell = reader_str(in, SIZE_MAX, NULL);
	ret_user->upn = reader_str(in, SIZE_MAX, NULL);
	ret_user->dn = reader_str(in, SIZE_MAX, NULL);
	ret_user->aliases = names_decode(in);
	ret_user->attrs = names_decode(in);
	if (ret_user->attrs.count % 2 != 0)
		reader_fail(in);
}
