/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Query - and the two parts it has in a getAccountInfo call: entry type and filter
 */
#include "common/ident/query.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

#define BY_NAME "name="
#define BY_ID   "idnumber="
#define ALL     "all"

/* clang-format off */
static const struct form {
	uint32_t entry_type;
	const char *start; /* of the filter */
	const char *words; /* for log lines */
} forms[] = {
	[QUERY_USER_BY_NAME]  = { 1, BY_NAME, "user" },
	[QUERY_USER_BY_ID]    = { 1, BY_ID,   "uid" },
	[QUERY_GROUP_BY_NAME] = { 2, BY_NAME, "group" },
	[QUERY_GROUP_BY_ID]   = { 2, BY_ID,   "gid" },
	[QUERY_INITGROUPS]    = { 3, BY_NAME, "groups of" },
	[QUERY_ALL]           = { 1, ALL,     "all users and groups" },
};
/* clang-format on */

static const struct form *form_of(const struct query *query)
{
	assert(query->kind >= QUERY_USER_BY_NAME && query->kind <= QUERY_ALL);
	return &forms[query->kind];
}

uint32_t query_entry_type(const struct query *query)
{
	return form_of(query)->entry_type;
}

char *query_filter(TALLOC_CTX *mem, const struct query *query)
{
	if (query->kind == QUERY_ALL)
		return talloc_strdup(mem, ALL);
	if (query_is_by_id(query))
		return talloc_asprintf(mem, BY_ID "%u", query->id);
	return talloc_asprintf(mem, BY_NAME "%s", query->name);
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* Why no form fits: upstream's callers can ask for more than we serve yet. */
static int not_understood(uint32_t entry_type, const char *filter)
{
	static const char *const later[] = { BY_ID, "secid=", "uuid=", "cert=", "wildcard=" };

	if ((entry_type >= 4 && entry_type <= 9) || (entry_type >= 0x10 && entry_type <= 0x14))
		return -ENOTSUP;
	if (entry_type >= 1 && entry_type <= 3)
		for (size_t i = 0; i < str_size(later); i++)
			if (starts_with(filter, later[i]))
				return -ENOTSUP;
	return -EINVAL;
}

/* Decimal only: an id has one spelling here. */
static int parse_id(const char *text, struct query *query)
{
	if (!*text || text[strspn(text, "0123456789")] != '\0' || str_to_u32(text, &query->id) < 0)
		return -EINVAL;
	return 0;
}

static int parse_name(TALLOC_CTX *mem, const char *text, struct query *query)
{
	size_t size = strlen(text);

	if (size < 1 || size > QUERY_NAME_MAX || !str_is_utf8(text, size))
		return -EINVAL;
	query->name = talloc_strndup(mem, text, size);
	return query->name ? 0 : -ENOMEM;
}

int query_parse(TALLOC_CTX *mem, uint32_t entry_type, const char *filter, struct query *ret_query)
{
	struct query query = { .kind = QUERY_USER_BY_NAME };
	const char *value;
	int r;

	while (forms[query.kind].entry_type != entry_type ||
	       !starts_with(filter, forms[query.kind].start))
		if (++query.kind == str_size(forms))
			return not_understood(entry_type, filter);

	value = filter + strlen(forms[query.kind].start);
	if (query.kind == QUERY_ALL)
		r = *value ? -EINVAL : 0;
	else
		r = query_is_by_id(&query) ? parse_id(value, &query)
		                           : parse_name(mem, value, &query);
	if (r < 0)
		return r;

	*ret_query = query;
	return 0;
}

char *query_text(TALLOC_CTX *mem, const struct query *query)
{
	const char *words = form_of(query)->words;
	auto_talloc char *name = NULL;

	if (query->kind == QUERY_ALL)
		return talloc_strdup(mem, words);
	if (query_is_by_id(query))
		return talloc_asprintf(mem, "%s %u", words, query->id);

	name = str_printable(mem, query->name, strlen(query->name));
	return name ? talloc_asprintf(mem, "%s %s", words, name) : NULL;
}
