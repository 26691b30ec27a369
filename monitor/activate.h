/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Activate - without systemd: own the responders' sockets, start each at its first connection
 *
 * A responder gets the listening descriptor as systemd would pass it and knows no difference. While
 * it runs the socket is its; when it has ended we listen for the next connection again.
 */
#pragma once

#include "monitor/monitor.h"

struct activate; /* a talloc object; freeing it ends nobody */

/* Binds and listens, while we may still be root: clients look at who listened. What a responder of
 * a monitor that was killed still listens to is replaced; where there is a systemd, the sockets are
 * its, and stay so with a warning. Errors: those of bind(2). */
int activate_new(TALLOC_CTX *mem, struct monitor *monitor, struct activate **ret_activate);

/* Watches, and starts at once what services= names (which is started again when it ends). To be
 * called after each change of the configuration. */
void activate_follow(struct activate *activate);

/* Is pid, registered as name, a responder that another monitor started? It listens to a socket that
 * nobody finds any more. */
bool activate_is_orphan(struct activate *activate, const char *name, pid_t pid);

/* The process is hung: TERM, after 10 s KILL. False when it is no child of ours. */
bool activate_end(struct activate *activate, pid_t pid);

/* TERM, after grace_ms KILL, to all; the sockets close. */
void activate_stop(struct activate *activate, int64_t grace_ms);
bool activate_stopped(struct activate *activate);
