/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing - a notify service that does nothing: the limit of socket activation
 *
 * Takes the inherited socket, says READY=1, and answers as a name service responder that knows
 * nobody would: the version handshake with its 20 bytes, everything else with "not found". Put
 * under the unit of a responder (another ExecStart=, the same socket), it tells what of the "first
 * answer through an idle socket" is systemd's and the sandbox's, and what is the program's.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/wire/proto.h"

/* length, command, status, reserved: common/wire/proto.h */
struct header {
	uint32_t length, command, status, reserved;
};

static int receive(int fd, void *bytes, size_t size)
{
	return recv(fd, bytes, size, MSG_WAITALL) == (ssize_t)size ? 0 : -1;
}

/* Until the client goes, or says what is no request. */
static void serve(int fd)
{
	struct {
		struct header header;
		uint32_t body[2];
	} reply = { 0 };
	char body[PROTO_REQUEST_MAX];
	bool is_version;

	while (receive(fd, &reply.header, sizeof(reply.header)) == 0) {
		size_t size = reply.header.length - sizeof(reply.header);

		if (size > sizeof(body) || (size > 0 && receive(fd, body, size) < 0))
			return;
		is_version = reply.header.command == PROTO_GET_VERSION;
		reply.header.length = is_version ? 20 : sizeof(reply);
		reply.body[0] = is_version ? PROTO_NSS_VERSION : 0;
		if (send(fd, &reply, reply.header.length, MSG_NOSIGNAL) < 0)
			return;
	}
}

int main(void)
{
	if (sd_listen_fds(0) < 1 || sd_notify(0, "READY=1") < 0) {
		fprintf(stderr, "nothing: no socket was handed over\n");
		return 2;
	}
	for (;;) {
		int fd = accept(SD_LISTEN_FDS_START, NULL, NULL);

		if (fd < 0)
			return 1;
		serve(fd);
		close(fd);
	}
}
