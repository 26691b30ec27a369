/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Refusals - entries that make no sense are named in the log, each once an hour
 */
#pragma once

#include <talloc.h>

#include "common/base/log.h"

struct refusals; /* a talloc object */

struct refusals *refusals_new(TALLOC_CTX *mem);

/* Logs that the entry at dn was left out, and why, unless that was said within the hour. Of very
 * many at once some are named later, when they are met again. */
void refusals_report(struct refusals *refusals, const struct request_id *id, const char *dn,
                     const char *reason);

/* The same: the one at winner has the same what ("name", "number"), and is taken (pick.h). */
void refusals_report_twin(struct refusals *refusals, const struct request_id *id, const char *loser,
                          const char *winner, const char *what);
