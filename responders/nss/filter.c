/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filter - filter_users and filter_groups (sssd.conf(5)): names that are never given out
 */
#include <string.h>
#include <strings.h>

#include "common/conf/options.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

/* entry is "name" for every domain or "name@domain" for one. */
static bool entry_matches(const char *entry, const struct domain *domain, const char *name)
{
	const char *at;
	size_t size = strlen(name);
	bool fold = domain->conf.case_sensitive != CASE_TRUE;

	if ((fold ? strncasecmp(entry, name, size) : strncmp(entry, name, size)) != 0)
		return false;
	if (entry[size] == '\0')
		return true;
	at = entry + size;
	return *at == '@' && strcasecmp(at + 1, domain->name) == 0;
}

bool nss_hides(const void *conf, const struct domain *domain, enum entry_kind kind,
               const char *name)
{
	const struct nss_conf *nss = conf;
	char *const *entries = kind == ENTRY_GROUP ? nss->filter_groups : nss->filter_users;

	for (; entries && *entries; entries++)
		if (entry_matches(*entries, domain, name))
			return true;
	return false;
}
