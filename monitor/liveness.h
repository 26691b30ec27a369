/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Liveness - is a silent process at work, waiting, or lost? (design §2)
 *
 * A process of which nothing was heard for its interval is asked (ping). One that lets three
 * intervals pass without an answer and used the CPU in each turns in circles: it is ended. One that
 * is stopped or waits for a disk cannot answer and would not be better for a restart; one that
 * sleeps waits for something, too: left alone, with one warning.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LIVENESS_INTERVAL_MS     60000
#define LIVENESS_INTERVAL_MIN_MS 20000
#define LIVENESS_MISSED_MAX      3

struct liveness {
	int64_t since_us; /* of CLOCK_MONOTONIC: when this interval of silence began */
	bool asked;       /* a ping is on its way; it stays there until it is answered */
	unsigned missed;  /* intervals since, in which it was at work */
	uint64_t ticks;   /* of CPU when the interval began */
	bool warned;      /* about this silence */
};

enum liveness_verdict {
	LIVENESS_WAIT,  /* another interval */
	LIVENESS_LEAVE, /* the same, but say so once */
	LIVENESS_END,
};

/* Anything came from the process. */
void liveness_heard(struct liveness *health);

/* What /proc/PID/stat (proc(5)) says: the state's letter, and user and system time in clock ticks.
 * Errors: -EBADMSG text is no such line. */
int liveness_parse_stat(const char *text, char *ret_state, uint64_t *ret_ticks);

/* The same of a process. Errors: errno of open(2). */
int liveness_read_stat(pid_t pid, char *ret_state, uint64_t *ret_ticks);

/* A ping begins: ticks is the CPU time so far. */
void liveness_asked(struct liveness *health, uint64_t ticks);

/* An interval passed without an answer; state and ticks are those of now. */
enum liveness_verdict liveness_missed(struct liveness *health, char state, uint64_t ticks);
