/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lookup - one user or one group, by name or number (struct provider_op)
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"
#include "backend/ldap/filter.h"

struct tevent_req *lookup_send(TALLOC_CTX *mem, void *data, const struct query *query,
                               const struct request_id *id);
int lookup_recv(struct tevent_req *req);
const char *lookup_waits_for(struct tevent_req *req);

/* (objectclass=posixGroup), or that and ldap_group_object_class_alt in an (|…). */
void lookup_add_group_class(struct filter *filter, const struct ldap_conf *conf);

/* The filter for one user or group with a usable number, by name, or if that is NULL by id. */
int lookup_user_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, const char *name, uint32_t id,
                       char **ret_filter);
int lookup_group_filter(TALLOC_CTX *mem, const struct ldap_conf *conf, const char *name,
                        uint32_t id, char **ret_filter);
