/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Inherited sockets - nothing is taken for one that is not listening already
 */
#include "common/event/listen.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"

static int socket_option(int fd, int option, int *ret_value)
{
	socklen_t size = sizeof(*ret_value);

	return getsockopt(fd, SOL_SOCKET, option, ret_value, &size) < 0 ? -errno : 0;
}

static int prepare(int fd)
{
	int family, type, listens, r;

	r = socket_option(fd, SO_DOMAIN, &family);
	if (r == 0)
		r = socket_option(fd, SO_TYPE, &type);
	if (r == 0)
		r = socket_option(fd, SO_ACCEPTCONN, &listens);
	if (r < 0)
		return r;
	if (family != AF_UNIX || type != SOCK_STREAM || !listens)
		return -EINVAL;

	r = fd_set_nonblocking(fd);
	return r < 0 ? r : fd_set_cloexec(fd);
}

static void set_name(struct listen_fd *listen, const char *name, size_t size)
{
	if (size >= sizeof(listen->name))
		size = sizeof(listen->name) - 1;
	memcpy(listen->name, name, size);
	listen->name[size] = '\0';
}

static void free_names(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

int listen_inherited(struct listen_fd *ret_fds, size_t max)
{
	char **names = NULL;
	size_t taken = 0;
	int n;

	n = sd_listen_fds_with_names(1, &names);
	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (taken == max || prepare(fd) < 0) {
			log_warn("inherited descriptor %d (%s) is closed: it is none of the "
			         "listening unix sockets we want",
			         fd, names[i]);
			close(fd);
			continue;
		}
		ret_fds[taken].fd = fd;
		set_name(&ret_fds[taken++], names[i], strlen(names[i]));
	}
	free_names(names);
	return n < 0 ? n : (int)taken;
}

int listen_argument(const char *argument, struct listen_fd *ret_fd)
{
	const char *equals = strchr(argument, '=');
	const char *digits = equals ? equals + 1 : argument;
	size_t name_size = equals ? (size_t)(equals - argument) : 0;
	struct listen_fd listen;
	uint32_t number;
	int r;

	if (equals && (name_size == 0 || name_size >= sizeof(listen.name)))
		return -EINVAL;
	if (str_to_u32(digits, &number) < 0 || number > INT_MAX)
		return -EINVAL;

	listen.fd = (int)number;
	r = prepare(listen.fd);
	if (r < 0)
		return r;
	set_name(&listen, argument, name_size);

	*ret_fd = listen;
	return 0;
}
