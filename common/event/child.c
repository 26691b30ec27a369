/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Child - a process is watched by an object of its own, below the event context: it is reaped even
 * when nobody wants to know about it any more
 */
#include "common/event/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/timer.h"

#define FIRST_KEPT 3 /* behind stdin, stdout, stderr */

struct process {
	struct tevent_context *ev; /* borrowed: our parent */
	struct child *child;       /* borrowed; NULL once it was freed */
	pid_t pid;
	int pidfd;
	struct tevent_fd *fde;     /* owned */
	struct timer *kill_timer;  /* owned */
};

struct child {
	struct process *process;   /* borrowed; NULL once the event context is gone */
	pid_t pid;
	child_ended *ended;
	void *data;                /* borrowed */
};

/* ---- the end ---- */

static int child_free(struct child *child)
{
	if (child->process)
		child->process->child = NULL;
	return 0;
}

static int process_free(struct process *process)
{
	if (process->child)
		process->child->process = NULL;
	TALLOC_FREE(process->fde);
	close(process->pidfd);
	return 0;
}

static void process_ended(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                          void *data)
{
	struct process *process = data;
	int status;
	pid_t pid;

	(void)ev;
	(void)fde;
	(void)flags;

	pid = waitpid(process->pid, &status, WNOHANG);
	if (pid == 0)
		return;
	if (pid < 0)
		status = W_EXITCODE(255, 0); /* somebody else reaped it: all we know is the end */

	/* The callback may free the struct child, or what it hangs below. */
	if (process->child)
		process->child->ended(process->child, status, process->child->data);
	talloc_free(process->child);
	talloc_free(process);
}

static void grace_over(void *data)
{
	struct process *process = data;

	process->kill_timer = NULL;
	pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
}

void child_stop(struct child *child, int64_t grace_ms)
{
	struct process *process = child->process;

	if (!process)
		return;
	pidfd_send_signal(process->pidfd, SIGTERM, NULL, 0);

	/* Without memory for the grace there is none. */
	TALLOC_FREE(process->kill_timer);
	process->kill_timer = timer_once(process, process->ev, grace_ms, grace_over, process);
	if (!process->kill_timer)
		pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
}

pid_t child_pid(const struct child *child)
{
	return child->pid;
}

/* ---- the start ---- */

static bool is_meant_for_us(const char *variable)
{
	static const char *const ours[] = { "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=",
		                            "LISTEN_PID=",    "LISTEN_FDS=",   "LISTEN_FDNAMES=" };

	for (size_t i = 0; i < str_size(ours); i++)
		if (strncmp(variable, ours[i], strlen(ours[i])) == 0)
			return true;
	return false;
}

static char **handed_down(TALLOC_CTX *mem, char *const environment[])
{
	char **kept;
	unsigned n = 0;

	while (environment[n])
		n++;
	kept = talloc_array(mem, char *, n + 1);
	if (!kept)
		return NULL;

	n = 0;
	for (size_t i = 0; environment[i]; i++)
		if (!is_meant_for_us(environment[i]))
			kept[n++] = environment[i];
	kept[n] = NULL;
	return kept;
}

static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t none, defaults;
	int r;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGTERM);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGPIPE);

	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &defaults);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return -r;
}

/* Each descriptor is first copied above all targets, so that no dup2(2) in the child hits one that
 * is still needed, or one that already has its number and would keep its close-on-exec flag. */
static int set_descriptors(posix_spawn_file_actions_t *actions, const int *keep, size_t n_keep,
                           int *ret_copies, size_t *ret_n_copies)
{
	int beyond = FIRST_KEPT + (int)n_keep;
	int copy, r = 0;

	for (size_t i = 0; i < n_keep && r == 0; i++) {
		copy = fcntl(keep[i], F_DUPFD_CLOEXEC, beyond);
		if (copy < 0)
			return -errno;
		ret_copies[(*ret_n_copies)++] = copy;
		r = posix_spawn_file_actions_adddup2(actions, copy, FIRST_KEPT + (int)i);
	}
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, beyond);
	return -r;
}

static int spawn(char *const argv[], char *const environment[], const int *keep, size_t n_keep,
                 pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int copies[CHILD_KEEP_MAX];
	size_t n_copies = 0;
	int r;

	posix_spawn_file_actions_init(&actions); /* these two cannot fail in glibc */
	posix_spawnattr_init(&attr);

	r = set_signals(&attr);
	if (r == 0)
		r = set_descriptors(&actions, keep, n_keep, copies, &n_copies);
	if (r == 0)
		r = -posix_spawn(ret_pid, argv[0], &actions, &attr, argv, environment);

	while (n_copies > 0)
		close(copies[--n_copies]);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int watch(struct process *process, pid_t pid)
{
	process->pidfd = pidfd_open(pid, 0);
	if (process->pidfd < 0)
		return -errno;
	talloc_set_destructor(process, process_free);

	process->fde = tevent_add_fd(process->ev, process, process->pidfd, TEVENT_FD_READ,
	                             process_ended, process);
	return process->fde ? 0 : -ENOMEM;
}

int child_start(TALLOC_CTX *mem, struct tevent_context *ev, char *const argv[],
                char *const environment[], const int *keep, size_t n_keep, child_ended *ended,
                void *data, struct child **ret_child)
{
	auto_talloc struct process *process = talloc_zero(ev, struct process);
	auto_talloc struct child *child = talloc_zero(mem, struct child);
	auto_talloc char **own = NULL;
	pid_t pid;
	int r;

	assert(n_keep <= CHILD_KEEP_MAX);

	if (!environment)
		environment = own = handed_down(NULL, environ);
	if (!process || !child || !environment)
		return -ENOMEM;
	process->ev = ev;

	r = spawn(argv, environment, keep, n_keep, &pid);
	if (r < 0)
		return r;
	r = watch(process, pid);
	if (r < 0) {
		/* A process we could not keep an eye on is none we want. */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}

	process->pid = child->pid = pid;
	process->child = child;
	child->process = process;
	child->ended = ended;
	child->data = data;
	talloc_set_destructor(child, child_free);

	take_ptr(process);
	*ret_child = take_ptr(child);
	return 0;
}
