/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ldap/obfuscated.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"

static TALLOC_CTX *mem;

static void begin(void)
{
	mem = talloc_new(NULL);
}

static void end(void)
{
	talloc_free(mem);
}

/* clang-format off */
/* Written by sss_obfuscate's library of Debian 12, with keys of its choice. */
static const struct {
	const char *text, *password;
} good[] = {
	{ "AAAQABbQnj3gad6ouDB7/UZZzTc8q94YYO5pxvlWWpXEIzS697TyrFNqRowf1jajUngbjddPHNnUN8A8NnY1233yeVgAAQID",
	  "reader-secret" },
	/* with its NUL a whole block, and padding behind it */
	{ "AAAgAO5SKQuPkuP8CVEXu7mkaGtqWMkQSLeoODk0Pfd7rZz+OyEQhYBK/A3KfEJiwVBILcey+C8vWt4XuyXN8XsQ1o3MVlcNN+7R"
	  "Y6uv/73dY/RTAAECAw==", "aaaaaaaaaaaaaaa" },
	{ "AAAgAPPv8TH2amEeIcFcsn6wPD3eHTH262sLHKKWNe/sdSCYuuxTLKerwSNkGvro8pVYTJOQ5sI4HUiJvgvdLGfiObckGZXWONGS"
	  "UY55BkXAAK6LAAECAw==", "pa ss = \xc3\x86rlig; #" },
};
static const char nothing[] =
	"AAAQAOZXo+K7ULsD5jnO1QC1wsjp3o3gs338AJ3DkiblZSara5Dm0fjzyoeGh1IuPKgW8w3N6iMv2hiEOz/0pUYzqOMAAQID";
/* clang-format on */

static int reveal(const char *text, size_t size, struct secret **ret_password)
{
	struct secret *secret;

	ck_assert_int_eq(secret_new(mem, text, size, &secret), 0);
	return obfuscated_read(mem, secret, ret_password);
}

START_TEST(test_what_the_program_writes)
{
	struct secret *password;

	ck_assert_int_eq(reveal(good[_i].text, strlen(good[_i].text), &password), 0);
	ck_assert_str_eq(secret_bytes(password), good[_i].password);
	ck_assert_uint_eq(secret_size(password), strlen(good[_i].password));
}
END_TEST

START_TEST(test_cut_short)
{
	struct secret *password;

	for (size_t size = 0; size < strlen(good[_i].text); size++)
		ck_assert_int_eq(reveal(good[_i].text, size, &password), -EBADMSG);
}
END_TEST

/* A letter of the key or of what it hides may become another password, but nothing worse; one of
 * the frame around them is refused. */
START_TEST(test_any_letter_changed)
{
	static const char letters[] = "AQ/+=\n-\x80";
	size_t size = strlen(good[_i].text);
	struct secret *password;

	for (size_t at = 0; at < size; at++)
		for (size_t n = 0; n < strlen(letters); n++) {
			char *text = talloc_strdup(mem, good[_i].text);
			int r;

			if (text[at] == letters[n])
				continue;
			text[at] = letters[n];
			r = reveal(text, size, &password);
			ck_assert(r == 0 || r == -EBADMSG);
			if (at < 5 || (at >= size - 5 && at < size - 3) || n >= 4)
				ck_assert_int_eq(r, -EBADMSG);
			talloc_free(text);
		}
}
END_TEST

/* What was never obfuscated, and an empty password: servers take that for an anonymous bind. */
START_TEST(test_other_things)
{
	static const char *const bad[] = {
		"secret",
		"AAAA",
		"====",
		nothing,
	};
	struct secret *password;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(reveal(bad[i], strlen(bad[i]), &password), -EBADMSG);
}
END_TEST

int main(void)
{
	int n = (int)(sizeof(good) / sizeof(good[0]));
	Suite *suite = suite_create("obfuscated");
	TCase *tests = tcase_create("obfuscated");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, test_what_the_program_writes, 0, n);
	tcase_add_loop_test(tests, test_cut_short, 0, n);
	tcase_add_loop_test(tests, test_any_letter_changed, 0, n);
	tcase_add_test(tests, test_other_things);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
