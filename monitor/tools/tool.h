/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tool - what sssctl(8) and sss_cache(8) share
 */
#pragma once

#include <talloc.h>

#include "common/conf/conf.h"

/* Says on stderr what went wrong; EXIT_FAILURE. */
int failed(const char *what, int r);

/* Runs a program to its end. Its exit status; EXIT_FAILURE, with a line on stderr, without one. */
int run_program(char *const argv[]);

/* What sssd_conf(8) compiled for process, on mem; NULL, and a line on stderr, without it. */
struct conf *compiled_conf(TALLOC_CTX *mem, const char *process);

/* The name without its domain, and the domain that the text names; NULL for none.
 * Errors: -EINVAL it is no name; -ENOMEM. */
int read_name(TALLOC_CTX *mem, const struct conf *conf, const char *text, char **ret_name,
              char **ret_domain);

/* Becomes the user whose the caches are, so that no file of root's is left among them, and none
 * that was put there leads root astray. Errors: -ENOENT there is no such user;
 * account_become()'s. */
int become_service(void);
