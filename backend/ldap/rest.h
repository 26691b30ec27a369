/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rest - the values that come behind those that a server gave (range.h)
 *
 * A value has its number from where it stands, and that changes: when one of the first 1,500 goes,
 * number 1500 becomes 1499, and who asks for those from 1500 on never hears of it. So the last
 * value that came is asked for again, and must be the first of the next ones.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

struct rest; /* a talloc object */

/* What is left of before, which was read with attrs, where it is cut: at some of places, a bit for
 * each. NULL: no memory. */
struct rest *rest_of(TALLOC_CTX *mem, const struct entry_values *before, const struct attrs *attrs,
                     uint64_t places);

/* Asks for the next values at all these places. rest and id are borrowed. */
struct tevent_req *rest_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                             const struct request_id *id, const struct rest *rest);

/* An entry, on mem, with just these values, none at a place where nothing was left after all. It
 * may be cut again. Errors: those of search_recv(); -E_DISCONNECTED also when another connection
 * was asked than before, and -E_CHANGED when the values are others: all must be read anew;
 * -E_SERVER also when the server does not give them. */
int rest_recv(struct tevent_req *req, TALLOC_CTX *mem, struct entry_values **ret_part);

/* Borrowed from req. */
const char *rest_waits_for(struct tevent_req *req);
