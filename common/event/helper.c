/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Helper - see helper.h
 */
#include "common/event/helper.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/signals.h"
#include "common/base/time.h"
#include "common/event/daemon.h"
#include "common/event/listen.h"
#include "common/wire/frame.h"

#define IDLE_S       60
#define CHILDREN_MAX 16
#define SOCKETS_MAX  4
#define KILL_S       2
#define SECOND_US    1000000
#define RUN_DIR      "/run/sssd"

struct conversation {
	pid_t pid; /* 0 = none */
	int64_t begun_us, end_us;
	bool told;
};

struct service {
	const struct helper *helper;
	struct helper_paths paths;
	struct pollfd sockets[SOCKETS_MAX];
	size_t n_sockets;
	struct conversation conversations[CHILDREN_MAX];
	int64_t active_us;
};

static volatile sig_atomic_t stop;

/* ---- bytes ---- */

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

int helper_read_frame(int fd, uint8_t *bytes, uint32_t max, struct reader *ret_body)
{
	int64_t length;
	size_t size;

	if (!read_all(fd, bytes, FRAME_BE_SIZE))
		return -E_DISCONNECTED;
	length = frame_be_length(bytes, FRAME_BE_SIZE, max);
	if (length <= FRAME_BE_SIZE)
		return length < 0 ? (int)length : -EBADMSG;
	size = (size_t)length - FRAME_BE_SIZE;
	if (!read_all(fd, bytes + FRAME_BE_SIZE, size))
		return -E_DISCONNECTED;
	*ret_body = reader_over(bytes + FRAME_BE_SIZE, size);
	return 0;
}

bool helper_write(int fd, const uint8_t *bytes, size_t size)
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

/* ---- conversations ---- */

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

static void tell_begun(const struct service *service)
{
	if (service->helper->begun)
		service->helper->begun();
}

static void tell_ended(const struct service *service, int status, int64_t begun_us)
{
	if (service->helper->ended)
		service->helper->ended(status, begun_us);
}

/* In this process. */
static int converse_alone(const struct service *service)
{
	int64_t begun_us = monotonic_us();
	int status = HELPER_STATUS_MAX;
	bool answered;

	tell_begun(service);
	signal(SIGALRM, SIG_DFL);
	answered = service->helper->converse(STDIN_FILENO, &service->paths, &status);
	tell_ended(service, W_EXITCODE(status, 0), begun_us);
	return answered ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void begin(struct service *service, int listener, struct conversation *place)
{
	auto_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int status = HELPER_STATUS_MAX;
	sigset_t none;
	pid_t pid;

	if (fd < 0)
		return;
	if (!is_ours(fd)) {
		log_warn("somebody who is not our user is turned away");
		return;
	}
	service->active_us = monotonic_us();
	tell_begun(service);
	pid = fork();
	if (pid < 0) {
		log_error("no process for a conversation: %s", error_text(-errno));
		tell_ended(service, W_EXITCODE(HELPER_STATUS_MAX, 0), service->active_us);
		return;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&none);
		signal(SIGTERM, SIG_DFL);
		signal(SIGALRM, SIG_DFL);
		sigprocmask(SIG_SETMASK, &none, NULL);
		for (size_t i = 0; i < service->n_sockets; i++)
			close(service->sockets[i].fd);
		service->helper->converse(fd, &service->paths, &status);
		_exit(status);
	}
	*place = (struct conversation){
		.pid = pid,
		.begun_us = service->active_us,
		.end_us = service->active_us + service->helper->limit_s * SECOND_US,
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
				tell_ended(service, status, one->begun_us);
			}
		}
}

/* Ends those that take too long. Returns how many there are; next_us is lowered to when the next
 * one does. */
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

/* ---- the service ---- */

static void begin_all(struct service *service)
{
	for (size_t i = 0; i < service->n_sockets; i++) {
		struct conversation *place = free_place(service);

		if (service->sockets[i].revents && place)
			begin(service, service->sockets[i].fd, place);
	}
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
		struct timespec wait;

		if (n > 0)
			service->active_us = now_us;
		else if (now_us - service->active_us >= IDLE_S * SECOND_US)
			break;
		else
			next_us = service->active_us + IDLE_S * SECOND_US;
		wait.tv_sec = (next_us - now_us) / SECOND_US;
		wait.tv_nsec = (next_us - now_us) % SECOND_US * 1000;
		if (ppoll(service->sockets, n == CHILDREN_MAX ? 0 : service->n_sockets, &wait,
		          &waiting) > 0)
			begin_all(service);
		reap(service);
	}
	if (service->helper->over)
		service->helper->over(stop);
	return EXIT_SUCCESS;
}

/* Keys and tickets pass through here. */
static void forbid_core_dump(void)
{
	int r = daemon_forbid_core_dump();

	if (r < 0)
		log_warn("core dumps cannot be switched off: %s", error_text(r));
}

static int usage(const struct helper *helper, FILE *out, int status)
{
	fprintf(out,
	        "Usage: %s [OPTION…]\n"
	        "%s, on the sockets a service manager passes\n"
	        "(sd_listen_fds(3)), on that of its standard input, or on:\n"
	        "  --fd [NAME=]NUMBER      a listening socket this process inherited\n"
	        "  --logger TARGET         stderr, files or journald\n",
	        helper->name, helper->purpose);
	return status;
}

static enum log_target target_of(const char *word)
{
	if (strcmp(word, "files") == 0)
		return LOG_TO_FILE;
	return strcmp(word, "journald") == 0 ? LOG_TO_JOURNAL : LOG_TO_STDERR;
}

int helper_main(const struct helper *helper, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "logger", required_argument, NULL, 'l' },
		{ "debug-level", required_argument, NULL, 'd' },
		/* what the monitor tells all it starts */
		{ "conf-dir", required_argument, NULL, 'c' },
		{ "cache-dir", required_argument, NULL, 'i' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL },
	};
	struct service service = { .helper = helper, .paths.run_dir = RUN_DIR };
	struct listen_fd sockets[SOCKETS_MAX];
	enum log_target target = getenv("JOURNAL_STREAM") ? LOG_TO_JOURNAL : LOG_TO_STDERR;
	uint32_t mask;
	int option, r;

	signals_calm();
	forbid_core_dump();
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			if (service.n_sockets == SOCKETS_MAX ||
			    listen_argument(optarg, &sockets[service.n_sockets]) < 0)
				return usage(helper, stderr, EXIT_FAILURE);
			service.n_sockets++;
			break;
		case 'l':
			target = target_of(optarg);
			break;
		case 'd':
			if (log_mask_of(optarg, &mask) == 0)
				log_set_mask(mask);
			break;
		case 'r':
			service.paths.run_dir = optarg;
			break;
		case 'c':
			service.paths.conf_dir = optarg;
			break;
		case 'i':
			break;
		default:
			return option == 'h' ? usage(helper, stdout, EXIT_SUCCESS)
			                     : usage(helper, stderr, EXIT_FAILURE);
		}
	}
	log_start(helper->name, target);
	r = listen_inherited(sockets + service.n_sockets, SOCKETS_MAX - service.n_sockets);
	if (r > 0)
		service.n_sockets += (size_t)r;
	if (service.n_sockets == 0 && !is_ours(STDIN_FILENO))
		return usage(helper, stderr, EXIT_FAILURE);
	if (helper->start)
		helper->start(&service.paths);
	if (service.n_sockets == 0)
		return converse_alone(&service);
	for (size_t i = 0; i < service.n_sockets; i++)
		service.sockets[i] = (struct pollfd){ sockets[i].fd, POLLIN, 0 };
	return serve(&service);
}
