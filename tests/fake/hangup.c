/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hangup - listens at the path given and hangs up on whoever comes: the limit of a flood
 *
 * What a user's process that connects again and again costs all others of a machine, by itself and
 * by the kernel's work for both ends, whoever listens.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(argv[1], 0666) < 0 || listen(fd, SOMAXCONN) < 0) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			return 1;
		close(client);
	}
}
