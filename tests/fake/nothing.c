/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing - a notify service that does nothing: the limit of socket activation
 *
 *   nothing serve          says READY=1, answers every connection with a byte
 *   nothing connect PATH   connects, waits for the byte, prints the microseconds
 *
 * Under the unit settings of a responder it tells what of "first answer through an idle socket" is
 * systemd's and the sandbox's, and what is ours.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

static int serve(void)
{
	if (sd_listen_fds(0) < 1 || sd_notify(0, "READY=1") < 0)
		return 1;
	for (;;) {
		int fd = accept(SD_LISTEN_FDS_START, NULL, NULL);

		if (fd < 0 || write(fd, "", 1) != 1)
			return 1;
		close(fd);
	}
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int ask(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	double begin = now();
	char byte;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    read(fd, &byte, 1) != 1)
		return 1;
	printf("%.0f\n", now() - begin);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return serve();
	if (argc == 3 && strcmp(argv[1], "connect") == 0)
		return ask(argv[2]);
	fprintf(stderr, "usage: nothing serve | nothing connect PATH\n");
	return 2;
}
