/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names with domains - "alice", "alice@LDAP": split and join (sssd.conf(5), full_name_format)
 *
 * re_expression is not built yet; the default's meaning is: the last '@' separates name and domain.
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

struct name_parts {
	const char *name;
	const char *domain; /* NULL when the text has none */
};

/* On mem. Errors: -EINVAL the name part is empty. */
int name_split(TALLOC_CTX *mem, const char *text, struct name_parts *ret_parts);
