/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/wire/writer.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/reader.h"

/* A request no machine can fill shall be NULL under AddressSanitizer too, as malloc(3) has it. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static size_t n_wiped; /* bytes that were something else */

static void count_wiped(void *bytes, size_t size)
{
	volatile uint8_t *place = bytes;

	for (size_t i = 0; i < size; i++) {
		n_wiped += place[i] != 0;
		place[i] = 0;
	}
}

/* In the place of the C library's, and of what _FORTIFY_SOURCE makes of it. */
#undef explicit_bzero
void explicit_bzero(void *bytes, size_t size)
{
	count_wiped(bytes, size);
}

void __explicit_bzero_chk(void *bytes, size_t size, size_t room);
void __explicit_bzero_chk(void *bytes, size_t size, size_t room)
{
	ck_assert_uint_le(size, room);
	count_wiped(bytes, size);
}

START_TEST(test_what_is_written_can_be_read)
{
	struct writer out = writer_new(1000);
	struct reader in;
	size_t size;

	writer_u8(&out, 1);
	writer_u16(&out, 0x0203);
	writer_u32(&out, 0x04050607);
	writer_u64(&out, 0x08090a0b0c0d0e0f);
	writer_be16(&out, 0x0203);
	writer_be32(&out, 0x04050607);
	writer_be64(&out, 0x08090a0b0c0d0e0f);
	writer_str(&out, "alice");
	writer_text(&out, "bob");
	writer_bytes(&out, "xyz", 3);
	ck_assert_int_eq(writer_end(&out), 0);

	in = reader_over(out.bytes, out.size);
	ck_assert_uint_eq(reader_u8(&in), 1);
	ck_assert_uint_eq(reader_u16(&in), 0x0203);
	ck_assert_uint_eq(reader_u32(&in), 0x04050607);
	ck_assert_uint_eq(reader_u64(&in), 0x08090a0b0c0d0e0f);
	ck_assert_uint_eq(reader_be16(&in), 0x0203);
	ck_assert_uint_eq(reader_be32(&in), 0x04050607);
	ck_assert_uint_eq(reader_be64(&in), 0x08090a0b0c0d0e0f);
	ck_assert_str_eq(reader_str(&in, 255, &size), "alice");
	ck_assert_str_eq(reader_text(&in, 255), "bob");
	ck_assert_mem_eq(reader_bytes(&in, 3), "xyz", 3);
	ck_assert_int_eq(reader_end(&in), 0);
	writer_free(&out);
}
END_TEST

START_TEST(test_network_order_is_most_significant_first)
{
	struct writer out = writer_new(1000);

	writer_be32(&out, 0x01020304);
	ck_assert_mem_eq(out.bytes, "\1\2\3\4", 4);
	writer_free(&out);
}
END_TEST

START_TEST(test_null_is_the_empty_text)
{
	struct writer out = writer_new(1000);

	writer_str(&out, NULL);
	ck_assert_uint_eq(out.size, 1);
	writer_text(&out, NULL);
	ck_assert_uint_eq(out.size, 6);
	ck_assert_mem_eq(out.bytes, "\0\0\0\0\0\0", 6);
	ck_assert_int_eq(writer_end(&out), 0);
	writer_free(&out);
}
END_TEST

START_TEST(test_an_empty_message_is_no_failure)
{
	struct writer out = writer_new(0);

	ck_assert_ptr_null(out.bytes);
	writer_bytes(&out, NULL, 0);
	ck_assert_ptr_nonnull(writer_room(&out, 0));
	ck_assert_uint_eq(out.size, 0);
	ck_assert_int_eq(writer_end(&out), 0);
	writer_free(&out);
}
END_TEST

START_TEST(test_max_is_reached_but_not_crossed)
{
	struct writer out = writer_new(10);

	writer_str(&out, "123456789");
	ck_assert_int_eq(writer_end(&out), 0);
	writer_u8(&out, 1);
	ck_assert_int_eq(writer_end(&out), -EMSGSIZE);
	ck_assert_uint_eq(out.size, 10);
	writer_free(&out);
}
END_TEST

START_TEST(test_the_first_failure_sticks)
{
	struct writer out = writer_new(4);

	writer_u64(&out, 1);
	writer_u8(&out, 1); /* would fit, but there is a hole before it */
	ck_assert_ptr_null(writer_room(&out, 1));
	writer_mark_u32(&out);
	writer_patch_u32(&out, 0, 1);
	ck_assert_uint_eq(out.size, 0);
	ck_assert_int_eq(writer_end(&out), -EMSGSIZE);
	writer_free(&out);
}
END_TEST

START_TEST(test_sizes_near_the_end_of_the_address_space_do_not_wrap)
{
	struct writer out = writer_new(100);

	writer_u32(&out, 1);
	ck_assert_ptr_null(writer_room(&out, SIZE_MAX));
	ck_assert_int_eq(writer_end(&out), -EMSGSIZE);

	writer_free(&out);
	out = writer_new(SIZE_MAX);
	writer_u32(&out, 1);
	ck_assert_ptr_null(writer_room(&out, SIZE_MAX - 4));
	ck_assert_int_eq(writer_end(&out), -ENOMEM);
	writer_free(&out);
}
END_TEST

START_TEST(test_without_memory_what_was_written_stays)
{
	struct writer out = writer_new(SIZE_MAX);

	writer_str(&out, "alice");
	ck_assert_ptr_null(writer_room(&out, SIZE_MAX / 4));
	ck_assert_int_eq(writer_end(&out), -ENOMEM);
	ck_assert_uint_eq(out.size, 6);
	ck_assert_str_eq((char *)out.bytes, "alice");

	writer_reset(&out);
	ck_assert_int_eq(writer_end(&out), 0);
	writer_free(&out);
}
END_TEST

START_TEST(test_growing_doubles_and_keeps_what_is_there)
{
	struct writer out = writer_new(2000000);
	size_t room = 0, growths = 0;

	for (uint32_t i = 0; i < 250000; i++) {
		writer_u32(&out, i);
		growths += out.room != room;
		room = out.room;
	}
	ck_assert_int_eq(writer_end(&out), 0);
	ck_assert_uint_le(growths, 13); /* 256 · 2¹² > 1,000,000 */
	for (uint32_t i = 0; i < 250000; i++)
		ck_assert(memcmp(out.bytes + 4 * i, &i, 4) == 0);
	writer_free(&out);
}
END_TEST

START_TEST(test_room_reads_as_zero_in_a_used_buffer)
{
	struct writer out = writer_new(1000);
	uint8_t *room;

	memset(writer_room(&out, 100), 0xaa, 100);
	writer_reset(&out);
	room = writer_room(&out, 100);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(room[i], 0);
	writer_free(&out);
}
END_TEST

START_TEST(test_reset_keeps_small_buffers_only)
{
	struct writer out = writer_new(1000000);
	uint8_t *kept;

	writer_room(&out, 64 * 1024);
	kept = out.bytes;
	writer_reset(&out);
	ck_assert_ptr_eq(out.bytes, kept);
	ck_assert_uint_eq(out.size, 0);

	writer_room(&out, 64 * 1024 + 1);
	writer_reset(&out);
	ck_assert_ptr_null(out.bytes);
	ck_assert_uint_eq(out.room, 0);
	ck_assert_uint_eq(out.max, 1000000);
	writer_free(&out);
}
END_TEST

START_TEST(test_reset_forgets_the_failure)
{
	struct writer out = writer_new(4);

	writer_u64(&out, 1);
	writer_reset(&out);
	writer_u32(&out, 7);
	ck_assert_int_eq(writer_end(&out), 0);
	ck_assert_uint_eq(out.size, 4);
	writer_free(&out);
}
END_TEST

START_TEST(test_a_marked_number_is_zero_until_patched)
{
	struct writer out = writer_new(1000);
	uint32_t value;
	size_t mark;

	writer_u8(&out, 9);
	mark = writer_mark_u32(&out);
	writer_u8(&out, 8);
	ck_assert_mem_eq(out.bytes, "\11\0\0\0\0\10", 6);
	writer_patch_u32(&out, mark, 0x01020304);
	memcpy(&value, out.bytes + 1, sizeof(value));
	ck_assert_uint_eq(value, 0x01020304);
	ck_assert_uint_eq(out.bytes[0], 9);
	ck_assert_uint_eq(out.bytes[5], 8);
	writer_free(&out);
}
END_TEST

static void write_noughts(struct writer *out, size_t size)
{
	for (size_t i = 0; i < size; i++)
		writer_u8(out, '0');
}

/* 256, 512 and 1024 bytes are outgrown. */
START_TEST(test_no_copy_of_a_secret_is_left)
{
	struct writer out = writer_new_secretive(1 << 20);

	write_noughts(&out, 1025);
	ck_assert_uint_eq(n_wiped, 256 + 512 + 1024);
	writer_reset(&out);
	ck_assert_ptr_nonnull(out.bytes);
	ck_assert_uint_eq(n_wiped, 256 + 512 + 1024 + 1025);

	n_wiped = 0;
	write_noughts(&out, 2048);
	writer_bytes(&out, (uint8_t[66000]){ 0 }, 66000);
	write_noughts(&out, 1);
	ck_assert_uint_eq(n_wiped, 2048);
	writer_reset(&out);
	ck_assert_ptr_null(out.bytes);
	ck_assert_uint_eq(n_wiped, 2 * 2048 + 1);

	write_noughts(&out, 10);
	writer_free(&out);
	ck_assert_uint_eq(n_wiped, 2 * 2048 + 1 + 10);
}
END_TEST

START_TEST(test_what_is_no_secret_is_not_wiped)
{
	struct writer out = writer_new(1 << 20);

	write_noughts(&out, 1025);
	writer_reset(&out);
	writer_free(&out);
	ck_assert_uint_eq(n_wiped, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("writer");
	TCase *writer = tcase_create("writer");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(writer, test_what_is_written_can_be_read);
	tcase_add_test(writer, test_network_order_is_most_significant_first);
	tcase_add_test(writer, test_null_is_the_empty_text);
	tcase_add_test(writer, test_an_empty_message_is_no_failure);
	tcase_add_test(writer, test_max_is_reached_but_not_crossed);
	tcase_add_test(writer, test_the_first_failure_sticks);
	tcase_add_test(writer, test_sizes_near_the_end_of_the_address_space_do_not_wrap);
	tcase_add_test(writer, test_without_memory_what_was_written_stays);
	tcase_add_test(writer, test_growing_doubles_and_keeps_what_is_there);
	tcase_add_test(writer, test_room_reads_as_zero_in_a_used_buffer);
	tcase_add_test(writer, test_reset_keeps_small_buffers_only);
	tcase_add_test(writer, test_reset_forgets_the_failure);
	tcase_add_test(writer, test_no_copy_of_a_secret_is_left);
	tcase_add_test(writer, test_what_is_no_secret_is_not_wiped);
	tcase_add_test(writer, test_a_marked_number_is_zero_until_patched);
	suite_add_tcase(suite, writer);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
