/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pick - of the entries that answer a question for one user or group, the one we take
 *
 * A directory may hold two of the same name or number. One who is called so goes before one who
 * has it as another name; else the first by DN is taken, every time. Both are named in the log.
 */
#pragma once

#include <talloc.h>

#include "backend/ldap/domain.h"

enum pick_kind {
	PICK_USER,
	PICK_GROUP,
};

struct pick {
	TALLOC_CTX *mem;            /* what is taken hangs below it */
	struct ldap_domain *domain; /* borrowed, as are the next two */
	const struct request_id *id;
	const char *asked; /* the name in the question; NULL if it was by id … */
	uint32_t number;   /* … this one */
	enum pick_kind kind;
	struct entry_values *values; /* NULL = nothing was taken (yet) */
	union {
		struct user user;
		struct group group;
	};
};

/* search_entry for a struct pick: takes values, or refuses them with a line in the log. What the
 * server should not have given, because the question was another, is refused, too. */
int pick_entry(struct entry_values *values, void *data);
