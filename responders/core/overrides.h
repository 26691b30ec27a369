/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Overrides - what the administrator of this host says differently (design §4, sss_override(8))
 *
 * The two places where overrides will act, both passed by every lookup: before the domain's index
 * is asked, and after its record was read. There are none yet: sss_override is not built.
 */
#pragma once

#include "common/ident/entry.h"
#include "common/ident/query.h"

struct domain;

/* An overridden name or number is asked for by the original one. */
static inline void overrides_ask(const struct domain *domain, struct query *query)
{
	(void)domain;
	(void)query;
}

/* Replaces what is overridden in the record; texts it sets live as long as the domain. */
static inline void overrides_apply(const struct domain *domain, struct entry *entry)
{
	(void)domain;
	(void)entry;
}
