/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: the texts of the LDAP options (URIs, search bases), and names on their way into filters.
 * What was understood must say the same when it is read again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ldap/filter.h"
#include "common/ldap/attr.h"
#include "common/ldap/base.h"
#include "common/ldap/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_uri(TALLOC_CTX *mem, const char *text)
{
	struct uri uri, again;

	if (uri_parse(mem, text, &uri) < 0)
		return;
	assert(*uri.host && uri_parse(mem, uri.text, &again) == 0);
	assert(strcmp(uri.text, again.text) == 0 && strcmp(uri.host, again.host) == 0);
	assert(uri.port == again.port && uri.scheme == again.scheme);
	assert(uri.scheme == URI_LDAPI ? uri.host[0] == '/' : uri.port > 0);
}

static void try_bases(TALLOC_CTX *mem, const char *text)
{
	static const char *const words[] = { "base", "onelevel", "subtree" };
	struct bases bases, again;
	char *joined = talloc_strdup(mem, "");

	if (bases_parse(mem, text, &bases) < 0)
		return;
	assert(bases.count >= 1 && bases.count <= BASES_MAX);
	for (size_t i = 0; i < bases.count; i++) {
		const struct base *base = &bases.items[i];

		assert(!base->filter || *base->filter == '(');
		joined = talloc_asprintf_append(joined, "%s%s?%s?%s", i ? "?" : "", base->dn,
		                                words[base->scope],
		                                base->filter ? base->filter : "");
	}
	assert(bases_parse(mem, joined, &again) == 0 && again.count == bases.count);
	for (size_t i = 0; i < bases.count; i++)
		assert(strcmp(bases.items[i].dn, again.items[i].dn) == 0);
}

static void try_filter(TALLOC_CTX *mem, const char *text)
{
	struct filter filter = filter_new();
	const char *name, *attr;
	char *made;

	filter_equal(&filter, "uid", text);
	if (filter_end(&filter, mem, &made) < 0)
		return;
	assert(strspn(made + 5, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                        "-_.@ \\") == strlen(made) - 6);
	assert(made[strlen(made) - 1] == ')');
	attr_split_extra(mem, text, &name, &attr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char *text = talloc_strndup(mem, (const char *)data, size);

	try_uri(mem, text);
	try_bases(mem, text);
	try_filter(mem, text);
	talloc_free(mem);
	return 0;
}
