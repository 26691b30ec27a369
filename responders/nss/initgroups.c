/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Initgroups - the groups of a user (getgrouplist(3)), without the primary one
 *
 *   | groups: u32 | 0: u32 | gid: u32 … |
 */
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

int parse_initgroups(struct reader *in, struct question *ret_question)
{
	return parse_name(in, QUERY_INITGROUPS, ret_question);
}

int parse_initgroups_ex(struct reader *in, struct question *ret_question)
{
	return parse_name_ex(in, QUERY_INITGROUPS, ret_question);
}

/* A user in no group but the primary one has 0 here, which clients take for "not found": libc then
 * goes on with the primary group alone, which is right. */
void reply_initgroups(struct writer *out, const struct answer *answer, const void *conf)
{
	const struct initgroups *initgroups;
	bool primary_too;

	(void)conf;
	if (!answer) {
		writer_u32(out, 0);
		writer_u32(out, 0);
		return;
	}
	initgroups = &answer->entry->initgroups;

	/* With a private group for a primary one, the server's primary one is like any other. */
	primary_too = answer->domain->conf.auto_private_groups == PRIVATE_GROUPS_TRUE;
	writer_u32(out, initgroups->n_gids + primary_too);
	writer_u32(out, 0);
	writer_bytes(out, initgroups->gids, (size_t)initgroups->n_gids * sizeof(uint32_t));
	if (primary_too)
		writer_u32(out, initgroups->primary_gid);
}
