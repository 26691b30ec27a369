/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/wire/frame.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/proto.h"

/* A header that claims length bytes. */
static const uint8_t *claim(uint32_t length)
{
	static uint8_t bytes[PROTO_HEADER_SIZE];

	memcpy(bytes, &length, sizeof(length));
	return bytes;
}

START_TEST(test_a_header_cut_anywhere_asks_for_more)
{
	for (size_t size = 0; size < PROTO_HEADER_SIZE; size++) {
		uint8_t *copy = malloc(size ? size : 1);

		memset(copy, 0xff, size);
		ck_assert_int_eq(frame_length(copy, size, PROTO_REQUEST_MAX), 0);
		free(copy);
	}
}
END_TEST

START_TEST(test_a_length_must_hold_a_header)
{
	for (uint32_t length = 0; length < PROTO_HEADER_SIZE; length++)
		ck_assert_int_eq(frame_length(claim(length), 16, 1536), -EBADMSG);
	ck_assert_int_eq(frame_length(claim(16), 16, 1536), 16);
}
END_TEST

START_TEST(test_a_length_must_not_pass_max)
{
	ck_assert_int_eq(frame_length(claim(1536), 16, 1536), 1536);
	ck_assert_int_eq(frame_length(claim(1537), 16, 1536), -EMSGSIZE);
	ck_assert_int_eq(frame_length(claim(UINT32_MAX), 16, 1536), -EMSGSIZE);
	ck_assert_int_eq(frame_length(claim(UINT32_MAX), 16, UINT32_MAX), UINT32_MAX);
}
END_TEST

START_TEST(test_the_length_does_not_depend_on_how_much_is_there)
{
	uint8_t bytes[100] = { 60 };

	for (size_t size = 16; size <= sizeof(bytes); size++)
		ck_assert_int_eq(frame_length(bytes, size, 1536), 60);
}
END_TEST

START_TEST(test_a_message_has_its_header)
{
	static const uint8_t expected[] = {
		22, 0, 0, 0, 0x11, 0, 0, 0, 110, 0, 0, 0, 0, 0, 0, 0, 'a', 'l', 'i', 'c', 'e', 0,
	};
	struct writer out = writer_new(1000);
	struct frame_header header;

	frame_begin(&out, PROTO_GETPWNAM, 110);
	writer_str(&out, "alice");
	ck_assert_int_eq(frame_finish(&out), 0);
	ck_assert_uint_eq(out.size, sizeof(expected));
	ck_assert_mem_eq(out.bytes, expected, sizeof(expected));

	header = frame_header(out.bytes);
	ck_assert_uint_eq(header.length, 22);
	ck_assert_uint_eq(header.command, PROTO_GETPWNAM);
	ck_assert_uint_eq(header.status, 110);
	writer_free(&out);
}
END_TEST

START_TEST(test_a_message_over_max_is_not_finished)
{
	struct writer out = writer_new(20);

	frame_begin(&out, PROTO_GETPWNAM, 0);
	writer_str(&out, "alice");
	ck_assert_int_eq(frame_finish(&out), -EMSGSIZE);
	writer_free(&out);

	out = writer_new(8);
	frame_begin(&out, PROTO_GETPWNAM, 0);
	ck_assert_int_eq(frame_finish(&out), -EMSGSIZE);
	writer_free(&out);
}
END_TEST

START_TEST(test_a_length_in_network_order_leaves_itself_out)
{
	static const uint8_t message[] = { 0, 0, 1, 2, 'x' };

	for (size_t size = 0; size < FRAME_BE_SIZE; size++)
		ck_assert_int_eq(frame_be_length(message, size, 1000), 0);
	ck_assert_int_eq(frame_be_length(message, sizeof(message), 1000), 0x102 + 4);
	ck_assert_int_eq(frame_be_length(message, sizeof(message), 0x102 + 4), 0x102 + 4);
	ck_assert_int_eq(frame_be_length(message, sizeof(message), 0x102 + 3), -EMSGSIZE);
	ck_assert_int_eq(frame_be_length("\xff\xff\xff\xff", 4, UINT32_MAX), -EMSGSIZE);
	ck_assert_int_eq(frame_be_length("\0\0\0\0", 4, 1000), 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *frame = tcase_create("frame");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(frame, test_a_header_cut_anywhere_asks_for_more);
	tcase_add_test(frame, test_a_length_must_hold_a_header);
	tcase_add_test(frame, test_a_length_must_not_pass_max);
	tcase_add_test(frame, test_the_length_does_not_depend_on_how_much_is_there);
	tcase_add_test(frame, test_a_message_has_its_header);
	tcase_add_test(frame, test_a_message_over_max_is_not_finished);
	tcase_add_test(frame, test_a_length_in_network_order_leaves_itself_out);
	suite_add_tcase(suite, frame);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
