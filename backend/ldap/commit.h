/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Commit - what to write when the server says that something is not there
 */
#pragma once

#include <talloc.h>

#include "backend/ldap/domain.h"

/* The removal of what asked names, on mem; NULL when the cache does not have it, so that a name
 * nobody has costs no write. Errors: -ENOMEM. */
int commit_removal(TALLOC_CTX *mem, const struct ldap_domain *domain, const struct query *asked,
                   struct cache_change **ret_change);
