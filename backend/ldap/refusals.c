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

/* What the log takes from one place (log.h). */
#define WINDOW_S     10
#define WINDOW_LINES 20

struct refusals {
	struct map *said; /* by DN, renewed each hour; NULL before the first */
	struct boottime began;
	struct boottime window; /* when it was opened */
	unsigned n_lines;       /* since then */
};

struct refusals *refusals_new(TALLOC_CTX *mem)
{
	return talloc_zero(mem, struct refusals);
}

/* Was dn said already? Forgets all of them every hour: simpler than a time for each, and an entry
 * is still named at most twice within any hour. */
static bool is_said(struct refusals *refusals, const char *dn)
{
	struct boottime now = boottime_now();

	if (!refusals->said || now.s - refusals->began.s >= HOUR_S) {
		TALLOC_FREE(refusals->said);
		refusals->said = map_new(refusals);
		refusals->began = now;
	}
	return refusals->said && map_get(refusals->said, dn, strlen(dn));
}

static void remember(struct refusals *refusals, const char *dn)
{
	if (refusals->said && map_count(refusals->said) < REMEMBERED_MAX)
		map_set(refusals->said, dn, strlen(dn), refusals);
}

/* The log would drop it, and it would be remembered as said. */
static bool too_many(struct refusals *refusals)
{
	struct boottime now = boottime_now();

	if (now.s - refusals->window.s > WINDOW_S) {
		refusals->window = now;
		refusals->n_lines = 0;
	}
	if (refusals->n_lines++ == WINDOW_LINES)
		log_warn("more entries are left out; each is named when it is met again");
	return refusals->n_lines > WINDOW_LINES;
}

void refusals_report(struct refusals *refusals, const struct request_id *id, const char *dn,
                     const char *reason)
{
	auto_talloc char *printable = NULL;

	if (is_said(refusals, dn) || too_many(refusals))
		return;
	remember(refusals, dn);
	printable = str_printable(NULL, dn, strlen(dn));
	log_at(LEVEL_WARN, id, "entry %s is left out: %s", printable ? printable : "?", reason);
}

void refusals_report_twin(struct refusals *refusals, const struct request_id *id, const char *loser,
                          const char *winner, const char *what)
{
	auto_talloc char *reason =
		talloc_asprintf(NULL, "%s has the same %s and comes first", winner, what);

	refusals_report(refusals, id, loser, reason ? reason : "another entry comes first");
}
