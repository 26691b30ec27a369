/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attr - see attr.h
 */
#include "common/ldap/attr.h"

#include <errno.h>
#include <string.h>

bool attr_is_valid(const char *attr)
{
	static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-;._";

	return *attr && attr[strspn(attr, inside)] == '\0';
}

int attr_split_extra(TALLOC_CTX *mem, const char *item, const char **ret_name,
                     const char **ret_attr)
{
	const char *colon = strchr(item, ':');
	const char *attr = colon ? colon + 1 : item;
	const char *name = colon ? talloc_strndup(mem, item, (size_t)(colon - item)) : item;

	if (!name)
		return -ENOMEM;
	if (!attr_is_valid(name) || !attr_is_valid(attr))
		return -EINVAL;
	*ret_name = name;
	*ret_attr = attr;
	return 0;
}
