/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Paths - where a backend listens
 */
#include "common/sbus/sbus.h"

#include <string.h>

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

char *sbus_escape(TALLOC_CTX *mem, const char *name)
{
	static const char digits[] = "0123456789abcdef";
	char *escaped = talloc_array(mem, char, (unsigned)strlen(name) * 3 + 1);
	char *to = escaped;

	if (!escaped)
		return NULL;
	for (; *name; name++) {
		if (plain(*name)) {
			*to++ = *name;
			continue;
		}
		*to++ = '_';
		*to++ = digits[(unsigned char)*name >> 4];
		*to++ = digits[(unsigned char)*name & 15];
	}
	*to = '\0';
	return escaped;
}

char *sbus_backend_path(TALLOC_CTX *mem, const char *dir, const char *domain)
{
	char *escaped = sbus_escape(mem, domain);
	char *path = escaped ? talloc_asprintf(mem, "%s/sbus-dp_%s", dir ? dir : SBUS_DIR, escaped)
	                     : NULL;

	talloc_free(escaped);
	return path;
}
