/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Principal - as whom a host speaks to its directory: one of those its keytab has keys for
 *
 * Where ldap_sasl_authid does not say, the first of these that is there, of the wanted realm, then
 * of any, then the keytab's first entry (sssd-ldap(5)):
 *
 *   www.example.com@R   WWW$@R   host/www.example.com@R   any …$@R   any host/…@R
 */
#pragma once

#include <stddef.h>

/* The place in names ("host/www@R", as krb5_unparse_name() writes them) of the principal, -1 when
 * there is none. With authid that one alone will do; a realm in it counts before realm, and realm
 * NULL is any. host is this host's name, with or without its domain; with authid it does not
 * matter. */
int principal_choose(const char *const *names, size_t n_names, const char *authid,
                     const char *realm, const char *host);
