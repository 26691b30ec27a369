/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssctl kcm - the Kerberos credential caches of all users, for root
 */
#pragma once

/* sssctl kcm list|show|purge …; argv[0] is "kcm". Returns the exit status. */
int sssctl_kcm(int argc, char *argv[]);
