/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bench - what a call over sbus costs: it is on the way of every lookup that misses the cache
 *
 *   bench_sbus [CALLS]
 *
 * A forked process serves getAccountInfo and answers at once. First one call at a time, then 64 in
 * flight. As the limit of the machine, the same bytes over a bare socket pair.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/time.h"
#include "common/sbus/iface_dataprovider.h"

#define WARM_UP 1000u

static char path[64];

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* ---- the server ---- */

static void get_account_info(struct sbus_call *call,
                             const struct dataprovider_get_account_info_in *in, void *data)
{
	struct dataprovider_get_account_info_out out = { .message = "",
		                                         .environment = in->remaining_ms };

	(void)data;
	dataprovider_get_account_info_reply(call, &out);
}

static const struct dataprovider_methods methods = { .get_account_info = get_account_info };

static void accepted(struct sbus_server *server, struct sbus_conn *conn, void *data)
{
	(void)server;
	dataprovider_serve(conn, &methods, data);
}

static void serve(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	struct sbus_server *server;

	if (sbus_server_new(ev, ev, path, accepted, NULL, &server) < 0)
		die(path);
	tevent_loop_wait(ev);
}

/* ---- the client ---- */

struct bench {
	struct tevent_context *ev;
	struct sbus_conn *conn;
	unsigned to_send, to_come;
};

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	(void)client;
	((struct bench *)data)->conn = conn;
}

static void answered(struct tevent_req *req);

static void ask(struct bench *bench)
{
	struct dataprovider_get_account_info_in in = {
		.entry_type = 1,
		.filter = "name=alice@example.com",
		.domain = "example.com",
		.extra = "",
		.request = "0123456789abcdef",
		.remaining_ms = 5000,
	};
	struct tevent_req *req = dataprovider_get_account_info_send(bench, bench->ev, bench->conn,
	                                                            &in, in.remaining_ms);

	bench->to_send--;
	tevent_req_set_callback(req, answered, bench);
}

static void answered(struct tevent_req *req)
{
	struct bench *bench = tevent_req_callback_data(req, struct bench);
	struct dataprovider_get_account_info_out out;

	if (dataprovider_get_account_info_recv(req, req, &out) < 0 || out.environment != 5000)
		die("recv");
	talloc_free(req);
	bench->to_come--;
	if (bench->to_send > 0)
		ask(bench);
}

static double run(struct bench *bench, unsigned calls, unsigned in_flight)
{
	int64_t start_us = monotonic_us();

	bench->to_send = bench->to_come = calls;
	while (in_flight-- > 0 && bench->to_send > 0)
		ask(bench);
	while (bench->to_come > 0)
		tevent_loop_once(bench->ev);
	return (double)(monotonic_us() - start_us) / calls;
}

/* ---- the limit ---- */

static double run_bare(unsigned calls)
{
	char bytes[300] = { 0 };
	int fds[2];
	int64_t start_us;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		die("socketpair");
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		while (read(fds[1], bytes, sizeof(bytes)) > 0)
			if (write(fds[1], bytes, 120) < 0)
				break;
		_exit(0);
	}
	close(fds[1]);
	start_us = monotonic_us();
	for (unsigned i = 0; i < calls; i++)
		if (write(fds[0], bytes, sizeof(bytes)) < 0 ||
		    read(fds[0], bytes, sizeof(bytes)) < 0)
			die("bare socket");
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return (double)(monotonic_us() - start_us) / calls;
}

int main(int argc, char *argv[])
{
	unsigned calls = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
	struct bench *bench = talloc_zero(NULL, struct bench);
	struct sbus_client *client;
	pid_t pid;

	snprintf(path, sizeof(path), "/tmp/bench-sbus-%d", (int)getpid());
	pid = fork();
	if (pid == 0)
		serve();
	bench->ev = tevent_context_init(bench);
	if (sbus_client_new(bench, bench->ev, path, false, connected, bench, &client) < 0)
		die(path);
	while (!bench->conn)
		tevent_loop_once(bench->ev);

	run(bench, WARM_UP, 1);
	printf("one at a time  %6.1f us\n", run(bench, calls, 1));
	printf("64 in flight   %6.1f us\n", run(bench, calls, 64));
	printf("bare socket    %6.1f us\n", run_bare(calls));

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	return EXIT_SUCCESS;
}
