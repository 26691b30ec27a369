/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Holder: a process that listens, one that inherited that, and those that do not
 */
#include "monitor/holder.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];
static int fd;

static void setup(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(path, sizeof(path), "/tmp/holder-test-%d", (int)getpid());
	unlink(path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void teardown(void)
{
	close(fd);
	unlink(path);
}

/* A process that waits, with the socket or without it. */
static pid_t start(bool with)
{
	int told[2];
	pid_t pid;

	ck_assert_int_eq(pipe(told), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (!with)
			close(fd);
		if (write(told[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	ck_assert_int_eq(read(told[0], &(char){ 0 }, 1), 1);
	close(told[0]);
	close(told[1]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(test_who_has_the_socket)
{
	pid_t with, without;

	ck_assert(!holder_is(getpid(), path)); /* it does not listen yet */
	ck_assert_int_eq(listen(fd, 1), 0);
	with = start(true);
	without = start(false);
	ck_assert(holder_is(getpid(), path));
	ck_assert(holder_is(with, path));
	ck_assert(!holder_is(without, path));
	ck_assert(!holder_is(getpid(), "/tmp/holder-test"));
	end(with);
	end(without);
	ck_assert(!holder_is(with, path));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("holder");
	TCase *tcase = tcase_create("holder");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_who_has_the_socket);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
