/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * User - passwd(5), RFC 2307 section 3 (posixAccount), and its stored form
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/ident/names.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

/* All texts are borrowed. name is as the server spells it, without a domain; home and shell are
 * "" when the entry has none. */
struct user {
	const char *name;
	uint32_t uid, gid;
	const char *gecos, *home, *shell;
	const char *upn;      /* user principal name, "" when unknown */
	const char *dn;       /* of the entry at the server, "" when it has none */
	struct names aliases; /* further values of the name attribute */
	struct names attrs;   /* name, value, name, value, …: extra attributes; count is even */
};

/* Body of a stored record; the entry header around it is common/ident/entry.h's.
 *   | uid: u32 | gid: u32 | name \0 | gecos \0 | home \0 | shell \0 | upn \0 | dn \0 |
 *   | aliases: u32 | alias \0 … | attrs: u32 | text \0 … |
 * A text that is NULL is written as "". */
void user_encode(struct writer *out, const struct user *user);

/* Points into the bytes of in. The caller asks reader_end(). */
void user_decode(struct reader *in, struct user *ret_user);
