/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check - read the configuration and judge it: what is wrong, where, and what follows from it
 *
 * Design §5: an unknown option is a warning, a bad value keeps its domain from starting, a bad
 * file or list keeps everything as it was. sssd_conf acts on the judgement, sssctl config-check
 * prints it.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <talloc.h>

#include "common/conf/conf.h"
#include "common/conf/files.h"

enum finding_severity {
	FINDING_NOTE,    /* good to know: nothing is wrong */
	FINDING_WARNING, /* taken, but surely not as meant */
	FINDING_ERROR,   /* not taken: the domain does not start; elsewhere the default holds */
	FINDING_FATAL,   /* the configuration is refused as a whole */
};

struct finding {
	const char *rule; /* config-check's word: "allowed_sections", "value", … */
	enum finding_severity severity;
	const char *file; /* NULL when it is about no line */
	unsigned line;
	const char *text; /* a sentence */
};

struct checked_domain {
	const char *name;
	const char *refused; /* why it does not start, with file and line; NULL when it does */
};

/* How the suite takes it; the exit status of sssd_conf and sssd (spec/tools.md). */
enum conf_status {
	CONF_STATUS_GOOD = 0,       /* at least one domain can start */
	CONF_STATUS_BAD = 1,        /* [sssd] or the domains: a FINDING_FATAL tells why */
	CONF_STATUS_UNREADABLE = 3, /* no configuration, or the main file is refused: see files */
};

struct conf_report {
	enum conf_status status;
	struct conf_files *files;
	struct conf *conf;        /* the effective configuration; NULL when it is unreadable */
	struct finding *findings; /* in the order of config-check's rules */
	unsigned n_findings;
	struct checked_domain *domains; /* the enabled ones, in lookup order */
	unsigned n_domains;
	const char **services; /* what services= names and is built, once each; NULL-terminated */
};

/* Paths of the system below root ("" or "/tmp/x"), with main = file unless it is NULL. Snippets
 * always come from /etc/sssd/conf.d. The texts hang below mem. Errors: -ENOMEM. */
int conf_check_paths(TALLOC_CTX *mem, const char *root, const char *file,
                     struct conf_paths *ret_paths);

/* Judges. Errors: -ENOMEM; whatever is wrong with the configuration is in ret_report. */
int conf_check(TALLOC_CTX *mem, const struct conf_paths *paths, struct conf_report **ret_report);

/* The responders that may be named in services=, and whether they are built (in lower case). */
struct known_service {
	const char *name;
	bool built;
};
extern const struct known_service known_services[]; /* ends with a NULL name */

/* sssctl config-check (options.md §3.2): reads file (NULL = /etc/sssd/sssd.conf) and the snippets
 * in snippet_dir (NULL = conf.d beside file) and prints the three blocks. Returns the exit status:
 * 0 nothing to say, 1 something, 2 no memory. */
int conf_check_print(FILE *out, const char *file, const char *snippet_dir);
