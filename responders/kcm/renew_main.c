/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * kcm_renew - the helper that waits for KDCs, so that sssd_kcm does not
 *
 * A local service (design §2): it takes connections, from its own user only, and gives each a child
 * that holds one conversation (renew_proto.h) and ends. It reads nothing itself. A child has the
 * time its request names, and however it spends it, ends with LIMIT_S: TERM, then KILL. After
 * IDLE_S without work the service ends, if whoever holds the socket can start it again. Without a
 * listening socket it holds the conversation on its standard input (s6-ipcserver(8)).
 *
 * What became of a conversation its child's end tells, which is counted here: a child that is at
 * the end of its time counts nothing itself.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/event/daemon.h"
#include "common/event/listen.h"
#include "common/wire/frame.h"
#include "responders/kcm/renew_ticket.h"

#define IDLE_S       60
#define CHILDREN_MAX 16
#define LIMIT_S      (RENEW_LIMIT_MAX_S + 5)
#define KILL_S       2
#define READ_LIMIT_S 5
#define SECOND_US    1000000
#define RUN_DIR      "/run/sssd"
#define METRICS_NAME "kcm-renew"
#define KEYTAB       "keytab" /* a credential of the unit (systemd.exec(5), LoadCredential=) */

/* ---- one conversation, in a process of its own ---- */

static bool read_all(int fd, uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

/* Where libkrb5 looks for the keys of this host. */
static const char *keytab_name(char *room, size_t size)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (dir) {
		snprintf(room, size, "FILE:%s/" KEYTAB, dir);
		if (access(room + strlen("FILE:"), R_OK) == 0)
			return room;
	}
	return "FILE:/etc/krb5.keytab";
}

/* Returns whether it was answered; ret_result is what with. */
static bool converse(int fd, enum metrics_renewal *ret_result)
{
	static uint8_t bytes[RENEW_MESSAGE_MAX];
	struct writer out = writer_new(RENEW_MESSAGE_MAX);
	struct renew_request request;
	struct reader in;
	char keytab[4096];
	int64_t size;
	int r;

	signal(SIGALRM, SIG_DFL);
	alarm(READ_LIMIT_S);
	*ret_result = METRICS_RENEWAL_ERROR;
	if (!read_all(fd, bytes, FRAME_BE_SIZE))
		return false;
	size = frame_be_length(bytes, FRAME_BE_SIZE, RENEW_MESSAGE_MAX);
	if (size < FRAME_BE_SIZE ||
	    !read_all(fd, bytes + FRAME_BE_SIZE, (size_t)size - FRAME_BE_SIZE))
		return false;
	in = reader_over(bytes + FRAME_BE_SIZE, (size_t)size - FRAME_BE_SIZE);
	r = renew_read_request(&in, &request);
	if (r < 0) {
		log_error("a request is refused: %s", error_text(r));
		return false;
	}

	alarm(request.limit_s);
	*ret_result = renew_ticket(&request, keytab_name(keytab, sizeof(keytab)), &out);
	r = writer_end(&out);
	if (r == 0 && !write_all(fd, out.bytes, out.size))
		r = -errno;
	secret_wipe(bytes, sizeof(bytes));
	if (out.bytes)
		secret_wipe(out.bytes, out.room);
	writer_free(&out);
	return r == 0;
}

/* By the status with which the process of one ended. */
static void count_end(int status, int64_t begun_us)
{
	unsigned result = METRICS_RENEWAL_ERROR;

	if (WIFEXITED(status) && WEXITSTATUS(status) < METRICS_RENEWAL_RESULTS)
		result = (unsigned)WEXITSTATUS(status);
	else if (WIFSIGNALED(status) &&
	         (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGTERM))
		result = METRICS_UNANSWERED;
	metrics_count(METRICS_RENEWALS + result);
	metrics_time(METRICS_RENEWAL_TIMES, monotonic_us() - begun_us);
}

/* In this process. */
static int converse_alone(void)
{
	int64_t begun_us = monotonic_us();
	enum metrics_renewal result;
	bool answered;

	metrics_count(METRICS_RENEWALS_BEGUN);
	answered = converse(STDIN_FILENO, &result);
	count_end(W_EXITCODE((int)result, 0), begun_us);
	return answered ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the service ---- */

struct conversation {
	pid_t pid; /* 0 = none */
	int64_t begun_us, end_us;
	bool told;
};

struct service {
	struct pollfd sockets[4];
	size_t n_sockets;
	struct conversation conversations[CHILDREN_MAX];
	int64_t active_us;
};

static volatile sig_atomic_t stop;

static void told_to_stop(int signal_number)
{
	(void)signal_number;
	stop = 1;
}

/* So that ppoll(2) returns. */
static void child_ended(int signal_number)
{
	(void)signal_number;
}

static bool is_ours(int fd)
{
	struct peer peer;

	return fd_peer(fd, &peer) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static struct conversation *free_place(struct service *service)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (service->conversations[i].pid == 0)
			return &service->conversations[i];
	return NULL;
}

static void begin(struct service *service, int listener, struct conversation *place)
{
	auto_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	enum metrics_renewal result;
	sigset_t none;
	pid_t pid;

	if (fd < 0)
		return;
	if (!is_ours(fd)) {
		log_warn("somebody who is not our user is turned away");
		return;
	}
	service->active_us = monotonic_us();
	metrics_look(); /* the tree may have been repaired since the last one */
	metrics_count(METRICS_RENEWALS_BEGUN);
	pid = fork();
	if (pid < 0) {
		count_end(W_EXITCODE(METRICS_RENEWAL_ERROR, 0), service->active_us);
		log_error("no process for a renewal: %s", error_text(-errno));
		return;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&none);
		signal(SIGTERM, SIG_DFL);
		sigprocmask(SIG_SETMASK, &none, NULL);
		for (size_t i = 0; i < service->n_sockets; i++)
			close(service->sockets[i].fd);
		converse(fd, &result);
		_exit((int)result);
	}
	*place = (struct conversation){
		.pid = pid,
		.begun_us = service->active_us,
		.end_us = service->active_us + LIMIT_S * SECOND_US,
	};
}

static void reap(struct service *service)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			struct conversation *one = &service->conversations[i];

			if (one->pid == pid) {
				one->pid = 0;
				count_end(status, one->begun_us);
			}
		}
}

/* Ends those that take too long. Returns how many there are; ret_next_us is raised for none. */
static size_t watch(struct service *service, int64_t now_us, int64_t *next_us)
{
	size_t n = 0;

	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct conversation *one = &service->conversations[i];

		if (one->pid == 0)
			continue;
		n++;
		if (now_us >= one->end_us) {
			kill(one->pid, one->told ? SIGKILL : SIGTERM);
			one->told = true;
			one->end_us = now_us + KILL_S * SECOND_US;
		}
		if (one->end_us < *next_us)
			*next_us = one->end_us;
	}
	return n;
}

static int serve(struct service *service)
{
	sigset_t blocked, waiting;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	signal(SIGCHLD, child_ended);
	signal(SIGTERM, told_to_stop);
	service->active_us = monotonic_us();

	while (!stop) {
		int64_t now_us = monotonic_us();
		int64_t next_us = now_us + IDLE_S * SECOND_US;
		size_t n = watch(service, now_us, &next_us);
		bool full = n == CHILDREN_MAX;
		struct timespec wait;

		if (n > 0)
			service->active_us = now_us;
		else if (now_us - service->active_us >= IDLE_S * SECOND_US)
			break;
		else
			next_us = service->active_us + IDLE_S * SECOND_US;
		wait.tv_sec = (next_us - now_us) / SECOND_US;
		wait.tv_nsec = (next_us - now_us) % SECOND_US * 1000;
		if (ppoll(service->sockets, full ? 0 : service->n_sockets, &wait, &waiting) > 0)
			for (size_t i = 0; i < service->n_sockets; i++) {
				struct conversation *place = free_place(service);

				if (service->sockets[i].revents && place)
					begin(service, service->sockets[i].fd, place);
			}
		reap(service);
	}
	metrics_count(stop ? METRICS_STOPS : METRICS_IDLE_EXITS);
	return EXIT_SUCCESS;
}

/* The tickets of all users pass through here. */
static void forbid_core_dump(void)
{
	static const struct rlimit one_byte = { 1, 1 };

	if (setrlimit(RLIMIT_CORE, &one_byte) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warn("core dumps cannot be switched off: %s", error_text(-errno));
}

static int usage(FILE *out, const char *program, int status)
{
	fprintf(out,
	        "Usage: %s [OPTION…]\n"
	        "Renews tickets for sssd_kcm, on the sockets a service manager passes\n"
	        "(sd_listen_fds(3)), on that of its standard input, or on:\n"
	        "  --fd [NAME=]NUMBER      a listening socket this process inherited\n"
	        "  --logger TARGET         stderr, files or journald\n",
	        program);
	return status;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "logger", required_argument, NULL, 'l' },
		{ "debug-level", required_argument, NULL, 'd' },
		/* what the monitor tells all it starts */
		{ "conf-dir", required_argument, NULL, 'i' },
		{ "cache-dir", required_argument, NULL, 'i' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL },
	};
	struct service service = { 0 };
	struct listen_fd sockets[4];
	enum log_target target = getenv("JOURNAL_STREAM") ? LOG_TO_JOURNAL : LOG_TO_STDERR;
	const char *run_dir = RUN_DIR;
	uint32_t mask;
	int option, r;

	daemon_calm();
	forbid_core_dump();
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			if (service.n_sockets == 4 ||
			    listen_argument(optarg, &sockets[service.n_sockets]) < 0)
				return usage(stderr, argv[0], EXIT_FAILURE);
			service.n_sockets++;
			break;
		case 'l':
			if (strcmp(optarg, "files") == 0)
				target = LOG_TO_FILE;
			else if (strcmp(optarg, "journald") == 0)
				target = LOG_TO_JOURNAL;
			else
				target = LOG_TO_STDERR;
			break;
		case 'd':
			if (log_mask_of(optarg, &mask) == 0)
				log_set_mask(mask);
			break;
		case 'r':
			run_dir = optarg;
			break;
		case 'i':
			break;
		default:
			return option == 'h' ? usage(stdout, argv[0], EXIT_SUCCESS)
			                     : usage(stderr, argv[0], EXIT_FAILURE);
		}
	}
	log_start("kcm_renew", target);
	r = listen_inherited(sockets + service.n_sockets, 4 - service.n_sockets);
	if (r > 0)
		service.n_sockets += (size_t)r;
	if (service.n_sockets == 0 && !is_ours(STDIN_FILENO))
		return usage(stderr, argv[0], EXIT_FAILURE);
	r = metrics_start(run_dir, METRICS_NAME, METRICS_RENEWER);
	if (r < 0)
		log_info("metrics are counted in memory only: %s", error_text(r));
	if (service.n_sockets == 0)
		return converse_alone();
	for (size_t i = 0; i < service.n_sockets; i++)
		service.sockets[i] = (struct pollfd){ sockets[i].fd, POLLIN, 0 };
	return serve(&service);
}
