/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Accept - ids and names that programs may rely on
 *
 * 65535 is (uid_t)-1 where ids have 16 bits, 2^32-1 where they have 32: chown(2) and setresuid(2)
 * take it for "leave as it is". A ':' or a newline would forge fields of passwd(5) in whatever
 * prints it, a '/' leaves the directory where a path is made of a name, digits are an id to id(1),
 * chown(1) and friends.
 */
#include "common/ident/accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/base/str.h"

#define NAME_MAX_BYTES 255

enum refusal accept_id(uint64_t id, uint32_t min_id, uint32_t max_id)
{
	if (id == 0 || id == UINT16_MAX || id >= UINT32_MAX)
		return REFUSED_ID_RESERVED;
	if (id < min_id || (max_id != 0 && id > max_id))
		return REFUSED_ID_RANGE;
	return ACCEPTED;
}

/* The bytes of the character at text, at most left of them; 0 when it is no UTF-8. */
static size_t character_size(const char *text, size_t left)
{
	unsigned char lead = (unsigned char)*text;
	size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	return size <= left && str_is_utf8(text, size) ? size : 0;
}

/* C1, too (U+0080 to U+009F): a terminal takes U+009B for the start of a sequence. */
static bool is_control(const char *character, size_t size)
{
	unsigned char first = (unsigned char)character[0];

	if (size == 1)
		return first < 0x20 || first == 0x7f;
	return size == 2 && first == 0xc2 && (unsigned char)character[1] < 0xa0;
}

enum refusal accept_name(const char *name)
{
	size_t size = strlen(name), step;

	if (size == 0)
		return REFUSED_NAME_EMPTY;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return REFUSED_NAME_DOTS;
	if (size > NAME_MAX_BYTES)
		return REFUSED_NAME_LONG;
	if (strspn(name, "0123456789") == size)
		return REFUSED_NAME_DIGITS;

	for (size_t i = 0; i < size; i += step) {
		step = character_size(name + i, size - i);
		if (step == 0 || is_control(name + i, step) || name[i] == '/' || name[i] == ':')
			return REFUSED_NAME_BYTES;
	}
	return ACCEPTED;
}

unsigned accept_clean(char *text)
{
	size_t size = strlen(text), step;
	unsigned changed = 0;

	for (size_t i = 0; i < size; i += step) {
		step = character_size(text + i, size - i);
		if (step != 0 && !is_control(text + i, step) && text[i] != ':')
			continue;
		if (step == 0)
			step = 1;
		memset(text + i, '?', step);
		changed += (unsigned)step;
	}
	return changed;
}

const char *accept_text(enum refusal refusal)
{
	switch (refusal) {
	case ACCEPTED:
		return "accepted";
	case REFUSED_ID_RESERVED:
		return "the id is reserved";
	case REFUSED_ID_RANGE:
		return "the id is outside min_id and max_id";
	case REFUSED_NAME_EMPTY:
		return "the name is empty";
	case REFUSED_NAME_DOTS:
		return "the name is a directory's";
	case REFUSED_NAME_DIGITS:
		return "the name is a number";
	case REFUSED_NAME_LONG:
		return "the name is longer than 255 bytes";
	case REFUSED_NAME_BYTES:
		return "the name holds '/', ':', a control character or invalid UTF-8";
	}
	return "unknown";
}
