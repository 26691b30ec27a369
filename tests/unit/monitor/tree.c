/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A configuration in a directory of its own, for the tests of check and compile
 */
#include "tests/unit/monitor/tree.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"

static char dir[] = "/tmp/test_tree_XXXXXX";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	return ftw->level > 0 ? remove(path) : 0;
}

void tree_make(void)
{
	if (!mkdtemp(dir))
		abort();
}

void tree_clear(void)
{
	char path[64];

	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	snprintf(path, sizeof(path), "%s/conf.d", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

void tree_remove(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	rmdir(dir);
}

const char *tree_path(TALLOC_CTX *mem, const char *name)
{
	return talloc_asprintf(mem, "%s%s%s", dir, *name ? "/" : "", name);
}

void tree_put(const char *name, const char *text)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);

	ck_assert_int_eq(fd_write_file(tree_path(mem, name), text, strlen(text), 0600), 0);
}

char *tree_get(TALLOC_CTX *mem, const char *name)
{
	char *text;
	size_t size;

	return fd_read_file(mem, tree_path(mem, name), 1 << 20, &text, &size) == 0 ? text : NULL;
}

struct conf_report *tree_check(TALLOC_CTX *mem)
{
	struct conf_paths paths = { tree_path(mem, "sssd.conf"), NULL, tree_path(mem, "conf.d"),
		                    getuid(), getgid() };
	struct conf_report *report;

	ck_assert_int_eq(conf_check(mem, &paths, &report), 0);
	return report;
}
