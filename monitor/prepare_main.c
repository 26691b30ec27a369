/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssd_prepare - the root steps before the monitor (ExecStartPre=+ and ExecReload=+ of
 * sssd.service)
 *
 *   open the memory cache ─▶ the tree is whole? ─ no ─▶ systemd-tmpfiles --create, open it again
 *                                └─ yes ─────────────────┴─▶ keep CAP_DAC_READ_SEARCH alone
 *                                                              ─▶ exec sssd_conf --write
 *
 * One step and not two: systemd makes a mount namespace for each, whatever stands in front of it,
 * which costs more than all that is done here. "+" and not "!", because the unit's sandbox, too,
 * would be built for this step; so the program drops its capabilities itself before the first byte
 * of a file is read that an administrator may have had somebody else write.
 */
#include <errno.h>
#include <linux/capability.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/signals.h"
#include "common/memcache/boots.h"
#include "monitor/dirs.h"

#define TMPFILES "/usr/bin/systemd-tmpfiles"

static int repair_tree(void)
{
	char *argv[] = { (char *)"systemd-tmpfiles", (char *)"--create", (char *)"sssd.conf",
		         NULL };
	/* It looks up the owner's name: with the files, not with us. */
	char *environment[] = { (char *)"_SSS_LOOPS=NO", NULL };
	int status, r;
	pid_t pid;

	r = posix_spawn(&pid, TMPFILES, NULL, NULL, argv, environment);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

/* Where sssd-memcache.service has not done it, or somebody removed the files or links. Without it
 * there is no memory cache, and all else works. */
static void open_memcache(uid_t uid, gid_t gid)
{
	struct boots boots = { BOOTS_DIR, BOOTS_RUN_DIR, uid, gid };
	int r = boots_open(&boots);

	/* sssd_memcache has told of a mount. */
	if (r < 0 && r != -ENOENT && r != -EXDEV)
		log_warn("the memory cache cannot be opened: %s", error_text(r));
}

static int check_tree(void)
{
	const char *wrong = NULL;
	uid_t uid;
	gid_t gid;
	int r;

	r = account_find(NULL, ACCOUNT_SERVICE, &uid, &gid);
	if (r < 0) {
		log_fatal("user " ACCOUNT_SERVICE " in /etc/passwd: %s", error_text(r));
		return r;
	}
	open_memcache(uid, gid);
	if (dirs_are_whole("", uid, gid, &wrong))
		return 0;

	log_info("%s is not as it should be: " TMPFILES " is run", wrong);
	r = repair_tree();
	if (r < 0)
		log_fatal(TMPFILES " --create sssd.conf: %s", error_text(r));
	open_memcache(uid, gid);
	return r;
}

/* Of a root process: what it may do after exec(2) is what the bounding set holds. */
static int keep_one_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (capability != CAP_DAC_READ_SEARCH && prctl(PR_CAPBSET_DROP, capability) < 0 &&
		    errno != EINVAL) /* an older kernel knows fewer */
			return -errno;

	sets[0].permitted = sets[0].effective = 1u << CAP_DAC_READ_SEARCH;
	if (syscall(SYS_capset, &header, sets) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int main(int argc, char *argv[])
{
	bool reload = argc == 2 && strcmp(argv[1], "--reload") == 0;
	char *conf_argv[] = { (char *)"sssd_conf", (char *)"--write",
		              reload ? (char *)"--reload" : NULL, NULL };
	int r = 0;

	signals_calm();
	if (argc > 1 && !reload) {
		fprintf(stderr, "usage: sssd_prepare [--reload]\n");
		return 1;
	}
	log_start("sssd_prepare", LOG_TO_JOURNAL);

	/* A reload leaves the tree alone: daemons are at work in it. */
	if (!reload)
		r = check_tree();
	if (r == 0)
		r = keep_one_capability();
	if (r < 0) {
		log_fatal("cannot prepare the start: %s", error_text(r));
		return 1;
	}

	execv(LIBEXEC_DIR "/sssd_conf", conf_argv);
	log_fatal(LIBEXEC_DIR "/sssd_conf: %s", error_text(-errno));
	return 1;
}
