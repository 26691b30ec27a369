/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logouts - the caches of a user end with the last session (purge_at_logout)
 */
#pragma once

#include "responders/kcm/store.h"

/* Removes the caches of those who were seen to have a session and have none any more, and remembers
 * who has caches and a session now. Somebody who gets tickets before the session begins, as at a
 * login, keeps them. ret_any: are there caches left? ret_more: not all were removed that are to be,
 * so that nobody waits long. Errors: those of the store. */
int logouts_run(struct kcm_store *store, bool *ret_any, bool *ret_more);
