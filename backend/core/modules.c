/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Modules - see modules.h
 *
 * Linked in for now: a module that is loaded would need the symbols of common/, which are built
 * hidden. The table is all that changes then.
 */
#include "backend/core/modules.h"

#include <errno.h>
#include <string.h>

#include "common/base/str.h"

extern const struct provider ldap_provider; /* backend/ldap */

static const struct provider *const providers[] = {
	&ldap_provider,
};

int module_find(const char *name, const struct provider **ret_provider)
{
	for (size_t i = 0; name && i < str_size(providers); i++)
		if (strcmp(providers[i]->name, name) == 0) {
			*ret_provider = providers[i];
			return 0;
		}
	return -ENOENT;
}
