/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Inherited sockets - what systemd (sd_listen_fds(3)) or another supervisor passed
 *
 * We never call listen() on them: the peer credentials clients check are those of whoever did.
 * The order of descriptors is not stable, their names are (FileDescriptorName=).
 */
#pragma once

#include <stddef.h>

struct listen_fd {
	int fd;
	char name[32]; /* from LISTEN_FDNAMES (cut to fit), or given with --fd NAME=NUMBER */
};

/* Collects the listening sockets handed to this process, checks each to be a listening unix
 * stream socket, makes it non-blocking and close-on-exec, and removes the variables from the
 * environment. Other descriptors, and those beyond max, are closed with a warning.
 * Returns how many there are, at most max. Errors: -EINVAL the variables make no sense. */
int listen_inherited(struct listen_fd *ret_fds, size_t max);

/* Reads "NAME=NUMBER" or "NUMBER" (then the name is "") from --fd.
 * Errors: -EINVAL it is no such text, or a socket of another kind; -ENOTSOCK; -EBADF. */
int listen_argument(const char *argument, struct listen_fd *ret_fd);
