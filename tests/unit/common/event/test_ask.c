/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both sides of a conversation with a helper: ask.c, and what helper.c reads and writes with
 */
#include "common/event/ask.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/event/helper.h"

#define MAX 64

static struct tevent_context *ev;
static int ends[2];
static bool is_over;

static void setup(void)
{
	ev = tevent_context_init(NULL);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	is_over = false;
}

static void teardown(void)
{
	talloc_free(ev);
	close(ends[1]);
}

static void over(struct tevent_req *req)
{
	*(bool *)tevent_req_callback_data_void(req) = true;
}

static struct tevent_req *ask(void)
{
	struct writer message = writer_new(MAX);
	struct tevent_req *req;

	writer_be32(&message, 3);
	writer_bytes(&message, "why", 3);
	req = ask_send(ev, ev, ends[0], &message, MAX, 100);
	ck_assert_ptr_nonnull(req);
	ck_assert_ptr_null(message.bytes);
	tevent_req_set_callback(req, over, &is_over);
	return req;
}

static void wait_for(struct tevent_req *req)
{
	while (!is_over)
		tevent_loop_once(ev);
	ck_assert(!tevent_req_is_in_progress(req));
}

START_TEST(test_question_and_answer)
{
	struct tevent_req *req = ask();
	uint8_t bytes[MAX];
	struct reader body = { 0 };

	tevent_loop_once(ev);
	ck_assert_int_eq(helper_read_frame(ends[1], bytes, MAX, &body), 0);
	ck_assert_uint_eq(reader_left(&body), 3);
	ck_assert_mem_eq(body.pos, "why", 3);

	/* In pieces. */
	for (size_t i = 0; i < 11; i++) {
		ck_assert(!is_over);
		ck_assert(helper_write(ends[1], (const uint8_t *)"\0\0\0\7because" + i, 1));
		tevent_loop_once(ev);
	}
	wait_for(req);
	ck_assert_int_eq(ask_recv(req, &body), 0);
	ck_assert_uint_eq(reader_left(&body), 7);
	ck_assert_mem_eq(body.pos, "because", 7);

	talloc_free(req);
	ck_assert_int_eq(recv(ends[1], bytes, 1, 0), 0);
}
END_TEST

static const struct {
	const char *bytes;
	size_t size;
	int asker, helper;
} bad[] = {
	{ "", 0, -E_DISCONNECTED, -E_DISCONNECTED },
	{ "\0\0\0", 3, -E_DISCONNECTED, -E_DISCONNECTED },
	{ "\0\0\0\7becaus", 10, -E_DISCONNECTED, -E_DISCONNECTED },
	{ "\0\0\0\0", 4, 0, -EBADMSG }, /* what an answer must hold its reader knows */
	{ "\0\0\0\100", 4, -EMSGSIZE, -EMSGSIZE },
	{ "\377\377\377\377", 4, -EMSGSIZE, -EMSGSIZE },
};

START_TEST(test_what_is_no_answer)
{
	struct tevent_req *req = ask();
	struct reader body;

	ck_assert(helper_write(ends[1], (const uint8_t *)bad[_i].bytes, bad[_i].size));
	shutdown(ends[1], SHUT_WR);
	wait_for(req);
	ck_assert_int_eq(ask_recv(req, &body), bad[_i].asker);
}
END_TEST

START_TEST(test_what_is_no_question)
{
	uint8_t bytes[MAX];
	struct reader body;

	ck_assert(helper_write(ends[0], (const uint8_t *)bad[_i].bytes, bad[_i].size));
	shutdown(ends[0], SHUT_WR);
	ck_assert_int_eq(helper_read_frame(ends[1], bytes, MAX, &body), bad[_i].helper);
	close(ends[0]);
}
END_TEST

START_TEST(test_more_than_an_answer)
{
	struct tevent_req *req = ask();
	struct reader body;

	ck_assert(helper_write(ends[1], (const uint8_t *)"\0\0\0\1ab", 6));
	wait_for(req);
	ck_assert_int_eq(ask_recv(req, &body), -EBADMSG);
}
END_TEST

START_TEST(test_no_answer)
{
	struct tevent_req *req = ask();
	struct reader body;

	wait_for(req);
	ck_assert_int_eq(ask_recv(req, &body), -ETIMEDOUT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ask");
	TCase *tcase = tcase_create("ask");
	SRunner *runner = srunner_create(suite);
	int failed, n_bad = (int)(sizeof(bad) / sizeof(bad[0]));

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_question_and_answer);
	tcase_add_loop_test(tcase, test_what_is_no_answer, 0, n_bad);
	tcase_add_loop_test(tcase, test_what_is_no_question, 0, n_bad);
	tcase_add_test(tcase, test_more_than_an_answer);
	tcase_add_test(tcase, test_no_answer);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
