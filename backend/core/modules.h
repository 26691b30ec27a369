/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Modules - finds a provider by the name it has in sssd.conf(5)
 */
#pragma once

#include "backend/core/provider.h"

/* Errors: -ENOENT there is no provider of this name (NULL included). */
int module_find(const char *name, const struct provider **ret_provider);
