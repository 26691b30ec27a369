/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Group - group(5), RFC 2307 section 3 (posixGroup), and the groups of a user
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/ident/names.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

/* All texts are borrowed. members are names of users as the server spells them. */
struct group {
	const char *name;
	uint32_t gid;
	const char *dn;
	struct names aliases;
	struct names members;
};

/*   | gid: u32 | name \0 | dn \0 | aliases: u32 | alias \0 … | members: u32 | member \0 … | */
void group_encode(struct writer *out, const struct group *group);
void group_decode(struct reader *in, struct group *ret_group);

/* The groups of one user, whole or not at all: complete tells whether every group could be
 * learnt. An incomplete list never replaces a complete one and never decides an access. What it
 * points to is borrowed. */
struct initgroups {
	const char *name;    /* of the user */
	uint32_t primary_gid;
	uint8_t complete;    /* 0 or 1 */
	uint32_t n_gids;
	const uint8_t *gids; /* n_gids u32 in host order, not aligned, without primary_gid */
};

/* The gid at index, which is below n_gids. */
static inline uint32_t initgroups_gid(const struct initgroups *initgroups, uint32_t index)
{
	uint32_t gid;

	__builtin_memcpy(&gid, initgroups->gids + (size_t)index * sizeof(gid), sizeof(gid));
	return gid;
}

/*   | primary gid: u32 | complete: u8 | name \0 | groups: u32 | gid: u32 … | */
void initgroups_encode(struct writer *out, const struct initgroups *initgroups);
void initgroups_decode(struct reader *in, struct initgroups *ret_initgroups);
