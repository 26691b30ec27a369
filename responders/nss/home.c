/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Home directories - override_homedir, fallback_homedir and their letters (sssd.conf(5))
 */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/template.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

/* The first character, whatever its size. */
static char *first_letter(TALLOC_CTX *mem, const char *name)
{
	size_t size = 1;

	while (((unsigned char)name[size] & 0xC0) == 0x80)
		size++;
	return talloc_strndup(mem, name, size);
}

/* A principal that would lead out of its place is none. */
static const char *principal(const char *upn)
{
	return str_empty(upn) || strchr(upn, '/') ? NULL : upn;
}

/* What cannot be filled in leaves the field empty, as it does in upstream. */
static const char *fill(TALLOC_CTX *mem, const struct nss_conf *nss, const struct domain *domain,
                        const struct user *user, const char *template)
{
	char uid[sizeof("4294967295")];
	const char *name = resp_short_name(mem, domain, user->name);
	char *filled = NULL, *lower = NULL;
	const struct template_value values[] = {
		{ 'u', name },
		{ 'U', uid },
		{ 'd', domain->name },
		{ 'f', talloc_asprintf(mem, "%s@%s", name, domain->name) },
		{ 'l', first_letter(mem, name) },
		{ 'P', principal(user->upn) },
		{ 'o', user->home },
		{ 'h', str_fold(mem, user->home, &lower) == 0 ? lower : NULL },
		{ 'H', domain->conf.homedir_substring ?: nss->homedir_substring },
		{ '\0' },
	};

	snprintf(uid, sizeof(uid), "%u", user->uid);
	return template_fill(mem, template, values, &filled) == 0 ? filled : "";
}

const char *nss_home(TALLOC_CTX *mem, const struct nss *nss, const struct domain *domain,
                     const struct user *user)
{
	const char *override = domain->conf.override_homedir ?: nss->conf.override_homedir;
	const char *fallback = domain->conf.fallback_homedir ?: nss->conf.fallback_homedir;

	if (override)
		return fill(mem, &nss->conf, domain, user, override);
	if (fallback && !*user->home)
		return fill(mem, &nss->conf, domain, user, fallback);
	return user->home;
}
