/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Journal - one entry as one datagram to journald (systemd.io, "Native Journal Protocol")
 *
 * sd_journal_sendv(3) waits when journald is stopped and its queue is full; a daemon that must not
 * block its loop loses the line instead.
 */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Sends fields, each "NAME=value" without a newline in it, to the socket at path. At most 16.
 * Errors: errno of sendmsg(2), among them -EAGAIN (the queue is full), -ENOENT (no journal here),
 * -EMSGSIZE. May be called from any thread. */
int journal_send(const char *path, const struct iovec *fields, size_t n_fields);
