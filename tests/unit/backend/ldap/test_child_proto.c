/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two messages of ldap_child: there and back, and cut anywhere
 */
#include "backend/ldap/child_proto.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/frame.h"

static struct writer out;

static void setup(void)
{
	out = writer_new(4096);
}

static void teardown(void)
{
	writer_free(&out);
}

static void write_request(uint32_t limit_s, const char *domain, const char *host)
{
	struct child_request request = { limit_s, domain, host };

	writer_reset(&out);
	child_write_request(&out, &request);
	ck_assert_int_eq(frame_be_length(out.bytes, out.size, CHILD_MESSAGE_MAX), out.size);
}

/* What is behind the length, all but the last bytes of it, on the heap. */
static uint8_t *copy_but(size_t cut, size_t *ret_size)
{
	uint8_t *copy;

	*ret_size = out.size - FRAME_BE_SIZE - cut;
	copy = malloc(*ret_size ? *ret_size : 1);
	memcpy(copy, out.bytes + FRAME_BE_SIZE, *ret_size);
	return copy;
}

static int read_request(size_t cut)
{
	struct child_request request;
	struct reader in;
	size_t size;
	uint8_t *copy = copy_but(cut, &size);
	int r;

	in = reader_over(copy, size);
	r = child_read_request(&in, &request);
	free(copy);
	return r;
}

static int read_reply(size_t cut)
{
	struct child_reply reply;
	struct reader in;
	size_t size;
	uint8_t *copy = copy_but(cut, &size);
	int r;

	in = reader_over(copy, size);
	r = child_read_reply(&in, &reply);
	free(copy);
	return r;
}

START_TEST(test_a_request)
{
	struct child_request request;
	struct reader in;

	write_request(8, "LDAP", "ldap.example.com");
	in = reader_over(out.bytes + FRAME_BE_SIZE, out.size - FRAME_BE_SIZE);
	ck_assert_int_eq(child_read_request(&in, &request), 0);
	ck_assert_uint_eq(request.limit_s, 8);
	ck_assert_str_eq(request.domain, "LDAP");
	ck_assert_str_eq(request.host, "ldap.example.com");
	for (size_t cut = 1; cut <= out.size - FRAME_BE_SIZE; cut++)
		ck_assert_int_eq(read_request(cut), -EBADMSG);
	write_request(CHILD_LIMIT_MAX_S, "LDAP", "");
	ck_assert_int_eq(read_request(0), 0);
}
END_TEST

START_TEST(test_no_domain_leads_out_of_its_directory)
{
	static const char *const domains[] = { "", ".", "..", "/", "../sssd", "a/b", "/etc" };

	for (size_t i = 0; i < sizeof(domains) / sizeof(*domains); i++) {
		write_request(8, domains[i], "host");
		ck_assert_int_eq(read_request(0), -EBADMSG);
	}
	write_request(8, "..a", "host");
	ck_assert_int_eq(read_request(0), 0);
}
END_TEST

START_TEST(test_a_request_has_an_end)
{
	write_request(0, "LDAP", "host");
	ck_assert_int_eq(read_request(0), -EBADMSG);
	write_request(CHILD_LIMIT_MAX_S + 1, "LDAP", "host");
	ck_assert_int_eq(read_request(0), -EBADMSG);
}
END_TEST

START_TEST(test_a_reply)
{
	static const uint8_t base[] = "base and TGT", tickets[] = "a ticket";
	struct child_reply reply = { 3600,    "host/www@R", base,
		                     tickets, sizeof(base), sizeof(tickets) };
	struct reader in;

	child_write_reply(&out, &reply);
	memset(&reply, 0, sizeof(reply));
	in = reader_over(out.bytes + FRAME_BE_SIZE, out.size - FRAME_BE_SIZE);
	ck_assert_int_eq(child_read_reply(&in, &reply), 0);
	ck_assert_uint_eq(reply.left_s, 3600);
	ck_assert_str_eq(reply.text, "host/www@R");
	ck_assert_uint_eq(reply.base_size, sizeof(base));
	ck_assert_mem_eq(reply.base, base, sizeof(base));
	ck_assert_uint_eq(reply.tickets_size, sizeof(tickets));
	ck_assert_mem_eq(reply.tickets, tickets, sizeof(tickets));

	/* Tickets are all that is left: only what comes before them can be missed. */
	for (size_t cut = sizeof(tickets) + 1; cut <= out.size - FRAME_BE_SIZE; cut++)
		ck_assert_int_eq(read_reply(cut), -EBADMSG);
}
END_TEST

START_TEST(test_a_reason_has_no_tickets)
{
	struct child_reply reply = { .text = "no KDC" };

	child_write_reply(&out, &reply);
	ck_assert_int_eq(read_reply(0), 0);
	writer_u8(&out, 0);
	ck_assert_int_eq(read_reply(0), -EBADMSG);
}
END_TEST

START_TEST(test_tickets_have_a_base)
{
	struct child_reply reply = { .left_s = 1, .text = "host/www@R" };

	child_write_reply(&out, &reply);
	ck_assert_int_eq(read_reply(0), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("child_proto");
	TCase *tcase = tcase_create("child_proto");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_a_request);
	tcase_add_test(tcase, test_no_domain_leads_out_of_its_directory);
	tcase_add_test(tcase, test_a_request_has_an_end);
	tcase_add_test(tcase, test_a_reply);
	tcase_add_test(tcase, test_a_reason_has_no_tickets);
	tcase_add_test(tcase, test_tickets_have_a_base);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
