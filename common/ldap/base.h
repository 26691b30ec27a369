/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Search bases - where to search: base[?[scope]?[filter][?base?[scope]?[filter]]*] (sssd-ldap(5))
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#define BASES_MAX 32

struct base {
	const char *dn;
	int scope;          /* 0 base, 1 onelevel, 2 subtree: RFC 4511 section 4.5.1.2 */
	const char *filter; /* with its parentheses; NULL = none */
	const char *key;    /* of the DN (dn.h); NULL when that is not one */
};

struct bases {
	struct base *items;
	size_t count; /* 0: not set; bases_parse() gives at least 1 */
};

/* Everything hangs below mem. Errors: -EINVAL text is not of that form, or names over BASES_MAX. */
int bases_parse(TALLOC_CTX *mem, const char *text, struct bases *ret_bases);

/* For bases that are a DN alone: the scope, and filter, a text or NULL; what is made of it hangs
 * below bases->items. Errors: -EINVAL filter is not one; -ENOMEM. */
int bases_narrow(struct bases *bases, int scope, const char *filter);

/* Just the subtree below dn. Errors: -ENOMEM. */
int bases_of_dn(TALLOC_CTX *mem, const char *dn, struct bases *ret_bases);

/* Might a search below bases come across the entry with this key? unfiltered: would one below some
 * of them find it for sure, whatever it is? Where a base is no DN nobody knows: it might, not
 * would. */
bool bases_hold(const struct bases *bases, const char *key, bool unfiltered);

/* May a search below base come across the entry called dn? Errors: -ENOENT no, or dn is not one;
 * -ENOMEM. */
int base_holds(const struct base *base, const char *dn);
