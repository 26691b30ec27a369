/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loss - notice that what only root can put back was removed while we run
 *
 * A backup tool that restores /var/lib/sss, or somebody who tidies up, takes directories and
 * sockets away from under us. No daemon of ours may make them: they are root's. The root steps of
 * the unit do it at each start, so the monitor ends and is started again.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

struct loss; /* a talloc object */

/* Watches paths (NULL-terminated). Calls lost once, settle_ms after the change, with the first path
 * that was there at some time and is not now, or that was a directory and is another one now.
 * Errors: -ENOMEM; a path that cannot be watched is not. */
int loss_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *const *paths,
             int64_t settle_ms, void (*lost)(const char *path, void *data), void *data,
             struct loss **ret_loss);
