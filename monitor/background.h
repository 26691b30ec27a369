/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Background - sssd -D: the parent returns to its caller when the child is ready, or with its
 * failure
 */
#pragma once

#include <stdbool.h>

struct background {
	int fd; /* where the parent hears of us */
};

/* Forks. In the child it returns 0; the parent exits here, with 0 once background_ready() was
 * called, else with the child's status. Errors: errno of fork(2), pipe(2). */
int background_enter(struct background *ret_background);

/* Lets go of the terminal: before the first child starts, which would keep it open. Unless stderr
 * is kept, where somebody wants the log there, it leads nowhere from here on. */
void background_detach(bool keep_stderr);

/* Lets the parent go. */
void background_ready(struct background *background);
