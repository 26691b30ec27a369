/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Directories - the directories and links that only root can make, and whether they are as they
 * should be
 *
 * The same list as units/sssd.tmpfiles (a test compares them): systemd-tmpfiles repairs, this only
 * looks, in a tenth of a millisecond, so that a start on a healthy host need not run it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct dirs_item {
	const char *path;
	const char *target; /* of a symlink; NULL: a directory */
	mode_t mode;        /* of a directory */
	bool user, group;   /* the service's, else root's */
	bool below;         /* what lies in it belongs to the same owner and group, too */
};

/* In the order in which they are made; ends with a NULL path. */
extern const struct dirs_item dirs_items[];

/* Is everything there, with its mode and owner? Below root ("" but for tests), uid and gid being
 * the service user's. ret_wrong: the first path that is not as it should be, from dirs_items. */
bool dirs_are_whole(const char *root, uid_t uid, gid_t gid, const char **ret_wrong);
