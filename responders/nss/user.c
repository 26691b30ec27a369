/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Users - passwd(5)
 *
 *   | results: u32 | 0: u32 | uid: u32 | gid: u32 | name \0 | passwd \0 | gecos \0 | dir \0 | shell
 * \0 |
 */
#include "common/base/mem.h"
#include "responders/core/setup.h"
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

const char *nss_pwfield(const struct nss *nss, const struct domain *domain)
{
	return domain->conf.pwfield ?: nss->conf.pwfield;
}

static uint32_t primary_gid(const struct domain *domain, const struct user *user)
{
	if (domain->conf.override_gid)
		return domain->conf.override_gid;
	return domain->conf.auto_private_groups == PRIVATE_GROUPS_TRUE ? user->uid : user->gid;
}

void reply_user(struct writer *out, const struct answer *answer, const void *conf)
{
	writer_u32(out, answer ? 1 : 0);
	writer_u32(out, 0);
	if (answer)
		list_user(out, answer, conf);
}

void list_user(struct writer *out, const struct answer *answer, const void *conf)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	const struct user *user = &answer->entry->user;
	const struct domain *domain = answer->domain;
	const struct nss *nss = conf;

	writer_u32(out, user->uid);
	writer_u32(out, primary_gid(domain, user));
	resp_write_name(out, domain, user->name);
	writer_str(out, nss_pwfield(nss, domain));
	writer_str(out, user->gecos);
	writer_str(out, nss_home(mem, nss, domain, user));
	writer_str(out, nss_shell(nss, domain, user->shell));
}
