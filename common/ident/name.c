/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names with domains
 */
#include "common/ident/name.h"

#include <errno.h>
#include <string.h>

#include "common/base/mem.h"

int name_split(TALLOC_CTX *mem, const char *text, struct name_parts *ret_parts)
{
	const char *at = strrchr(text, '@');
	auto_talloc char *name = NULL;
	char *domain = NULL;

	if (!*text || at == text || (at && !at[1]))
		return -EINVAL;

	name = at ? talloc_strndup(mem, text, (size_t)(at - text)) : talloc_strdup(mem, text);
	if (!name)
		return -ENOMEM;
	if (at) {
		domain = talloc_strdup(mem, at + 1);
		if (!domain)
			return -ENOMEM;
	}

	*ret_parts = (struct name_parts){ take_ptr(name), domain };
	return 0;
}
