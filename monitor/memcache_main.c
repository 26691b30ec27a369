/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssd_memcache - the root steps around the memory cache at the two ends of a boot
 * (sssd-memcache.service): "open" and "close" of common/memcache/boots.h
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/signals.h"
#include "common/memcache/boots.h"

#define WAIT_MS 5000 /* for the responder, which is told to end at the same time as we are */

static int open_files(const struct boots *boots)
{
	int r = boots_open(boots);

	if (r >= 0 || r == -ENOENT)
		return 0;
	if (r == -EROFS) {
		log_info("%s is read-only: there is no memory cache, or the one of the last boot",
		         boots->dir);
		return 0;
	}
	if (r == -EXDEV) {
		log_warn("%s/mc is a mount point: what is there stays as it is, and is not kept "
		         "from boot to boot; unmount it to have files of this machine's own there",
		         boots->dir);
		return 0;
	}
	log_error("the memory cache cannot be opened: %s: clients have to ask", error_text(r));
	return r;
}

/* A shutdown goes on. */
static void close_files(const struct boots *boots)
{
	int r = boots_close(boots, WAIT_MS);

	if (r < 0 && r != -ENOENT)
		log_warn("the memory cache is not kept for the next boot: %s", error_text(r));
}

int main(int argc, char *argv[])
{
	struct boots boots = { .dir = BOOTS_DIR, .run_dir = BOOTS_RUN_DIR };
	const char *what = argc == 2 ? argv[1] : "";
	int r;

	signals_calm();
	if (strcmp(what, "open") != 0 && strcmp(what, "close") != 0) {
		fprintf(stderr, "usage: sssd_memcache open|close\n");
		return 1;
	}
	log_start("sssd_memcache", LOG_TO_JOURNAL);

	r = account_find(NULL, ACCOUNT_SERVICE, &boots.uid, &boots.gid);
	if (r < 0) {
		/* It is made later in this boot; sssd_prepare comes after that. */
		log_info("user " ACCOUNT_SERVICE " in /etc/passwd: %s", error_text(r));
		return 0;
	}
	if (strcmp(what, "open") == 0)
		return open_files(&boots) < 0;
	close_files(&boots);
	return 0;
}
