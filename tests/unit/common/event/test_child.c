/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The program that is started is this one: with an argument it plays the child.
 */
#include "common/event/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/signals.h"
#include "common/base/time.h"
#include "common/event/timer.h"
#include "tests/unit/common/event/in_fork.h"

#define SELF "/proc/self/exe"

/* ---- the child's side ---- */

/* Exit status: how many descriptors from 3 on are open, 100 if they are not 3, 4, … in a row; each
 * has its number written to it. */
static int play_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *item;
	int n = 0, highest = 2;

	while ((item = readdir(fds)) != NULL) {
		int fd = atoi(item->d_name);

		if (item->d_name[0] == '.' || fd < 3 || fd == dirfd(fds))
			continue;
		n++;
		if (fd > highest)
			highest = fd;
		if (write(fd, &fd, sizeof(fd)) != sizeof(fd))
			return 101;
	}
	closedir(fds);
	return highest == n + 2 ? n : 100;
}

/* What the monitor and its children would not survive before their main(). */
static int play_calm(void)
{
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	return 0;
}

static int play_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGPIPE };
	struct sigaction now;
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (!sigisemptyset(&mask))
		return 1;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaction(numbers[i], NULL, &now);
		if (now.sa_handler != SIG_DFL)
			return 2;
	}
	return 0;
}

static int play_environment(void)
{
	if (getenv("NOTIFY_SOCKET") || getenv("WATCHDOG_USEC") || getenv("WATCHDOG_PID"))
		return 1;
	if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES"))
		return 2;
	return getenv("TEST_KEPT") ? 0 : 3;
}

/* Says on 3 that TERM is ignored by now. */
static int play_stubborn(void)
{
	signal(SIGTERM, SIG_IGN);
	if (write(3, "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static int play(const char *part)
{
	if (strcmp(part, "fds") == 0)
		return play_fds();
	if (strcmp(part, "signals") == 0)
		return play_signals();
	if (strcmp(part, "calm") == 0)
		return play_calm();
	if (strcmp(part, "environment") == 0)
		return play_environment();
	if (strcmp(part, "stubborn") == 0)
		return play_stubborn();
	if (strcmp(part, "wait") == 0)
		for (;;)
			pause();
	return atoi(part);
}

/* ---- the parent's side ---- */

struct ending {
	int n, status;
	bool free_it;
};

static struct tevent_context *ev;

static void begin(void)
{
	ev = tevent_context_init(NULL);
}

static void end(void)
{
	talloc_free(ev);
}

static void ended(struct child *child, int status, void *data)
{
	struct ending *ending = data;

	ending->n++;
	ending->status = status;
	if (ending->free_it)
		talloc_free(child);
}

static int start(const char *part, const int *keep, size_t n_keep, struct ending *ending,
                 struct child **ret_child)
{
	char *argv[] = { (char[]){ SELF }, (char *)(uintptr_t)part, NULL };

	return child_start(ev, ev, argv, NULL, keep, n_keep, ended, ending, ret_child);
}

static int status_of(const char *part)
{
	struct ending ending = { 0 };
	struct child *child;

	if (start(part, NULL, 0, &ending, &child) < 0)
		return -1;
	while (ending.n == 0)
		tevent_loop_once(ev);
	return ending.status;
}

static void stop(void *data)
{
	*(bool *)data = true;
}

static void run_for(int64_t ms)
{
	bool is_over = false;

	timer_once(ev, ev, ms, stop, &is_over);
	while (!is_over)
		tevent_loop_once(ev);
}

START_TEST(test_exit_status_comes_through)
{
	int status = status_of("0");

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = status_of("7");
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}
END_TEST

START_TEST(test_signals_are_at_their_defaults)
{
	sigset_t mask;

	sigfillset(&mask);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	ck_assert_int_eq(status_of("signals"), 0);
}
END_TEST

START_TEST(test_what_scripts_send_is_harmless_from_the_first_instruction_on)
{
	signals_calm();
	ck_assert_int_eq(status_of("calm"), 0);
}
END_TEST

START_TEST(test_what_the_service_manager_said_to_us_stays_with_us)
{
	static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
		                             "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setenv(names[i], "1", 1);
	setenv("TEST_KEPT", "1", 1);
	ck_assert_int_eq(status_of("environment"), 0);
	ck_assert_ptr_nonnull(getenv("NOTIFY_SOCKET"));
}
END_TEST

START_TEST(test_a_given_environment_is_all_there_is)
{
	char *argv[] = { (char[]){ SELF }, (char[]){ "environment" }, NULL };
	char *environment[] = { (char[]){ "TEST_KEPT=1" }, NULL };
	struct ending ending = { 0 };
	struct child *child;

	setenv("NOTIFY_SOCKET", "1", 1);
	unsetenv("TEST_KEPT");
	ck_assert_int_eq(child_start(ev, ev, argv, environment, NULL, 0, ended, &ending, &child),
	                 0);
	while (ending.n == 0)
		tevent_loop_once(ev);
	ck_assert_int_eq(ending.status, 0);
}
END_TEST

/* Three pipes whose writing ends lie under 3, 4 and 5 here, handed over in another order, so that
 * each target is another one's source; and a fourth far away. Nothing else may arrive. */
static int descriptors_arrive(void)
{
	static const int lies_under[] = { 4, 5, 3, 90 };
	struct ending ending = { 0 };
	struct child *child;
	int ends[4][2], number;

	for (int fd = 3; fd < 100; fd++)
		close(fd);
	for (int i = 0; i < 4; i++) {
		EXPECT(pipe2(ends[i], O_CLOEXEC) == 0);
		ends[i][0] = fcntl(ends[i][0], F_DUPFD_CLOEXEC, 20);
		ends[i][1] = fcntl(ends[i][1], F_DUPFD_CLOEXEC, 40);
		for (int fd = 3; fd < 20; fd++)
			close(fd);
	}
	for (int i = 0; i < 4; i++)
		EXPECT(dup2(ends[i][1], lies_under[i]) == lies_under[i]);
	EXPECT(dup2(ends[0][1], 7) == 7); /* not close-on-exec, and not asked for */

	ev = tevent_context_init(NULL);
	EXPECT(start("fds", lies_under, 4, &ending, &child) == 0);
	while (ending.n == 0)
		tevent_loop_once(ev);
	EXPECT(ending.status == W_EXITCODE(4, 0));
	for (int i = 0; i < 4; i++) {
		EXPECT(read(ends[i][0], &number, sizeof(number)) == sizeof(number));
		EXPECT(number == 3 + i);
		EXPECT(fcntl(lies_under[i], F_GETFD) == 0); /* ours are as they were */
	}
	return 0;
}

START_TEST(test_exactly_the_kept_descriptors_arrive)
{
	in_fork(descriptors_arrive);
}
END_TEST

static size_t count_open(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

START_TEST(test_nothing_stays_open)
{
	const int keep[] = { STDERR_FILENO, STDERR_FILENO };
	struct ending ending = { 0 };
	struct child *child;
	size_t before;

	ck_assert_int_eq(timer_prepare(ev), 0);
	before = count_open();
	ck_assert_int_eq(start("0", keep, 2, &ending, &child), 0);
	while (ending.n == 0)
		tevent_loop_once(ev);
	ck_assert_uint_eq(count_open(), before);
}
END_TEST

START_TEST(test_no_program_no_child)
{
	char *argv[] = { (char[]){ "/nowhere/program" }, NULL };
	const int keep[] = { 999 };
	struct ending ending = { 0 };
	struct child *child = NULL;
	size_t blocks = talloc_total_blocks(ev), open = count_open();

	ck_assert_int_eq(child_start(ev, ev, argv, NULL, NULL, 0, ended, &ending, &child),
	                 -ENOENT);
	ck_assert_int_eq(start("0", keep, 1, &ending, &child), -EBADF);
	ck_assert_ptr_null(child);
	ck_assert_uint_eq(talloc_total_blocks(ev), blocks);
	ck_assert_uint_eq(count_open(), open);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(test_term_is_enough_for_most)
{
	struct ending ending = { 0 };
	struct child *child;

	ck_assert_int_eq(start("wait", NULL, 0, &ending, &child), 0);
	ck_assert_int_eq(kill(child_pid(child), 0), 0);
	child_stop(child, 60000);
	while (ending.n == 0)
		tevent_loop_once(ev);
	ck_assert(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGTERM);
}
END_TEST

static struct child *start_stubborn(struct ending *ending)
{
	struct child *child;
	int ends[2];
	char byte;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(start("stubborn", &ends[1], 1, ending, &child), 0);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return child;
}

START_TEST(test_kill_follows_after_the_grace)
{
	struct ending ending = { 0 };
	struct child *child = start_stubborn(&ending);
	int64_t begun;

	child_stop(child, 5);
	child_stop(child, 60000); /* the latest grace counts */
	run_for(30);
	ck_assert_int_eq(ending.n, 0);
	begun = monotonic_us();
	child_stop(child, 40);
	while (ending.n == 0)
		tevent_loop_once(ev);
	ck_assert_int_ge(monotonic_us() - begun, 40000);
	ck_assert(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGKILL);
}
END_TEST

START_TEST(test_forgotten_after_stop_is_killed_and_reaped_all_the_same)
{
	struct ending ending = { 0 };
	struct child *child = start_stubborn(&ending);
	pid_t pid = child_pid(child);

	child_stop(child, 10);
	talloc_free(child);
	while (kill(pid, 0) == 0)
		run_for(5);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(ending.n, 0);
}
END_TEST

START_TEST(test_forgotten_lives_on)
{
	struct ending ending = { 0 };
	struct child *child;
	pid_t pid;

	ck_assert_int_eq(start("wait", NULL, 0, &ending, &child), 0);
	pid = child_pid(child);
	talloc_free(child);
	run_for(10);
	ck_assert_int_eq(kill(pid, 0), 0);

	kill(pid, SIGKILL);
	while (kill(pid, 0) == 0)
		run_for(5);
	ck_assert_int_eq(ending.n, 0);
}
END_TEST

START_TEST(test_callback_may_free_the_child)
{
	struct ending ending = { .free_it = true };
	struct child *child;
	size_t blocks = talloc_total_blocks(ev);

	ck_assert_int_eq(start("0", NULL, 0, &ending, &child), 0);
	while (ending.n == 0)
		tevent_loop_once(ev);
	ck_assert_uint_eq(talloc_total_blocks(ev), blocks);
}
END_TEST

static void stop_what_ended(struct child *child, int status, void *data)
{
	child_stop(child, 0); /* nobody's pid any more: must hit nothing */
	ended(child, status, data);
}

START_TEST(test_stopping_what_has_ended_does_nothing)
{
	char *argv[] = { (char[]){ SELF }, (char[]){ "5" }, NULL };
	struct ending ending = { 0 };
	struct child *child;
	TALLOC_CTX *mem = talloc_new(NULL);

	ck_assert_int_eq(child_start(mem, ev, argv, NULL, NULL, 0, stop_what_ended, &ending,
	                             &child),
	                 0);
	while (ending.n == 0)
		tevent_loop_once(ev);
	run_for(5);
	ck_assert_int_eq(ending.status, W_EXITCODE(5, 0));
	ck_assert_uint_eq(talloc_total_blocks(mem), 1);

	ck_assert_int_eq(child_start(mem, ev, argv, NULL, NULL, 0, ended, &ending, &child), 0);
	TALLOC_FREE(ev);
	child_stop(child, 0); /* its context is gone */
	talloc_free(mem);
	wait(NULL);
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite;
	TCase *all;
	SRunner *runner;
	int failed;

	if (argc > 1)
		return play(argv[1]);

	suite = suite_create("child");
	all = tcase_create("all");
	tcase_add_checked_fixture(all, begin, end);
	tcase_add_test(all, test_exit_status_comes_through);
	tcase_add_test(all, test_signals_are_at_their_defaults);
	tcase_add_test(all, test_what_scripts_send_is_harmless_from_the_first_instruction_on);
	tcase_add_test(all, test_what_the_service_manager_said_to_us_stays_with_us);
	tcase_add_test(all, test_a_given_environment_is_all_there_is);
	tcase_add_test(all, test_exactly_the_kept_descriptors_arrive);
	tcase_add_test(all, test_nothing_stays_open);
	tcase_add_test(all, test_no_program_no_child);
	tcase_add_test(all, test_term_is_enough_for_most);
	tcase_add_test(all, test_kill_follows_after_the_grace);
	tcase_add_test(all, test_forgotten_after_stop_is_killed_and_reaped_all_the_same);
	tcase_add_test(all, test_forgotten_lives_on);
	tcase_add_test(all, test_callback_may_free_the_child);
	tcase_add_test(all, test_stopping_what_has_ended_does_nothing);
	suite_add_tcase(suite, all);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
