/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Server - what the failover calls a server: from its URI, or from the record that names it
 */
#pragma once

#include <talloc.h>

#include "backend/core/failover.h"

/* ret_name->protocol is an enum uri_scheme. The texts are on mem.
 * Errors: -EINVAL this is no such URI; -ENOMEM. */
int server_from_uri(TALLOC_CTX *mem, const char *text, struct server_name *ret_name);

/* A server that DNS names: ldaps at its port of 636, or when the service that was asked for is
 * called so; else ldap. Errors: -EINVAL there can be no such host; -ENOMEM. */
int server_from_srv(TALLOC_CTX *mem, const struct srv *srv, const char *service,
                    struct server_name *ret_name);
