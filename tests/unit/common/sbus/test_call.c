/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "tests/unit/common/sbus/iface_sample.h"
#include "tests/unit/common/sbus/pair.h"

/* ---- a request, and what it came to ---- */

struct asked {
	int done; /* callbacks so far */
	int r;
	void *free_then;
	int (*recv)(struct tevent_req *req, TALLOC_CTX *mem);
};

static void answered(struct tevent_req *req)
{
	struct asked *asked = tevent_req_callback_data_void(req);

	asked->r = asked->recv(req, NULL);
	asked->done++;
	talloc_free(req);
	TALLOC_FREE(asked->free_then);
}

static void ask(struct tevent_req *req, struct asked *asked,
                int (*recv)(struct tevent_req *req, TALLOC_CTX *mem))
{
	ck_assert_ptr_nonnull(req);
	asked->recv = recv;
	tevent_req_set_callback(req, answered, asked);
}

/* Runs a request of one method to its end. */
#define ask_and_wait(pair, name, ...)                                                           \
	__extension__({                                                                         \
		struct asked asked_ = { 0 };                                                    \
		ask(sample_##name##_send(pair, (pair)->ev, (pair)->conn, __VA_ARGS__), &asked_, \
		    sample_##name##_recv);                                                      \
		ck_assert(pair_until(pair, asked_.done));                                       \
		asked_.r;                                                                       \
	})

/* ---- round trips ---- */

static const char *const three[] = { "a", "", "grün", NULL };
static const char *const none[] = { NULL };

static void check_list(const char *const *is, const char *const *should)
{
	size_t i;

	for (i = 0; should[i]; i++)
		ck_assert_str_eq(is[i], should[i]);
	ck_assert_ptr_null(is[i]);
}

static const struct {
	struct sample_every_type_in in;
	const char *text;
	const char *const *list;
} round_trips[] = {
	{ { "alice", 1, 2, 3, -4, true, three }, "alice", three },
	{ { "", UINT16_MAX, UINT32_MAX, UINT64_MAX, INT32_MIN, false, none }, "", none },
	{ { NULL, 0, 0, 0, INT32_MAX, false, NULL }, "", none },
};

START_TEST(test_every_type_comes_back)
{
	auto_talloc struct pair *pair = pair_standing();
	const struct sample_every_type_in *in = &round_trips[_i].in;
	struct sample_every_type_out out;
	struct tevent_req *req = sample_every_type_send(pair, pair->ev, pair->conn, in, 1000);

	ck_assert(pair_until(pair, !tevent_req_is_in_progress(req)));
	ck_assert_int_eq(sample_every_type_recv(req, pair, &out), 0);
	talloc_free(req);
	ck_assert_str_eq(out.text, round_trips[_i].text);
	ck_assert_ptr_eq(talloc_parent(out.text), pair);
	ck_assert_uint_eq(out.small, in->small);
	ck_assert_uint_eq(out.number, in->number);
	ck_assert_uint_eq(out.large, in->large);
	ck_assert_int_eq(out.negative, in->negative);
	ck_assert(out.truth == in->truth);
	check_list(out.list, round_trips[_i].list);
}
END_TEST

START_TEST(test_callee_becomes_caller_on_the_same_connection)
{
	static const struct sample_methods nothing = { 0 };
	auto_talloc struct pair *pair = pair_standing();
	struct asked asked = { 0 };

	ck_assert_int_eq(sample_serve(pair->conn, &nothing, NULL), 0);
	ask(sample_never_answer_send(pair, pair->ev, pair->accepted, 1000), &asked,
	    sample_never_answer_recv);
	ck_assert(pair_until(pair, asked.done));
	ck_assert_int_eq(asked.r, -ENOSYS);
}
END_TEST

START_TEST(test_thousand_calls_in_flight)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked *asked = talloc_zero_array(pair, struct asked, 1000);
	int done;

	for (unsigned i = 0; i < 1000; i++) {
		struct sample_fail_with_in in = { i % 2 ? E_OFFLINE : ETIMEDOUT };

		ask(sample_fail_with_send(pair, pair->ev, pair->conn, &in, 3000), &asked[i],
		    sample_fail_with_recv);
	}
	ck_assert(pair_until(pair, asked[999].done));
	done = 0;
	for (unsigned i = 0; i < 1000; i++) {
		done += asked[i].done;
		ck_assert_int_eq(asked[i].r, i % 2 ? -E_OFFLINE : -ETIMEDOUT);
	}
	ck_assert_int_eq(done, 1000);
}
END_TEST

/* ---- errors ---- */

static const struct {
	int sent, received;
} errors[] = {
	{ E_OFFLINE, E_OFFLINE }, { E_DISCONNECTED, E_DISCONNECTED },
	{ EPERM, EPERM },         { ETIMEDOUT, ETIMEDOUT },
	{ EACCES, EACCES },       { EHWPOISON, EHWPOISON },
	{ 1999, E_BUS },
};

START_TEST(test_error_keeps_its_code)
{
	auto_talloc struct pair *pair = pair_standing();
	struct sample_fail_with_in in = { (uint32_t)errors[_i].sent };

	ck_assert_int_eq(ask_and_wait(pair, fail_with, &in, 1000), -errors[_i].received);
}
END_TEST

START_TEST(test_method_without_code_is_unknown)
{
	auto_talloc struct pair *pair = pair_standing();

	ck_assert_int_eq(ask_and_wait(pair, not_built, 1000), -ENOSYS);
}
END_TEST

START_TEST(test_interface_that_is_not_served_is_unknown)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked asked = { 0 };

	ask(sample_not_built_send(pair, pair->ev, pair->accepted, 1000), &asked,
	    sample_not_built_recv);
	ck_assert(pair_until(pair, asked.done));
	ck_assert_int_eq(asked.r, -ENOSYS);
}
END_TEST

START_TEST(test_call_that_is_freed_answers_with_an_error)
{
	auto_talloc struct pair *pair = pair_standing();

	ck_assert_int_eq(ask_and_wait(pair, drop_call, 1000), -ECANCELED);
}
END_TEST

START_TEST(test_text_that_is_not_utf8_is_not_sent)
{
	auto_talloc struct pair *pair = pair_standing();
	struct sample_every_type_in in = { .text = "gr\xfcn" };
	struct tevent_req *req = sample_every_type_send(pair, pair->ev, pair->conn, &in, 1000);
	struct sample_every_type_out out;

	ck_assert(!tevent_req_is_in_progress(req));
	ck_assert_int_eq(sample_every_type_recv(req, pair, &out), -EILSEQ);
	talloc_free(req);
}
END_TEST

static const struct {
	size_t size;
	int r;
} sizes[] = { { 1000000, 0 },
	      { (1 << 20) - 4096, -EMSGSIZE },
	      { 1 << 20, -EMSGSIZE },
	      { 3 << 20, -EMSGSIZE } };

START_TEST(test_message_over_a_mebibyte_is_not_sent)
{
	auto_talloc struct pair *pair = pair_standing();
	char *text = talloc_array(pair, char, (unsigned)sizes[_i].size + 1);
	struct sample_every_type_in in = { .text = text };
	struct sample_every_type_out out;
	struct tevent_req *req;

	memset(text, 'x', sizes[_i].size);
	text[sizes[_i].size] = '\0';
	req = sample_every_type_send(pair, pair->ev, pair->conn, &in, 2000);
	ck_assert(pair_until(pair, !tevent_req_is_in_progress(req)));
	ck_assert_int_eq(sample_every_type_recv(req, pair, &out), sizes[_i].r);
	talloc_free(req);
	if (sizes[_i].r == 0)
		ck_assert_str_eq(out.text, text);
	/* The connection lives on. */
	ck_assert_int_eq(ask_and_wait(pair, not_built, 1000), -ENOSYS);
}
END_TEST

/* ---- time ---- */

START_TEST(test_no_answer_is_a_timeout)
{
	auto_talloc struct pair *pair = pair_standing();
	int64_t start_us = monotonic_us();

	ck_assert_int_eq(ask_and_wait(pair, never_answer, 100), -ETIMEDOUT);
	ck_assert_int_ge(monotonic_us() - start_us, 99000);
	ck_assert_int_le(monotonic_us() - start_us, 300000);
}
END_TEST

START_TEST(test_no_time_left_is_a_timeout_at_once)
{
	auto_talloc struct pair *pair = pair_standing();
	struct tevent_req *req = sample_never_answer_send(pair, pair->ev, pair->conn, 0);

	ck_assert(!tevent_req_is_in_progress(req));
	ck_assert_int_eq(sample_never_answer_recv(req, NULL), -ETIMEDOUT);
	talloc_free(req);
}
END_TEST

START_TEST(test_each_request_has_its_own_deadline)
{
	static const uint32_t after_ms[] = { 300, 100, 200, 50 };
	static const int order[] = { 4, 2, 3, 1 };
	auto_talloc struct pair *pair = pair_standing();
	struct asked asked[4] = { { 0 } };
	int n_done = 0;

	for (int i = 0; i < 4; i++)
		ask(sample_never_answer_send(pair, pair->ev, pair->conn, after_ms[i]), &asked[i],
		    sample_never_answer_recv);
	for (int round = 1; round <= 4; round++) {
		ck_assert(pair_until(pair,
		                     asked[0].done + asked[1].done + asked[2].done + asked[3].done >
		                             n_done));
		n_done++;
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(asked[i].done, order[i] <= round);
	}
	ck_assert_int_eq(asked[0].r, -ETIMEDOUT);
}
END_TEST

START_TEST(test_freed_request_is_forgotten)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked asked = { 0 };
	struct tevent_req *req = sample_drop_call_send(pair, pair->ev, pair->conn, 1000);

	ask(req, &asked, sample_drop_call_recv);
	talloc_free(req);
	ck_assert_int_eq(ask_and_wait(pair, not_built, 1000), -ENOSYS);
	ck_assert_int_eq(asked.done, 0);
}
END_TEST

/* ---- the end of connections ---- */

START_TEST(test_peer_killed_fails_the_request)
{
	auto_talloc struct pair *pair = pair_new();
	struct asked asked = { 0 };
	pid_t pid = pair_fork_server(pair);

	pair_connect(pair, false);
	ck_assert(pair_until(pair, pair->conn));
	ask(sample_never_answer_send(pair, pair->ev, pair->conn, 3000), &asked,
	    sample_never_answer_recv);
	pair_run(pair, 30);
	ck_assert_int_eq(asked.done, 0);
	pair_kill(pid, SIGKILL);
	ck_assert(pair_until(pair, asked.done));
	ck_assert_int_eq(asked.r, -E_DISCONNECTED);
	ck_assert(pair_until(pair, pair->n_lost == 1));
	ck_assert_ptr_null(pair->conn);
}
END_TEST

START_TEST(test_peer_that_exits_in_a_call_fails_it)
{
	auto_talloc struct pair *pair = pair_new();
	pid_t pid = pair_fork_server(pair);

	pair_connect(pair, false);
	ck_assert(pair_until(pair, pair->conn));
	ck_assert_int_eq(ask_and_wait(pair, exit_now, 3000), -E_DISCONNECTED);
	pair_kill(pid, SIGKILL);
}
END_TEST

START_TEST(test_connection_freed_in_its_method)
{
	auto_talloc struct pair *pair = pair_standing();

	ck_assert_int_eq(ask_and_wait(pair, free_connection, 3000), -E_DISCONNECTED);
	ck_assert(pair_until(pair, pair->n_lost == 1 && pair->n_stood == 2));
	ck_assert_int_eq(ask_and_wait(pair, not_built, 1000), -ENOSYS);
}
END_TEST

START_TEST(test_client_freed_in_a_callback)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked first = { 0 }, second = { 0 };

	/* The second is still in flight then: it fails, and does so from the loop. */
	ask(sample_not_built_send(pair, pair->ev, pair->conn, 1000), &first, sample_not_built_recv);
	ask(sample_never_answer_send(pair, pair->ev, pair->conn, 1000), &second,
	    sample_never_answer_recv);
	first.free_then = take_ptr(pair->client);
	ck_assert(pair_until(pair, second.done));
	ck_assert_int_eq(first.r, -ENOSYS);
	ck_assert_int_eq(second.r, -E_DISCONNECTED);
	ck_assert(pair_until(pair, pair->n_closed == 1));
	ck_assert_int_eq(pair->n_lost, 0);
}
END_TEST

START_TEST(test_client_freed_when_requests_fail)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked first = { 0 }, second = { 0 };

	ask(sample_never_answer_send(pair, pair->ev, pair->conn, 1000), &first,
	    sample_never_answer_recv);
	ask(sample_never_answer_send(pair, pair->ev, pair->conn, 1000), &second,
	    sample_never_answer_recv);
	first.free_then = take_ptr(pair->client);
	pair_run(pair, 20);
	TALLOC_FREE(pair->server);
	ck_assert(pair_until(pair, second.done));
	ck_assert_int_eq(second.r, -E_DISCONNECTED);
}
END_TEST

START_TEST(test_client_freed_at_a_timeout)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked first = { 0 }, second = { 0 };

	ask(sample_never_answer_send(pair, pair->ev, pair->conn, 20), &first,
	    sample_never_answer_recv);
	ask(sample_never_answer_send(pair, pair->ev, pair->conn, 20), &second,
	    sample_never_answer_recv);
	first.free_then = take_ptr(pair->client);
	ck_assert(pair_until(pair, second.done));
	ck_assert_int_eq(first.r, -ETIMEDOUT);
	ck_assert_int_eq(second.r, -E_DISCONNECTED);
}
END_TEST

START_TEST(test_request_on_a_lost_connection_fails)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked asked = { 0 };

	TALLOC_FREE(pair->server);
	/* The loop has not told yet. */
	ask(sample_not_built_send(pair, pair->ev, pair->conn, 1000), &asked, sample_not_built_recv);
	ck_assert(pair_until(pair, asked.done));
	ck_assert_int_eq(asked.r, -E_DISCONNECTED);
	ck_assert(pair_until(pair, pair->n_lost == 1));
}
END_TEST

START_TEST(test_what_hangs_below_a_call_goes_with_the_connection)
{
	auto_talloc struct pair *pair = pair_standing();
	struct asked asked = { 0 };

	ask(sample_never_answer_send(pair, pair->ev, pair->conn, 1000), &asked,
	    sample_never_answer_recv);
	pair_run(pair, 20);
	ck_assert_int_gt(talloc_total_blocks(pair->server), 1);
	TALLOC_FREE(pair->client);
	ck_assert(pair_until(pair, pair->n_closed == 1));
	ck_assert_ptr_null(pair->accepted);
}
END_TEST

START_TEST(test_peer_that_does_not_read_is_busy)
{
	auto_talloc struct pair *pair = pair_new();
	pid_t pid = pair_fork_server(pair);
	char *text = talloc_array(pair, char, 500001);
	struct sample_every_type_in in = { .text = text };
	struct tevent_req *req;
	int n_sent;

	memset(text, 'x', 500000);
	text[500000] = '\0';
	pair_connect(pair, false);
	ck_assert(pair_until(pair, pair->conn));
	kill(pid, SIGSTOP);
	for (n_sent = 0; n_sent < 50; n_sent++) {
		req = sample_every_type_send(pair, pair->ev, pair->conn, &in, 2000);
		if (!tevent_req_is_in_progress(req))
			break;
	}
	ck_assert_int_ge(n_sent, 8);
	ck_assert_int_le(n_sent, 12);
	ck_assert_int_eq(sample_every_type_recv(req, pair, &(struct sample_every_type_out){ 0 }),
	                 -EBUSY);
	pair_kill(pid, SIGKILL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sbus call");
	TCase *call = tcase_create("call");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(call, 20);
	tcase_add_loop_test(call, test_every_type_comes_back, 0, 3);
	tcase_add_test(call, test_callee_becomes_caller_on_the_same_connection);
	tcase_add_test(call, test_thousand_calls_in_flight);
	tcase_add_loop_test(call, test_error_keeps_its_code, 0,
	                    (int)(sizeof(errors) / sizeof(errors[0])));
	tcase_add_test(call, test_method_without_code_is_unknown);
	tcase_add_test(call, test_interface_that_is_not_served_is_unknown);
	tcase_add_test(call, test_call_that_is_freed_answers_with_an_error);
	tcase_add_test(call, test_text_that_is_not_utf8_is_not_sent);
	tcase_add_loop_test(call, test_message_over_a_mebibyte_is_not_sent, 0, 4);
	tcase_add_test(call, test_no_answer_is_a_timeout);
	tcase_add_test(call, test_no_time_left_is_a_timeout_at_once);
	tcase_add_test(call, test_each_request_has_its_own_deadline);
	tcase_add_test(call, test_freed_request_is_forgotten);
	tcase_add_test(call, test_peer_killed_fails_the_request);
	tcase_add_test(call, test_peer_that_exits_in_a_call_fails_it);
	tcase_add_test(call, test_connection_freed_in_its_method);
	tcase_add_test(call, test_client_freed_in_a_callback);
	tcase_add_test(call, test_client_freed_when_requests_fail);
	tcase_add_test(call, test_client_freed_at_a_timeout);
	tcase_add_test(call, test_request_on_a_lost_connection_fails);
	tcase_add_test(call, test_what_hangs_below_a_call_goes_with_the_connection);
	tcase_add_test(call, test_peer_that_does_not_read_is_busy);
	suite_add_tcase(suite, call);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
