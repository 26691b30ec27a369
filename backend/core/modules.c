/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Modules - see modules.h
 *
 * A module uses the process's own copy of core and common/ (sssd_be is linked with --export-dynamic
 * and holds all of them) and brings only its provider and the libraries that needs.
 */
#include "backend/core/modules.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int module_find(const char *dir, const char *name, const struct provider **ret_provider)
{
	const struct provider *provider;
	char path[4096];
	void *module;

	/* No path from a configuration: a name is a word. */
	if (!name || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789")] || !*name)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/libsss_%s.so", dir ? dir : MODULE_DIR, name);
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module) {
		log_error("%s", dlerror());
		return -ENOENT;
	}
	provider = dlsym(module, "sssd_provider");
	if (!provider || strcmp(provider->name, name) != 0)
		return -ENOENT;
	*ret_provider = provider;
	return 0;
}
