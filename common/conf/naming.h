/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Naming - re_expression and full_name_format (sssd.conf(5)): names with domains, read and written
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

/* ---- re_expression ---- */

struct name_pattern; /* a talloc object */

/* Compiles an expression of pcre2pattern(3) with a group called "name", and maybe one called
 * "domain"; both may occur several times.
 * Errors: -E_CONFIG and ret_reason, on mem, says why; -ENOMEM. */
int name_pattern_new(TALLOC_CTX *mem, const char *expression, struct name_pattern **ret_pattern,
                     char **ret_reason);

/* Parts of the text that was split; domain is NULL and domain_size 0 where it names none. */
struct name_parts {
	const char *name, *domain;
	size_t name_size, domain_size;
};

/* Splits text, which is UTF-8. pattern NULL stands for the default: the last '@' separates, and
 * there must be something on its left. False: it is no name. The effort is bounded. */
bool name_split(const struct name_pattern *pattern, const char *text, struct name_parts *ret_parts);

/* ---- full_name_format ---- */

#define NAME_FORMAT_DEFAULT "%1$s@%2$s"

/* Why the format cannot be used, in words for people; NULL: it can. */
const char *name_format_fault(const char *format);

/* A run of plain bytes, or one of the arguments. */
struct name_piece {
	const char *text;
	size_t size;
	unsigned argument; /* 0: text; 1 the name, 2 the domain, 3 its flat name */
};

struct name_format_walk {
	const char *rest;
	unsigned n_plain; /* of "%s" without a number so far */
};

/* Walks a format: struct name_format_walk walk = { format }; while (name_format_next(…)) … It ends
 * before what makes no sense. */
bool name_format_next(struct name_format_walk *walk, struct name_piece *ret_piece);

/* ---- both ---- */

struct sssd_conf;
struct domain_conf;

/* Are the names of a domain with these options answered as they are, without a domain or another
 * spelling? */
bool naming_is_plain(const struct sssd_conf *sssd, const struct domain_conf *domain);
