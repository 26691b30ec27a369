/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Daemon - the part of main() that all our processes share
 *
 * Signals are blocked for the life of the process and read from a signalfd(2): threads inherit the
 * mask, so no library of ours ever sees EINTR, and no code runs in signal context.
 */
#include "common/event/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/journal.h"
#include "common/base/mem.h"
#include "common/base/signals.h"
#include "common/base/time.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"

#define LONG_ITERATION_US 10000 /* a slice of work that is done in slices */
#define SLOW_ITERATION_US 50000

/* Longer ones are cut. */
#define STATUS_MAX 3900
#define STATUS_CUT " ..."

struct daemon {
	struct tevent_context *ev; /* owned */
	struct daemon_hooks hooks;
	void *data; /* borrowed: for the hooks */
	int signal_fd;
	struct tevent_fd *signal_fde;
	bool is_supervised, is_ready, is_stopping, is_stopped;
	int status;
	char *status_text; /* owned: the STATUS= sent last */
	int64_t woke_us;   /* when the last wait ended; 0 = there was none */
	int64_t longest_us;
	uint64_t slow;
};

/* ---- signals ---- */

static sigset_t our_signals(const struct daemon_hooks *hooks)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGUSR1);
	sigaddset(&ours, SIGUSR2);
	if (hooks && hooks->child)
		sigaddset(&ours, SIGCHLD);
	return ours;
}

void daemon_hurry_resolver(void)
{
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
}

int daemon_forbid_core_dump(void)
{
	int r = prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return -errno;
	if (limit.rlim_max > 1) /* 0 could not be raised, and need not be: we are not dumpable */
		limit.rlim_max = 1;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_CORE, &limit) < 0 && r == 0)
		r = -errno;
	return r;
}

/* A blocked signal waits for the signalfd even where it is ignored (signal(7)). Three are ignored
 * all the same: a child forked from us may empty its mask. */
static void take_signals(const sigset_t *ours)
{
	signals_calm();
	signal(SIGCHLD, SIG_DFL); /* one that was ignored before exec would lose exit statuses */
	sigprocmask(SIG_SETMASK, ours, NULL);
}

static void run_hook(struct daemon *daemon, void (*hook)(void *data))
{
	if (hook)
		hook(daemon->data);
}

static void signal_came(struct daemon *daemon, uint32_t number)
{
	switch (number) {
	case SIGTERM:
	case SIGINT:
		if (daemon->hooks.terminate)
			run_hook(daemon, daemon->hooks.terminate);
		else
			daemon_stop(daemon, 0);
		break;
	case SIGHUP:
		log_reopen();
		run_hook(daemon, daemon->hooks.hangup);
		break;
	case SIGUSR1:
		run_hook(daemon, daemon->hooks.offline);
		break;
	case SIGUSR2:
		run_hook(daemon, daemon->hooks.online);
		break;
	case SIGCHLD:
		run_hook(daemon, daemon->hooks.child);
		break;
	}
}

static void signals_readable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                             void *data)
{
	struct daemon *daemon = data;
	struct signalfd_siginfo info;

	(void)ev;
	(void)fde;
	(void)flags;

	while (read(daemon->signal_fd, &info, sizeof(info)) == sizeof(info))
		signal_came(daemon, info.ssi_signo);
}

/* ---- how long the loop kept others waiting ---- */

static void loop_traced(enum tevent_trace_point point, void *data)
{
	struct daemon *daemon = data;
	int64_t took_us;

	if (point == TEVENT_TRACE_AFTER_WAIT) {
		daemon->woke_us = monotonic_us();
		return;
	}
	if (point != TEVENT_TRACE_BEFORE_WAIT || daemon->woke_us == 0)
		return;

	log_look(); /* the monitor wakes everybody up once a minute */
	took_us = monotonic_us() - daemon->woke_us;
	metrics_time(METRICS_LOOP, took_us);
	if (took_us > daemon->longest_us)
		daemon->longest_us = took_us;
	if (took_us > LONG_ITERATION_US)
		metrics_count(METRICS_TURNS_10MS);
	if (took_us > SLOW_ITERATION_US) {
		metrics_count(METRICS_TURNS_50MS);
		daemon->slow++;
		log_debug("the event loop was busy for %lld ms", (long long)(took_us / 1000));
	}
}

void daemon_loop_latency(struct daemon *daemon, int64_t *ret_longest_us, uint64_t *ret_slow)
{
	*ret_longest_us = daemon->longest_us;
	*ret_slow = daemon->slow;
}

/* ---- start ---- */

static int start_log(const struct daemon_args *args)
{
	const char *name = args->log_name ? args->log_name : args->name;
	enum log_target target;
	uint32_t mask;
	int r;

	if (!args->logger)
		target = access(JOURNAL_SOCKET, F_OK) == 0 ? LOG_TO_JOURNAL : LOG_TO_STDERR;
	else if (strcmp(args->logger, "journald") == 0)
		target = LOG_TO_JOURNAL;
	else if (strcmp(args->logger, "files") == 0)
		target = LOG_TO_FILE;
	else if (strcmp(args->logger, "stderr") == 0)
		target = LOG_TO_STDERR;
	else
		return -EINVAL;

	if (args->debug_level) {
		r = log_mask_of(args->debug_level, &mask);
		if (r < 0)
			return r;
		log_set_mask(mask);
	}
	log_start(name, target);
	return 0;
}

static int daemon_free(struct daemon *daemon)
{
	TALLOC_FREE(daemon->signal_fde);
	if (daemon->signal_fd >= 0)
		close(daemon->signal_fd);
	return 0;
}

int daemon_start(TALLOC_CTX *mem, const struct daemon_args *args, const struct daemon_hooks *hooks,
                 void *data, struct daemon **ret_daemon)
{
	sigset_t ours = our_signals(hooks);
	auto_talloc struct daemon *daemon = NULL;
	int r;

	take_signals(&ours);

	/* No process of ours asks the name service about users: we are the name service. */
	if (setenv("_SSS_LOOPS", "NO", 1) < 0 || setenv("SYSTEMD_BYPASS_USERDB", "1", 1) < 0)
		return -errno;

	r = start_log(args);
	if (r < 0)
		return r;

	daemon = talloc_zero(mem, struct daemon);
	if (!daemon)
		return -ENOMEM;
	daemon->signal_fd = -1;
	talloc_set_destructor(daemon, daemon_free);
	if (hooks)
		daemon->hooks = *hooks;
	daemon->data = data;
	daemon->is_supervised = getenv("NOTIFY_SOCKET") != NULL;

	daemon->ev = tevent_context_init(daemon);
	if (!daemon->ev)
		return -ENOMEM;
	tevent_set_trace_callback(daemon->ev, loop_traced, daemon);
	r = timer_prepare(daemon->ev);
	if (r < 0)
		return r;

	daemon->signal_fd = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	if (daemon->signal_fd < 0)
		return -errno;
	daemon->signal_fde = tevent_add_fd(daemon->ev, daemon, daemon->signal_fd, TEVENT_FD_READ,
	                                   signals_readable, daemon);
	if (!daemon->signal_fde)
		return -ENOMEM;

	*ret_daemon = take_ptr(daemon);
	return 0;
}

struct tevent_context *daemon_events(struct daemon *daemon)
{
	return daemon->ev;
}

bool daemon_supervised(const struct daemon *daemon)
{
	return daemon->is_supervised;
}

/* ---- what the service manager is told; nobody can help when that fails ---- */

/* systemd drops a notification of over 4096 bytes whole, READY=1 included: the start would never
 * end. */
static void shorten(char *text)
{
	char *end = text + STATUS_MAX;

	if (strlen(text) <= STATUS_MAX + strlen(STATUS_CUT))
		return;
	while ((*end & 0xC0) == 0x80) /* not within a character */
		end--;
	memcpy(end, STATUS_CUT, sizeof(STATUS_CUT));
}

/* Each line of a notification is a statement of its own, and a status may quote a server. */
static char *one_line(TALLOC_CTX *mem, const char *format, va_list values)
{
	char *text = talloc_vasprintf(mem, format, values);

	for (char *c = text; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	if (text)
		shorten(text);
	return text;
}

/* Keeps text as the status. False when it is none, or the one that was sent last. */
static bool is_news(struct daemon *daemon, char *text)
{
	if (!text)
		return false;
	if (daemon->status_text && strcmp(daemon->status_text, text) == 0) {
		talloc_free(text);
		return false;
	}
	talloc_free(daemon->status_text);
	daemon->status_text = text;
	return true;
}

static void feed_watchdog(void *data)
{
	(void)data;
	sd_notify(0, "WATCHDOG=1");
}

static void start_watchdog(struct daemon *daemon)
{
	uint64_t limit_us;
	int64_t half_ms;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return;
	half_ms = (int64_t)(limit_us / 2000);
	if (!timer_every(daemon, daemon->ev, half_ms > 0 ? half_ms : 1, 0, feed_watchdog, daemon))
		log_error("the watchdog of the service manager cannot be served");
}

void daemon_ready(struct daemon *daemon, const char *format, ...)
{
	va_list values;
	char *text;
	bool news;

	va_start(values, format);
	text = one_line(daemon, format, values);
	va_end(values);
	news = is_news(daemon, text);

	if (!daemon->is_ready) {
		daemon->is_ready = true;
		sd_notifyf(0, "READY=1\nSTATUS=%s", daemon->status_text ? daemon->status_text : "");
		start_watchdog(daemon);
	} else if (news) {
		sd_notifyf(0, "STATUS=%s", daemon->status_text);
	}
}

void daemon_status(struct daemon *daemon, const char *format, ...)
{
	va_list values;
	char *text;

	va_start(values, format);
	text = one_line(daemon, format, values);
	va_end(values);

	if (is_news(daemon, text))
		sd_notifyf(0, "STATUS=%s", daemon->status_text);
}

void daemon_stopping(struct daemon *daemon)
{
	if (daemon->is_stopping)
		return;
	daemon->is_stopping = true;
	sd_notify(0, "STOPPING=1");
}

/* ---- the loop ---- */

void daemon_stop(struct daemon *daemon, int status)
{
	daemon->is_stopped = true;
	daemon->status = status;
}

int daemon_run(struct daemon *daemon)
{
	/* The signals keep the context from ever being without something to wait for. */
	while (!daemon->is_stopped)
		if (tevent_loop_once(daemon->ev) != 0) {
			log_fatal("the event loop failed: %s", error_text(-errno));
			return EXIT_FAILURE;
		}
	return daemon->status;
}
