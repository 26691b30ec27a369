/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Errors of LDAP - see error.h
 */
#include "backend/ldap/error.h"

#include <errno.h>
#include <ldap.h>
#include <stdbool.h>

#include "common/base/error.h"

int ldap_error(int code)
{
	switch (code) {
	case LDAP_SUCCESS:
		return 0;
	case LDAP_SIZELIMIT_EXCEEDED:
	case LDAP_TIMELIMIT_EXCEEDED:
	case LDAP_ADMINLIMIT_EXCEEDED:
		return -E_SIZE_LIMIT;
	case LDAP_SERVER_DOWN:
	case LDAP_CONNECT_ERROR:
		return -E_DISCONNECTED;
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_INVALID_DN_SYNTAX:
		return -E_BIND;
	case LDAP_NO_MEMORY:
		return -ENOMEM;
	case LDAP_FILTER_ERROR:
	case LDAP_PARAM_ERROR:
		return -E_CONFIG;
	case LDAP_TIMEOUT:
		return -ETIMEDOUT;
	default:
		return -E_SERVER;
	}
}

bool ldap_error_is_unwell(int code)
{
	return code == LDAP_BUSY || code == LDAP_UNAVAILABLE;
}
