/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Group - the stored forms of a group and of a user's groups
 */
#include "common/ident/group.h"

void group_encode(struct writer *out, const struct group *group)
{
	writer_u32(out, group->gid);
	writer_str(out, group->name);
	writer_str(out, group->dn);
	names_encode(out, &group->aliases);
	names_encode(out, &group->members);
}

void group_decode(struct reader *in, struct group *ret_group)
{
	ret_group->gid = reader_u32(in);
	ret_group->name = reader_str(in, SIZE_MAX, NULL);
	ret_group->dn = reader_str(in, SIZE_MAX, NULL);
	ret_group->aliases = names_decode(in);
	ret_group->members = names_decode(in);
}

void initgroups_encode(struct writer *out, const struct initgroups *initgroups)
{
	writer_u32(out, initgroups->primary_gid);
	writer_u8(out, initgroups->complete);
	writer_str(out, initgroups->name);
	writer_u32(out, initgroups->n_gids);
	if (initgroups->n_gids > 0)
		writer_bytes(out, initgroups->gids, initgroups->n_gids * sizeof(uint32_t));
}

void initgroups_decode(struct reader *in, struct initgroups *ret_initgroups)
{
	ret_initgroups->primary_gid = reader_u32(in);
	ret_initgroups->complete = reader_u8(in);
	ret_initgroups->name = reader_str(in, SIZE_MAX, NULL);
	ret_initgroups->n_gids = reader_u32(in);

	/* Compared by count: on 32 bits the product could wrap. */
	if (ret_initgroups->complete > 1 ||
	    ret_initgroups->n_gids > reader_left(in) / sizeof(uint32_t))
		reader_fail(in);
	ret_initgroups->gids = reader_bytes(in, ret_initgroups->n_gids * sizeof(uint32_t));
}
