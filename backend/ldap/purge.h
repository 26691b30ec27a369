/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Purge - from time to time takes out of the cache what has expired (sssd-ldap(5),
 * ldap_purge_cache_timeout)
 */
#pragma once

#include <talloc.h>

#include "backend/ldap/domain.h"

struct purge; /* a talloc object */

/* While a server can be reached; else what has expired is all there is. NULL without memory. */
struct purge *purge_new(TALLOC_CTX *mem, struct ldap_domain *domain);
