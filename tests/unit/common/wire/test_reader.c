/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/wire/reader.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the byte strings below are written for little endian"
#endif

static const uint8_t alice[] = { 5, 0, 0, 0, 'a', 'l', 'i', 'c', 'e', 0 };
static const char names[] = "alice\0bob\0\0carol";

static const uint8_t numbers[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 };

/* A field of every kind, read from the front of bytes; true if that worked. */
static bool read_u8(struct reader *in)
{
	return reader_u8(in) != 0;
}

static bool read_u16(struct reader *in)
{
	return reader_u16(in) != 0;
}

static bool read_u32(struct reader *in)
{
	return reader_u32(in) != 0;
}

static bool read_u64(struct reader *in)
{
	return reader_u64(in) != 0;
}

static bool read_be16(struct reader *in)
{
	return reader_be16(in) != 0;
}

static bool read_be32(struct reader *in)
{
	return reader_be32(in) != 0;
}

static bool read_be64(struct reader *in)
{
	return reader_be64(in) != 0;
}

static bool read_bytes(struct reader *in)
{
	return reader_bytes(in, 8) != NULL;
}

static bool read_text(struct reader *in)
{
	return reader_text(in, 255) != NULL;
}

static bool read_str(struct reader *in)
{
	return reader_str(in, 255, NULL) != NULL;
}

static bool read_strs(struct reader *in)
{
	size_t size;

	return reader_strs(in, 4, 255, &size) != NULL;
}

static const struct {
	bool (*read)(struct reader *in);
	const void *bytes;
	size_t size;
} fields[] = {
	{ read_u8, numbers, 1 },
	{ read_u16, numbers, 2 },
	{ read_u32, numbers, 4 },
	{ read_u64, numbers, 8 },
	{ read_be16, numbers, 2 },
	{ read_be32, numbers, 4 },
	{ read_be64, numbers, 8 },
	{ read_bytes, numbers, 8 },
	{ read_text, alice, sizeof(alice) },
	{ read_str, names, sizeof("alice") },
	{ read_strs, names, sizeof(names) },
};

/* The copy is exactly size bytes long, so AddressSanitizer sees any step beyond it. */
START_TEST(test_a_field_cut_anywhere_is_refused)
{
	for (size_t size = 0; size <= fields[_i].size; size++) {
		bool whole = size == fields[_i].size;
		uint8_t *copy = malloc(size ? size : 1);
		struct reader in;

		memcpy(copy, fields[_i].bytes, size);
		in = reader_over(copy, size);
		ck_assert_int_eq(fields[_i].read(&in), whole);
		ck_assert_int_eq(reader_end(&in), whole ? 0 : -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(test_after_a_failure_every_read_is_empty)
{
	struct reader in = reader_over(alice, sizeof(alice));
	size_t size = 99;

	ck_assert_ptr_null(reader_bytes(&in, sizeof(alice) + 1));
	for (size_t i = 0; i < str_size(fields); i++)
		ck_assert(!fields[i].read(&in));
	ck_assert_ptr_null(reader_bytes(&in, 0));
	ck_assert_ptr_null(reader_str(&in, 255, &size));
	ck_assert_uint_eq(size, 0);
	size = 99;
	ck_assert_ptr_null(reader_strs(&in, 0, 255, &size));
	ck_assert_uint_eq(size, 0);
	ck_assert_uint_eq(reader_left(&in), 0);
	ck_assert_int_eq(reader_end(&in), -EBADMSG);
}
END_TEST

START_TEST(test_numbers_in_both_byte_orders)
{
	struct reader in = reader_over(numbers, sizeof(numbers));

	ck_assert_uint_eq(reader_u16(&in), 0x0201);
	ck_assert_uint_eq(reader_be16(&in), 0x0304);
	ck_assert_uint_eq(reader_left(&in), 4);
	in = reader_over(numbers, sizeof(numbers));
	ck_assert_uint_eq(reader_u32(&in), 0x04030201);
	ck_assert_uint_eq(reader_be32(&in), 0x05060708);
	ck_assert_int_eq(reader_end(&in), 0);

	in = reader_over(numbers, sizeof(numbers));
	ck_assert_uint_eq(reader_u64(&in), 0x0807060504030201);
	in = reader_over(numbers, sizeof(numbers));
	ck_assert_uint_eq(reader_be64(&in), 0x0102030405060708);
	in = reader_over(numbers, sizeof(numbers));
	ck_assert_uint_eq(reader_u8(&in), 1);
	ck_assert_uint_eq(reader_u8(&in), 2);
}
END_TEST

START_TEST(test_numbers_need_no_alignment)
{
	struct reader in = reader_over(numbers, sizeof(numbers));

	reader_u8(&in);
	ck_assert_uint_eq(reader_u32(&in), 0x05040302);
	ck_assert_uint_eq(reader_u16(&in), 0x0706);
}
END_TEST

START_TEST(test_text_length_lies)
{
	uint8_t bytes[sizeof(alice)];
	struct reader in;

	for (unsigned lie = 0; lie < 256; lie++) {
		if (lie == alice[0])
			continue;
		memcpy(bytes, alice, sizeof(alice));
		bytes[0] = (uint8_t)lie;
		in = reader_over(bytes, sizeof(bytes));
		reader_text(&in, 255);
		ck_assert_int_eq(reader_end(&in), -EBADMSG);
	}
}
END_TEST

START_TEST(test_text_must_end_with_a_nul)
{
	struct reader in = reader_over(alice, sizeof(alice) - 1);
	uint8_t bytes[] = { 4, 0, 0, 0, 'a', 'l', 'i', 'c', 'e' };

	ck_assert_ptr_null(reader_text(&in, 255));
	in = reader_over(bytes, sizeof(bytes));
	ck_assert_ptr_null(reader_text(&in, 255));
	ck_assert_int_eq(reader_end(&in), -EBADMSG);
}
END_TEST

/* length + 1 must not wrap around to 0. */
START_TEST(test_text_of_4_gigabytes_is_refused)
{
	static const uint8_t bytes[] = { 0xff, 0xff, 0xff, 0xff, 0 };
	struct reader in = reader_over(bytes, sizeof(bytes));

	ck_assert_ptr_null(reader_text(&in, SIZE_MAX));
	ck_assert_int_eq(reader_end(&in), -EBADMSG);
}
END_TEST

START_TEST(test_text_with_a_nul_inside_is_refused)
{
	static const uint8_t bytes[] = { 5, 0, 0, 0, 'a', 0, 'i', 'c', 'e', 0 };
	struct reader in = reader_over(bytes, sizeof(bytes));

	ck_assert_ptr_null(reader_text(&in, 255));
}
END_TEST

START_TEST(test_text_and_str_respect_max)
{
	struct reader in = reader_over(alice, sizeof(alice));
	size_t size;

	ck_assert_str_eq(reader_text(&in, 5), "alice");
	ck_assert_int_eq(reader_end(&in), 0);
	in = reader_over(alice, sizeof(alice));
	ck_assert_ptr_null(reader_text(&in, 4));

	in = reader_over("alice", 6);
	ck_assert_str_eq(reader_str(&in, 5, &size), "alice");
	ck_assert_uint_eq(size, 5);
	in = reader_over("alice", 6);
	ck_assert_ptr_null(reader_str(&in, 4, &size));
	in = reader_over("alice", 6);
	ck_assert_str_eq(reader_str(&in, SIZE_MAX, NULL), "alice");
}
END_TEST

START_TEST(test_empty_text_and_str_are_read)
{
	struct reader in = reader_over("\0\0\0\0\0", 5);
	size_t size = 99;

	ck_assert_str_eq(reader_text(&in, 0), "");
	ck_assert_int_eq(reader_end(&in), 0);
	in = reader_over("", 1);
	ck_assert_str_eq(reader_str(&in, 0, &size), "");
	ck_assert_uint_eq(size, 0);
	ck_assert_int_eq(reader_end(&in), 0);
}
END_TEST

START_TEST(test_strs_gives_the_whole_run)
{
	struct reader in = reader_over(names, sizeof(names));
	size_t size;

	ck_assert_ptr_eq(reader_strs(&in, 3, 255, &size), names);
	ck_assert_uint_eq(size, sizeof("alice\0bob\0"));
	ck_assert_str_eq(reader_str(&in, 255, NULL), "carol");
	ck_assert_int_eq(reader_end(&in), 0);
}
END_TEST

START_TEST(test_no_strs_are_an_empty_run)
{
	struct reader in = reader_over(NULL, 0);
	size_t size = 99;

	ck_assert_ptr_nonnull(reader_strs(&in, 0, 255, &size));
	ck_assert_uint_eq(size, 0);
	ck_assert_int_eq(reader_end(&in), 0);
}
END_TEST

START_TEST(test_strs_count_lies)
{
	struct reader in = reader_over(names, sizeof(names));
	size_t size = 99;

	ck_assert_ptr_null(reader_strs(&in, UINT32_MAX, 255, &size));
	ck_assert_uint_eq(size, 0);
	in = reader_over(names, sizeof(names));
	ck_assert_ptr_null(reader_strs(&in, 4, 4, &size)); /* "alice" is longer than 4 */
}
END_TEST

START_TEST(test_an_empty_message_has_nothing)
{
	struct reader in = reader_over(NULL, 0);

	ck_assert_uint_eq(reader_left(&in), 0);
	ck_assert_ptr_nonnull(reader_bytes(&in, 0));
	ck_assert_int_eq(reader_end(&in), 0);
	ck_assert_uint_eq(reader_u8(&in), 0);
	ck_assert_int_eq(reader_end(&in), -EBADMSG);
}
END_TEST

START_TEST(test_leftover_bytes_are_refused)
{
	struct reader in = reader_over(alice, sizeof(alice));

	reader_u32(&in);
	ck_assert_uint_eq(reader_left(&in), sizeof(alice) - 4);
	ck_assert_int_eq(reader_end(&in), -EBADMSG);
}
END_TEST

START_TEST(test_a_value_without_sense_fails_the_message)
{
	struct reader in = reader_over(numbers, 4);

	reader_u32(&in);
	ck_assert_int_eq(reader_end(&in), 0);
	reader_fail(&in);
	ck_assert_int_eq(reader_end(&in), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reader");
	TCase *reader = tcase_create("reader");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(reader, test_a_field_cut_anywhere_is_refused, 0,
	                    (int)str_size(fields));
	tcase_add_test(reader, test_after_a_failure_every_read_is_empty);
	tcase_add_test(reader, test_numbers_in_both_byte_orders);
	tcase_add_test(reader, test_numbers_need_no_alignment);
	tcase_add_test(reader, test_text_length_lies);
	tcase_add_test(reader, test_text_must_end_with_a_nul);
	tcase_add_test(reader, test_text_of_4_gigabytes_is_refused);
	tcase_add_test(reader, test_text_with_a_nul_inside_is_refused);
	tcase_add_test(reader, test_text_and_str_respect_max);
	tcase_add_test(reader, test_empty_text_and_str_are_read);
	tcase_add_test(reader, test_strs_gives_the_whole_run);
	tcase_add_test(reader, test_no_strs_are_an_empty_run);
	tcase_add_test(reader, test_strs_count_lies);
	tcase_add_test(reader, test_an_empty_message_has_nothing);
	tcase_add_test(reader, test_leftover_bytes_are_refused);
	tcase_add_test(reader, test_a_value_without_sense_fails_the_message);
	suite_add_tcase(suite, reader);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
