/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ini - the syntax of sssd.conf(5), one file at a time
 */
#include "common/conf/ini.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"

/* Numbers and words of libini; 100 and up are our own. */
static const struct ini_error no_bracket = { .number = 2, .text = "No closing bracket" },
			      no_section = { .number = 3, .text = "Section name is missing" },
			      no_equal = { .number = 5, .text = "Equal sign is missing" },
			      no_name = { .number = 6, .text = "Property name is missing" },
			      long_line = { .number = 100, .text = "The line is too long" },
			      nul_byte = { .number = 101, .text = "There is a NUL byte" };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

/* The text between begin and end without blanks around it, ended with a NUL in place. */
static char *trim(char *begin, char *end)
{
	while (begin < end && is_blank(*begin))
		begin++;
	while (end > begin && is_blank(end[-1]))
		end--;
	*end = '\0';
	return begin;
}

static int add(struct ini *ini, const struct ini_item *item)
{
	unsigned room = (unsigned)talloc_array_length(ini->items);

	if (ini->n_items == room) {
		struct ini_item *more =
			talloc_realloc(ini, ini->items, struct ini_item, room ? 2 * room : 64);

		if (!more)
			return -ENOMEM;
		ini->items = more;
	}
	ini->items[ini->n_items++] = *item;
	return 0;
}

/* Makes an item of the line between begin and end; *end may be written to. Gives the mistake, NULL
 * when there is none. ret_item->section is the current section before and after. */
static const struct ini_error *parse_line(char *begin, char *end, struct ini_item *ret_item)
{
	char *line, *equal;

	ret_item->name = ret_item->value = NULL;
	if (memchr(begin, '\0', (size_t)(end - begin)))
		return &nul_byte;

	line = trim(begin, end);
	if (!*line || *line == '#' || *line == ';') {
		ret_item->line = 0; /* says nothing */
		return NULL;
	}

	if (*line == '[') {
		char *bracket = line + strlen(line) - 1;

		if (*bracket != ']')
			return &no_bracket;
		line = trim(line + 1, bracket);
		if (!*line)
			return &no_section;
		ret_item->section = line;
		return NULL;
	}

	equal = strchr(line, '=');
	if (!equal)
		return &no_equal;
	ret_item->value = trim(equal + 1, line + strlen(line));
	ret_item->name = trim(line, equal);
	return *ret_item->name ? NULL : &no_name;
}

int ini_parse(TALLOC_CTX *mem, char *bytes, size_t size, size_t line_max, struct ini **ret_ini,
              struct ini_error *ret_error)
{
	static const char mark[] = "\xEF\xBB\xBF";
	struct ini_item item = { .section = INI_NO_SECTION };
	auto_talloc struct ini *ini = talloc_zero(mem, struct ini);
	char *end = bytes + size, *line_end;
	unsigned line = 0;
	int r;

	if (!ini)
		return -ENOMEM;
	if (size >= strlen(mark) && memcmp(bytes, mark, strlen(mark)) == 0)
		bytes += strlen(mark);

	for (char *begin = bytes; begin < end; begin = line_end + 1) {
		const struct ini_error *error;

		line_end = memchr(begin, '\n', (size_t)(end - begin));
		if (!line_end)
			line_end = end;

		item.line = ++line;
		error = (size_t)(line_end - begin) > line_max ? &long_line
		                                              : parse_line(begin, line_end, &item);
		if (error) {
			*ret_error = *error;
			ret_error->line = line;
			return -E_CONFIG;
		}
		if (item.line == 0)
			continue;
		r = add(ini, &item);
		if (r < 0)
			return r;
	}

	*ret_ini = take_ptr(ini);
	return 0;
}
