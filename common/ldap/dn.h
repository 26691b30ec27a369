/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * DN - the names of entries, taken apart and compared (RFC 4514)
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

/* No directory nests its entries this deep: what is longer makes no sense. */
#define DN_MAX 4096 /* bytes */

/* DNs that name the same entry have the same key, whatever their case and spelling: the RDNs,
 * folded, with a ',' between them and nowhere else. Whether an attribute minds case is the server's
 * business (RFC 4517); those that entries are named by do not. */
struct dn {
	char *key;          /* "" for the root */
	char *attr, *value; /* of the first RDN, the first that is text; NULL when none is */
	bool single;        /* there is no other in it */
};

/* Everything hangs below mem. Errors: -EINVAL text is not a DN, or longer than DN_MAX; -ENOMEM. */
int dn_parse(TALLOC_CTX *mem, const char *text, struct dn *ret_dn);

/* Does the entry with this key lie in the scope (as in base.h) below the one with key base? */
bool dn_is_in_scope(const char *key, const char *base, int scope);
