/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Errors of LDAP (RFC 4511 appendix A, and libldap's own below zero) as ours
 */
#pragma once

#include <stdbool.h>

/* 0 for LDAP_SUCCESS; -E_SIZE_LIMIT the answer was cut; -E_DISCONNECTED no connection any more;
 * -E_BIND, -E_SERVER the server refused, -ENOMEM, -E_CONFIG a filter or argument of ours is bad. */
int ldap_error(int code);

/* Does the server say that it can answer nobody now, whatever the question? */
bool ldap_error_is_unwell(int code);
