/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Client - what the client library finds in the files of a memory cache
 *
 * Apart from the test: grp.h and common/ident/group.h both have a struct group.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* By name, or by uid if that is NULL; now is in seconds of CLOCK_REALTIME. */
bool client_has_user(const char *dir, const char *name, uint32_t uid, int64_t now);

/* Whether it is told that nobody has the name, or the id if that is NULL. */
bool client_knows_of_none(const char *dir, char what, const char *name, uint32_t id, int64_t now);

/* How many groups a user has; 0 where nothing is said of him. */
long client_counts_groups(const char *dir, const char *name, int64_t now);
