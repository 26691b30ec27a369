/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A configuration in a directory of its own, for the tests of check and compile
 */
#pragma once

#include <talloc.h>

#include "monitor/check.h"

/* Makes the directory once per program; everything in it goes with tree_clear(). */
void tree_make(void);
void tree_clear(void);
void tree_remove(void);

/* The path of name below it. */
const char *tree_path(TALLOC_CTX *mem, const char *name);

/* Writes a file with mode 0600. */
void tree_put(const char *name, const char *text);

/* The whole file, NULL when there is none. */
char *tree_get(TALLOC_CTX *mem, const char *name);

/* Judges sssd.conf and conf.d/ of the tree; whoever runs the test is the service account. */
struct conf_report *tree_check(TALLOC_CTX *mem);
