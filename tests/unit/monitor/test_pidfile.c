/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pid file: one holder, whoever comes in between, and whatever a reader locks
 */
#include "monitor/pidfile.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIVALS 3
#define ROUNDS 1000

static char dir[64], path[96];

static char *lock_path(void)
{
	static char lock[128];

	snprintf(lock, sizeof(lock), "%s.lock", path);
	return lock;
}

static void setup(void)
{
	strcpy(dir, "/tmp/pidfile-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sssd.pid", dir);
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(dir), 0); /* and nothing was left there */
}

/* Runs it in a process of its own, which says when it is done, and then waits to be killed. */
static pid_t start(void (*what)(void))
{
	int told[2];
	pid_t pid;

	ck_assert_int_eq(pipe(told), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		what();
		if (write(told[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(told[1]);
	ck_assert_int_eq(read(told[0], &(char){ 0 }, 1), 1);
	close(told[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void hold(void)
{
	struct pidfile *pidfile;

	if (pidfile_take(NULL, path, &pidfile) < 0)
		_exit(1);
}

/* As any user can, for ever. */
static void lock_for_reading(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0)
		_exit(1);
}

static void crash(void)
{
	end(start(hold));
}

/* ---- who comes in between ---- */

static pid_t rival;
static bool rival_comes; /* before the next file is removed */

int unlink(const char *name)
{
	if (rival_comes) {
		rival_comes = false;
		rival = start(hold);
	}
	return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}

START_TEST(test_one_at_a_time)
{
	struct pidfile *pidfile, *second;
	struct stat st;
	pid_t other;

	other = start(hold);
	ck_assert_int_eq(pidfile_take(NULL, path, &second), -EEXIST);
	end(other);

	ck_assert_int_eq(pidfile_take(NULL, path, &pidfile), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(stat(lock_path(), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	talloc_free(pidfile);
}
END_TEST

/* The old file has a reader's lock; a rival takes it as it is about to be removed, if it is. */
START_TEST(test_a_rival_between_two_steps_keeps_its_file)
{
	struct pidfile *pidfile;
	pid_t reader;
	int r;

	crash();
	reader = start(lock_for_reading);
	rival_comes = true;
	r = pidfile_take(NULL, path, &pidfile);
	rival_comes = false;
	ck_assert_int_eq(r, rival ? -EEXIST : 0);
	if (r == 0)
		talloc_free(pidfile);
	if (rival)
		end(rival);
	end(reader);
}
END_TEST

START_TEST(test_a_readers_lock_is_in_nobodys_way)
{
	struct pidfile *pidfile;
	pid_t readers[2];

	crash();
	readers[0] = start(lock_for_reading);
	ck_assert_int_eq(pidfile_take(NULL, path, &pidfile), 0);
	readers[1] = start(lock_for_reading); /* on the new one */
	talloc_free(pidfile);
	ck_assert_int_eq(pidfile_take(NULL, path, &pidfile), 0);
	talloc_free(pidfile);
	end(readers[0]);
	end(readers[1]);
}
END_TEST

/* Each begins at once when another has ended, many times; some crash. */
static void race(atomic_int *holders, bool crashes)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct pidfile *pidfile;
		int r = pidfile_take(NULL, path, &pidfile);

		if (r == -EEXIST)
			continue;
		if (r < 0 || atomic_fetch_add(holders, 1) != 0)
			_exit(1);
		atomic_fetch_sub(holders, 1);
		if (crashes && i > ROUNDS / 2)
			_exit(0);
		talloc_free(pidfile);
	}
	_exit(0);
}

START_TEST(test_rivals_that_race)
{
	atomic_int *holders = mmap(NULL, sizeof(*holders), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t rivals[RIVALS], reader;
	struct pidfile *pidfile;
	int status;

	ck_assert_ptr_ne(holders, MAP_FAILED);
	crash();
	reader = start(lock_for_reading);
	for (int i = 0; i < RIVALS; i++) {
		rivals[i] = fork();
		ck_assert_int_ge(rivals[i], 0);
		if (rivals[i] == 0)
			race(holders, i == 0);
	}
	for (int i = 0; i < RIVALS; i++) {
		ck_assert_int_eq(waitpid(rivals[i], &status, 0), rivals[i]);
		ck_assert_int_eq(status, 0);
	}
	end(reader);
	ck_assert_int_eq(pidfile_take(NULL, path, &pidfile), 0);
	talloc_free(pidfile);
	munmap(holders, sizeof(*holders));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pidfile");
	TCase *tcase = tcase_create("pidfile");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60); /* each take waits for the disk */
	tcase_add_test(tcase, test_one_at_a_time);
	tcase_add_test(tcase, test_a_rival_between_two_steps_keeps_its_file);
	tcase_add_test(tcase, test_a_readers_lock_is_in_nobodys_way);
	tcase_add_test(tcase, test_rivals_that_race);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
