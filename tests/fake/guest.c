/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * guest - a program that is a bad host to the NSS module, and counts what it left behind
 *
 *   guest SCENARIO ROUNDS USER UID GROUP MEMBERS GROUPS
 *     USER, UID       one of the directory's
 *     GROUP, MEMBERS  a large one, and how many members it has
 *     GROUPS          in how many groups USER is, the primary one left out
 *
 * The scenarios are the rows of the table at the end. Exit 0: each answer was right, or "cannot
 * tell" where the scenario allows for that; no descriptor of this program was read, written, closed
 * or replaced; and no thread left more than one socket. Else there is a line on stderr.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <nss.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE      "libnss_sss.so.2"
#define BUFFER_SIZE (1 << 20)
#define FIRST_FD    3
#define LAST_FD     64
#define ALL_FDS     1024
#define THREADS     64
#define LATE_S      20 /* the library's own limit, twice */

typedef enum nss_status by_name(const char *, struct passwd *, char *, size_t, int *);
typedef enum nss_status by_id(uid_t, struct passwd *, char *, size_t, int *);
typedef enum nss_status group_by_name(const char *, struct group *, char *, size_t, int *);
typedef enum nss_status groups_of(const char *, gid_t, long *, long *, gid_t **, long, int *);

static by_name *getpwnam_of;
static by_id *getpwuid_of;
static group_by_name *getgrnam_of;
static groups_of *initgroups_of;

static unsigned n_rounds;
static const char *user, *group;
static uid_t uid;
static unsigned n_members;
static long n_groups;

static void fail(const char *what, long number)
{
	fprintf(stderr, "guest: %s: %ld\n", what, number);
	_exit(1);
}

static void must(bool is, const char *what, long number)
{
	if (!is)
		fail(what, number);
}

static void *load(void)
{
	void *module = dlopen(MODULE, RTLD_NOW);

	must(module, dlerror(), 0);
	getpwnam_of = (by_name *)dlsym(module, "_nss_sss_getpwnam_r");
	getpwuid_of = (by_id *)dlsym(module, "_nss_sss_getpwuid_r");
	getgrnam_of = (group_by_name *)dlsym(module, "_nss_sss_getgrnam_r");
	initgroups_of = (groups_of *)dlsym(module, "_nss_sss_initgroups_dyn");
	must(getpwnam_of && getpwuid_of && getgrnam_of && initgroups_of, "functions", 0);
	return module;
}

/* ---- questions ---- */

/* True: it was answered, and rightly. False: "cannot tell". Never anything else. */
static bool ask(void)
{
	char buffer[4096];
	struct passwd entry;
	int error = 0;
	enum nss_status status = getpwnam_of(user, &entry, buffer, sizeof(buffer), &error);

	if (status == NSS_STATUS_SUCCESS) {
		must(strcmp(entry.pw_name, user) == 0 && entry.pw_uid == uid, "by name",
		     entry.pw_uid);
		status = getpwuid_of(uid, &entry, buffer, sizeof(buffer), &error);
	}
	if (status == NSS_STATUS_SUCCESS) {
		must(strcmp(entry.pw_name, user) == 0 && entry.pw_uid == uid, "by id",
		     entry.pw_uid);
		return true;
	}
	must(status == NSS_STATUS_UNAVAIL, "status", status);
	return false;
}

static void must_be_answered(void)
{
	must(ask(), "no answer", errno);
}

/* ---- descriptors ---- */

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int count_sockets(void)
{
	int n = 0;

	for (int fd = 0; fd < ALL_FDS; fd++)
		n += is_socket(fd);
	return n;
}

/* Ours, and how they were: a file to see whether it is read or written, or a socket to see whether
 * it is sent to. */
struct own {
	int fd, peer; /* peer -1: a file */
	ino_t ino;
	int flags;
};
static struct own owns[ALL_FDS];
static int n_owns;

static void own(int fd, int peer)
{
	struct stat st;

	must(fstat(fd, &st) == 0, "fstat", errno);
	owns[n_owns++] = (struct own){ fd, peer, st.st_ino, fcntl(fd, F_GETFL) };
}

/* Takes every free number from first to last. */
static void take_all(int first, int last)
{
	for (int fd = first; fd <= last; fd++) {
		int pair[2];

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (fd % 2) {
			int file = memfd_create("own", 0);

			must(file >= 0 && write(file, "abc", 3) == 3, "memfd", errno);
			if (file != fd) {
				must(dup2(file, fd) == fd, "dup2", errno);
				close(file);
			}
			own(fd, -1);
			continue;
		}
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair", errno);
		/* Its other end out of everybody's way. */
		must(dup2(pair[1], 500 + fd) == 500 + fd, "dup2", errno);
		close(pair[1]);
		if (pair[0] != fd) {
			must(dup2(pair[0], fd) == fd, "dup2", errno);
			close(pair[0]);
		}
		own(fd, 500 + fd);
	}
}

static void must_be_untouched(void)
{
	for (int i = 0; i < n_owns; i++) {
		const struct own *is = &owns[i];
		struct stat st;
		char byte;

		must(fstat(is->fd, &st) == 0 && st.st_ino == is->ino, "not ours any more", is->fd);
		must(fcntl(is->fd, F_GETFL) == is->flags, "other flags", is->fd);
		if (is->peer < 0)
			must(lseek(is->fd, 0, SEEK_CUR) == 3 && st.st_size == 3, "read or written",
			     is->fd);
		else
			must(recv(is->peer, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN,
			     "sent to, or closed", is->fd);
	}
}

static int count_own_sockets(void)
{
	int n = 0;

	for (int i = 0; i < n_owns; i++)
		n += owns[i].peer >= 0 ? 2 : 0;
	return n;
}

/* As a daemon does at its start, and then it opens its own. */
static void close_all(void)
{
	n_owns = 0;
	for (int fd = FIRST_FD; fd < ALL_FDS; fd++)
		close(fd);
}

static void descriptors(void)
{
	for (unsigned round = 0; round < n_rounds; round++) {
		/* The lowest, all up to our connection's own, and the number itself. */
		int last = LAST_FD + (int)(round % 8);

		must_be_answered();
		close_all();
		if (round % 3 != 0)
			take_all(FIRST_FD, last);
		must_be_answered();
		must_be_answered();
		must_be_untouched();
		must(count_sockets() - count_own_sockets() <= 1, "sockets", count_sockets());
	}
}

/* ---- processes ---- */

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		must(errno == EINTR, "waitpid", errno);
	return status;
}

static pid_t ask_in_vforked_child(void)
{
	pid_t child = vfork();

	if (child == 0) {
		ask(); /* which may be refused: the connection is the parent's */
		_exit(0);
	}
	return child;
}

static void vforks(void)
{
	for (unsigned round = 0; round < n_rounds; round++) {
		pid_t child;

		if (round % 2)
			must_be_answered();
		child = ask_in_vforked_child();
		must(child >= 0, "vfork", errno);
		must(wait_for(child) == 0, "child", round);
		must_be_answered();
		must(count_sockets() <= 1, "sockets", count_sockets());
	}
}

static volatile bool over;
static pthread_barrier_t all_began;

/* Whoever comes while another thread opens the file does without it: where nobody else can be
 * asked, that is no answer, for that moment. */
static void get_first_answer(void)
{
	for (int tries = 0; !ask(); tries++) {
		must(tries < 100, "no first answer", errno);
		usleep(10000);
	}
}

static void *ask_until_over(void *nothing)
{
	(void)nothing;
	get_first_answer();
	pthread_barrier_wait(&all_began);
	while (!over)
		must_be_answered();
	return NULL;
}

/* Returns when each had its first answer. */
static void start(pthread_t *threads, int n)
{
	over = false;
	pthread_barrier_init(&all_began, NULL, (unsigned)n + 1);
	for (int i = 0; i < n; i++)
		must(pthread_create(&threads[i], NULL, ask_until_over, NULL) == 0, "thread", i);
	pthread_barrier_wait(&all_began);
}

static void stop(pthread_t *threads, int n)
{
	over = true;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* A socket that a fork(2) catches between socket(2) and being noted down stays with the child. That
 * may happen to each thread once. */
static void forks(void)
{
	pthread_t threads[8];
	int n_caught = 0;

	start(threads, 8);
	for (unsigned round = 0; round < n_rounds; round++) {
		pid_t child = fork();
		int status;

		must(child >= 0, "fork", errno);
		if (child == 0) {
			alarm(LATE_S);
			must_be_answered();
			_exit(count_sockets() <= 1 ? 0 : 2);
		}
		status = wait_for(child);
		must(WIFEXITED(status) && WEXITSTATUS(status) != 1, "child", round);
		n_caught += WEXITSTATUS(status) == 2;
	}
	stop(threads, 8);
	must(n_caught <= 8, "children with two sockets", n_caught);
	must(count_sockets() <= 1, "sockets", count_sockets());
}

/* ---- threads ---- */

static pthread_barrier_t all_asked, counted;

static void *ask_often(void *nothing)
{
	(void)nothing;
	get_first_answer();
	for (unsigned round = 1; round < n_rounds; round++)
		must_be_answered();
	pthread_barrier_wait(&all_asked);
	pthread_barrier_wait(&counted);
	return NULL;
}

static void threads(void)
{
	pthread_t all[THREADS];

	pthread_barrier_init(&all_asked, NULL, THREADS + 1);
	pthread_barrier_init(&counted, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&all[i], NULL, ask_often, NULL) == 0, "thread", i);
	pthread_barrier_wait(&all_asked);
	must(count_sockets() <= THREADS, "sockets", count_sockets());
	pthread_barrier_wait(&counted);
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
	must(count_sockets() == 0, "sockets after all threads", count_sockets());
}

static pthread_barrier_t may_be_cancelled;
static bool at_once; /* at the first place where that is noticed, or anywhere */

static void *ask_until_cancelled(void *nothing)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_barrier_wait(&may_be_cancelled);
	if (at_once)
		pthread_barrier_wait(&may_be_cancelled);
	pthread_setcancelstate(state, NULL);
	for (;;) {
		ask();
		pthread_testcancel(); /* an answer from the file is no place for it */
	}
	return nothing;
}

static void cancels(void)
{
	pthread_t all[8];

	for (unsigned round = 0; round < n_rounds; round++) {
		at_once = round % 2;
		pthread_barrier_init(&may_be_cancelled, NULL, 9);
		for (int i = 0; i < 8; i++)
			must(pthread_create(&all[i], NULL, ask_until_cancelled, NULL) == 0,
			     "thread", i);
		pthread_barrier_wait(&may_be_cancelled);
		if (!at_once)
			usleep(round % 64 * 20);
		for (int i = 0; i < 8; i++)
			pthread_cancel(all[i]);
		if (at_once)
			pthread_barrier_wait(&may_be_cancelled);
		for (int i = 0; i < 8; i++)
			pthread_join(all[i], NULL);
		must(count_sockets() == 0, "sockets after all threads", count_sockets());
	}
	must_be_answered();
}

/* glibc interrupts every thread for each of these calls. */
static void identities(void)
{
	static const gid_t none[] = { 0 };
	pthread_t all[8];

	start(all, 8);
	for (unsigned round = 0; round < n_rounds; round++)
		must(setgroups(round % 2, none) == 0, "setgroups", errno);
	stop(all, 8);
}

/* ---- signals ---- */

static void interrupt(int signal)
{
	(void)signal;
}

static void signals(void)
{
	struct sigaction action = { .sa_handler = interrupt }; /* no SA_RESTART */
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned round = 0; round < n_rounds; round++)
		must_be_answered();
	setitimer(ITIMER_REAL, &never, NULL);
	must(count_sockets() <= 1, "sockets", count_sockets());
}

/* ---- less and less of a system ---- */

static void chroots(void)
{
	char empty[] = "/tmp/guest-XXXXXX";
	unsigned answered = 0;
	pid_t child;

	must_be_answered();
	must(mkdtemp(empty) && chroot(empty) == 0 && chdir("/") == 0, "chroot", errno);
	/* The open connection goes on; a file is let go within a second. */
	for (unsigned round = 0; round < n_rounds; round++)
		answered += ask();
	child = fork();
	if (child == 0) {
		alarm(LATE_S);
		ask(); /* nobody is there, unless it is in the file */
		sleep(2);
		must(!ask(), "answered by nobody", 0);
		_exit(0);
	}
	must(wait_for(child) == 0, "child", 0);
	must(answered == n_rounds || answered == 0, "answered", answered);
}

static void forbid(unsigned call, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	             prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
	     "seccomp", errno);
}

/* Each call that the library makes is refused, before its first question and after. */
static void seccomp(void)
{
	static const unsigned calls[] = {
		SYS_socket,       SYS_connect,        SYS_sendto, SYS_recvfrom, SYS_poll,
		SYS_newfstatat,   SYS_fstat,          SYS_openat, SYS_fcntl,    SYS_mmap,
		SYS_madvise,      SYS_setsockopt,     SYS_getpid, SYS_munmap,   SYS_mprotect,
		SYS_rt_sigaction, SYS_rt_sigprocmask,
	};
	static const int errors[] = { EPERM, ENOSYS, EACCES };

	for (unsigned round = 0; round < n_rounds; round++)
		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
			pid_t child = fork();

			if (child == 0) {
				alarm(LATE_S);
				if (round % 2)
					must_be_answered();
				forbid(calls[i], errors[round % 3]);
				ask();
				ask();
				_exit(0);
			}
			must(wait_for(child) == 0, "child, and the call it lacked", calls[i]);
		}
}

/* ---- buffers ---- */

/* Grows it by step until it is enough, and not once more. */
static void grow(size_t step)
{
	char *buffer = malloc(BUFFER_SIZE);
	enum nss_status status = NSS_STATUS_TRYAGAIN;
	struct group entry;
	unsigned n = 0;
	int error = ERANGE;

	for (size_t size = 0; status == NSS_STATUS_TRYAGAIN; size = size * 2 + step) {
		must(error == ERANGE && size <= BUFFER_SIZE, "group", error);
		status = getgrnam_of(group, &entry, buffer, size, &error);
	}
	must(status == NSS_STATUS_SUCCESS, "status", status);
	for (; entry.gr_mem[n]; n++)
		must(entry.gr_mem[n][0] != '\0', "member", n);
	must(n == n_members, "members", n);
	free(buffer);
}

static void count_groups(long room, long limit)
{
	gid_t *gids = malloc((size_t)room * sizeof(*gids));
	long n = 0, want = limit > 0 && limit < n_groups ? limit : n_groups;
	int error = 0;

	must(initgroups_of(user, (gid_t)-2, &n, &room, &gids, limit, &error) == NSS_STATUS_SUCCESS,
	     "groups", error);
	/* The primary group is no other user's here, so it counts. */
	must(n == want || n == want + 1, "number of groups", n);
	free(gids);
}

static void buffers(void)
{
	size_t used = 0;

	for (unsigned round = 0; round < n_rounds; round++) {
		grow(1 + round % 17);
		count_groups(1, -1);
		count_groups(1 + round % 5, 5);
		if (round == n_rounds / 2)
			used = mallinfo2().uordblks;
	}
	must(mallinfo2().uordblks <= used + 4096, "bytes kept", (long)mallinfo2().uordblks);
}

/* ---- in and out ---- */

static void reloads(void)
{
	for (unsigned round = 0; round < n_rounds; round++) {
		void *module = load();

		must_be_answered();
		must(dlclose(module) == 0, "dlclose", round);
		must(count_sockets() <= 1, "sockets", count_sockets());
	}
}

/* The module with a C library of its own, beside ours, in a program that ends while it is there. */
static void ask_in_namespace(void)
{
	void *module = dlmopen(LM_ID_NEWLM, MODULE, RTLD_NOW);
	by_name *ask_there;
	struct passwd entry;
	char buffer[4096];
	int error = 0;

	must(module, dlerror(), 0);
	ask_there = (by_name *)dlsym(module, "_nss_sss_getpwnam_r");
	must(ask_there && ask_there != getpwnam_of, "a second module", 0);
	must(ask_there(user, &entry, buffer, sizeof(buffer), &error) == NSS_STATUS_SUCCESS &&
	             entry.pw_uid == uid,
	     "answer there", error);
}

static void namespaces(void)
{
	const char *cache = getenv("SSS_NSS_USE_MEMCACHE");
	bool has_socket = cache && strcmp(cache, "NO") == 0;

	for (unsigned round = 0; round < n_rounds; round++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			ask_in_namespace();
			/* The other's handler of SIGBUS stands before ours now: from the next
			 * second on we do without the file. */
			must(ask() || !has_socket, "no answer", errno);
			if (round % 2 == 0)
				ask_in_namespace();
			must(count_sockets() <= 3, "sockets", count_sockets());
			exit(0); /* with all that is run at an exit */
		}
		must(child > 0, "fork", errno);
		status = wait_for(child);
		must(status == 0, "status", status);
		must_be_answered();
	}
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{ "descriptors", descriptors },
		{ "vforks", vforks },
		{ "forks", forks },
		{ "threads", threads },
		{ "cancels", cancels },
		{ "signals", signals },
		{ "identities", identities },
		{ "chroots", chroots },
		{ "seccomp", seccomp },
		{ "buffers", buffers },
		{ "reloads", reloads },
		{ "namespaces", namespaces },
	};

	must(argc == 8, "arguments", argc);
	n_rounds = (unsigned)atoi(argv[2]);
	user = argv[3];
	uid = (uid_t)atoi(argv[4]);
	group = argv[5];
	n_members = (unsigned)atoi(argv[6]);
	n_groups = atol(argv[7]);
	load();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (strcmp(scenarios[i].name, argv[1]) == 0) {
			scenarios[i].run();
			return 0;
		}
	fail("no such scenario", 0);
}
