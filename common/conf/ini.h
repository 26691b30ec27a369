/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ini - the syntax of sssd.conf(5), one file at a time
 *
 *   # comment           first character of the line, blanks before it aside; "; comment" too
 *   [section]           blanks inside the brackets do not count
 *   name = value        blanks around both do not count; quotes and "# …" belong to the value
 *
 * No continuation lines. A byte order mark and CRLF are taken. One mistake makes the whole file
 * unusable: half a configuration is worse than the one before.
 */
#pragma once

#include <stddef.h>
#include <talloc.h>

#define INI_LINE_MAX (64u * 1024) /* of the administrator's files */
#define INI_FILE_MAX (1024u * 1024)

/* The section of what stands before any heading; no section has this name (options.md §2). */
#define INI_NO_SECTION "default"

/* A line that says something. Names are as written; the texts live in the bytes parsed. */
struct ini_item {
	const char *section;
	const char *name;  /* NULL: the section's heading */
	const char *value; /* "" when nothing was written */
	unsigned line;
};

struct ini {
	struct ini_item *items; /* in the file's order, duplicates included */
	unsigned n_items;
};

/* What libini calls these mistakes, number and words: scripts look for them. */
struct ini_error {
	unsigned line;
	int number;
	const char *text;
};

/* Cuts bytes, size long with a NUL behind it, into items; bytes is changed and must outlive
 * ret_ini. No line may be longer than line_max bytes.
 * Errors: -E_CONFIG and ret_error tells why; -ENOMEM. */
int ini_parse(TALLOC_CTX *mem, char *bytes, size_t size, size_t line_max, struct ini **ret_ini,
              struct ini_error *ret_error);
