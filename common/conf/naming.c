/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Naming - see naming.h
 *
 * Without the just-in-time compiler of PCRE2: it wants memory that can be written and executed,
 * which the units forbid.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "common/conf/naming.h"

#include <errno.h>
#include <pcre2.h>
#include <string.h>

#include "common/base/error.h"
#include "common/conf/options.h"

/* Steps and KiB of one match: an expression may be unfortunate, and the text is anybody's. */
#define STEPS_MAX  20000
#define HEAP_MAX   256
#define REASON_MAX 256

struct name_pattern {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

/* ---- re_expression ---- */

static int pattern_gone(struct name_pattern *pattern)
{
	pcre2_match_data_free(pattern->match);
	pcre2_match_context_free(pattern->limits);
	pcre2_code_free(pattern->code);
	return 0;
}

static int refuse(TALLOC_CTX *mem, char *reason, char **ret_reason)
{
	*ret_reason = talloc_steal(mem, reason);
	return reason ? -E_CONFIG : -ENOMEM;
}

int name_pattern_new(TALLOC_CTX *mem, const char *expression, struct name_pattern **ret_pattern,
                     char **ret_reason)
{
	struct name_pattern *pattern = talloc_zero(mem, struct name_pattern);
	PCRE2_UCHAR text[REASON_MAX];
	int code, r = -ENOMEM;
	size_t at;

	if (!pattern)
		return -ENOMEM;
	talloc_set_destructor(pattern, pattern_gone);
	pattern->code = pcre2_compile((PCRE2_SPTR)expression, strlen(expression),
	                              PCRE2_UTF | PCRE2_DUPNAMES | PCRE2_NEVER_BACKSLASH_C, &code,
	                              &at, NULL);
	if (!pattern->code) {
		pcre2_get_error_message(code, text, sizeof(text));
		r = refuse(mem, talloc_asprintf(mem, "%s, at byte %zu", (const char *)text, at + 1),
		           ret_reason);
		goto failed;
	}
	if (pcre2_substring_nametable_scan(pattern->code, (PCRE2_SPTR) "name", NULL, NULL) < 0 &&
	    pcre2_substring_number_from_name(pattern->code, (PCRE2_SPTR) "name") ==
	            PCRE2_ERROR_NOSUBSTRING) {
		r = refuse(mem, talloc_strdup(mem, "it has no group (?P<name>…)"), ret_reason);
		goto failed;
	}

	pattern->match = pcre2_match_data_create_from_pattern(pattern->code, NULL);
	pattern->limits = pcre2_match_context_create(NULL);
	if (!pattern->match || !pattern->limits)
		goto failed;
	pcre2_set_match_limit(pattern->limits, STEPS_MAX);
	pcre2_set_heap_limit(pattern->limits, HEAP_MAX);
	*ret_pattern = pattern;
	return 0;

failed:
	talloc_free(pattern);
	return r;
}

/* What the group of that name matched, the first one that did; NULL when none did, or nothing. */
static const char *group_of(const struct name_pattern *pattern, const char *text, const char *name,
                            size_t *ret_size)
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(pattern->match);
	PCRE2_SPTR first, last;
	int entry_size;

	entry_size = pcre2_substring_nametable_scan(pattern->code, (PCRE2_SPTR)name, &first, &last);
	for (PCRE2_SPTR entry = first; entry_size > 0 && entry <= last; entry += entry_size) {
		unsigned group = (unsigned)entry[0] << 8 | entry[1];
		size_t begin = ends[(size_t)group * 2], end = ends[(size_t)group * 2 + 1];

		if (begin == PCRE2_UNSET || end <= begin)
			continue;
		*ret_size = end - begin;
		return text + begin;
	}
	*ret_size = 0;
	return NULL;
}

static bool split_at_sign(const char *text, struct name_parts *ret_parts)
{
	const char *at = strrchr(text, '@');
	struct name_parts parts = { .name = text };

	parts.name_size = at ? (size_t)(at - text) : strlen(text);
	if (parts.name_size == 0)
		return false;
	if (at && at[1]) {
		parts.domain = at + 1;
		parts.domain_size = strlen(at + 1);
	}
	*ret_parts = parts;
	return true;
}

bool name_split(const struct name_pattern *pattern, const char *text, struct name_parts *ret_parts)
{
	struct name_parts parts;
	int n;

	if (!pattern)
		return split_at_sign(text, ret_parts);
	n = pcre2_match(pattern->code, (PCRE2_SPTR)text, strlen(text), 0, 0, pattern->match,
	                pattern->limits);
	if (n < 0)
		return false;
	parts.name = group_of(pattern, text, "name", &parts.name_size);
	parts.domain = group_of(pattern, text, "domain", &parts.domain_size);
	if (!parts.name)
		return false;
	*ret_parts = parts;
	return true;
}

/* ---- full_name_format ---- */

/* "%s" or "%1$s": the number of its argument, 0 = neither. */
static unsigned conversion(struct name_format_walk *walk, size_t *ret_size)
{
	const char *text = walk->rest;

	if (text[1] == 's' && walk->n_plain < 3) {
		*ret_size = 2;
		return ++walk->n_plain;
	}
	if (text[1] >= '1' && text[1] <= '3' && text[2] == '$' && text[3] == 's') {
		*ret_size = 4;
		return (unsigned)(text[1] - '0');
	}
	return 0;
}

bool name_format_next(struct name_format_walk *walk, struct name_piece *ret_piece)
{
	struct name_piece piece = { .text = walk->rest, .size = strcspn(walk->rest, "%") };

	if (piece.size == 0 && *walk->rest == '%' && walk->rest[1] == '%') {
		piece.size = 1;
		walk->rest++; /* over the other one */
	} else if (piece.size == 0 && *walk->rest == '%') {
		piece.argument = conversion(walk, &piece.size);
		if (!piece.argument)
			return false;
	}
	walk->rest += piece.size;
	*ret_piece = piece;
	return piece.size > 0;
}

const char *name_format_fault(const char *format)
{
	struct name_format_walk walk = { format, 0 };
	struct name_piece piece;
	bool has_name = false;

	while (name_format_next(&walk, &piece))
		has_name = has_name || piece.argument == 1;
	if (*walk.rest)
		return "after a '%' it takes 1$s, 2$s, 3$s, s or another '%'";
	return has_name ? NULL : "it does not hold the name, %1$s";
}

/* ---- both ---- */

bool naming_is_plain(const struct sssd_conf *sssd, const struct domain_conf *domain)
{
	return !domain->use_fully_qualified_names && !sssd->domain_resolution_order &&
	       !sssd->override_space && domain->case_sensitive != CASE_FALSE;
}
