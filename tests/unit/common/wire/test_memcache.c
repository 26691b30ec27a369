/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The format of the memory cache
 */
#include "common/wire/memcache.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As Debian's sssd 2.8.2 wrote it for mc/passwd of the default size. */
static const uint32_t debian[] = { 0xf0000001, 1,      1,          1,  0x4a48fb01,
	                           0x007fff80, 0x6666, 0x000cccc0, 56, 0x7fffb8,
	                           0x806620,   0,      0xf0000001 };
#define DEBIAN_SIZE 9253600u

START_TEST(test_hash)
{
	/* Two well-known values, and what Debian's sssd made of a name and of a uid. */
	ck_assert_uint_eq(memcache_hash("", 0, 1), 0x514e28b7);
	ck_assert_uint_eq(memcache_hash("The quick brown fox jumps over the lazy dog", 43, 0),
	                  0x2e4ff723);
	ck_assert_uint_eq(memcache_hash("alice", 6, 0x4a48fb01) % 209712, 0x5fb8);
	ck_assert_uint_eq(memcache_hash("10001", 6, 0x4a48fb01) % 209712, 0x31eac);
	ck_assert_uint_eq(memcache_hash("carol", 6, 0x4a48fb01) % 209712, 0xade8);
}
END_TEST

START_TEST(test_an_id_is_its_decimal_digits)
{
	static const struct {
		uint32_t id;
		const char *digits;
	} rows[] = { { 0, "0" }, { 7, "7" }, { 10001, "10001" }, { 4294967295u, "4294967295" } };
	char digits[MEMCACHE_ID_DIGITS_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_uint_eq(memcache_id_key(rows[i].id, digits), strlen(rows[i].digits) + 1);
		ck_assert_str_eq(digits, rows[i].digits);
	}
}
END_TEST

START_TEST(test_barriers)
{
	ck_assert(memcache_barrier_is_valid(0xf0000000));
	ck_assert(memcache_barrier_is_valid(0xf0ffffff));
	ck_assert(!memcache_barrier_is_valid(0));
	ck_assert(!memcache_barrier_is_valid(0xefffffff));
	ck_assert(!memcache_barrier_is_valid(0xf1000000));
	ck_assert(!memcache_barrier_is_valid(MEMCACHE_INVALID));
	ck_assert_uint_eq(memcache_barrier_next(0xf0000001), 0xf0000002);
	ck_assert_uint_eq(memcache_barrier_next(0xf0ffffff), 0xf0000000);
	ck_assert_uint_eq(memcache_barrier_next(MEMCACHE_INVALID), 0xf0000000);
	ck_assert_uint_eq(memcache_barrier_next(0), 0xf0000001);
}
END_TEST

START_TEST(test_a_header_is_read)
{
	struct memcache_header header;

	ck_assert_int_eq(memcache_header_read(debian, DEBIAN_SIZE, &header), 0);
	ck_assert_uint_eq(header.seed, 0x4a48fb01);
	ck_assert_uint_eq(header.data_at, 56);
	ck_assert_uint_eq(header.data_size / MEMCACHE_SLOT_SIZE, 209712);
	ck_assert_uint_eq(header.bits_size, 209712 / 8);
	ck_assert_uint_eq(header.table_at + header.table_size, DEBIAN_SIZE);
}
END_TEST

START_TEST(test_what_is_wrong_with_a_header)
{
	static const struct {
		size_t word;
		uint32_t value;
		int r;
	} rows[] = {
		{ 0, 0xf0000002, -EAGAIN },  { 12, 0xf0000002, -EAGAIN },
		{ 1, 2, -EPROTONOSUPPORT },  { 2, 0, -EPROTONOSUPPORT },
		{ 3, 0, -ESTALE },           { 3, 2, -ESTALE },
		{ 3, 99, -ESTALE },          { 5, 0, -EBADMSG },
		{ 5, 0xffffffff, -EBADMSG }, { 6, 0xffffffff, -EBADMSG },
		{ 7, 0, -EBADMSG },          { 7, 0xccccc4, -EBADMSG },
		{ 8, 0, -EBADMSG },          { 8, 57, -EBADMSG },
		{ 8, 0xfffffffc, -EBADMSG }, { 9, 0xfffffffc, -EBADMSG },
		{ 10, 0x806624, -EBADMSG },  { 10, 0x806622, -EBADMSG },
	};
	uint32_t changed[sizeof(debian) / sizeof(debian[0])];
	struct memcache_header header;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(changed, debian, sizeof(changed));
		changed[rows[i].word] = rows[i].value;
		ck_assert_int_eq(memcache_header_read(changed, DEBIAN_SIZE, &header), rows[i].r);
	}
	ck_assert_int_eq(memcache_header_read(debian, DEBIAN_SIZE - 1, &header), -EBADMSG);
}
END_TEST

START_TEST(test_a_header_cut_anywhere_is_refused)
{
	struct memcache_header header;

	for (size_t size = 0; size < sizeof(debian); size++) {
		uint8_t *copy = malloc(size ? size : 1);

		memcpy(copy, debian, size);
		ck_assert_int_eq(memcache_header_read(copy, size, &header), -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(test_a_closed_file_waits_for_no_earlier_clock)
{
	static const struct {
		int32_t closed_ago, booted_ago;
		bool is_closed, is_right;
	} rows[] = {
		{ 100, 1 << 20, true, true },     { 0, 0, true, true },
		{ 1000000, 0, true, true },       { -10, 0, true, false },
		{ -1000000, 0, true, false },     { INT32_MIN, 0, false, true },
		{ INT32_MIN, 100, false, false }, { INT32_MIN, -100, false, false },
		{ INT32_MIN, 10, false, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[MEMCACHE_DATA_AT] = { 0 };
		uint32_t closed_at = (uint32_t)time(NULL) - (uint32_t)rows[i].closed_ago;
		uint32_t booted_at = memcache_booted_at() - (uint32_t)rows[i].booted_ago;

		if (rows[i].is_closed)
			memcpy(bytes + MEMCACHE_CLOSED_AT, &closed_at, sizeof(closed_at));
		memcpy(bytes + MEMCACHE_HEADER_SIZE, &booted_at, sizeof(booted_at));
		ck_assert_msg(memcache_is_closed(bytes) == rows[i].is_closed, "%zu", i);
		ck_assert_msg(memcache_clock_is_right(bytes) == rows[i].is_right, "%zu", i);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memcache");
	TCase *format = tcase_create("format");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(format, test_hash);
	tcase_add_test(format, test_an_id_is_its_decimal_digits);
	tcase_add_test(format, test_barriers);
	tcase_add_test(format, test_a_header_is_read);
	tcase_add_test(format, test_what_is_wrong_with_a_header);
	tcase_add_test(format, test_a_header_cut_anywhere_is_refused);
	tcase_add_test(format, test_a_closed_file_waits_for_no_earlier_clock);
	suite_add_tcase(suite, format);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
