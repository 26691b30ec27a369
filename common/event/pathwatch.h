/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Path watch - notice that a file changed, was replaced, or that a symlink on the way to it did
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

struct pathwatch; /* a talloc object */

/* Calls changed once, settle_ms after the first of a burst of changes. The file need not exist, its
 * directory must. Errors: errno of inotify_init1(2), inotify_add_watch(2). */
int pathwatch_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path, int64_t settle_ms,
                  void (*changed)(void *data), void *data, struct pathwatch **ret_watch);

/* Watches nothing until it is resumed, and costs nothing. To be free of it takes 10 ms and more:
 * the kernel lets close(2) wait for all processors (synchronize_srcu()). */
void pathwatch_rest(struct pathwatch *watch);

/* Watches again; what happened meanwhile is not told. Errors: errno of inotify_add_watch(2), then
 * it rests. */
int pathwatch_resume(struct pathwatch *watch);
