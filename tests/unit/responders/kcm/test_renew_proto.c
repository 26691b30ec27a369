/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewal's two messages: there and back, and cut anywhere
 */
#include "responders/kcm/renew_proto.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "common/wire/frame.h"
#include "tests/unit/responders/kcm/build.h"

static struct writer tgt, out;

static void setup(void)
{
	tgt = writer_new(4096);
	out = writer_new(4096);
	put_tgt(&tgt, "TEST", 1000, 2000, 9000, TICKET_RENEWABLE);
}

static void teardown(void)
{
	writer_free(&tgt);
	writer_free(&out);
}

static struct bytes tgt_bytes(void)
{
	return (struct bytes){ tgt.bytes, tgt.size };
}

static void write_request(uint32_t limit_s)
{
	struct renew_request request = { limit_s, -90, true, tgt_bytes() };

	renew_write_request(&out, &request);
	ck_assert_int_eq(frame_be_length(out.bytes, out.size, RENEW_MESSAGE_MAX), out.size);
}

/* The first size bytes of what is in out, on the heap. */
static int read_request(size_t size, struct renew_request *ret_request)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct reader in;
	int r;

	memcpy(copy, out.bytes + FRAME_BE_SIZE, size);
	in = reader_over(copy, size);
	r = renew_read_request(&in, ret_request);
	free(copy);
	return r;
}

static int read_reply(size_t size, struct renew_reply *ret_reply)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct reader in;
	int r;

	memcpy(copy, out.bytes + FRAME_BE_SIZE, size);
	in = reader_over(copy, size);
	r = renew_read_reply(&in, ret_reply);
	free(copy);
	return r;
}

START_TEST(test_a_request)
{
	struct renew_request request;

	write_request(6);
	ck_assert_int_eq(read_request(out.size - FRAME_BE_SIZE, &request), 0);
	ck_assert_uint_eq(request.limit_s, 6);
	ck_assert_int_eq(request.kdc_offset, -90);
	ck_assert(request.validate);
	ck_assert_uint_eq(request.credential.size, tgt.size);
	for (size_t size = 0; size < out.size - FRAME_BE_SIZE; size++)
		ck_assert_int_eq(read_request(size, &request), -EBADMSG);
}
END_TEST

START_TEST(test_a_request_without_an_end_is_refused)
{
	struct renew_request request;

	write_request(_i ? RENEW_LIMIT_MAX_S + 1 : 0);
	ck_assert_int_eq(read_request(out.size - FRAME_BE_SIZE, &request), -EBADMSG);
}
END_TEST

START_TEST(test_only_renewable_tgts_are_asked_for)
{
	struct renew_request request;

	writer_reset(&tgt);
	if (_i)
		put_credential(&tgt, "alice", "www", 2000, "ticket");
	else
		put_tgt(&tgt, "TEST", 1000, 2000, 9000, 0);
	write_request(6);
	ck_assert_int_eq(read_request(out.size - FRAME_BE_SIZE, &request), -EBADMSG);
}
END_TEST

START_TEST(test_a_reply)
{
	struct renew_reply reply = { 0, NULL, tgt_bytes() };

	renew_write_reply(&out, &reply);
	ck_assert_int_eq(read_reply(out.size - FRAME_BE_SIZE, &reply), 0);
	ck_assert_int_eq(reply.code, 0);
	ck_assert_uint_eq(reply.credential.size, tgt.size);
	for (size_t size = 0; size < out.size - FRAME_BE_SIZE; size++)
		ck_assert_int_eq(read_reply(size, &reply), -EBADMSG);
}
END_TEST

START_TEST(test_a_refusal_has_no_ticket)
{
	struct renew_reply reply = { -1765328343, "no", { 0 } };

	renew_write_reply(&out, &reply);
	ck_assert_int_eq(read_reply(out.size - FRAME_BE_SIZE, &reply), 0);
	ck_assert_int_eq(reply.code, -1765328343);
	writer_reset(&out);
	reply = (struct renew_reply){ -1765328343, "no", tgt_bytes() };
	renew_write_reply(&out, &reply);
	ck_assert_int_eq(read_reply(out.size - FRAME_BE_SIZE, &reply), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("renew_proto");
	TCase *tcase = tcase_create("renew_proto");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_a_request);
	tcase_add_loop_test(tcase, test_a_request_without_an_end_is_refused, 0, 2);
	tcase_add_loop_test(tcase, test_only_renewable_tgts_are_asked_for, 0, 2);
	tcase_add_test(tcase, test_a_reply);
	tcase_add_test(tcase, test_a_refusal_has_no_ticket);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
