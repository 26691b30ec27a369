/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Crash - a fault on a damaged page leaves a mark behind
 *
 * LMDB trusts its pages: what it finds on a damaged one may lead it out of the map (SIGSEGV),
 * behind the end of a file that was cut (SIGBUS) or into an assertion (SIGABRT). The process cannot
 * go on, but it can say on which file it fell: the backend has that one checked, and whoever starts
 * this process again need not fall again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/cache/impl.h"

/* Such a signal goes to the thread that caused it. */
static __thread const char *volatile suspect;

static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT };
static struct sigaction others[str_size(signals)]; /* who had the signal before: a sanitizer */

void crash_begin(const struct cache_files *files)
{
	suspect = files->suspect;
}

void crash_end(void)
{
	suspect = NULL;
}

/* Only calls that signal-safety(7) lists. */
static void crashed(int number, siginfo_t *info, void *context)
{
	const char *path = suspect;
	int fd;

	(void)context;
	if (path) {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			close(fd);
	}

	/* A fault happens again behind us and takes its course; one that was sent does not. */
	for (size_t i = 0; i < str_size(signals); i++)
		if (signals[i] == number)
			sigaction(number, &others[i], NULL);
	if (info->si_code <= 0)
		raise(number);
}

void cache_watch_crashes(void)
{
	struct sigaction ours = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO };

	/* At a second call the one before would be ourselves, and a crash never end. */
	sigemptyset(&ours.sa_mask);
	for (size_t i = 0; i < str_size(signals); i++) {
		struct sigaction before;

		sigaction(signals[i], &ours, &before);
		if (!(before.sa_flags & SA_SIGINFO) || before.sa_sigaction != crashed)
			others[i] = before;
	}
}
