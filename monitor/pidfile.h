/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pid file - one monitor at a time, and where scripts find it
 */
#pragma once

#include <sys/types.h>
#include <talloc.h>

struct pidfile; /* a talloc object; freeing it removes the file */

/* Writes our pid into the file at path, which everybody may read, and holds a lock (fcntl(2)) on
 * PATH.lock, which nobody else may open, as long as the object lives: whoever may read a file may
 * keep a lock for reading on it, for ever.
 * Errors: -EEXIST a live process holds it; errno of open(2) and rename(2). */
int pidfile_take(TALLOC_CTX *mem, const char *path, struct pidfile **ret_pidfile);

/* Gives the lock to the user whom this process of root's will be: one of that user's that comes
 * after a crash of ours could not open it else. */
void pidfile_give(struct pidfile *pidfile, uid_t uid, gid_t gid);
