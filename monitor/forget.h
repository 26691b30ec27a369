/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Forget - the caches of domains that are gone are removed some time later
 *
 * A domain that is taken out by mistake, or for a while, finds its users again when it comes back
 * within FORGET_DAYS (design §5).
 */
#pragma once

#include "common/base/time.h"

#define FORGET_DAYS 30

/* Removes from dir the files cache_DOMAIN.mdb, and what lies beside them, of domains that are in
 * neither list (NULL-terminated; NULL is an empty one), when none of a domain's files was written
 * to for more than FORGET_DAYS before now. Those of another version's schema belong to the same
 * domain. What cannot be read or removed is named in the log, and tried again the next time. */
void forget_gone(const char *dir, const char *const *domains, const char *const *others,
                 struct walltime now);
