/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clients of a responder whose requests are one byte each: 's' has a short answer, 'l' one that no
 * socket holds, 't' takes two milliseconds, 'u' that in each of five turns, 'w' waits until its
 * client goes. They are ours, and counted like anybody's.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "responders/core/core.h"

#define LONG_ANSWER (256u << 10)
#define ALL         CALLER_CONNECTIONS
#define FDS         (3 * ALL)

static const struct resp resp = { .name = "test" };
static struct core *core;
static struct sockaddr_un where;
static socklen_t where_size;
static int listening;
static int fds[FDS]; /* our ends, in the order they came */
static int n_fds;

/* ---- what is behind clients ---- */

int64_t request_length(const struct client *client)
{
	return client->in_size > 0;
}

uint32_t reply_max(const struct core *responder)
{
	(void)responder;
	return 2 * LONG_ANSWER;
}

bool dispatch(struct client *client, uint32_t size)
{
	ck_assert_uint_eq(size, 1);
	if (client->in[0] == 'w')
		return true;
	if (client->in[0] == 't' || client->in[0] == 'u')
		usleep(2000);
	client->unfinished = client->in[0] == 'u' && ++client->place.bytes[0] % 5 > 0;
	if (client->unfinished)
		return true;
	writer_u8(&client->out, client->in[0]);
	if (client->in[0] == 'l')
		writer_room(&client->out, LONG_ANSWER - 1);
	client_replied(client);
	return true;
}

void core_client_left(struct core *responder)
{
	(void)responder;
}

void negative_expire(struct negative *negative)
{
	(void)negative;
}

/* ---- the other side ---- */

static void set_up(void)
{
	struct rlimit limit;
	struct setup *setup;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 3 * FDS)
		limit.rlim_cur = 3 * FDS;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

	core = talloc_zero(NULL, struct core);
	core->resp = &resp;
	core->ev = tevent_context_init(core);
	core->callers = callers_new(core);
	core->setup = setup = talloc_zero(core, struct setup);
	setup->service.client_idle_timeout_s = 60;
	core->clients_max = 2 * FDS;
	list_init(&core->clients);
	ck_assert_int_eq(clients_start(core), 0);

	where.sun_family = AF_UNIX; /* without a name the kernel finds one */
	where_size = sizeof(where);
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&where, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&where, &where_size), 0);
	ck_assert_int_eq(listen(listening, 16), 0);
	n_fds = 0;
}

static void clean_up(void)
{
	struct client *client;

	list_for_each(client, &core->clients, node)
		client_free(client);
	for (int i = 0; i < n_fds; i++)
		close(fds[i]);
	close(listening);
	TALLOC_FREE(core);
}

/* One more connects, and is seen before anything else is. */
static int come(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client *first;
	bool exhausted;

	ck_assert_int_lt(n_fds, FDS);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&where, where_size), 0);
	client_accept(core, listening, &exhausted);
	first = list_item(core->clients.next, struct client, node);
	first->caller->exempt = false;
	fds[n_fds++] = fd;
	return fd;
}

/* The same as somebody else. */
static int come_as(uid_t uid)
{
	int fd = come();
	struct client *client = list_item(core->clients.prev, struct client, node);

	callers_left(core->callers, client->caller);
	client->caller = callers_came(core->callers, uid);
	return fd;
}

static void say(int fd, const char *requests)
{
	ck_assert_int_eq(send(fd, requests, strlen(requests), MSG_NOSIGNAL),
	                 (ssize_t)strlen(requests));
}

static void ring(void *done)
{
	*(bool *)done = true;
}

/* Until nothing happens any more. */
static void settle(void)
{
	bool done = false;

	ck_assert_ptr_nonnull(timer_once(core, core->ev, 5, ring, &done));
	while (!done)
		ck_assert_int_eq(tevent_loop_once(core->ev), 0);
}

static bool is_closed(int fd)
{
	struct pollfd state = { .fd = fd };

	return poll(&state, 1, 0) == 1 && (state.revents & POLLHUP);
}

/* How many bytes of answers there are; those that do not fit come while we read. */
static size_t count_answered(int fd)
{
	static char bytes[64 << 10];
	size_t size = 0;
	ssize_t n;

	do {
		settle();
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return size;
}

static size_t count_ready(int fd)
{
	char bytes[64];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

static size_t count_all_ready(const int *some_fds, int n)
{
	size_t size = 0;

	for (int i = 0; i < n; i++)
		size += count_ready(some_fds[i]);
	return size;
}

static void work_until_ready(int fd, size_t n)
{
	while (count_ready(fd) < n)
		ck_assert_int_eq(tevent_loop_once(core->ev), 0);
}

/* ---- connections ---- */

START_TEST(test_the_quietest_makes_place_for_one_too_many)
{
	for (int i = 0; i < ALL; i++)
		come();
	say(fds[0], "s");
	settle();
	come();
	settle();
	ck_assert_uint_eq(core->n_clients, ALL);
	ck_assert(!is_closed(fds[0]));
	ck_assert(is_closed(fds[1]));
	say(fds[ALL], "s");
	ck_assert_uint_eq(count_answered(fds[ALL]), 1);
}
END_TEST

START_TEST(test_what_one_said_that_makes_place_is_answered_in_full)
{
	for (int i = 0; i < ALL; i++)
		come();
	say(fds[0], "sl");
	come();
	ck_assert_uint_eq(count_answered(fds[0]), 1 + LONG_ANSWER);
	ck_assert(is_closed(fds[0]));
	ck_assert_uint_eq(core->n_clients, ALL);
}
END_TEST

/* Each asks at the very moment it has to go and does not read. */
START_TEST(test_those_that_made_place_and_do_not_read_are_few)
{
	for (int i = 0; i < ALL; i++)
		come();
	for (int i = 0; i < ALL; i++) {
		say(fds[i], "l");
		come();
		settle();
		ck_assert_uint_le(core->n_clients, ALL + CALLER_LEAVING);
	}
	ck_assert_uint_eq(core->n_clients, ALL + CALLER_LEAVING);
	ck_assert(is_closed(fds[0]));
	ck_assert(!is_closed(fds[ALL - 1]));
	for (int i = ALL; i < 2 * ALL; i++)
		ck_assert(!is_closed(fds[i]));
}
END_TEST

START_TEST(test_where_those_that_made_place_wait_the_next_one_is_refused)
{
	for (int i = 0; i < ALL; i++)
		come();
	for (int i = 0; i < 2 * CALLER_LEAVING; i++) {
		say(fds[i], "w");
		come();
		settle();
	}
	ck_assert_uint_eq(core->n_clients, ALL + CALLER_LEAVING);
	for (int i = 0; i < 2 * CALLER_LEAVING; i++) {
		ck_assert(!is_closed(fds[i]));
		ck_assert_int_eq(is_closed(fds[ALL + i]), i >= CALLER_LEAVING);
	}
}
END_TEST

/* ---- turns ---- */

START_TEST(test_many_requests_at_once_are_in_nobody_s_way)
{
	int many = come(), one = come();

	say(many, "tttttttttttttttttttt");
	say(one, "s");
	work_until_ready(one, 1);
	/* The first, the one in line before it, and one for which a uid that is alone had time. */
	ck_assert_uint_le(count_ready(many), 3);
	work_until_ready(many, 20);
	say(many, "s");
	ck_assert_uint_eq(count_answered(many), 21);
}
END_TEST

#define CROWD 20
#define A     50001u
#define B     50002u

static void crowd_says(const char *requests)
{
	for (int i = 0; i < CROWD; i++)
		come_as(A);
	for (int i = 0; i < CROWD; i++)
		say(fds[i], requests);
}

START_TEST(test_who_comes_first_in_a_round_waits_for_one_request)
{
	int one = come_as(B);

	n_fds = 0;
	crowd_says("t");
	say(one, "s");
	work_until_ready(one, 1);
	ck_assert_uint_eq(count_all_ready(fds, CROWD), 1);
	close(one);
}
END_TEST

START_TEST(test_a_uid_with_many_connections_counts_as_one)
{
	int one = come_as(B);

	n_fds = 0;
	crowd_says("tt");
	say(one, "tttttttttt");
	for (size_t n = 1; n <= 10; n++) {
		work_until_ready(one, n);
		ck_assert_uint_ge(count_all_ready(fds, CROWD) + 1, n);
		ck_assert_uint_le(count_all_ready(fds, CROWD), n + 1);
	}
	for (int i = 0; i < CROWD; i++)
		work_until_ready(fds[i], 2);
	close(one);
}
END_TEST

START_TEST(test_connections_of_one_uid_take_turns)
{
	crowd_says("tt");
	work_until_ready(fds[CROWD / 2], 2);
	for (int i = 0; i < CROWD; i++)
		ck_assert_uint_ge(count_ready(fds[i]), 1);
	for (int i = 0; i < CROWD; i++)
		work_until_ready(fds[i], 2);
	ck_assert(!callers_in_line(core->callers));
}
END_TEST

START_TEST(test_what_is_not_finished_in_its_turn_lines_up_again)
{
	int slow = come_as(A), one = come_as(B);

	say(slow, "us");
	say(one, "tttttttt");
	work_until_ready(one, 3);
	ck_assert_uint_eq(count_ready(slow), 0);
	work_until_ready(slow, 1);
	ck_assert_uint_le(count_ready(one), 6);
	work_until_ready(slow, 2);
	ck_assert_uint_eq(count_answered(one), 8);
	say(slow, "u");
	ck_assert_uint_eq(count_answered(slow), 3);
}
END_TEST

/* Those in line: nobody waits for what they would have asked. */
START_TEST(test_who_leaves_the_line_is_not_served)
{
	int one = come_as(B);

	n_fds = 0;
	crowd_says("t");
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(tevent_loop_once(core->ev), 0);
	ck_assert(callers_in_line(core->callers));
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
	settle();
	ck_assert_uint_eq(core->n_clients, 1);
	ck_assert(!callers_in_line(core->callers));
	n_fds = 0;
	say(one, "s");
	ck_assert_uint_eq(count_answered(one), 1);
	close(one);
}
END_TEST

START_TEST(test_all_requests_are_answered_whose_client_says_no_more)
{
	int fd = come();

	say(fd, "tttttttttttttttttttt");
	shutdown(fd, SHUT_WR);
	ck_assert_uint_eq(count_answered(fd), 20);
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(core->n_clients, 0);
}
END_TEST

START_TEST(test_whose_turn_will_come_is_not_idle)
{
	int fd = come();

	say(fd, "tttttttttttttttttttt");
	ck_assert_int_eq(tevent_loop_once(core->ev), 0);
	core->clients_max = 1;
	come();
	ck_assert_uint_eq(count_answered(fd), 20);
}
END_TEST

START_TEST(test_who_hangs_up_in_its_turn_is_gone)
{
	int fd = come();

	say(fd, "tttttttttttttttttttt");
	ck_assert_int_eq(tevent_loop_once(core->ev), 0);
	close(fd);
	n_fds = 0;
	settle();
	ck_assert_uint_eq(core->n_clients, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tcase = tcase_create("client");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, clean_up);
	tcase_add_test(tcase, test_the_quietest_makes_place_for_one_too_many);
	tcase_add_test(tcase, test_what_one_said_that_makes_place_is_answered_in_full);
	tcase_add_test(tcase, test_those_that_made_place_and_do_not_read_are_few);
	tcase_add_test(tcase, test_where_those_that_made_place_wait_the_next_one_is_refused);
	tcase_add_test(tcase, test_many_requests_at_once_are_in_nobody_s_way);
	tcase_add_test(tcase, test_who_comes_first_in_a_round_waits_for_one_request);
	tcase_add_test(tcase, test_a_uid_with_many_connections_counts_as_one);
	tcase_add_test(tcase, test_connections_of_one_uid_take_turns);
	tcase_add_test(tcase, test_what_is_not_finished_in_its_turn_lines_up_again);
	tcase_add_test(tcase, test_who_leaves_the_line_is_not_served);
	tcase_add_test(tcase, test_all_requests_are_answered_whose_client_says_no_more);
	tcase_add_test(tcase, test_whose_turn_will_come_is_not_idle);
	tcase_add_test(tcase, test_who_hangs_up_in_its_turn_is_gone);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
