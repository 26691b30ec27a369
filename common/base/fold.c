/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text - simple case folding
 *
 * libunistring folds in full only (u8_casefold(): "ß" becomes "ss", and Turkish differs), and
 * uc_tolower(uc_toupper(c)) is not simple folding: it maps the dotless i to i, treats Cherokee the
 * wrong way round and misses the pairs Unicode 15.1 added. Folded names are keys on disk, so they
 * must not change with a library either. Hence a table of our own, made from Unicode's file; its
 * stability policy promises that a code point that is assigned keeps its folding.
 */
#include "common/base/str.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistr.h>

#include "common/base/mem.h"

static const struct fold {
	uint32_t first, last, step;
	int32_t distance;
} folds[] = {
#include "common/base/fold_table.inc"
};

static int fold_compare(const void *key, const void *row)
{
	ucs4_t c = *(const ucs4_t *)key;
	const struct fold *fold = row;

	if (c < fold->first)
		return -1;
	return c > fold->last;
}

static ucs4_t fold_char(ucs4_t c)
{
	const struct fold *fold =
		bsearch(&c, folds, str_size(folds), sizeof(folds[0]), fold_compare);

	if (!fold || (c - fold->first) % fold->step != 0)
		return c;
	return c + (ucs4_t)fold->distance;
}

/* Two bytes may become three (U+023A); no other length grows. */
static int fold_utf8(TALLOC_CTX *mem, const char *text, size_t size, char **ret_folded)
{
	size_t room = size + size / 2 + 1;
	auto_talloc uint8_t *folded = talloc_size(mem, room);
	const uint8_t *in = (const uint8_t *)text;
	uint8_t *out = folded;
	ucs4_t c;
	int n;

	if (!folded)
		return -ENOMEM;

	while ((n = u8_strmbtouc(&c, in)) > 0) {
		in += n;
		n = u8_uctomb(out, fold_char(c), (ptrdiff_t)room - (out - folded));
		assert(n > 0);
		out += n;
	}
	if (n < 0)
		return -EILSEQ;

	*out = '\0';
	*ret_folded = (char *)take_ptr(folded);
	return 0;
}

int str_fold(TALLOC_CTX *mem, const char *text, char **ret_folded)
{
	size_t size = strlen(text), i;
	auto_talloc char *folded = talloc_size(mem, size + 1);

	if (!folded)
		return -ENOMEM;

	for (i = 0; i < size && (unsigned char)text[i] < 0x80; i++)
		folded[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
	if (i < size)
		return fold_utf8(mem, text, size, ret_folded);

	folded[size] = '\0';
	*ret_folded = take_ptr(folded);
	return 0;
}
