/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * URI - the servers in ldap_uri (RFC 4516, of which only scheme, host and port matter here)
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

#include "backend/core/failover.h"

/* What struct server_name calls the protocol. */
enum uri_scheme {
	URI_LDAP,
	URI_LDAPS,
	URI_LDAPI, /* a unix socket: ldapi://%2Frun%2Fslapd.sock */
};

/* The word for servers that DNS names, in the place of a URI. */
bool uri_is_discovery(const char *text);

/* ret_name->text is as libldap wants it: scheme, host, port; nothing behind. The host may be the
 * path of a socket, and an IPv6 address is without its brackets. The texts are on mem.
 * Errors: -EINVAL this is no such URI. */
int uri_parse(TALLOC_CTX *mem, const char *text, struct server_name *ret_name);

/* A server that DNS names: ldaps at its port of 636, or when the service that was asked for is
 * called so; else ldap. Errors: -EINVAL there can be no such host. */
int uri_from_srv(TALLOC_CTX *mem, const struct srv *srv, const char *service,
                 struct server_name *ret_name);
