/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * URI - the servers in ldap_uri (RFC 4516, of which only scheme, host and port matter here)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

enum uri_scheme {
	URI_LDAP,
	URI_LDAPS,
	URI_LDAPI, /* a unix socket: ldapi://%2Frun%2Fslapd.sock */
};

struct uri {
	char *text; /* as libldap wants it: scheme, host, port; nothing behind */
	char *host; /* or the path of a socket; an IPv6 address is without its brackets */
	uint16_t port;
	enum uri_scheme scheme;
};

/* The word for servers that DNS names, in the place of a URI. */
bool uri_is_discovery(const char *text);

/* The texts are on mem. Errors: -EINVAL this is no such URI; -ENOMEM. */
int uri_parse(TALLOC_CTX *mem, const char *text, struct uri *ret_uri);
