/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/conf/ini.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"

/* Parses a heap copy, so that ASan sees a step beyond it. */
static int parse(TALLOC_CTX *mem, const void *text, size_t size, struct ini **ret_ini,
                 struct ini_error *ret_error)
{
	char *copy = talloc_size(mem, size + 1);

	memcpy(copy, text, size);
	copy[size] = '\0';
	return ini_parse(mem, copy, size, INI_LINE_MAX, ret_ini, ret_error);
}

/* What the parser made of it: "[section]" and "section.name=value", one a line with its number. */
static char *dump(TALLOC_CTX *mem, const struct ini *ini)
{
	char *text = talloc_strdup(mem, "");

	for (unsigned i = 0; i < ini->n_items; i++) {
		const struct ini_item *item = &ini->items[i];

		if (item->name)
			text = talloc_asprintf_append(text, "%u %s.%s=%s|", item->line,
			                              item->section, item->name, item->value);
		else
			text = talloc_asprintf_append(text, "%u [%s]|", item->line, item->section);
	}
	return text;
}

/* Each sentence of spec/options.md §2. */
/* clang-format off */
static const struct {
	const char *text, *means;
} good[] = {
	{ "", "" },
	{ "\n\n", "" },
	{ "[nss]", "1 [nss]|" },
	{ "[  nss\t]", "1 [nss]|" },
	{ "[domain/My Domain]", "1 [domain/My Domain]|" },
	{ "  [nss]  \n", "1 [nss]|" },
	{ "[a]\nk = v\n", "1 [a]|2 a.k=v|" },
	{ "[a]\nk=v", "1 [a]|2 a.k=v|" },
	{ "[a]\n \tk\t =  v w  \t\n", "1 [a]|2 a.k=v w|" },
	{ "[a]\nk = v ; x\n", "1 [a]|2 a.k=v ; x|" },
	{ "[a]\nk = v # x\n", "1 [a]|2 a.k=v # x|" },
	{ "[a]\nk = \"v\"\n", "1 [a]|2 a.k=\"v\"|" },
	{ "[a]\nk = a=b\n", "1 [a]|2 a.k=a=b|" },
	{ "[a]\nk = [v]\n", "1 [a]|2 a.k=[v]|" },
	{ "[a]\ntwo words = v\n", "1 [a]|2 a.two words=v|" },
	{ "[a]\nk =\n", "1 [a]|2 a.k=|" },
	{ "[a]\nk =   \n", "1 [a]|2 a.k=|" },
	{ "# c\n; c\n  # k = v\n\t;\n[a]\n#k=v\n", "5 [a]|" },
	{ "[a]\nk=1\nk=2\n", "1 [a]|2 a.k=1|3 a.k=2|" },
	{ "[a]\nk=1\n[b]\nk=2\n[a]\nj=3\n", "1 [a]|2 a.k=1|3 [b]|4 b.k=2|5 [a]|6 a.j=3|" },
	{ "\xEF\xBB\xBF[a]\nk=v\n", "1 [a]|2 a.k=v|" },
	{ "[a]\r\nk = v\r\n\r\n", "1 [a]|2 a.k=v|" },
	{ "k = v\n[a]\n", "1 default.k=v|2 [a]|" },
	{ "[SSSD]\nServices = nss\n", "1 [SSSD]|2 SSSD.Services=nss|" },
	{ "[a]\nk = \xc3\xa4\xff\n", "1 [a]|2 a.k=\xc3\xa4\xff|" },
	{ "[a]b]\n", "1 [a]b]|" },
};

static const struct {
	const char *text;
	unsigned line;
	int number;
	const char *error;
} bad[] = {
	{ "[nss\n", 1, 2, "No closing bracket" },
	{ "[a]\n\n[b\n", 3, 2, "No closing bracket" },
	{ "[nss] ; comment\n", 1, 2, "No closing bracket" },
	{ "[\n", 1, 2, "No closing bracket" },
	{ "[]\n", 1, 3, "Section name is missing" },
	{ "[  ]\n", 1, 3, "Section name is missing" },
	{ "[a]\nk = v\n  and more\n", 3, 5, "Equal sign is missing" },
	{ "word\n", 1, 5, "Equal sign is missing" },
	{ "]\n", 1, 5, "Equal sign is missing" },
	{ "[a]\r\nword\r\n", 2, 5, "Equal sign is missing" },
	{ "[a]\n\xEF\xBB\xBF[b]\n", 2, 5, "Equal sign is missing" },
	{ "[a]\n = v\n", 2, 6, "Property name is missing" },
	{ "=\n", 1, 6, "Property name is missing" },
};
/* clang-format on */

START_TEST(test_syntax)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct ini_error error;
	struct ini *ini;

	ck_assert_int_eq(parse(mem, good[_i].text, strlen(good[_i].text), &ini, &error), 0);
	ck_assert_str_eq(dump(mem, ini), good[_i].means);
}
END_TEST

START_TEST(test_mistakes_have_line_and_number)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct ini_error error = { 0 };
	struct ini *ini = NULL;

	ck_assert_int_eq(parse(mem, bad[_i].text, strlen(bad[_i].text), &ini, &error), -E_CONFIG);
	ck_assert_ptr_null(ini);
	ck_assert_uint_eq(error.line, bad[_i].line);
	ck_assert_int_eq(error.number, bad[_i].number);
	ck_assert_str_eq(error.text, bad[_i].error);
}
END_TEST

START_TEST(test_nul_byte_is_refused_wherever_it_stands)
{
	static const char text[] = "[a]\nkey = value\n# comment\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
		struct ini_error error = { 0 };
		struct ini *ini = NULL;
		char copy[sizeof(text)];

		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		ck_assert_int_eq(parse(mem, copy, sizeof(text) - 1, &ini, &error), -E_CONFIG);
		ck_assert_uint_gt(error.line, 0);
	}
}
END_TEST

START_TEST(test_longest_line)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	char *text = talloc_size(mem, INI_LINE_MAX + 2);
	struct ini_error error = { 0 };
	struct ini *ini = NULL;

	memset(text, 'x', INI_LINE_MAX + 2);
	text[1] = '=';
	text[INI_LINE_MAX] = '\n';
	ck_assert_int_eq(parse(mem, text, INI_LINE_MAX + 1, &ini, &error), 0);
	ck_assert_uint_eq(strlen(ini->items[0].value), INI_LINE_MAX - 2);

	text[INI_LINE_MAX] = 'x';
	text[INI_LINE_MAX + 1] = '\n';
	ck_assert_int_eq(parse(mem, text, INI_LINE_MAX + 2, &ini, &error), -E_CONFIG);
	ck_assert_uint_eq(error.line, 1);
}
END_TEST

START_TEST(test_many_items)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	char *text = talloc_strdup(mem, "[a]\n");
	struct ini_error error;
	struct ini *ini;

	for (int i = 0; i < 1000; i++)
		text = talloc_asprintf_append(text, "k%d = %d\n", i, i);
	ck_assert_int_eq(parse(mem, text, strlen(text), &ini, &error), 0);
	ck_assert_uint_eq(ini->n_items, 1001);
	ck_assert_str_eq(ini->items[1000].name, "k999");
	ck_assert_str_eq(ini->items[1000].value, "999");
	ck_assert_uint_eq(ini->items[1000].line, 1001);
}
END_TEST

/* A file that a full disk cut short is either refused or holds whole lines but for the last. */
START_TEST(test_cut_anywhere)
{
	static const char text[] = "\xEF\xBB\xBF[a]\r\nkey = value\r\n[bb]\nk=v\n";

	for (size_t size = 0; size < sizeof(text); size++) {
		auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
		char *copy = malloc(size + 1);
		struct ini_error error;
		struct ini *ini;
		int r;

		memcpy(copy, text, size);
		copy[size] = '\0';
		r = ini_parse(mem, copy, size, INI_LINE_MAX, &ini, &error);
		ck_assert(r == 0 || r == -E_CONFIG);
		if (r == 0)
			ck_assert_ptr_nonnull(dump(mem, ini));
		free(copy);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ini");
	TCase *ini = tcase_create("ini");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(ini, test_syntax, 0, (int)str_size(good));
	tcase_add_loop_test(ini, test_mistakes_have_line_and_number, 0, (int)str_size(bad));
	tcase_add_test(ini, test_nul_byte_is_refused_wherever_it_stands);
	tcase_add_test(ini, test_longest_line);
	tcase_add_test(ini, test_many_items);
	tcase_add_test(ini, test_cut_anywhere);
	suite_add_tcase(suite, ini);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
