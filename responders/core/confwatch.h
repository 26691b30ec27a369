/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Configuration watch - notice that a process's compiled configuration is another one
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

struct confwatch; /* a talloc object */

/* Calls changed, from the loop, after something was renamed into dir/process, where sssd_conf(8)
 * puts a new file, or that directory or its parent appeared or went. None of them need exist.
 * Errors: -ENOMEM; errno of inotify_init1(2). */
int confwatch_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *dir, const char *process,
                  void (*changed)(void *data), void *data, struct confwatch **ret_watch);
