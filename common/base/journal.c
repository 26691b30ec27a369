/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Journal - one entry as one datagram to journald
 */
#include "common/base/journal.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIELDS_MAX 16

static _Atomic int journal_fd = -1; /* kept for the life of the process, never connected */

/* Threads may race for the first line: the loser closes its own. */
static int open_once(void)
{
	int none = -1, fd = journal_fd;

	if (fd >= 0)
		return fd;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (atomic_compare_exchange_strong(&journal_fd, &none, fd))
		return fd;
	close(fd);
	return none;
}

int journal_send(const char *path, const struct iovec *fields, size_t n_fields)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct iovec parts[2 * FIELDS_MAX];
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = parts,
		.msg_iovlen = 2 * n_fields,
	};
	int fd;

	assert(n_fields <= FIELDS_MAX && strlen(path) < sizeof(address.sun_path));
	fd = open_once();
	if (fd < 0)
		return fd;

	memcpy(address.sun_path, path, strlen(path));
	for (size_t i = 0; i < n_fields; i++) {
		parts[2 * i] = fields[i];
		parts[2 * i + 1] = (struct iovec){ .iov_base = (void *)"\n", .iov_len = 1 };
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
