/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Search bases - see base.h
 */
#include "common/ldap/base.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/ldap/dn.h"

enum { SCOPE_BASE, SCOPE_ONELEVEL, SCOPE_SUBTREE };

/* The length of the filter that text begins with: up to the next '?', not counting those within
 * its parentheses. Errors: -EINVAL the parentheses do not match. */
static int filter_size(const char *text, size_t *ret_size)
{
	size_t size = 0;
	int depth = 0;

	for (; text[size] && (text[size] != '?' || depth > 0); size++) {
		if (text[size] == '(')
			depth++;
		if (text[size] == ')' && --depth < 0)
			return -EINVAL;
	}
	if (depth != 0)
		return -EINVAL;
	*ret_size = size;
	return 0;
}

/* One filter, not two side by side: it will stand in an (&…). */
static bool is_one_filter(const char *text, size_t size)
{
	int depth = 0;

	for (size_t i = 0; i < size; i++) {
		depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
		if (depth == 0 && i + 1 < size)
			return false;
	}
	return true;
}

static int take_filter(TALLOC_CTX *mem, const char *text, size_t size, const char **ret_filter)
{
	if (size == 0) {
		*ret_filter = NULL;
		return 0;
	}
	if (*text == '(') {
		if (!is_one_filter(text, size))
			return -EINVAL;
		*ret_filter = talloc_strndup(mem, text, size);
	} else {
		*ret_filter = talloc_asprintf(mem, "(%.*s)", (int)size, text);
	}
	return *ret_filter ? 0 : -ENOMEM;
}

static int scope_of(const char *text, size_t size)
{
	static const struct {
		const char *word;
		int scope;
	} words[] = {
		{ "", SCOPE_SUBTREE },          { "base", SCOPE_BASE },
		{ "onelevel", SCOPE_ONELEVEL }, { "one", SCOPE_ONELEVEL },
		{ "subtree", SCOPE_SUBTREE },   { "sub", SCOPE_SUBTREE },
	};

	for (size_t i = 0; i < str_size(words); i++)
		if (strlen(words[i].word) == size && strncasecmp(words[i].word, text, size) == 0)
			return words[i].scope;
	return -EINVAL;
}

static int set_dn(TALLOC_CTX *mem, struct base *base, const char *dn, size_t size)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct dn parsed;
	int r;

	base->dn = talloc_strndup(mem, dn, size);
	if (!base->dn)
		return -ENOMEM;
	r = dn_parse(scratch, base->dn, &parsed);
	if (r == 0)
		base->key = talloc_steal(mem, parsed.key);
	return r == -EINVAL ? 0 : r; /* let the server say so */
}

/* Takes one base?scope?filter off the front of *text; only the first one may be a DN alone. */
static int take_base(TALLOC_CTX *mem, const char **text, bool first, struct base *ret_base)
{
	struct base base = { .scope = SCOPE_SUBTREE };
	size_t size = strcspn(*text, "?");
	int r;

	r = set_dn(mem, &base, *text, size);
	if (r < 0)
		return r;
	*text += size;
	if (first && **text == '\0') {
		*ret_base = base;
		return 0;
	}

	if (**text != '?')
		return -EINVAL;
	(*text)++;
	size = strcspn(*text, "?");
	base.scope = scope_of(*text, size);
	if (base.scope < 0)
		return -EINVAL;
	*text += size;

	if (**text != '?')
		return -EINVAL;
	(*text)++;
	r = filter_size(*text, &size);
	if (r == 0)
		r = take_filter(mem, *text, size, &base.filter);
	if (r < 0)
		return r;
	*text += size;
	*ret_base = base;
	return 0;
}

int bases_parse(TALLOC_CTX *mem, const char *text, struct bases *ret_bases)
{
	struct bases bases = { 0 };
	int r;

	bases.items = talloc_zero_array(mem, struct base, BASES_MAX);
	if (!bases.items)
		return -ENOMEM;

	for (;;) {
		if (bases.count == BASES_MAX)
			return -EINVAL;
		r = take_base(bases.items, &text, bases.count == 0, &bases.items[bases.count]);
		if (r < 0)
			return r;
		bases.count++;
		if (*text != '?')
			break;
		text++;
	}

	*ret_bases = bases;
	return 0;
}

int bases_narrow(struct bases *bases, int scope, const char *filter)
{
	const char *whole = NULL;
	size_t size = 0;
	int r = 0;

	if (filter)
		r = filter_size(filter, &size);
	if (r == 0 && filter && filter[size] != '\0')
		r = -EINVAL;
	if (r == 0)
		r = take_filter(bases->items, filter, size, &whole);
	for (size_t i = 0; i < bases->count && r == 0; i++) {
		bases->items[i].scope = scope;
		bases->items[i].filter = whole;
	}
	return r;
}

int bases_of_dn(TALLOC_CTX *mem, const char *dn, struct bases *ret_bases)
{
	struct base *base = talloc_zero(mem, struct base);
	int r;

	if (!base)
		return -ENOMEM;
	base->scope = SCOPE_SUBTREE;
	r = set_dn(base, base, dn, strlen(dn));
	if (r < 0)
		return r;
	*ret_bases = (struct bases){ .items = base, .count = 1 };
	return 0;
}

/* Where the base is no DN to us only the server knows. */
static bool may_hold(const struct base *base, const char *key)
{
	return !base->key || dn_is_in_scope(key, base->key, base->scope);
}

static bool is_sure_to_find(const struct base *base)
{
	return base->key && !base->filter;
}

bool bases_hold(const struct bases *bases, const char *key, bool unfiltered)
{
	for (size_t i = 0; i < bases->count; i++) {
		const struct base *base = &bases->items[i];

		if (may_hold(base, key) && (!unfiltered || is_sure_to_find(base)))
			return true;
	}
	return false;
}

/* Does dn end like the DN of base does, spelt alike? Most do, and need not be taken apart. */
static bool ends_alike(const struct base *base, const char *dn)
{
	size_t size = strlen(dn), base_size = strlen(base->dn);
	const char *end = dn + size - base_size;

	return size > base_size + 1 && end[-1] == ',' && end[-2] != '\\' &&
	       strcasecmp(end, base->dn) == 0;
}

int base_holds(const struct base *base, const char *dn)
{
	auto_talloc TALLOC_CTX *scratch = NULL;
	struct dn parsed;
	int r;

	/* Where the base is no DN to us the server knows better, and all are below the root. */
	if (!base->key || (base->scope == SCOPE_SUBTREE && (!*base->key || ends_alike(base, dn))))
		return 0;
	scratch = talloc_new(NULL);
	r = scratch ? dn_parse(scratch, dn, &parsed) : -ENOMEM;
	if (r < 0)
		return r == -EINVAL ? -ENOENT : r;
	return dn_is_in_scope(parsed.key, base->key, base->scope) ? 0 : -ENOENT;
}
