/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Boots - how the files of the memory cache come from one boot into the next
 *
 * Nobody syncs the files while they are in use. After a power cut each page of them is of another
 * moment, and no reader of any vendor could tell: so no path on the disk leads to them then. The
 * one that does goes by way of /run, which ends with the boot.
 *
 *   in use  /var/lib/sss/mc ─▶ /run/sss/mc ─▶ /var/lib/sss/mc.files     and nothing after a crash
 *   closed  /var/lib/sss/mc ─▶ mc.files      synced, and nobody writes: they answer at the first
 *                                            moment of the next boot
 *
 * The seed of the files stands for the series of boots through which they came. Its name is the
 * target of a link beside that which leads to them: /run/sss/mc.series, or /var/lib/sss/mc.series.
 *
 * Where /var/lib/sss/mc is a directory there are no links to be made (without systemd, or where it
 * is a mount point), a series is one boot, and what is said here does not happen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BOOTS_DIR     "/var/lib/sss"
#define BOOTS_RUN_DIR "/run/sss"

/* Are the files in dir closed? Then nobody may write there, but for giving a file up, synced. */
bool boots_are_closed(const char *dir);

/* To which series of boots the files in dir belong. */
uint64_t boots_series(const char *dir);

struct boots {
	const char *dir, *run_dir; /* BOOTS_DIR, BOOTS_RUN_DIR but for tests */
	uid_t uid;                 /* whose the files are */
	gid_t gid;
};

/* Root's. Takes the files into use: those that were closed, and no others. 1 if it did so, 0 they
 * were in use. Errors: -ENOENT there is no dir; -EXDEV something is mounted in the place of the
 * link, and stays as it is; -EBUSY another one opens or closes them for too long; -EROFS and others
 * of symlink(2) and unlink(2): then nothing is in use that was not closed. */
int boots_open(const struct boots *boots);

/* Root's. Syncs and closes the files, once their writers have left. 1 if it did so, 0 nothing was
 * in use. Errors: -EBUSY somebody still writes after wait_ms, or opens or closes them; of fsync(2)
 * and others: then the next boot begins without them. */
int boots_close(const struct boots *boots, int64_t wait_ms);
