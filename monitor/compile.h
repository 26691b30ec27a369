/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compile - the effective configuration, one small file for each process (conf.h has the form)
 *
 *   DIR/sssd/current       the monitor
 *   DIR/nss/current        a responder, likewise pam, sudo, autofs, ssh, ifp, kcm
 *   DIR/be-NAME/current    the backend of a domain: the only file with its bind password
 *
 * Written aside, synced, renamed; the one before is kept as "previous". The monitor's comes last:
 * its generation is that of the suite.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "monitor/check.h"

/* Makes dir and waits, up to 10 s, until nobody else holds the lock in it, which is root's alone:
 * of two who read and write at once the last has read last, and no step of one is undone by the
 * other. The lock lasts as long as ret_fd is open.
 * Errors: -EBUSY it took too long; errno of open(2). */
int conf_lock(const char *dir, gid_t gid, int *ret_fd);

/* Writes what changed below dir, for the group gid to read, and takes out the files of domains
 * that are gone. report must be good. ret_generation is the suite's from now on.
 * Errors: errno of mkdir(2), open(2) and their like; the log tells the path. */
int conf_compile(const struct conf_report *report, const char *dir, gid_t gid,
                 uint64_t *ret_generation);

/* The same for kcm alone, which needs no domain: report may be refused for the lack of one.
 * Errors: also -EEXIST the whole suite was compiled before, and that stays in force. */
int conf_compile_kcm(const struct conf_report *report, const char *dir, gid_t gid);
