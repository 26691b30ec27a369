/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shells - override_shell, allowed_shells and the others (sssd.conf(5))
 *
 * The order in which they are asked, seen at Debian's sssd 2.8.2:
 *
 *   override_shell ─▶ no shell: default_shell ─▶ vetoed_shells: shell_fallback
 *       ─▶ allowed_shells: in /etc/shells: as it is; listed: shell_fallback; else: nologin(8)
 */
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

#define SHELLS      "/etc/shells"
#define SHELLS_SIZE (1u << 20)
#define NOLOGIN     "/sbin/nologin"

/* The path in a line of shells(5): from the first '/' to a blank or a comment. Ends it in place;
 * NULL when there is none. */
static char *path_in(char *line)
{
	char *path;

	line[strcspn(line, "#")] = '\0';
	path = strchr(line, '/');
	if (path)
		path[strcspn(path, " \t\r\v\f")] = '\0';
	return path;
}

int shells_parse(TALLOC_CTX *mem, char *text, char ***ret_shells)
{
	auto_talloc char **shells = NULL;
	size_t n = 0, room = 2;
	char *line;

	for (const char *c = text; *c; c++)
		room += *c == '\n';
	shells = talloc_zero_array(mem, char *, (unsigned)room);
	if (!shells)
		return -ENOMEM;
	while ((line = strsep(&text, "\n")) != NULL) {
		const char *path = path_in(line);

		if (path && !(shells[n++] = talloc_strdup(shells, path)))
			return -ENOMEM;
	}
	*ret_shells = take_ptr(shells);
	return 0;
}

/* The file is local and its size is bounded, and what is no regular file is not read: nobody waits.
 * A host without it has no shells. */
int nss_prepare(TALLOC_CTX *mem, void *conf)
{
	struct nss *nss = conf;
	auto_talloc char *text = NULL;
	size_t size;
	int r;

	if (!nss->conf.allowed_shells)
		return 0;
	r = fd_read_file(mem, SHELLS, SHELLS_SIZE, &text, &size);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_warn(SHELLS ": %s: allowed_shells goes by its list alone", error_text(r));
		return 0;
	}
	return shells_parse(mem, text, &nss->shells);
}

const char *nss_shell(const struct nss *nss, const struct domain *domain, const char *shell)
{
	const struct nss_conf *conf = &nss->conf;
	const char *override = domain->conf.override_shell ?: conf->override_shell;

	if (override)
		return override;
	if (!*shell)
		return domain->conf.default_shell ?: conf->default_shell ?: "";
	if (str_list_contains(conf->vetoed_shells, shell))
		return conf->shell_fallback;
	if (!conf->allowed_shells || str_list_contains(nss->shells, shell))
		return shell;
	if (str_list_contains(conf->allowed_shells, shell) ||
	    str_list_contains(conf->allowed_shells, "*"))
		return conf->shell_fallback;
	return NOLOGIN;
}
