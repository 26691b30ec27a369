/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Users - passwd(5)
 *
 *   | results: u32 | 0: u32 | uid: u32 | gid: u32 | name \0 | passwd \0 | gecos \0 | dir \0 | shell
 * \0 |
 */
#include "common/conf/options.h"
#include "responders/nss/nss.h"

int parse_user_name(struct reader *in, struct question *ret_question)
{
	return parse_name(in, QUERY_USER_BY_NAME, ret_question);
}

int parse_user_id(struct reader *in, struct question *ret_question)
{
	return parse_id(in, QUERY_USER_BY_ID, ret_question);
}

int parse_user_name_ex(struct reader *in, struct question *ret_question)
{
	return parse_name_ex(in, QUERY_USER_BY_NAME, ret_question);
}

int parse_user_id_ex(struct reader *in, struct question *ret_question)
{
	return parse_id_ex(in, QUERY_USER_BY_ID, ret_question);
}

void reply_user(struct writer *out, const struct answer *answer, const void *conf)
{
	const struct nss_conf *nss = conf;
	const struct user *user;

	writer_u32(out, answer ? 1 : 0);
	writer_u32(out, 0);
	if (!answer)
		return;

	user = &answer->entry->user;
	writer_u32(out, user->uid);
	writer_u32(out, user->gid);
	resp_write_name(out, answer->domain, user->name);
	writer_str(out, nss->pwfield);
	writer_str(out, user->gecos);
	writer_str(out, user->home);
	writer_str(out, user->shell);
}
