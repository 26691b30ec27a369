/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Descriptors - small wrappers that return our errors
 */
#include "common/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"

int fd_peer(int fd, struct peer *ret_peer)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*ret_peer = (struct peer){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}

int fd_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int fd_set_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* A non-blocking connect(2) to a unix socket is complete, or fails, at once: unix(7) knows no
 * EINPROGRESS, a full backlog is EAGAIN. */
int fd_connect_unix(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t size = strlen(path) + 1;
	auto_close int fd = -1;

	/* An empty path would not be refused: its NULs are a name of the abstract kind. */
	if (size == 1)
		return -ENOENT;
	if (size > sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, size);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;

	*ret_fd = fd;
	fd = -1;
	return 0;
}

int fd_read_file(TALLOC_CTX *mem, const char *path, size_t max, char **ret_bytes, size_t *ret_size)
{
	/* O_NONBLOCK: opening a FIFO would wait for its writer. */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_talloc char *bytes = NULL;
	char *larger;
	size_t size = 0, room;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		return -EFBIG;

	/* The size is only a hint: files of proc(5) say 0, others grow while we read. */
	room = (size_t)st.st_size + 2;
	bytes = talloc_size(mem, room);
	if (!bytes)
		return -ENOMEM;

	while ((n = read(fd, bytes + size, room - 1 - size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
		if (size < room - 1)
			continue;

		room *= 2;
		larger = talloc_realloc_size(mem, bytes, room);
		if (!larger)
			return -ENOMEM;
		bytes = larger;
	}

	bytes[size] = '\0';
	*ret_bytes = take_ptr(bytes);
	*ret_size = size;
	return 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Writes the new file beside path and gives it path's name. aside is a template of mkstemp(3). */
static int write_aside(char *aside, const char *path, const void *bytes, size_t size, mode_t mode)
{
	auto_close int fd = mkostemp(aside, O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;

	r = write_all(fd, bytes, size);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(aside, path) < 0))
		r = -errno;
	if (r < 0)
		unlink(aside);
	return r;
}

/* The name a crash may leave behind begins with a dot, so that nobody takes it for a
 * configuration file. */
int fd_write_file(const char *path, const void *bytes, size_t size, mode_t mode)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	auto_free char *folder = slash ? strndup(path, (size_t)(name - path)) : strdup("./");
	auto_free char *aside = NULL;
	int r;

	if (!folder || asprintf(&aside, "%s.%s.XXXXXX", folder, name) < 0) {
		aside = NULL; /* asprintf(3) leaves it undefined */
		return -ENOMEM;
	}

	r = write_aside(aside, path, bytes, size, mode);
	return r < 0 ? r : fd_sync_dir(folder);
}

int fd_sync_dir(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}
