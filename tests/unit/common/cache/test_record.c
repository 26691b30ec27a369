/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "tests/unit/common/cache/fixture.h"

static struct key alice;
static struct writer built;

static struct entry entry_of(const char *name, uint32_t uid)
{
	return (struct entry){ .kind = ENTRY_USER, .user = some_user(name, uid) };
}

/* uid 1000, alias "al". */
static MDB_val build(void)
{
	struct entry entry = entry_of("alice", 1000);
	struct writer indexes = writer_new(1000);
	struct key index;

	ck_assert_int_eq(key_of_name(&alice, KEY_USER, CACHE_CASE_FOLDED, "alice"), 0);
	key_of_id(&index, KEY_UID, 1000);
	record_add_index(&indexes, key_val(&index));
	ck_assert_int_eq(key_of_name(&index, KEY_USER_ALIAS, CACHE_CASE_FOLDED, "al"), 0);
	record_add_index(&indexes, key_val(&index));

	built = writer_new(10000);
	record_build(&built, key_val(&alice), (MDB_val){ indexes.size, indexes.bytes }, &entry);
	ck_assert_int_eq(writer_end(&built), 0);
	writer_free(&indexes);
	return (MDB_val){ built.size, built.bytes };
}

static MDB_val heap_copy(MDB_val value, size_t size)
{
	return (MDB_val){ size, memcpy(malloc(size ? size : 1), value.mv_data, size) };
}

START_TEST(test_record_comes_back)
{
	MDB_val value = build(), index = { 0 };
	struct record record;
	struct entry entry;

	ck_assert_int_eq(record_parse(key_val(&alice), value, &record), 0);
	ck_assert(record_next_index(&record, &index));
	ck_assert(val_equal(index, (MDB_val){ 5, "U\0\0\3\350" }));
	ck_assert(record_next_index(&record, &index));
	ck_assert(val_equal(index, (MDB_val){ 3, "aal" }));
	ck_assert(!record_next_index(&record, &index));
	ck_assert(record_has_index(&record, (MDB_val){ 3, "aal" }));
	ck_assert(!record_has_index(&record, (MDB_val){ 3, "bal" }));

	ck_assert_int_eq(find_entry(KEY_USER, &record, &entry), 0);
	ck_assert_str_eq(entry.user.name, "alice");
	ck_assert_int_eq(find_entry(KEY_GROUP, &record, &entry), -EBADMSG);
	writer_free(&built);
}
END_TEST

START_TEST(test_every_changed_bit_is_noticed)
{
	MDB_val value = build();
	uint8_t *bytes = value.mv_data;
	struct record record;

	for (size_t bit = 0; bit < 8 * value.mv_size; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(record_parse(key_val(&alice), value, &record), -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(record_parse(key_val(&alice), value, &record), 0);
	writer_free(&built);
}
END_TEST

START_TEST(test_record_cut_short_is_refused)
{
	MDB_val value = build(), cut;
	struct record record;

	for (size_t size = 0; size < value.mv_size; size++) {
		cut = heap_copy(value, size);
		ck_assert_int_eq(record_parse(key_val(&alice), cut, &record), -EBADMSG);
		free(cut.mv_data);
	}
	writer_free(&built);
}
END_TEST

START_TEST(test_record_in_anothers_place_is_refused)
{
	MDB_val value = build();
	struct record record;
	struct key bob;

	ck_assert_int_eq(key_of_name(&bob, KEY_USER, CACHE_CASE_FOLDED, "alicf"), 0);
	ck_assert_int_eq(record_parse(key_val(&bob), value, &record), -EBADMSG);
	writer_free(&built);
}
END_TEST

/* Sums right, contents not: bytes that only somebody who knows the sum could have made. */
START_TEST(test_index_lists_that_make_no_sense_are_refused)
{
	static const struct {
		const char *bytes;
		size_t size;
	} lists[] = {
		{ "\5", 1 },                   /* half a size */
		{ "\5\0U\0\0\3", 6 },          /* shorter than it says */
		{ "\1\0U", 3 },                /* a type alone */
		{ "\3\0xab", 5 },              /* no index */
		{ "\0\0", 2 },                 /* empty */
		{ "\3\0aal\377\377zzzzzz", 13 }, /* the second is not there */
	};
	struct entry entry = entry_of("alice", 1000);
	struct record record;
	struct writer out;

	ck_assert_int_eq(key_of_name(&alice, KEY_USER, CACHE_CASE_FOLDED, "alice"), 0);
	for (size_t i = 0; i < str_size(lists); i++) {
		out = writer_new(10000);
		record_build(&out, key_val(&alice),
		             (MDB_val){ lists[i].size, (void *)lists[i].bytes }, &entry);
		ck_assert_int_eq(record_parse(key_val(&alice), (MDB_val){ out.size, out.bytes },
		                              &record), -EBADMSG);
		writer_free(&out);
	}
}
END_TEST

START_TEST(test_header_comes_back_or_is_refused)
{
	struct header header = {
		.names = CACHE_CASE_FOLDED, .environment_id = 77, .made = { 5 },
		.epochs = { 1, 2, 3 }, .domain = "LDAP",
	}, read;
	struct writer out = writer_new(1000);
	MDB_val cut;

	header_build(&out, &header);
	ck_assert_int_eq(header_parse((MDB_val){ out.size, out.bytes }, &read), 0);
	ck_assert_uint_eq(read.environment_id, 77);
	ck_assert_int_eq(read.made.s, 5);
	ck_assert_mem_eq(read.epochs, header.epochs, sizeof(header.epochs));
	ck_assert_str_eq(read.domain, "LDAP");
	ck_assert_int_eq(read.names, CACHE_CASE_FOLDED);

	for (size_t size = 0; size < out.size; size++) {
		cut = heap_copy((MDB_val){ out.size, out.bytes }, size);
		ck_assert_int_eq(header_parse(cut, &read), -EBADMSG);
		free(cut.mv_data);
	}
	for (size_t bit = 0; bit < 8 * out.size; bit++) {
		out.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(header_parse((MDB_val){ out.size, out.bytes }, &read), -EBADMSG);
		out.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	writer_free(&out);
}
END_TEST

START_TEST(test_sum_tells_zeros_of_different_length)
{
	static const uint8_t zeros[64];
	uint64_t sums[64];

	for (size_t size = 0; size < 64; size++) {
		sums[size] = checksum(0, zeros, size);
		for (size_t i = 0; i < size; i++)
			ck_assert_uint_ne(sums[i], sums[size]);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_record_comes_back,
		test_every_changed_bit_is_noticed,
		test_record_cut_short_is_refused,
		test_record_in_anothers_place_is_refused,
		test_index_lists_that_make_no_sense_are_refused,
		test_header_comes_back_or_is_refused,
		test_sum_tells_zeros_of_different_length,
		NULL,
	};

	return run_suite("cache_record", tests);
}
