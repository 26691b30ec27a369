/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Search bases - where to search: base[?scope?[filter][?base?scope?[filter]]*] (sssd-ldap(5))
 */
#pragma once

#include <stddef.h>
#include <talloc.h>

#define BASES_MAX 32

struct base {
	const char *dn;
	int scope;          /* 0 base, 1 onelevel, 2 subtree: RFC 4511 section 4.5.1.2 */
	const char *filter; /* with its parentheses; NULL = none */
};

struct bases {
	struct base *items;
	size_t count; /* at least 1 */
};

/* Everything hangs below mem. Errors: -EINVAL text is not of that form, or names over BASES_MAX. */
int bases_parse(TALLOC_CTX *mem, const char *text, struct bases *ret_bases);
