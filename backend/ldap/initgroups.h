/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Initgroups - the groups of a user (struct provider_op)
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

struct tevent_req *initgroups_send(TALLOC_CTX *mem, void *data, const struct query *query,
                                   const struct request_id *id);
int initgroups_recv(struct tevent_req *req);
const char *initgroups_waits_for(struct tevent_req *req);
