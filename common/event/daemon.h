/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Daemon - what every main() does: arguments, log, signals, sd_notify, watchdog, the end
 *
 *   daemon_start ─▶ (the caller sets itself up) ─▶ daemon_ready ─▶ daemon_run ─▶ exit status
 *
 * USR1, USR2 and HUP are harmless from the first instruction on: daemon_start() is the first call
 * of main(), or comes after signals_calm() (common/base/signals.h); before any thread in any case.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/log.h"

/* How long a backend that is to end may go on with what is under way; who waits for its end waits a
 * little longer. */
#define DAEMON_DRAIN_MS 5000

/* The hooks may be NULL. They run from the loop, never in signal context. */
struct daemon_hooks {
	void (*terminate)(void *data); /* TERM, INT: drain and call daemon_stop(); may come
	                                * again meanwhile; NULL = daemon_stop(0) */
	void (*hangup)(void *data);    /* HUP; the log was opened again already */
	void (*offline)(void *data);   /* USR1 */
	void (*online)(void *data);    /* USR2 */
	void (*child)(void *data);     /* CHLD: something may be reaped */
};

struct daemon_args {
	const char *name;        /* "sssd_nss"; the log's name unless log_name is set */
	const char *log_name;    /* may be NULL */
	const char *debug_level; /* from the command line, may be NULL */
	const char *logger;      /* --logger: "stderr", "files", "journald"; NULL = journal where
	                          * there is one */
};

struct daemon; /* a talloc object */

/* From here on glibc and libkrb5 give a name server one second, once, unless the environment says
 * otherwise: with dead ones a name must not take longer than what it is asked for. */
void daemon_hurry_resolver(void);

/* No core dump from here on, not to a file, not to a program (a limit of one byte: core(5)), and no
 * ptrace(2) by others of our user. Errors: errno of prctl(2) and setrlimit(2); what can be done is
 * done all the same. */
int daemon_forbid_core_dump(void);

/* Ignores SIGPIPE, sets _SSS_LOOPS=NO and SYSTEMD_BYPASS_USERDB=1, starts the log, makes the event
 * context and its timers' descriptor, and takes over the signals (they are blocked and read from
 * a descriptor: no thread is ever interrupted). hooks is copied.
 * Errors: -EINVAL debug_level or logger is none; -ENOMEM; errno of signalfd(2). */
int daemon_start(TALLOC_CTX *mem, const struct daemon_args *args, const struct daemon_hooks *hooks,
                 void *data, struct daemon **ret_daemon);

struct tevent_context *daemon_events(struct daemon *daemon);

/* Tells the service manager READY=1 (sd_notify(3)) once, and begins to serve WatchdogSec=. */
void daemon_ready(struct daemon *daemon, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* STATUS=, sent only when the text changed. Control bytes in it become blanks. */
void daemon_status(struct daemon *daemon, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* STOPPING=1: only when there is no way back. */
void daemon_stopping(struct daemon *daemon);

/* Makes daemon_run() return status. */
void daemon_stop(struct daemon *daemon, int status);

/* Runs the loop until daemon_stop(). Returns its status. An iteration that took over 50 ms is
 * counted, and logged at debug; time spent waiting is no part of it. */
int daemon_run(struct daemon *daemon);

/* The longest iteration of the loop so far, in microseconds, and how many were over 50 ms. */
void daemon_loop_latency(struct daemon *daemon, int64_t *ret_longest_us, uint64_t *ret_slow);

/* Was a service manager listening (NOTIFY_SOCKET) when we started? */
bool daemon_supervised(const struct daemon *daemon);
