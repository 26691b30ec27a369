/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Accept - which users and groups from outside we take (design §3 "Who is accepted")
 */
#pragma once

#include <stdint.h>

/* Why something was refused; 0 is acceptance. accept_text() has the words for the log. */
enum refusal {
	ACCEPTED = 0,
	REFUSED_ID_RESERVED, /* 0, 65535, 2^32-1 or larger */
	REFUSED_ID_RANGE,    /* outside min_id..max_id */
	REFUSED_NAME_EMPTY,
	REFUSED_NAME_DOTS,   /* "." or ".." */
	REFUSED_NAME_DIGITS, /* all digits: would be taken for an id */
	REFUSED_NAME_LONG,   /* over 255 bytes */
	REFUSED_NAME_BYTES,  /* '/', ':', a control character (C0, DEL, C1), or not UTF-8 */
};

/* max_id 0 = no upper limit. id is 64 bits wide so that a number too large for a uid can be told
 * from others. */
enum refusal accept_id(uint64_t id, uint32_t min_id, uint32_t max_id);
enum refusal accept_name(const char *name);

/* For gecos, home and shell: a text that would break passwd(5) lines or terminals is cleaned in
 * place, byte by byte (control characters and ':' become '?', invalid UTF-8 too). Returns how many
 * bytes it changed. */
unsigned accept_clean(char *text);

/* "the id is reserved", never NULL. */
const char *accept_text(enum refusal refusal);
