/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Commit - what to write when the server has said who somebody is, or that nobody is
 */
#pragma once

#include <talloc.h>

#include "backend/ldap/domain.h"

/* The removal of what asked names, on mem; NULL when the cache does not have it, so that a name
 * nobody has costs no write. Errors: -ENOMEM. */
int commit_removal(TALLOC_CTX *mem, const struct ldap_domain *domain, const struct query *asked,
                   struct cache_change **ret_change);

/* Puts user, who the server says is called asked. Who was called so in the cache no longer is, and
 * goes: the cache by itself would not take a principal away from them. Errors: cache_put_user(). */
int commit_user(struct cache_change *change, const struct ldap_domain *domain, const char *asked,
                const struct user *user);
