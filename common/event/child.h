/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Child - start a program of ours, notice its end
 *
 * posix_spawn(3) with an argv, never a shell. The child gets an empty signal mask and default
 * handlers, except that it ignores what we ignore of HUP, USR1 and USR2: these three must not hit
 * it before its main() has begun (common/base/signals.h). PR_SET_PDEATHSIG is not used (the parent
 * decides on a grace).
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>
#include <tevent.h>

#define CHILD_KEEP_MAX 16

struct child; /* a talloc object; freeing it forgets the process, it is not killed but reaped */

/* status is waitpid(2)'s. The struct child is freed after the callback. */
typedef void child_ended(struct child *child, int status, void *data);

/* Starts the program argv[0], a path.
 * environment  NULL = ours without what the service manager meant for us alone (NOTIFY_SOCKET,
 *              WATCHDOG_*, LISTEN_*)
 * keep         descriptors the child inherits under the numbers 3, 4, …; any order, overlapping
 *              these numbers or not; n_keep is 0 to CHILD_KEEP_MAX. Besides them it gets 0, 1, 2
 *              and no other.
 * The end is noticed through a pidfd (pidfd_open(2)), without SIGCHLD; ended runs from the loop.
 * Errors: errno of posix_spawn(3), pidfd_open(2); -EBADF keep holds none. */
int child_start(TALLOC_CTX *mem, struct tevent_context *ev, char *const argv[],
                char *const environment[], const int *keep, size_t n_keep, child_ended *ended,
                void *data, struct child **ret_child);

pid_t child_pid(const struct child *child);

/* SIGTERM now, SIGKILL after grace_ms, also when the struct child is freed meanwhile. */
void child_stop(struct child *child, int64_t grace_ms);
