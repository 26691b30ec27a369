/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Modules - finds a provider by the name it has in sssd.conf(5)
 */
#pragma once

#include "backend/core/provider.h"

/* Loads the module libsss_NAME.so from dir (NULL = where it is installed); it stays for the life of
 * the process. Errors: -ENOENT there is no provider of this name (NULL included). */
int module_find(const char *dir, const char *name, const struct provider **ret_provider);
