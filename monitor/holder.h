/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Holder - has that process that listening socket?
 *
 * The kernel says which process began to listen at a path (SO_PEERCRED), by a number that another
 * process may have by now.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Has pid a descriptor of a socket that listens at path? True also of a process that is there and
 * whose descriptors are not ours to see. */
bool holder_is(pid_t pid, const char *path);
