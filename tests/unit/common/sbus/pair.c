/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pair - a server of sample.xml, a client of it, and a place for their socket
 */
#include "tests/unit/common/sbus/pair.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/event/timer.h"
#include "tests/unit/common/sbus/iface_sample.h"

/* ---- the methods ---- */

static void every_type(struct sbus_call *call, const struct sample_every_type_in *in, void *data)
{
	struct sample_every_type_out out = {
		in->text, in->small, in->number, in->large, in->negative, in->truth, in->list,
	};

	(void)data;
	sample_every_type_reply(call, &out);
}

static void fail_with(struct sbus_call *call, const struct sample_fail_with_in *in, void *data)
{
	(void)data;
	sbus_call_fail(call, -(int)in->code, "as you wished: %u", in->code);
}

static void never_answer(struct sbus_call *call, void *data)
{
	(void)call;
	(void)data;
}

static void drop_call(struct sbus_call *call, void *data)
{
	(void)data;
	talloc_free(call);
}

static void free_connection(struct sbus_call *call, void *data)
{
	(void)data;
	talloc_free(sbus_call_conn(call));
}

static void exit_now(struct sbus_call *call, void *data)
{
	(void)call;
	(void)data;
	_exit(0);
}

static const struct sample_methods methods = {
	.every_type = every_type,
	.fail_with = fail_with,
	.never_answer = never_answer,
	.drop_call = drop_call,
	.free_connection = free_connection,
	.exit_now = exit_now,
};

/* ---- the two sides ---- */

static void closed(struct sbus_conn *conn, void *data)
{
	struct pair *pair = data;

	if (pair->accepted == conn)
		pair->accepted = NULL;
	pair->n_closed++;
}

static void accepted(struct sbus_server *server, struct sbus_conn *conn, void *data)
{
	struct pair *pair = data;

	(void)server;
	pair->accepted = conn;
	pair->n_accepted++;
	sbus_conn_on_close(conn, closed, pair);
	ck_assert_int_eq(sample_serve(conn, &methods, pair), 0);
}

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	struct pair *pair = data;

	ck_assert_ptr_eq(sbus_client_conn(client), conn);
	pair->conn = conn;
	if (conn)
		pair->n_stood++;
	else
		pair->n_lost++;
}

static int pair_free(struct pair *pair)
{
	TALLOC_FREE(pair->client);
	TALLOC_FREE(pair->server);
	unlink(pair->path);
	rmdir(pair->dir);
	return 0;
}

struct pair *pair_new(void)
{
	struct pair *pair = talloc_zero(NULL, struct pair);

	snprintf(pair->dir, sizeof(pair->dir), "/tmp/sbus-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(pair->dir));
	ck_assert_int_eq(chmod(pair->dir, 0755), 0);
	pair->path = talloc_asprintf(pair, "%s/socket", pair->dir);
	pair->ev = tevent_context_init(pair);
	talloc_set_destructor(pair, pair_free);
	return pair;
}

int pair_listen(struct pair *pair)
{
	return sbus_server_new(pair, pair->ev, pair->path, accepted, pair, &pair->server);
}

void pair_connect(struct pair *pair, bool lazy)
{
	ck_assert_int_eq(
		sbus_client_new(pair, pair->ev, pair->path, lazy, connected, pair, &pair->client),
		0);
}

struct pair *pair_standing(void)
{
	struct pair *pair = pair_new();

	ck_assert_int_eq(pair_listen(pair), 0);
	pair_connect(pair, false);
	ck_assert(pair_until(pair, pair->conn && pair->accepted));
	return pair;
}

pid_t pair_fork_server(struct pair *pair)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct pair *own = talloc_zero(NULL, struct pair);

		own->ev = tevent_context_init(own);
		own->path = pair->path;
		if (pair_listen(own) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		tevent_loop_wait(own->ev);
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

void pair_kill(pid_t pid, int signal)
{
	kill(pid, signal);
	waitpid(pid, NULL, 0);
}

/* ---- the loop ---- */

static void step_over(void *data)
{
	*(struct timer **)data = NULL; /* freed by its firing */
}

void pair_step(struct pair *pair)
{
	struct timer *limit = timer_once(NULL, pair->ev, 20, step_over, &limit);

	tevent_loop_once(pair->ev);
	talloc_free(limit);
}

void pair_run(struct pair *pair, int64_t ms)
{
	int64_t end_us = monotonic_us() + ms * 1000;

	while (monotonic_us() < end_us)
		pair_step(pair);
}
