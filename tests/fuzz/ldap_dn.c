/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: DNs as a directory may hold them. A key that is itself a DN is its own key, and an entry
 * lies below each of its ancestors.
 */
#include <assert.h>
#include <ldap.h>
#include <stdint.h>
#include <string.h>

#include "common/ldap/dn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is the key made of nothing but text? Bytes in hex would be read as BER (RFC 4514 section 2.4). */
static bool is_text(const char *key)
{
	return !strchr(key, '#');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char *text = talloc_strndup(mem, (const char *)data, size);
	struct dn dn, again;
	const char *above;

	if (dn_parse(mem, text, &dn) == 0) {
		assert(!dn.attr == !dn.value && (dn.attr || !dn.single));
		/* libldap takes no empty value at the end. */
		if (is_text(dn.key) && dn_parse(mem, dn.key, &again) == 0)
			assert(strcmp(again.key, dn.key) == 0);
		assert(dn_is_in_scope(dn.key, dn.key, LDAP_SCOPE_BASE));
		assert(dn_is_in_scope(dn.key, "", LDAP_SCOPE_SUBTREE));
		above = strchr(dn.key, ',');
		if (above)
			assert(dn_is_in_scope(dn.key, above + 1, LDAP_SCOPE_ONELEVEL));
		for (; above; above = strchr(above + 1, ','))
			assert(dn_is_in_scope(dn.key, above + 1, LDAP_SCOPE_SUBTREE));
	}
	talloc_free(mem);
	return 0;
}
