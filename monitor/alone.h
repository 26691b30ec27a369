/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Alone - started by hand, without systemd: do what the unit's root steps do, then be nobody
 * special
 */
#pragma once

#include <stdbool.h>

#include "monitor/monitor.h"

/* Is the host run by systemd, which then owns the sockets? */
bool alone_has_systemd(void);

/* Did it start us? */
bool alone_is_supervised(void);

/* Makes the one where the pid file is; alone_make_dirs() is for who has that. */
void alone_make_run_dir(const struct monitor_paths *paths);

/* Makes the directories of the suite, with their owners (root only). What cannot be made is named
 * on stderr, and missed later by whoever needs it. */
void alone_make_dirs(const struct monitor_paths *paths);

/* Runs sssd_conf with action ("--write", "--check") and waits for it. Returns its exit status, or a
 * negative error. config and paths->conf_dir may be NULL. */
int alone_run_conf(const struct monitor_paths *paths, const char *action, const char *config);

/* Becomes the service user. 0 also when we are not root, or when there is no such user (one
 * warning). Errors: those of account_become(). */
int alone_drop(void);
