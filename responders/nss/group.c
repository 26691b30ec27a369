/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Groups - group(5)
 *
 *   | results: u32 | 0: u32 | gid: u32 | members: u32 | name \0 | passwd \0 | member \0 … |
 */
#include <string.h>

#include "common/conf/options.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

int parse_group_name(struct reader *in, struct question *ret_question)
{
	return parse_name(in, QUERY_GROUP_BY_NAME, ret_question);
}

int parse_group_id(struct reader *in, struct question *ret_question)
{
	return parse_id(in, QUERY_GROUP_BY_ID, ret_question);
}

int parse_group_name_ex(struct reader *in, struct question *ret_question)
{
	return parse_name_ex(in, QUERY_GROUP_BY_NAME, ret_question);
}

int parse_group_id_ex(struct reader *in, struct question *ret_question)
{
	return parse_id_ex(in, QUERY_GROUP_BY_ID, ret_question);
}

/* The members, without the hidden ones. Plain names lie in the record as they go on the wire: a
 * run of them is copied at once, up to the next one that must not be seen. */
static uint32_t write_members(struct writer *out, const struct answer *answer,
                              const struct nss *nss)
{
	const struct names *members = &answer->entry->group.members;
	bool plain = resp_names_are_plain(answer->domain);
	const char *run = members->bytes, *member = NULL;
	bool begins[256] = { false };
	uint32_t count = 0;

	if (answer->domain->conf.ignore_group_members)
		return 0;
	if (nss->conf.filter_users_in_groups)
		nss_hidden_begins(nss, answer->domain, ENTRY_USER, begins);
	while ((member = names_next(members, member)) != NULL) {
		bool hidden = begins[(unsigned char)*member] &&
		              nss_hides(nss, answer->domain, ENTRY_USER, member);

		count += !hidden;
		if (!plain && !hidden)
			resp_write_name(out, answer->domain, member);
		if (plain && hidden) {
			writer_bytes(out, run, (size_t)(member - run));
			run = member + strlen(member) + 1;
		}
	}
	if (plain && members->size)
		writer_bytes(out, run, (size_t)(members->bytes + members->size - run));
	return count;
}

void reply_group(struct writer *out, const struct answer *answer, const void *conf)
{
	writer_u32(out, answer ? 1 : 0);
	writer_u32(out, 0);
	if (answer)
		list_group(out, answer, conf);
}

void list_group(struct writer *out, const struct answer *answer, const void *conf)
{
	const struct nss *nss = conf;
	size_t members;

	writer_u32(out, answer->entry->group.gid);
	members = writer_mark_u32(out);
	resp_write_name(out, answer->domain, answer->entry->group.name);
	writer_str(out, nss_pwfield(nss, answer->domain));
	writer_patch_u32(out, members, write_members(out, answer, nss));
}
