/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ident/accept.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint64_t id;
	uint32_t min_id, max_id;
	enum refusal refusal;
} ids[] = {
	{ 0, 0, 0, REFUSED_ID_RESERVED },
	{ 1, 0, 0, ACCEPTED },
	{ 1, 1, 0, ACCEPTED },
	{ 999, 1000, 0, REFUSED_ID_RANGE },
	{ 1000, 1000, 0, ACCEPTED },
	{ 2000, 1000, 2000, ACCEPTED },
	{ 2001, 1000, 2000, REFUSED_ID_RANGE },
	{ 65534, 1, 0, ACCEPTED },
	{ 65535, 1, 0, REFUSED_ID_RESERVED },
	{ 65536, 1, 0, ACCEPTED },
	{ 4294967294, 1, 0, ACCEPTED },
	{ 4294967295, 1, 0, REFUSED_ID_RESERVED },
	{ 4294967296, 1, 0, REFUSED_ID_RESERVED },
	{ 4294968296, 1, 0, REFUSED_ID_RESERVED }, /* 1000 in 32 bits */
	{ UINT64_MAX, 1, 0, REFUSED_ID_RESERVED },
};

START_TEST(test_id)
{
	ck_assert_int_eq(accept_id(ids[_i].id, ids[_i].min_id, ids[_i].max_id), ids[_i].refusal);
}
END_TEST

static const struct {
	const char *name;
	enum refusal refusal;
} names[] = {
	{ "alice", ACCEPTED },
	{ "a", ACCEPTED },
	{ "1a", ACCEPTED },
	{ "...", ACCEPTED },
	{ ".hidden", ACCEPTED },
	{ "Domain Users", ACCEPTED },
	{ "host$", ACCEPTED },
	{ "a@b", ACCEPTED },
	{ "Andr\xc3\xa9", ACCEPTED },
	{ "\xe6\x9d\x8e", ACCEPTED },
	{ "\xf0\x9f\x90\xa7", ACCEPTED },
	{ "\xc2\xa0", ACCEPTED }, /* the first one behind C1 */
	{ "", REFUSED_NAME_EMPTY },
	{ ".", REFUSED_NAME_DOTS },
	{ "..", REFUSED_NAME_DOTS },
	{ "0", REFUSED_NAME_DIGITS },
	{ "1000", REFUSED_NAME_DIGITS },
	{ "a/b", REFUSED_NAME_BYTES },
	{ "/", REFUSED_NAME_BYTES },
	{ "a:b", REFUSED_NAME_BYTES },
	{ "a\n", REFUSED_NAME_BYTES },
	{ "\x01", REFUSED_NAME_BYTES },
	{ "a\x1f", REFUSED_NAME_BYTES },
	{ "a\x7f", REFUSED_NAME_BYTES },
	{ "a\xc2\x9b", REFUSED_NAME_BYTES },
	{ "a\xff", REFUSED_NAME_BYTES },
	{ "a\x80", REFUSED_NAME_BYTES },
	{ "a\xc3", REFUSED_NAME_BYTES },             /* cut */
	{ "a\xc0\xaf", REFUSED_NAME_BYTES },         /* '/' in two bytes */
	{ "a\xed\xa0\x80", REFUSED_NAME_BYTES },     /* a surrogate */
	{ "a\xf4\x90\x80\x80", REFUSED_NAME_BYTES }, /* above U+10FFFF */
};

START_TEST(test_name)
{
	ck_assert_int_eq(accept_name(names[_i].name), names[_i].refusal);
}
END_TEST

START_TEST(test_name_of_256_bytes_is_too_long)
{
	char name[257] = "";

	memset(name, 'a', 255);
	ck_assert_int_eq(accept_name(name), ACCEPTED);
	name[255] = 'a';
	ck_assert_int_eq(accept_name(name), REFUSED_NAME_LONG);
}
END_TEST

static const struct {
	const char *text, *clean;
	unsigned changed;
} texts[] = {
	{ "", "", 0 },
	{ "Alice Liddell,,+44", "Alice Liddell,,+44", 0 },
	{ "\xc3\xa9 \xe6\x9d\x8e \xf0\x9f\x90\xa7", "\xc3\xa9 \xe6\x9d\x8e \xf0\x9f\x90\xa7", 0 },
	{ "x:0:0:root", "x?0?0?root", 3 },
	{ "a\nroot", "a?root", 1 },
	{ "\033[31m", "?[31m", 1 },
	{ "a\xc2\x9bz", "a??z", 2 },
	{ "\xff\xfe", "??", 2 },
	{ "a\xc3", "a?", 1 },
	{ "a\xc3z", "a?z", 1 },
	{ "a\xe6\x9dz", "a??z", 2 },
	{ "\xe6\x9d", "??", 2 },
	{ "\x80\xc3\xa9", "?\xc3\xa9", 1 },
};

/* The copy is exactly as large as the text, so AddressSanitizer sees any step beyond it. */
START_TEST(test_clean)
{
	char *copy = strdup(texts[_i].text);

	ck_assert_uint_eq(accept_clean(copy), texts[_i].changed);
	ck_assert_str_eq(copy, texts[_i].clean);
	ck_assert_uint_eq(accept_clean(copy), 0);
	free(copy);
}
END_TEST

START_TEST(test_each_refusal_has_words_of_its_own)
{
	for (int a = ACCEPTED; a <= REFUSED_NAME_BYTES; a++)
		for (int b = ACCEPTED; b < a; b++)
			ck_assert_str_ne(accept_text((enum refusal)a),
			                 accept_text((enum refusal)b));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("accept");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(all, test_id, 0, sizeof(ids) / sizeof(ids[0]));
	tcase_add_loop_test(all, test_name, 0, sizeof(names) / sizeof(names[0]));
	tcase_add_test(all, test_name_of_256_bytes_is_too_long);
	tcase_add_loop_test(all, test_clean, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(all, test_each_refusal_has_words_of_its_own);
	suite_add_tcase(suite, all);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
