/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entry - one entry of a search result: its DN and the values of the attributes asked for
 *
 * Nothing is copied: the texts point into the message, which the entry owns.
 *
 * Of an attribute with very many values a server may give some, and the others when it is asked for
 * them (range.h).
 */
#pragma once

#include <lber.h>
#include <ldap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define ATTRS_MAX 48

/* Which attributes are read, by place: an enum of the kind of entry. NULL = not read. The same
 * attribute may stand at several places. */
struct attrs {
	const char *names[ATTRS_MAX];
	size_t count;
	uint64_t in_parts; /* a bit for each place at which some of the values will do: whoever
	                    * reads them asks for the rest */
	bool no_ranges;    /* what is a part counts as if it had not come */
};
_Static_assert(ATTRS_MAX <= 64, "a bit for each");

struct entry_values {
	char *dn;
	struct berval *values[ATTRS_MAX]; /* ends with a NULL bv_val; NULL = the entry has none */
	uint32_t *cut; /* by place: the values from this number on are not here, 0 = all are; NULL:
	                * all are at all places */
	char *bad; /* an attribute that is read whose range makes no sense, or is not the one that
	            * was asked for, or has too few or too many values, as the server calls it;
	            * NULL = there is none. Without its values the entry is of no use. */
	uint64_t generation; /* of the connection it came over (link.h), when it came by a search;
	                      * another server may number the values in another order */
};

/* A talloc object that owns msg, a message of type LDAP_RES_SEARCH_ENTRY, and has read it.
 * Errors: -EBADMSG; -ENOMEM; msg is freed then, too. */
int entry_read(TALLOC_CTX *mem, LDAP *ld, LDAPMessage *msg, const struct attrs *attrs,
               struct entry_values **ret_values);

/* From which number on values at this place are not here; 0 = all are. */
uint32_t entry_cut(const struct entry_values *values, size_t attr);

/* How many there are before the one without a bv_val; array may be NULL: none. */
size_t entry_count(const struct berval *array);

/* The first value; NULL when there is none. Its NUL is the first one in it. */
char *entry_text(const struct entry_values *values, size_t attr);

/* The first value as a number. Errors: -ENOENT there is none; -EINVAL it is no decimal number or
 * too large even for 64 bits. */
int entry_number(const struct entry_values *values, size_t attr, uint64_t *ret_number);

/* Is there a value of attr equal to name, as bytes? */
bool entry_has_value(const struct entry_values *values, size_t attr, const char *name);

/* The same, whatever its case: how names of object classes compare (RFC 4512 section 1.4). */
bool entry_has_class(const struct entry_values *values, size_t attr, const char *name);

/* The value that stands in the entry's RDN for the attribute called name ("uid=alice,ou=…"), on
 * mem; NULL when the RDN has no such attribute. */
char *entry_rdn_value(TALLOC_CTX *mem, const char *dn, const char *name);
