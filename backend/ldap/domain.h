/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domain - what one LDAP domain is made of
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "backend/core/provider.h"
#include "backend/ldap/entry.h"
#include "backend/ldap/records.h"
#include "backend/ldap/refusals.h"
#include "common/conf/options.h"
#include "common/ldap/base.h"

struct ahead;
struct enumeration;
struct guess;
struct link;
struct tickets;
struct turns;

/* Which of the search bases. */
enum search_where {
	SEARCH_USERS,
	SEARCH_GROUPS,
	N_SEARCHES,
};

/* In a set of search bases, a bit each, the one at i of where. */
static inline uint64_t base_bit(enum search_where where, size_t i)
{
	return UINT64_C(1) << ((size_t)where * BASES_MAX + i);
}
static_assert(N_SEARCHES * BASES_MAX <= 64, "a bit for each search base");

/* For a search base that is a DN alone. */
struct narrowing {
	int scope;          /* as in base.h */
	const char *filter; /* NULL = none */
};

struct ldap_domain {
	const struct provider_host *host; /* borrowed */
	struct ldap_conf conf;
	struct narrowing narrowings[N_SEARCHES];
	struct bases bases[N_SEARCHES]; /* count 0: not set, and no server has told one yet */
	struct attrs user_attrs, group_attrs;
	struct attrs gid_attrs;          /* of a group: all but the members */
	struct attrs member_attrs;       /* of a user: what member_from() reads */
	struct attrs nested_attrs;       /* of a group: only the members */
	struct attrs known_attrs;        /* of a group: all, and what kinds of entry it is */
	bool offers_deref, offers_pages; /* the server does, says its root DSE */
	struct id_range range;
	struct user_rules user_rules;
	uint32_t user_lifetime_s, group_lifetime_s;
	struct refusals *refusals;
	struct tickets *tickets; /* NULL: no need for any, or somebody else gets them */
	struct link *link;
	struct turns *turns; /* of searches in pages */
	struct ahead *ahead;
	struct guess *guess;
	struct enumeration *enumeration; /* NULL: enumerate = false */
};
