/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Background - sssd -D: the parent returns to its caller when the child is ready, or with its
 * failure
 */
#include "monitor/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void wait_for(pid_t pid, int fd)
{
	char byte;
	int status;
	ssize_t size;

	do
		size = read(fd, &byte, 1);
	while (size < 0 && errno == EINTR);
	if (size == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(EXIT_FAILURE);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

int background_enter(struct background *ret_background)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(fds[0]);
		close(fds[1]);
		return r;
	}
	if (pid > 0) {
		close(fds[1]);
		wait_for(pid, fds[0]);
	}
	close(fds[0]);
	setsid();
	ret_background->fd = fds[1];
	return 0;
}

void background_detach(bool keep_stderr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int last = keep_stderr ? STDOUT_FILENO : STDERR_FILENO;

	for (int fd = 0; null >= 0 && fd <= last; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	(void)!chdir("/"); /* it is there */
}

void background_ready(struct background *background)
{
	(void)!write(background->fd, "", 1); /* the parent may be gone */
	close(background->fd);
}
