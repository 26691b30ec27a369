/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses and connections, over loopback. An address that drops packets is made of a listening
 * socket whose backlog is full: the kernel ignores what comes then.
 */
#include "backend/core/connect.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/core/resolve.h"
#include "common/base/time.h"

static struct tevent_context *ev;
static int results[4]; /* of the last connect_to() */

static void begin(void)
{
	ev = tevent_context_init(NULL);
}

static void end(void)
{
	talloc_free(ev);
}

static void note(struct tevent_req *req)
{
	*(bool *)tevent_req_callback_data_void(req) = true;
}

static void wait_for(struct tevent_req *req)
{
	bool ended = false;

	ck_assert_ptr_nonnull(req);
	tevent_req_set_callback(req, note, &ended);
	while (!ended)
		tevent_loop_once(ev);
}

/* A socket on 127.0.0.1 that listens, or with backlog -1 only is bound: nobody can connect. */
static int listening(int backlog, struct address *ret_address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*ret_address = (struct address){ .v4 = { .sin_family = AF_INET },
		                         .size = sizeof(struct sockaddr_in) };
	ret_address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, &ret_address->any, ret_address->size), 0);
	if (backlog >= 0)
		ck_assert_int_eq(listen(fd, backlog), 0);
	ck_assert_int_eq(getsockname(fd, &ret_address->any, &ret_address->size), 0);
	return fd;
}

static int connect_to(const struct address *addresses, size_t count, int64_t timeout_ms,
                      int *ret_fd)
{
	struct tevent_req *req = connect_send(ev, ev, addresses, count, timeout_ms);
	int r;

	wait_for(req);
	r = connect_recv(req, ret_fd, results);
	talloc_free(req);
	return r;
}

START_TEST(test_connects_to_the_first_that_answers)
{
	struct address addresses[2];
	int refuses = listening(-1, &addresses[0]), answers = listening(5, &addresses[1]);
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	int fd = -1;

	ck_assert_int_eq(connect_to(addresses, 2, 5000, &fd), 0);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &size), 0);
	ck_assert_int_eq(peer.sin_port, addresses[1].v4.sin_port);
	ck_assert_int_eq(results[0], -ECONNREFUSED);
	ck_assert_int_eq(results[1], 0);
	close(fd);
	close(refuses);
	close(answers);
}
END_TEST

START_TEST(test_all_refuse)
{
	struct address addresses[2];
	int a = listening(-1, &addresses[0]), b = listening(-1, &addresses[1]), fd = -1;

	ck_assert_int_eq(connect_to(addresses, 2, 5000, &fd), -ECONNREFUSED);
	ck_assert_int_eq(fd, -1);
	close(a);
	close(b);
}
END_TEST

/* Fills the backlog of the listening socket. */
static void fill(const struct address *address, int fds[8])
{
	for (int i = 0; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert(connect(fds[i], &address->any, address->size) == 0 ||
		          errno == EINPROGRESS);
	}
}

START_TEST(test_silent_address_costs_no_more_than_its_head_start)
{
	struct address addresses[2];
	int silent = listening(0, &addresses[0]), answers = listening(5, &addresses[1]);
	int fillers[8], fd = -1;
	int64_t began_us = monotonic_us();

	fill(&addresses[0], fillers);
	ck_assert_int_eq(connect_to(addresses, 2, 5000, &fd), 0);
	ck_assert_int_ge(monotonic_us() - began_us, 200000);
	ck_assert_int_lt(monotonic_us() - began_us, 2000000);
	ck_assert_int_eq(results[0], -EINPROGRESS);
	ck_assert_int_eq(results[1], 0);
	close(fd);
	close(silent);
	close(answers);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
}
END_TEST

START_TEST(test_who_was_not_needed_was_not_tried)
{
	struct address addresses[2];
	int a = listening(5, &addresses[0]), b = listening(5, &addresses[1]), fd = -1;

	ck_assert_int_eq(connect_to(addresses, 2, 5000, &fd), 0);
	ck_assert_int_eq(results[0], 0);
	ck_assert_int_eq(results[1], -EAGAIN);
	close(fd);
	close(a);
	close(b);
}
END_TEST

START_TEST(test_nobody_answers_in_time)
{
	struct address address;
	int silent = listening(0, &address), fillers[8], fd = -1;

	fill(&address, fillers);
	ck_assert_int_eq(connect_to(&address, 1, 100, &fd), -ETIMEDOUT);
	close(silent);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
}
END_TEST

START_TEST(test_freed_request_closes_its_sockets)
{
	struct address address;
	int silent = listening(0, &address), fillers[8], before, after;
	struct tevent_req *req;

	fill(&address, fillers);
	before = dup(0);
	req = connect_send(ev, ev, &address, 1, 5000);
	close(before);
	talloc_free(req);
	after = dup(0);
	ck_assert_int_eq(before, after);
	close(after);
	close(silent);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
}
END_TEST

START_TEST(test_result_nobody_takes_is_closed)
{
	struct address address;
	int answers = listening(5, &address), before = dup(0), after;
	struct tevent_req *req;

	close(before);
	req = connect_send(ev, ev, &address, 1, 5000);
	wait_for(req);
	talloc_free(req);
	after = dup(0);
	/* The timer's own descriptor came in between, at most. */
	ck_assert_int_le(after, before + 1);
	close(after);
	close(answers);
}
END_TEST

static struct domain_conf conf = { .dns_resolver_server_timeout_ms = 1000,
	                           .dns_resolver_op_timeout_s = 3,
	                           .dns_resolver_timeout_s = 6 };

static int resolve(const char *host, struct address **ret_addresses, size_t *ret_count)
{
	struct tevent_req *req = resolve_send(ev, ev, &conf, host, 389, 3000);
	int r;

	wait_for(req);
	r = resolve_recv(req, ev, ret_addresses, ret_count);
	talloc_free(req);
	return r;
}

START_TEST(test_numbers_need_no_resolver)
{
	struct address *addresses;
	size_t count;

	ck_assert_int_eq(resolve("192.0.2.7", &addresses, &count), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(addresses[0].any.sa_family, AF_INET);
	ck_assert_int_eq(addresses[0].v4.sin_port, htons(389));
	ck_assert_uint_eq(ntohl(addresses[0].v4.sin_addr.s_addr), 0xc0000207);

	ck_assert_int_eq(resolve("2001:db8::1", &addresses, &count), 0);
	ck_assert_int_eq(addresses[0].any.sa_family, AF_INET6);
	ck_assert_int_eq(addresses[0].v6.sin6_port, htons(389));
}
END_TEST

START_TEST(test_localhost_comes_from_etc_hosts_ipv4_first)
{
	struct address *addresses;
	size_t count;

	ck_assert_int_eq(resolve("localhost", &addresses, &count), 0);
	ck_assert_uint_ge(count, 1);
	ck_assert_int_eq(addresses[0].any.sa_family, AF_INET);
	ck_assert_uint_eq(ntohl(addresses[0].v4.sin_addr.s_addr) >> 24, 127);
}
END_TEST

START_TEST(test_nonsense_is_no_name)
{
	struct address *addresses;
	size_t count;

	ck_assert_int_lt(resolve("no such..name", &addresses, &count), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connect");
	TCase *tests = tcase_create("connect");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_connects_to_the_first_that_answers);
	tcase_add_test(tests, test_all_refuse);
	tcase_add_test(tests, test_silent_address_costs_no_more_than_its_head_start);
	tcase_add_test(tests, test_who_was_not_needed_was_not_tried);
	tcase_add_test(tests, test_nobody_answers_in_time);
	tcase_add_test(tests, test_freed_request_closes_its_sockets);
	tcase_add_test(tests, test_result_nobody_takes_is_closed);
	tcase_add_test(tests, test_numbers_need_no_resolver);
	tcase_add_test(tests, test_localhost_comes_from_etc_hosts_ipv4_first);
	tcase_add_test(tests, test_nonsense_is_no_name);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
