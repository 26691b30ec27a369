/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SASL - the bind with a mechanism of libsasl2 (RFC 4513 section 5.2)
 *
 * Its steps wait for the server, and some mechanisms for others (DNS, a KDC): it blocks, and runs
 * on a thread (handle.h).
 */
#pragma once

#include <ldap.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/conf/options.h"

/* Does it need Kerberos tickets? */
bool sasl_needs_tickets(const char *mechanism);

/* Binds ld as conf says. Errors: those of ldap_error(); reason, of size bytes, then says in words
 * what went wrong, as the server and libsasl2 wrote it. */
int sasl_bind(LDAP *ld, const struct ldap_conf *conf, char *reason, size_t size);
