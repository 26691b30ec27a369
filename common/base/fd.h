/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Descriptors - small wrappers that return our errors
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <talloc.h>

/* Who is at the other end of a unix socket (unix(7), SO_PEERCRED). */
struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

int fd_peer(int fd, struct peer *ret_peer);
int fd_set_nonblocking(int fd);
int fd_set_cloexec(int fd);

/* A connected, non-blocking, close-on-exec stream socket to the unix socket at path. Never waits.
 * Errors: errno of connect(2), among them -EAGAIN (backlog full); -ENAMETOOLONG. */
int fd_connect_unix(const char *path, int *ret_fd);

/* The whole regular file at path, a NUL behind it, on mem.
 * Errors: errno of open(2), read(2); -EFBIG it is larger than max bytes; -EINVAL it is no regular
 * file. */
int fd_read_file(TALLOC_CTX *mem, const char *path, size_t max, char **ret_bytes, size_t *ret_size);

/* Replaces the file at path: written aside in the same directory with mode, synced, renamed, the
 * directory synced. Either the old or the new content is there at any moment. */
int fd_write_file(const char *path, const void *bytes, size_t size, mode_t mode);

/* Syncs the directory at path: else a power cut may bring back the name of before, or none. */
int fd_sync_dir(const char *path);
