/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Refusals - see refusals.h
 */
#include "backend/ldap/refusals.h"

#include <string.h>

#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"

#define HOUR_S 3600

/* A directory with more broken entries than this repeats itself; memory must not grow for it. */
#define REMEMBERED_MAX 4096

struct refusals {
	struct map *said; /* by DN, renewed each hour; NULL before the first */
	struct boottime began;
};

struct refusals *refusals_new(TALLOC_CTX *mem)
{
	return talloc_zero(mem, struct refusals);
}

/* Was dn said already? Forgets all of them every hour: simpler than a time for each, and an entry
 * is still named at most twice within any hour. */
static bool said_before(struct refusals *refusals, const char *dn)
{
	struct boottime now = boottime_now();

	if (!refusals->said || now.s - refusals->began.s >= HOUR_S) {
		TALLOC_FREE(refusals->said);
		refusals->said = map_new(refusals);
		refusals->began = now;
	}
	if (!refusals->said)
		return false;
	if (map_get(refusals->said, dn, strlen(dn)))
		return true;
	if (map_count(refusals->said) < REMEMBERED_MAX)
		map_set(refusals->said, dn, strlen(dn), refusals);
	return false;
}

void refusals_report(struct refusals *refusals, const struct request_id *id, const char *dn,
                     const char *reason)
{
	auto_talloc char *printable = NULL;

	if (said_before(refusals, dn))
		return;
	printable = str_printable(NULL, dn, strlen(dn));
	log_at(LEVEL_WARN, id, "entry %s is left out: %s", printable ? printable : "?", reason);
}
