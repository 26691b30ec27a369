/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tool - what sssctl(8) and sss_cache(8) share
 */
#include "monitor/tools/tool.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/conf/naming.h"

int failed(const char *what, int r)
{
	fprintf(stderr, "%s: %s\n", what, error_text(r));
	return EXIT_FAILURE;
}

int run_program(char *const argv[])
{
	int status, r;
	pid_t pid;

	r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (r != 0)
		return failed(argv[0], -r);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return failed(argv[0], -errno);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

struct conf *compiled_conf(TALLOC_CTX *mem, const char *process)
{
	struct conf *conf = NULL;
	int r = conf_load(mem, NULL, process, &conf);

	if (r == 0)
		return conf;
	fprintf(stderr, "%s/%s/current: %s: is there a configuration, and was SSSD ever started?\n",
	        CONF_COMPILED_DIR, process, error_text(r));
	return NULL;
}

int read_name(TALLOC_CTX *mem, const struct conf *conf, const char *text, char **ret_name,
              char **ret_domain)
{
	const struct conf_value *value = conf_get(conf, "sssd", "re_expression");
	auto_talloc struct name_pattern *pattern = NULL;
	auto_talloc char *reason = NULL;
	struct name_parts parts;
	int r = 0;

	*ret_domain = NULL;
	if (value)
		r = name_pattern_new(mem, value->text, &pattern, &reason);
	if (r < 0 && r != -E_CONFIG)
		return r;
	if (!name_split(pattern, text, &parts))
		return -EINVAL;
	*ret_name = talloc_strndup(mem, parts.name, parts.name_size);
	if (parts.domain)
		*ret_domain = talloc_strndup(mem, parts.domain, parts.domain_size);
	return *ret_name && (!parts.domain || *ret_domain) ? 0 : -ENOMEM;
}

int become_service(void)
{
	uid_t uid;
	gid_t gid;
	int r = account_find(NULL, ACCOUNT_SERVICE, &uid, &gid);

	return r < 0 ? r : account_become(uid, gid);
}
