/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Back-off - when to start a child again, and whether its end was a crash
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	unsigned failures;  /* ends after short lives, in a row */
	int64_t started_us; /* of CLOCK_MONOTONIC */
	int64_t crashed_us; /* the last crash; 0 = never */
};

void backoff_started(struct backoff *backoff, int64_t now_us);

/* The child ended. Returns how long to wait in milliseconds: 0, 100, 1000, then doubling to 10000;
 * from the start again after a life of 30 s. It never gives up. */
int64_t backoff_ended(struct backoff *backoff, int64_t now_us);

/* To be called before backoff_ended() when the child ended in order, to have a new one begin with
 * what has changed: no failure, unless it lived for less than a second. */
void backoff_orderly(struct backoff *backoff, int64_t now_us);

/* Likewise when the end says nothing about the child: it was killed from outside, or told to go.
 * Then nothing is a failure, however short its life. */
void backoff_forgive(struct backoff *backoff);

/* Does status (waitpid(2)) tell of TERM or KILL? */
bool backoff_is_kill(int status);

/* A crash: true when it is the second within 60 s. */
bool backoff_crashed(struct backoff *backoff, int64_t now_us);

/* Is status (waitpid(2)) the end of a process that may have left its store damaged, or was led
 * there by damage? TERM and KILL come from outside, unless it was us who ended it because it hung.
 */
bool backoff_is_crash(int status, bool we_ended_it);
