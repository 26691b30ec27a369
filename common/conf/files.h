/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files - the administrator's: which are read, which are refused, what they say together
 *
 * sssd.conf, or where there is none the vendor's; on top of it the snippets, conf.d/ *.conf, not
 * beginning with ".", in the order of their bytes. The later one wins, option by option. A bad
 * snippet is left out, a bad main file makes the whole configuration unusable. The processes of
 * the suite do not come here: they read their compiled file (conf.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "common/conf/conf.h"

#define CONF_MAIN     "/etc/sssd/sssd.conf"
#define CONF_SNIPPETS "/etc/sssd/conf.d"
#define CONF_VENDOR   "/usr/lib/sssd/sssd.conf"

struct conf_paths {
	const char *main;
	const char *vendor;   /* read when main does not exist; may be NULL */
	const char *snippets; /* a directory; may be NULL */
	/* Owners that are taken beside root: the service account's. Nobody may write but the owner,
	 * nobody may read but the owner and the group. */
	uid_t uid;
	gid_t gid;
};

enum conf_file_state {
	CONF_FILE_USED,
	CONF_FILE_MISSING,    /* the main file, and there is no vendor's; the directory */
	CONF_FILE_UNREADABLE, /* reason tells why */
	CONF_FILE_ACCESS,     /* owner or mode; reason tells what was found and expected */
	CONF_FILE_SYNTAX,     /* line, number and reason: struct ini_error */
};

struct conf_file {
	const char *path;
	enum conf_file_state state;
	unsigned line;
	int number;
	const char *reason; /* NULL for a file that is used */
	uint64_t size;      /* of a file that is used */
	struct timespec mtime;
};

struct conf_files {
	struct conf_file main;     /* or the vendor's */
	struct conf_file snippets; /* the directory: missing, unreadable or used */
	struct conf_file *files;   /* every snippet in order, the refused ones too */
	unsigned n_files;
};

/* Reads all of it. ret_files, on mem, is set whatever comes out (but for -ENOMEM) and tells what
 * became of every file.
 * Errors: -ENOENT there is neither a main file nor a usable snippet; -E_CONFIG the main file was
 * refused. */
int conf_files_read(TALLOC_CTX *mem, const struct conf_paths *paths, struct conf_files **ret_files,
                    struct conf **ret_conf);
