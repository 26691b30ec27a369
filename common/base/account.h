/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Accounts - our own service user, found without asking NSS
 *
 * No process of ours calls getpwnam(3) and its like: the answer might have to come from the very
 * process that asks. Only /etc/passwd and /etc/group are read (passwd(5), group(5)).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define ACCOUNT_SERVICE "sssd"
#define ACCOUNT_NOBODY  65534

/* The ids of user name in the file at path (NULL = /etc/passwd).
 * Errors: -ENOENT no such line; errno of open(2). */
int account_find(const char *path, const char *name, uid_t *ret_uid, gid_t *ret_gid);

/* Root's name and our own user's belong to this machine, whatever a directory says. */
bool account_is_local_name(const char *name);

/* Becomes uid and gid for good: supplementary groups cleared, all three ids set, every capability
 * gone. Errors: errno of setgroups(2) and its like; -EPERM a capability is left. */
int account_become(uid_t uid, gid_t gid);
