/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/cache/key.h"
#include "tests/unit/common/cache/fixture.h"

static void assert_key(const struct key *key, const void *bytes, size_t size)
{
	ck_assert_uint_eq(key->size, size);
	ck_assert_mem_eq(key->bytes, bytes, size);
}

START_TEST(test_names_fold_where_the_domain_says_so)
{
	struct key key;

	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_FOLDED, "Alice"), 0);
	assert_key(&key, "ualice", 6);
	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_SENSITIVE, "Alice"), 0);
	assert_key(&key, "uAlice", 6);
	ck_assert_int_eq(key_of_name(&key, KEY_GROUP, CACHE_CASE_FOLDED, "ÄrztE@[`{"), 0);
	assert_key(&key, "gärzte@[`{", strlen("gärzte@[`{"));
}
END_TEST

START_TEST(test_numbers_are_ordered_bytes)
{
	struct key key;

	key_of_id(&key, KEY_UID, 0x01020304);
	assert_key(&key, "U\1\2\3\4", 5);
}
END_TEST

START_TEST(test_names_nobody_has)
{
	char name[NAME_SIZE_MAX + 2];
	struct key key;

	memset(name, 'a', sizeof(name));
	name[NAME_SIZE_MAX + 1] = '\0';
	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_FOLDED, name), -ENAMETOOLONG);
	name[NAME_SIZE_MAX] = '\0';
	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_FOLDED, name), 0);
	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_FOLDED, ""), -ENAMETOOLONG);
	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_FOLDED, "\xff\xfe"), -EILSEQ);
}
END_TEST

/* What makes hashing of long keys unnecessary: three bytes of two at most, in all of Unicode. */
START_TEST(test_no_folded_name_is_longer_than_a_key)
{
	for (uint32_t c = 0x80; c < 0x110000; c++) {
		auto_talloc char *folded = NULL;
		char text[5] = { 0 };
		size_t size;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		if (c < 0x800) {
			text[0] = (char)(0xc0 | c >> 6);
			text[1] = (char)(0x80 | (c & 0x3f));
		} else if (c < 0x10000) {
			text[0] = (char)(0xe0 | c >> 12);
			text[1] = (char)(0x80 | (c >> 6 & 0x3f));
			text[2] = (char)(0x80 | (c & 0x3f));
		} else {
			text[0] = (char)(0xf0 | c >> 18);
			text[1] = (char)(0x80 | (c >> 12 & 0x3f));
			text[2] = (char)(0x80 | (c >> 6 & 0x3f));
			text[3] = (char)(0x80 | (c & 0x3f));
		}
		size = strlen(text);
		ck_assert_int_eq(str_fold(NULL, text, &folded), 0);
		ck_assert_uint_le(2 * strlen(folded), 3 * size);
	}
}
END_TEST

START_TEST(test_longest_name_fits_every_key)
{
	char name[NAME_SIZE_MAX + 1] = "";
	struct key key, expiry;
	MDB_val record;
	int64_t wall_s;

	for (int i = 0; i < NAME_SIZE_MAX / 2; i++)
		strcat(name, "Ⱥ"); /* U+023A: two bytes become three */
	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_FOLDED, name), 0);
	ck_assert_uint_eq(key.size, 1 + NAME_SIZE_MAX / 2 * 3);

	key_of_expiry(&expiry, INT64_MAX, key_val(&key));
	ck_assert_uint_lt(expiry.size, KEY_MAX);
	ck_assert_int_eq(key_parse_expiry(key_val(&expiry), &wall_s, &record), 0);
	ck_assert_int_eq(wall_s, INT64_MAX);
	ck_assert(val_equal(record, key_val(&key)));
}
END_TEST

START_TEST(test_expiry_cut_short_or_foreign_is_refused)
{
	struct key key, expiry;
	MDB_val record, cut;
	int64_t wall_s;

	ck_assert_int_eq(key_of_name(&key, KEY_USER, CACHE_CASE_FOLDED, "a"), 0);
	key_of_expiry(&expiry, 1700000000, key_val(&key));
	for (size_t size = 1; size < expiry.size; size++) {
		cut = (MDB_val){ size, memcpy(malloc(size), expiry.bytes, size) };
		ck_assert_int_eq(key_parse_expiry(cut, &wall_s, &record), -EBADMSG);
		free(cut.mv_data);
	}
	expiry.bytes[9] = 'z';
	ck_assert_int_eq(key_parse_expiry(key_val(&expiry), &wall_s, &record), -EBADMSG);
}
END_TEST

START_TEST(test_expiry_keys_are_in_the_order_of_time)
{
	struct key record, early, late;

	ck_assert_int_eq(key_of_name(&record, KEY_USER, CACHE_CASE_FOLDED, "a"), 0);
	key_of_expiry(&early, 255, key_val(&record));
	key_of_expiry(&late, 256, key_val(&record));
	ck_assert_int_lt(memcmp(early.bytes, late.bytes, early.size), 0);
	key_of_expiry(&late, -5, key_val(&record));
	ck_assert_int_gt(memcmp(early.bytes, late.bytes, early.size), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_names_fold_where_the_domain_says_so,
		test_numbers_are_ordered_bytes,
		test_names_nobody_has,
		test_no_folded_name_is_longer_than_a_key,
		test_longest_name_fits_every_key,
		test_expiry_cut_short_or_foreign_is_refused,
		test_expiry_keys_are_in_the_order_of_time,
		NULL,
	};

	return run_suite("cache_key", tests);
}
