/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Responder stub - stands in for sssd_nss under the monitor: answers each connection on descriptor
 * 3 with its pid, then acts on the byte it gets: "x" exit 0, "a" abort, else wait for the next
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	char pid[16], byte;

	/* Exactly as systemd and the real one would agree on it. */
	if (argc < 3 || strcmp(argv[1], "--fd") != 0 || strcmp(argv[2], "nss=3") != 0)
		return 2;
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	for (;;) {
		int fd = accept(3, NULL, NULL);

		if (fd < 0) { /* it is not blocking */
			usleep(10000);
			continue;
		}
		if (write(fd, pid, strlen(pid)) < 0 || read(fd, &byte, 1) != 1)
			byte = 0;
		close(fd);
		if (byte == 'x')
			return 0;
		if (byte == 'a')
			abort();
	}
}
