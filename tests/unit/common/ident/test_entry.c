/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ident/entry.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The form on disk, so that a change of it is noticed: written by hand, little endian. */
/* clang-format off */
static const uint8_t alice_bytes[] = {
	1, 1, 0, 0, 7, 0, 0, 0,                            /* format, kind, flags, epoch */
	0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,    /* boot */
	0x00, 0xca, 0x9a, 0x3b, 0, 0, 0, 0,                /* stored wall: 1,000,000,000 */
	0xe8, 0x03, 0, 0, 0, 0, 0, 0,                      /* stored boottime: 1,000 */
	0x18, 0x15, 0, 0,                                  /* lifetime: 5,400 */
	0xe9, 0x03, 0, 0, 0x64, 0, 0, 0,                   /* uid 1001, gid 100 */
	'a', 'l', 'i', 'c', 'e', 0, 'A', 0, '/', 'h', 0,   /* name, gecos, home */
	'/', 's', 0, 'a', '@', 'X', 0, 'd', 'n', 0,        /* shell, upn, dn */
	1, 0, 0, 0, 'a', 'l', 0,                           /* aliases */
	2, 0, 0, 0, 'k', 0, 'v', 0,                        /* attrs */
};
/* clang-format on */

static const struct entry_times times = {
	.stored_wall = { 1000000000 },
	.stored_boot = { 1000 },
	.boot = 0x0123456789abcdef,
	.lifetime_s = 5400,
	.epoch = 7,
};

static const struct user alice = {
	.name = "alice",
	.uid = 1001,
	.gid = 100,
	.gecos = "A",
	.home = "/h",
	.shell = "/s",
	.upn = "a@X",
	.dn = "dn",
	.aliases = { "al", 3, 1 },
	.attrs = { "k\0v", 4, 2 },
};

static const struct group staff = {
	.name = "staff",
	.gid = 2000,
	.dn = "cn=staff",
	.aliases = { "st", 3, 1 },
	.members = { "alice\0bob\0\xc3\xa9", 13, 3 },
};

static const uint8_t gids[] = { 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0 };

static struct entry entry_of(enum entry_kind kind)
{
	struct entry entry = { .kind = kind, .times = times };

	switch (kind) {
	case ENTRY_USER:
		entry.user = alice;
		break;
	case ENTRY_GROUP:
		entry.group = staff;
		break;
	case ENTRY_INITGROUPS:
		entry.initgroups = (struct initgroups){ "alice", 100, 1, 3, gids };
		break;
	}
	return entry;
}

static struct writer encoded(const struct entry *entry)
{
	struct writer out = writer_new(1 << 20);

	entry_encode(&out, entry);
	ck_assert_int_eq(writer_end(&out), 0);
	return out;
}

START_TEST(test_user_has_the_drawn_form)
{
	struct entry entry = entry_of(ENTRY_USER);
	struct writer out = encoded(&entry);

	ck_assert_uint_eq(out.size, sizeof(alice_bytes));
	ck_assert_mem_eq(out.bytes, alice_bytes, sizeof(alice_bytes));
	writer_free(&out);
}
END_TEST

START_TEST(test_user_comes_back)
{
	struct entry entry;
	const char *name = NULL;

	ck_assert_int_eq(entry_decode(alice_bytes, sizeof(alice_bytes), &entry), 0);
	ck_assert_int_eq(entry.kind, ENTRY_USER);
	ck_assert_mem_eq(&entry.times, &times, sizeof(times));
	ck_assert_uint_eq(entry.user.uid, 1001);
	ck_assert_uint_eq(entry.user.gid, 100);
	ck_assert_str_eq(entry.user.name, "alice");
	ck_assert_str_eq(entry.user.gecos, "A");
	ck_assert_str_eq(entry.user.home, "/h");
	ck_assert_str_eq(entry.user.shell, "/s");
	ck_assert_str_eq(entry.user.upn, "a@X");
	ck_assert_str_eq(entry.user.dn, "dn");
	ck_assert_str_eq(name = names_next(&entry.user.aliases, name), "al");
	ck_assert_ptr_null(names_next(&entry.user.aliases, name));
	name = names_next(&entry.user.attrs, NULL);
	ck_assert_str_eq(name, "k");
	ck_assert_str_eq(names_next(&entry.user.attrs, name), "v");
}
END_TEST

START_TEST(test_group_comes_back)
{
	static const char *const members[] = { "alice", "bob", "\xc3\xa9" };
	struct entry entry = entry_of(ENTRY_GROUP), back;
	struct writer out = encoded(&entry);
	const char *name = NULL;

	ck_assert_int_eq(entry_decode(out.bytes, out.size, &back), 0);
	ck_assert_int_eq(back.kind, ENTRY_GROUP);
	ck_assert_uint_eq(back.group.gid, 2000);
	ck_assert_str_eq(back.group.name, "staff");
	ck_assert_str_eq(back.group.dn, "cn=staff");
	ck_assert_uint_eq(back.group.aliases.count, 1);
	ck_assert_uint_eq(back.group.members.count, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(name = names_next(&back.group.members, name), members[i]);
	ck_assert_ptr_null(names_next(&back.group.members, name));
	writer_free(&out);
}
END_TEST

START_TEST(test_initgroups_come_back)
{
	struct entry entry = entry_of(ENTRY_INITGROUPS), back;
	struct writer out = encoded(&entry);

	ck_assert_int_eq(entry_decode(out.bytes, out.size, &back), 0);
	ck_assert_str_eq(back.initgroups.name, "alice");
	ck_assert_uint_eq(back.initgroups.primary_gid, 100);
	ck_assert_uint_eq(back.initgroups.complete, 1);
	ck_assert_uint_eq(back.initgroups.n_gids, 3);
	ck_assert_uint_eq(initgroups_gid(&back.initgroups, 0), 1);
	ck_assert_uint_eq(initgroups_gid(&back.initgroups, 1), 2);
	ck_assert_uint_eq(initgroups_gid(&back.initgroups, 2), 65536);
	writer_free(&out);
}
END_TEST

START_TEST(test_missing_texts_and_lists_are_empty)
{
	struct entry entry = { .kind = ENTRY_USER, .user = { .name = "bob", .uid = 5 } }, back;
	struct writer out = encoded(&entry);

	ck_assert_int_eq(entry_decode(out.bytes, out.size, &back), 0);
	ck_assert_str_eq(back.user.home, "");
	ck_assert_str_eq(back.user.dn, "");
	ck_assert_uint_eq(back.user.aliases.count, 0);
	ck_assert_ptr_null(names_next(&back.user.aliases, NULL));
	writer_free(&out);

	entry = (struct entry){ .kind = ENTRY_INITGROUPS, .initgroups = { .name = "bob" } };
	out = encoded(&entry);
	ck_assert_int_eq(entry_decode(out.bytes, out.size, &back), 0);
	ck_assert_uint_eq(back.initgroups.n_gids, 0);
	ck_assert_uint_eq(back.initgroups.complete, 0);
	writer_free(&out);
}
END_TEST

/* The copy is exactly size bytes long, so AddressSanitizer sees any step beyond it. */
static int decode_copy(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct entry entry;
	int r;

	if (size > 0)
		memcpy(copy, bytes, size);
	r = entry_decode(copy, size, &entry);
	free(copy);
	return r;
}

START_TEST(test_cut_anywhere_is_refused)
{
	struct entry entry = entry_of((enum entry_kind)_i);
	struct writer out = encoded(&entry);

	for (size_t size = 0; size < out.size; size++)
		ck_assert_int_eq(decode_copy(out.bytes, size), -EBADMSG);
	ck_assert_int_eq(decode_copy(out.bytes, out.size), 0);
	writer_free(&out);
}
END_TEST

START_TEST(test_a_byte_too_many_is_refused)
{
	struct entry entry = entry_of((enum entry_kind)_i);
	struct writer out = encoded(&entry);

	writer_u8(&out, 0);
	ck_assert_int_eq(decode_copy(out.bytes, out.size), -EBADMSG);
	writer_free(&out);
}
END_TEST

/* place in alice_bytes, a value that makes no sense there */
static const struct {
	size_t place;
	uint8_t value;
} nonsense[] = {
	{ 0, 0 },                                       /* format */
	{ 0, 2 },
	{ 1, 0 },                                       /* kind */
	{ 1, 4 },
	{ 2, 1 },                                       /* flags */
	{ 3, 0x80 },
	{ 23, 0x80 },                                   /* wall time of 2^63 */
	{ 31, 0x80 },                                   /* boottime of 2^63 */
	{ sizeof(alice_bytes) - 15, 2 },                /* more aliases than there are */
	{ sizeof(alice_bytes) - 12, 0xff },
	{ sizeof(alice_bytes) - 8, 1 },                 /* a name without its value */
	{ sizeof(alice_bytes) - 8, 3 },
	{ sizeof(alice_bytes) - 1, 'x' },               /* the last text not ended */
};

START_TEST(test_nonsense_is_refused)
{
	uint8_t bytes[sizeof(alice_bytes)];

	memcpy(bytes, alice_bytes, sizeof(bytes));
	ck_assert_uint_ne(bytes[nonsense[_i].place], nonsense[_i].value);
	bytes[nonsense[_i].place] = nonsense[_i].value;
	ck_assert_int_eq(decode_copy(bytes, sizeof(bytes)), -EBADMSG);
}
END_TEST

/* One extra attribute too many, its text in place: only the odd count is wrong. */
START_TEST(test_attribute_without_value_is_refused)
{
	struct entry entry = entry_of(ENTRY_USER);
	struct writer out;

	entry.user.attrs = (struct names){ "k\0v\0k", 6, 3 };
	out = encoded(&entry);
	ck_assert_int_eq(decode_copy(out.bytes, out.size), -EBADMSG);
	writer_free(&out);
}
END_TEST

START_TEST(test_day_of_creation_comes_back)
{
	struct entry entry = entry_of(ENTRY_USER), back;
	struct writer out, plain = encoded(&entry);

	ck_assert_int_eq(entry_decode(plain.bytes, plain.size, &back), 0);
	ck_assert_int_eq(entry_created(&back).s, 1000000000);
	entry.times.created.s = 900000000;
	out = encoded(&entry);
	ck_assert_uint_eq(out.size, plain.size + 8);
	ck_assert_int_eq(entry_decode(out.bytes, out.size, &back), 0);
	ck_assert_int_eq(entry_created(&back).s, 900000000);
	ck_assert_str_eq(back.user.name, "alice");

	/* One form only for each entry: the flag, and no day behind it, is none. */
	memset(out.bytes + 36, 0, 8);
	ck_assert_int_eq(entry_decode(out.bytes, out.size, &back), -EBADMSG);

	/* What they say is the same. */
	ck_assert_uint_eq(entry_body_at(plain.bytes), 36);
	ck_assert_uint_eq(entry_body_at(out.bytes), 44);
	ck_assert_mem_eq(plain.bytes + 36, out.bytes + 44, plain.size - 36);
	for (size_t size = 0; size < out.size; size++)
		ck_assert_int_eq(decode_copy(out.bytes, size), -EBADMSG);
	writer_free(&plain);
	writer_free(&out);
}
END_TEST

START_TEST(test_initgroups_are_complete_or_not)
{
	struct entry entry = entry_of(ENTRY_INITGROUPS);
	struct writer out;

	entry.initgroups.complete = 2;
	out = encoded(&entry);
	ck_assert_int_eq(decode_copy(out.bytes, out.size), -EBADMSG);
	writer_free(&out);
}
END_TEST

START_TEST(test_more_gids_than_bytes_are_refused)
{
	/* The last one times four is 0 in 32 bits. */
	static const uint32_t lies[] = { 4, 0x3fffffff, 0x40000000, 0xffffffff };
	struct entry entry = entry_of(ENTRY_INITGROUPS);
	struct writer out = encoded(&entry);

	for (size_t i = 0; i < 4; i++) {
		writer_patch_u32(&out, out.size - sizeof(gids) - 4, lies[i]);
		ck_assert_int_eq(decode_copy(out.bytes, out.size), -EBADMSG);
	}
	writer_free(&out);
}
END_TEST

START_TEST(test_nothing_is_written_on_failure)
{
	struct entry entry, before;

	memset(&entry, 0x5a, sizeof(entry));
	before = entry;
	ck_assert_int_eq(entry_decode(alice_bytes, 40, &entry), -EBADMSG);
	ck_assert_mem_eq(&entry, &before, sizeof(entry));
}
END_TEST

/* Time travel. Stored: wall 1,000,000, boottime 1,000, in boot 1 unless said, epoch 5. */
static const struct {
	const char *when;
	uint64_t stored_in, boot_id;
	int64_t wall, boot;
	uint32_t lifetime_s, nowait, epoch;
	enum entry_age age;
} travels[] = {
	/* when                          stored boot  wall     boot   life  nowait epoch */
	{ "at once",                          1, 1, 1000000,  1000,  100, 50, 5, ENTRY_FRESH },
	{ "just before half",                 1, 1, 1000049,  1049,  100, 50, 5, ENTRY_FRESH },
	{ "half",                             1, 1, 1000050,  1050,  100, 50, 5, ENTRY_AGEING },
	{ "just before the end",              1, 1, 1000099,  1099,  100, 50, 5, ENTRY_AGEING },
	{ "the end",                          1, 1, 1000100,  1100,  100, 50, 5, ENTRY_EXPIRED },
	{ "a week later",                     1, 1, 1604800, 605800, 100, 50, 5, ENTRY_EXPIRED },
	{ "never ageing, half",               1, 1, 1000050,  1050,  100,  0, 5, ENTRY_FRESH },
	{ "never ageing, the end",            1, 1, 1000100,  1100,  100,  0, 5, ENTRY_EXPIRED },
	{ "100 % is off",                     1, 1, 1000099,  1099,  100, 100, 5, ENTRY_FRESH },
	{ "an absurd percentage is off",      1, 1, 1000099,  1099, UINT32_MAX, UINT32_MAX, 5,
	  ENTRY_FRESH },
	{ "1 % of 100 s is not under 10 s",   1, 1, 1000009,  1009,  100,  1, 5, ENTRY_FRESH },
	{ "1 % of 100 s is 10 s",             1, 1, 1000010,  1010,  100,  1, 5, ENTRY_AGEING },
	{ "a life of 5 s is never ageing",    1, 1, 1000004,  1004,    5, 50, 5, ENTRY_FRESH },
	{ "a life of 5 s ends",               1, 1, 1000005,  1005,    5, 50, 5, ENTRY_EXPIRED },
	{ "a life of 0 s",                    1, 1, 1000000,  1000,    0, 50, 5, ENTRY_EXPIRED },
	{ "the longest life",                 1, 1, 1000000, 4294968294, UINT32_MAX, 99, 5,
	  ENTRY_AGEING },
	{ "wall clock set back",              1, 1,       0,  1010,  100, 50, 5, ENTRY_FRESH },
	{ "wall clock set back, the end",     1, 1,       0,  1100,  100, 50, 5, ENTRY_EXPIRED },
	{ "wall clock set forward",           1, 1, 9000000,  1010,  100, 50, 5, ENTRY_FRESH },
	{ "boottime before storing",          1, 1, 1000001,   999,  100, 50, 5, ENTRY_EXPIRED },
	{ "after a reboot",                   1, 2, 1000020,    10,  100, 50, 5, ENTRY_FRESH },
	{ "after a reboot, half",             1, 2, 1000060,    10,  100, 50, 5, ENTRY_AGEING },
	{ "after a reboot, the end",          1, 2, 1000100,    10,  100, 50, 5, ENTRY_EXPIRED },
	{ "after a reboot, wall clock back",  1, 2,  999999,  1010,  100, 50, 5, ENTRY_EXPIRED },
	{ "no boot id: the wall clock",       0, 0, 1000020, 99999,  100, 50, 5, ENTRY_FRESH },
	{ "no boot id, wall clock back",      0, 0,  999999,  1010,  100, 50, 5, ENTRY_EXPIRED },
	{ "older than the epoch",             1, 1, 1000000,  1000,  100, 50, 6, ENTRY_EXPIRED },
	{ "epoch of the future",              1, 1, 1000000,  1000,  100, 50, 4, ENTRY_FRESH },
	{ "the ends of time",                 1, 2, INT64_MAX,   0,  100, 50, 5, ENTRY_EXPIRED },
};

START_TEST(test_age)
{
	struct entry entry = { .kind = ENTRY_USER };
	struct entry_now now;
	enum entry_age age;

	entry.times.stored_wall.s = 1000000;
	entry.times.stored_boot.s = 1000;
	entry.times.boot = travels[_i].stored_in;
	entry.times.lifetime_s = travels[_i].lifetime_s;
	entry.times.epoch = 5;
	now.wall.s = travels[_i].wall;
	now.boot.s = travels[_i].boot;
	now.boot_id = travels[_i].boot_id;

	age = entry_age(&entry, &now, travels[_i].nowait, travels[_i].epoch);
	ck_assert_msg(age == travels[_i].age, "%s: %d", travels[_i].when, age);
}
END_TEST

/* What is said to stay fresh is so to the last second, and no longer. */
START_TEST(test_fresh_for)
{
	struct entry entry = { .kind = ENTRY_USER };
	struct entry_now now = { .boot.s = 1000, .boot_id = 1 };
	static const uint32_t lives[] = { 0, 1, 5, 10, 11, 100, 5400, UINT32_MAX };
	static const uint32_t percents[] = { 0, 1, 50, 99, 100 };

	entry.times.stored_boot.s = 1000;
	entry.times.boot = 1;
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		for (size_t j = 0; j < sizeof(percents) / sizeof(percents[0]); j++) {
			int64_t left;

			entry.times.lifetime_s = lives[i];
			now.boot.s = 1000;
			left = entry_fresh_s(&entry, &now, percents[j], 0);
			ck_assert_int_eq(left > 0, lives[i] > 1);
			ck_assert_int_eq(entry_fresh_s(&entry, &now, percents[j], 1), 0);
			now.boot.s = 1000 + left;
			if (left > 0)
				ck_assert_int_eq(entry_age(&entry, &now, percents[j], 0),
				                 ENTRY_FRESH);
			now.boot.s++;
			ck_assert_int_ne(entry_age(&entry, &now, percents[j], 0), ENTRY_FRESH);
			ck_assert_int_eq(entry_fresh_s(&entry, &now, percents[j], 0), 0);
		}
	}
}
END_TEST

START_TEST(test_now_is_now)
{
	struct entry_now now = entry_now();

	ck_assert_int_le(now.wall.s, walltime_now().s);
	ck_assert_int_ge(now.wall.s, walltime_now().s - 5);
	ck_assert_int_le(now.boot.s, boottime_now().s);
	ck_assert_int_ge(now.boot.s, boottime_now().s - 5);
	ck_assert_uint_eq(now.boot_id, boot_id());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("entry");
	TCase *form = tcase_create("form"), *age = tcase_create("age");
	SRunner *runner;
	int failed;

	tcase_add_test(form, test_user_has_the_drawn_form);
	tcase_add_test(form, test_user_comes_back);
	tcase_add_test(form, test_group_comes_back);
	tcase_add_test(form, test_initgroups_come_back);
	tcase_add_test(form, test_missing_texts_and_lists_are_empty);
	tcase_add_loop_test(form, test_cut_anywhere_is_refused, ENTRY_USER, ENTRY_INITGROUPS + 1);
	tcase_add_loop_test(form, test_a_byte_too_many_is_refused, ENTRY_USER,
	                    ENTRY_INITGROUPS + 1);
	tcase_add_loop_test(form, test_nonsense_is_refused, 0,
	                    sizeof(nonsense) / sizeof(nonsense[0]));
	tcase_add_test(form, test_attribute_without_value_is_refused);
	tcase_add_test(form, test_day_of_creation_comes_back);
	tcase_add_test(form, test_initgroups_are_complete_or_not);
	tcase_add_test(form, test_more_gids_than_bytes_are_refused);
	tcase_add_test(form, test_nothing_is_written_on_failure);
	suite_add_tcase(suite, form);

	tcase_add_loop_test(age, test_age, 0, sizeof(travels) / sizeof(travels[0]));
	tcase_add_test(age, test_now_is_now);
	tcase_add_test(age, test_fresh_for);
	suite_add_tcase(suite, age);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
