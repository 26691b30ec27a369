/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attr - names of attributes and object classes, as options and DNs hold them
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

#define EXTRA_ATTRS_MAX 32 /* items of ldap_user_extra_attrs */

/* Is this an attribute description (RFC 4512 section 2.5): a name or an OID, maybe with options? */
bool attr_is_valid(const char *attr);

/* An item of ldap_user_extra_attrs, "ldapName" or "cacheName:ldapName": ret_attr is a part of item,
 * ret_name is that, too, or on mem. Errors: -EINVAL it is neither; -ENOMEM. */
int attr_split_extra(TALLOC_CTX *mem, const char *item, const char **ret_name,
                     const char **ret_attr);
