/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole - an entry of which a server gave some values, with all of them
 *
 * search.h does this for each entry: who searches gets them whole, but for attrs.in_parts.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

/* Is there anything to be asked for? */
bool whole_is_needed(const struct entry_values *values, const struct attrs *attrs);

/* Takes over values; attrs, with which they were read, and id are borrowed. */
struct tevent_req *whole_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, struct entry_values *values,
                              const struct attrs *attrs);

/* The same values, on mem, and behind them all others. Errors: those of rest_recv(), which are for
 * the whole entry; -E_SERVER also when the server does not come to an end: nothing less than all is
 * given. */
int whole_recv(struct tevent_req *req, TALLOC_CTX *mem, struct entry_values **ret_values);
