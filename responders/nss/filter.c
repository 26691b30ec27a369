/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filter - filter_users and filter_groups (sssd.conf(5)): names that are never given out
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/conf/options.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

static bool is_ascii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

/* Do the first size bytes of entry and name spell the same name? Only letters beyond ASCII are
 * worth the folding of both. */
static bool is_same_name(const char *entry, size_t size, const struct domain *domain,
                         const char *name)
{
	auto_talloc char *part = NULL, *a = NULL, *b = NULL;

	if (strlen(name) == size && memcmp(entry, name, size) == 0)
		return true;
	if (domain->conf.case_sensitive == CASE_TRUE)
		return false;
	if (strlen(name) == size && strncasecmp(entry, name, size) == 0)
		return true;
	if (is_ascii(entry, size))
		return false;
	part = talloc_strndup(NULL, entry, size);
	return part && str_fold(NULL, part, &a) == 0 && str_fold(NULL, name, &b) == 0 &&
	       strcmp(a, b) == 0;
}

/* entry is "name" for every domain or "name@domain" for one. */
static bool entry_matches(const char *entry, const struct domain *domain, const char *name)
{
	const char *at = strrchr(entry, '@');

	if (is_same_name(entry, strlen(entry), domain, name))
		return true;
	return at && strcasecmp(at + 1, domain->name) == 0 &&
	       is_same_name(entry, (size_t)(at - entry), domain, name);
}

static bool has_match(char *const *entries, const struct domain *domain, const char *name)
{
	for (; entries && *entries; entries++)
		if (entry_matches(*entries, domain, name))
			return true;
	return false;
}

bool nss_hides(const void *conf, const struct domain *domain, enum entry_kind kind,
               const char *name)
{
	const struct nss *nss = conf;

	if (kind == ENTRY_GROUP)
		return has_match(nss->conf.filter_groups, domain, name) ||
		       has_match(domain->conf.filter_groups, domain, name);
	return has_match(nss->conf.filter_users, domain, name) ||
	       has_match(domain->conf.filter_users, domain, name);
}

static void add_begin(const char *entry, const struct domain *domain, bool begins[static 256])
{
	unsigned char first = (unsigned char)*entry;

	begins[first] = true;
	if (domain->conf.case_sensitive == CASE_TRUE)
		return;
	begins[toupper(first)] = begins[tolower(first)] = true;
	/* Beyond ASCII a letter may be another spelling of any, even of one in ASCII. */
	memset(first < 0x80 ? begins + 0x80 : begins, true, first < 0x80 ? 0x80 : 256);
}

void nss_hidden_begins(const void *conf, const struct domain *domain, enum entry_kind kind,
                       bool ret_begins[static 256])
{
	const struct nss *nss = conf;
	bool is_group = kind == ENTRY_GROUP;
	char *const *lists[] = {
		is_group ? nss->conf.filter_groups : nss->conf.filter_users,
		is_group ? domain->conf.filter_groups : domain->conf.filter_users,
	};

	memset(ret_begins, false, 256);
	for (size_t i = 0; i < 2; i++)
		for (char *const *entry = lists[i]; entry && *entry; entry++)
			add_begin(*entry, domain, ret_begins);
}
