/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pid file - one monitor at a time, and where scripts find it
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

struct pidfile; /* a talloc object; freeing it removes the file */

/* Writes our pid and holds a lock (fcntl(2)) on the file as long as the object lives.
 * Errors: -EEXIST a live process holds it, and not only a lock for reading; errno of open(2) and
 * unlink(2). */
int pidfile_take(TALLOC_CTX *mem, const char *path, struct pidfile **ret_pidfile);

/* Does a live process hold the file at path? */
bool pidfile_held(const char *path);
