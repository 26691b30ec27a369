/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Locals - whom the files of this machine know: passwd(5), group(5)
 *
 * They are read by ourselves: getpwnam(3) and its like might ask the very process that asks. A file
 * is read when it is first needed and again when it is another one than it was: a long one in
 * slices, and who stands far down in it is not known for a moment.
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

#include "common/ident/query.h"

struct locals; /* a talloc object */

/* The paths are borrowed. */
struct locals *locals_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *passwd,
                          const char *group);

/* Is it the name, or the id, of a local user or group? In the files case counts. */
bool locals_have(struct locals *locals, const struct query *query);
