/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets - what a backend asks its helper, ldap_child, and what that answers
 *
 *   request  | length: u32 | limit: u32 s | domain \0 | host \0 |
 *   reply    | length: u32 | left: u32 s | principal \0 | n: u32 | base: n | tickets |
 *            | length: u32 | 0: u32      | reason \0 |
 *
 * Network byte order; a length does not count itself. The host is the LDAP server for which a
 * ticket is wanted besides the TGT; empty: the TGT alone. Which key is used for whom the helper
 * reads in the configuration of the domain itself: who can only ask cannot choose the file.
 *
 * base is the beginning of a credential cache file (format 4) with the TGT in it, tickets are all
 * other credentials as they stand in one: base and tickets are a whole file, and so is base with
 * the tickets of several replies. left is how long both are good for, 0 = there are none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define CHILD_MESSAGE_MAX (256u << 10) /* tickets are far smaller */
#define CHILD_NAME_MAX    255          /* of domains and hosts */
#define CHILD_TEXT_MAX    2000
#define CHILD_LIMIT_MAX_S 120

struct child_request {
	uint32_t limit_s;
	const char *domain, *host;
};

struct child_reply {
	uint32_t left_s;
	const char *text; /* whose tickets they are, or why there are none */
	const uint8_t *base, *tickets;
	size_t base_size, tickets_size;
};

/* Whole messages; writer_end() tells whether one fits. */
void child_write_request(struct writer *out, const struct child_request *request);
void child_write_reply(struct writer *out, const struct child_reply *reply);

/* What stands behind the length. The domain is never one that leads out of a directory.
 * Errors: -EBADMSG. */
int child_read_request(struct reader *in, struct child_request *ret_request);
int child_read_reply(struct reader *in, struct child_reply *ret_reply);
