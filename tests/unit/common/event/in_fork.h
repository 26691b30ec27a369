/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In fork - run a piece of a test in a process of its own, which may close descriptors 3 and up,
 * change signals and the environment, or die
 *
 * body must not use check's assertions (their messages travel through one of those descriptors);
 * it returns 0, or the number of the line that found something wrong.
 */
#pragma once

#include <check.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(condition)                \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

static inline void in_fork(int (*body)(void))
{
	int ends[2], line = -1, status;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* Out of the way of what body does with the low numbers. */
		int out = dup2(ends[1], 200);

		line = body();
		_exit(write(out, &line, sizeof(line)) == sizeof(line) ? 0 : 1);
	}
	close(ends[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "ended with status 0x%x", (unsigned)status);
	ck_assert_int_eq(read(ends[0], &line, sizeof(line)), sizeof(line));
	close(ends[0]);
	ck_assert_msg(line == 0, "wrong in line %d", line);
}
