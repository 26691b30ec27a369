/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pair - a server of sample.xml, a client of it, and a place for their socket; shared by the tests
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/time.h"
#include "common/sbus/sbus.h"

struct pair {
	struct tevent_context *ev;
	char dir[32];
	char *path;

	struct sbus_server *server;
	struct sbus_conn *accepted; /* the latest; NULL once it closed */
	int n_accepted, n_closed;

	struct sbus_client *client;
	struct sbus_conn *conn; /* what the client was told last */
	int n_stood, n_lost;
};

/* A path in a new directory; freeing the pair removes both. */
struct pair *pair_new(void);

int pair_listen(struct pair *pair);
void pair_connect(struct pair *pair, bool lazy);

/* All of the above, and the loop run until the connection stands. */
struct pair *pair_standing(void);

/* A process that serves at pair->path until it is killed; listens already on return. */
pid_t pair_fork_server(struct pair *pair);
void pair_kill(pid_t pid, int signal);

/* Runs the loop until something happens, at most for some milliseconds. */
void pair_step(struct pair *pair);
void pair_run(struct pair *pair, int64_t ms);

/* Runs the loop until condition, at most three seconds; then false. */
#define pair_until(pair, condition)                                               \
	__extension__({                                                           \
		int64_t pair_end_us = monotonic_us() + 3000000;                   \
		bool pair_met;                                                    \
		while (!(pair_met = (condition)) && monotonic_us() < pair_end_us) \
			pair_step(pair);                                          \
		pair_met;                                                         \
	})
