/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * URI - the servers in ldap_uri (RFC 4516, of which only scheme, host and port matter here)
 */
#pragma once

#include <stdint.h>
#include <talloc.h>

enum uri_scheme {
	URI_LDAP,
	URI_LDAPS,
	URI_LDAPI, /* a unix socket: ldapi://%2Frun%2Fslapd.sock */
};

struct uri {
	char *text; /* as libldap wants it: scheme, host, port; nothing behind */
	enum uri_scheme scheme;
	char *host; /* or the path of the socket; an IPv6 address without its brackets */
	uint16_t port;
};

/* The texts hang below mem. Errors: -EINVAL this is no such URI; -ENOTSUP it is _srv_, discovery
 * by DNS, which is not built yet. */
int uri_parse(TALLOC_CTX *mem, const char *text, struct uri *ret_uri);
