/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Child - start a program of ours, notice its end
 *
 * posix_spawn(3) with an argv, never a shell. The child gets an empty signal mask, PR_SET_PDEATHSIG
 * is not used (the parent decides on a grace), all our descriptors are close-on-exec.
 */
#pragma once

#include <sys/types.h>
#include <talloc.h>
#include <tevent.h>

struct child; /* a talloc object; freeing it forgets the process, it is not killed */

/* status is waitpid(2)'s. The struct child is freed after the callback. */
typedef void child_ended(struct child *child, int status, void *data);

/* keep lists descriptors the child inherits under the numbers 3, 4, …; n_keep may be 0.
 * environment: NULL = ours. Noticed through a pidfd (pidfd_open(2)), without SIGCHLD.
 * Errors: errno of posix_spawn(3). */
int child_start(TALLOC_CTX *mem, struct tevent_context *ev, char *const argv[], char *const environment[],
                const int *keep, size_t n_keep, child_ended *ended, void *data, struct child **ret_child);

pid_t child_pid(const struct child *child);

/* SIGTERM now, SIGKILL after grace_ms. */
void child_stop(struct child *child, int64_t grace_ms);
