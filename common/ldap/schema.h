/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Schema - what users and groups are called in a directory, by ldap_schema
 */
#pragma once

#include "common/conf/conf.h"
#include "common/conf/options.h"

/* conf_read() has given ret_ldap what section of conf says, and to the other attributes and object
 * classes the defaults of rfc2307. Puts those of ret_ldap->schema in the place of the latter. */
void schema_set_defaults(const struct conf *conf, const char *section, struct ldap_conf *ret_ldap);

/* Do groups list DNs, which may be those of other groups? Else the names of users. */
bool schema_lists_dns(const struct ldap_conf *ldap);
