/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text - numbers without atoi, UTF-8, lists
 *
 * Case here is ASCII's, whatever locale a library may have set; folding by Unicode is fold.c.
 */
#include "common/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

#include "common/base/mem.h"

#define PRINTABLE_MAX 128

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool same_nocase(const char *a, const char *b)
{
	while (*a && ascii_lower(*a) == ascii_lower(*b))
		a++, b++;
	return ascii_lower(*a) == ascii_lower(*b);
}

/* Above every base for what is no digit. */
static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 255;
}

int str_to_u64(const char *text, uint64_t *ret_value)
{
	unsigned base = 10;
	uint64_t value = 0;
	bool fits = true;

	if (str_empty(text))
		return -EINVAL;
	if (text[0] == '0' && ascii_lower(text[1]) == 'x') {
		base = 16;
		text += 2;
	}

	/* To the end even when it is too large: "is it a number" comes before "does it fit". */
	do {
		unsigned digit = digit_of(*text);

		if (digit >= base)
			return -EINVAL;
		fits = fits && !__builtin_mul_overflow(value, base, &value) &&
		       !__builtin_add_overflow(value, digit, &value);
	} while (*++text);

	if (!fits)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int str_to_u32(const char *text, uint32_t *ret_value)
{
	uint64_t value;
	int r;

	r = str_to_u64(text, &value);
	if (r < 0)
		return r;
	if (value > UINT32_MAX)
		return -ERANGE;

	*ret_value = (uint32_t)value;
	return 0;
}

int str_to_i64(const char *text, int64_t *ret_value)
{
	bool negative = text && *text == '-';
	uint64_t value;
	int r;

	r = str_to_u64(negative ? text + 1 : text, &value);
	if (r < 0)
		return r;
	if (value > (uint64_t)INT64_MAX + negative)
		return -ERANGE;

	*ret_value = (int64_t)(negative ? -value : value);
	return 0;
}

int str_to_bool(const char *text, bool *ret_value)
{
	if (text && same_nocase(text, "true"))
		*ret_value = true;
	else if (text && same_nocase(text, "false"))
		*ret_value = false;
	else
		return -EINVAL;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int str_split(TALLOC_CTX *mem, const char *text, char separator, char ***ret_items)
{
	auto_talloc char **items = NULL;
	size_t n_items = 1, n = 0;

	for (const char *c = text; *c; c++)
		n_items += *c == separator;
	items = talloc_zero_size(mem, (n_items + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;

	for (const char *start = text, *next; start; start = next) {
		const char *end = strchr(start, separator);

		next = end ? end + 1 : NULL;
		if (!end)
			end = start + strlen(start);
		while (start < end && is_blank(*start))
			start++;
		while (start < end && is_blank(end[-1]))
			end--;
		if (start == end)
			continue;

		items[n] = talloc_strndup(items, start, (size_t)(end - start));
		if (!items[n++])
			return -ENOMEM;
	}

	*ret_items = take_ptr(items);
	return 0;
}

bool str_list_contains(char *const *items, const char *text)
{
	for (; items && *items; items++)
		if (strcmp(*items, text) == 0)
			return true;
	return false;
}

bool str_list_contains_nocase(char *const *items, const char *text)
{
	for (; items && *items; items++)
		if (same_nocase(*items, text))
			return true;
	return false;
}

bool str_is_utf8(const char *text, size_t size)
{
	return u8_check((const uint8_t *)text, size) == NULL;
}

/* Equal beginnings cost nothing, so this branches at differences only: at most 3^limit times. */
unsigned str_distance(const char *a, const char *b, unsigned limit)
{
	unsigned best, other;

	while (*a && *a == *b)
		a++, b++;
	if (!*a && !*b)
		return 0;
	if (limit == 0)
		return 1;

	best = *a && *b ? str_distance(a + 1, b + 1, limit - 1) : limit;
	other = *a ? str_distance(a + 1, b, limit - 1) : limit;
	best = other < best ? other : best;
	other = *b ? str_distance(a, b + 1, limit - 1) : limit;
	best = other < best ? other : best;
	return best + 1;
}

/* What a terminal or a log reader would obey instead of showing it. */
static bool is_harmful(ucs4_t c)
{
	const uint32_t obeyed = UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Zl |
	                        UC_CATEGORY_MASK_Zp;

	return c == '\\' || uc_is_general_category_withtable(c, obeyed);
}

char *str_printable(TALLOC_CTX *mem, const char *text, size_t size)
{
	return str_printable_up_to(mem, text, size, PRINTABLE_MAX);
}

char *str_printable_up_to(TALLOC_CTX *mem, const char *text, size_t size, unsigned max)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *in = (const uint8_t *)text, *end = in + size;
	char *copy, *out;

	/* "\xNN" for each byte, what is already begun at the limit, "..." and the NUL. */
	copy = out = talloc_array(mem, char, max + 4 * 4 + 4);
	if (!copy)
		return NULL;

	while (in < end && out - copy < (ptrdiff_t)max) {
		ucs4_t c;
		int n = u8_mbtoucr(&c, in, (size_t)(end - in));
		bool plain = n > 0 && !is_harmful(c);

		for (n = n > 0 ? n : 1; n > 0; n--, in++) {
			if (plain) {
				*out++ = (char)*in;
				continue;
			}
			*out++ = '\\';
			*out++ = 'x';
			*out++ = hex[*in >> 4];
			*out++ = hex[*in & 15];
		}
	}

	if (in < end)
		out = (char *)memcpy(out, "...", 3) + 3;
	*out = '\0';
	return copy;
}

char *str_file_name(TALLOC_CTX *mem, const char *text)
{
	char *name = talloc_size(mem, 3 * strlen(text) + 1), *out = name;

	if (!name)
		return NULL;
	for (const char *c = text; *c; c++)
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		    (*c >= '0' && *c <= '9') || *c == '.' || *c == '-')
			*out++ = *c;
		else
			out += snprintf(out, sizeof("_xx"), "_%02x", (uint8_t)*c);
	*out = '\0';
	return name;
}
