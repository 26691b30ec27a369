/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names with domains - "alice", "alice@LDAP" (sssd.conf(5), re_expression)
 *
 * re_expression is not built yet; the default's meaning is: the last '@' separates name and domain.
 */
#pragma once

#include <talloc.h>

struct name_parts {
	const char *name;
	const char *domain; /* NULL when the text has none */
};

/* On mem. Errors: -EINVAL one of the parts is empty: "", "@LDAP", "alice@". */
int name_split(TALLOC_CTX *mem, const char *text, struct name_parts *ret_parts);
