/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backends - one process for each enabled domain, started again whenever it ends
 */
#pragma once

#include "monitor/monitor.h"

struct backends; /* a talloc object; freeing it ends nobody */

struct backends *backends_new(TALLOC_CTX *mem, struct monitor *monitor);

/* Starts and ends processes until they are those of monitor->conf. True when a new one started. */
bool backends_follow(struct backends *backends);

/* A registration or a loss: a domain that a process of another monitor serves is taken over when
 * that one ends. */
void backends_look(struct backends *backends);

/* Has the process of every domain registered? */
bool backends_registered(struct backends *backends);

/* They are about to hear of a new configuration: each may end once, in order, to make room for a
 * process that has it. That costs no back-off. */
void backends_told(struct backends *backends);

/* The process is hung: TERM, after 10 s KILL. False when it is no child of ours. */
bool backends_end(struct backends *backends, pid_t pid);

/* TERM, after grace_ms KILL, to all; none is started any more. */
void backends_stop(struct backends *backends, int64_t grace_ms);
bool backends_stopped(struct backends *backends);

/* Calls each with every domain and its state for people. */
void backends_each(struct backends *backends,
                   void (*each)(const char *domain, const char *state, void *data), void *data);
