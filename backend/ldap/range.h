/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Range - which of the values of an attribute a server gives, where it does not give all at once
 *
 * Active Directory gives those of a large group as "member;range=0-1499", and the next ones if it
 * is asked for "member;range=1500-*". The last ones are called "member;range=3000-*" (MS-ADTS
 * section 3.1.1.3.1.3.3, range retrieval of attribute values).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

struct range {
	uint32_t first; /* the number of the first value; values are numbered from 0 */
	uint32_t next;  /* the number of the first one behind them; 0 = these are the last */
};

/* Reads an attribute description (RFC 4512 section 2.5). ret_size is the size of what stands before
 * the range: "member".
 * Errors: -ENOENT it has no range; -EBADMSG it has one that makes no sense, and ret_size is set. */
int range_parse(const char *description, size_t size, size_t *ret_size, struct range *ret_range);

/* "member;range=1500-*", on mem; NULL without memory. attr may have a range itself. */
char *range_from(TALLOC_CTX *mem, const char *attr, uint32_t first);
