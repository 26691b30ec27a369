/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names as two domains, A and B, read and write them. The rows say what Debian's sssd 2.8.2 does
 * where it does anything.
 */
#include "responders/core/names.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/wire/proto.h"
#include "common/wire/writer.h"

#define SLASH "^((?P<domain>[^\\\\]*)\\\\(?P<name>.+)|(?P<name>[^\\\\]+))$"

static char *order[] = { "B", NULL };

static TALLOC_CTX *mem;
static struct sssd_conf sssd;
static struct domain domains[2];
static struct setup setup;

static void setup_case(void)
{
	mem = talloc_new(NULL);
	sssd = (struct sssd_conf){ .full_name_format = NAME_FORMAT_DEFAULT };
	domains[0] = (struct domain){ .name = "A" };
	domains[1] = (struct domain){ .name = "B" };
	setup = (struct setup){ .domains = domains, .n_domains = 2 };
}

static void teardown_case(void)
{
	TALLOC_FREE(mem);
}

static void settle(void)
{
	ck_assert_int_eq(naming_of(mem, &sssd, &domains[0]), 0);
	ck_assert_int_eq(naming_of(mem, &sssd, &domains[1]), 0);
}

/* NULL: it is none of the domain's. */
static void expect_read(size_t domain, const char *text, const char *name)
{
	char read[PROTO_NAME_MAX + 1];
	bool is_name = names_read(&domains[domain], text, read);

	ck_assert_msg(is_name == (name != NULL), "%s in %s", text, domains[domain].name);
	if (name)
		ck_assert_str_eq(read, name);
}

static void expect_written(const char *name, const char *text)
{
	struct writer out = writer_new(4096);

	resp_write_name(&out, &domains[0], name);
	ck_assert_int_eq(writer_end(&out), 0);
	ck_assert_uint_eq(out.size, strlen(text) + 1);
	ck_assert_str_eq((const char *)out.bytes, text);
	writer_free(&out);
}

START_TEST(test_plain)
{
	settle();
	expect_read(0, "alice", "alice");
	expect_read(0, "alice@A", "alice");
	expect_read(0, "alice@a", "alice");
	expect_read(0, "alice@B", NULL);
	expect_read(0, "alice@else", NULL);
	expect_read(0, "@A", NULL);
	ck_assert(resp_names_are_plain(&domains[0]));
	expect_written("Al ice", "Al ice");
}
END_TEST

START_TEST(test_qualified)
{
	domains[0].conf.use_fully_qualified_names = true;
	settle();
	expect_read(0, "alice", NULL);
	expect_read(0, "alice@A", "alice");
	expect_read(1, "alice", "alice");
	ck_assert(!resp_names_are_plain(&domains[0]));
	expect_written("alice", "alice@A");
}
END_TEST

START_TEST(test_formats_of_sssd_and_of_a_domain)
{
	domains[0].conf.use_fully_qualified_names = true;
	sssd.full_name_format = "%2$s\\%1$s";
	settle();
	expect_written("alice", "A\\alice");
	domains[0].conf.full_name_format = "%1$s+%3$s";
	settle();
	expect_written("alice", "alice+A");
	domains[0].conf.full_name_format = "no name";
	settle();
	expect_written("alice", "alice@A");
	domains[0].conf.use_fully_qualified_names = false;
	domains[0].naming.format = NULL;
	settle();
	expect_written("alice", "alice");
}
END_TEST

START_TEST(test_expressions_of_sssd_and_of_a_domain)
{
	sssd.re_expression = SLASH;
	domains[1].conf.re_expression = "^(?P<name>[^+]+)\\+(?P<domain>.+)$";
	settle();
	expect_read(0, "A\\alice", "alice");
	expect_read(0, "B\\alice", NULL);
	expect_read(0, "alice@A", "alice@A");
	expect_read(1, "alice+B", "alice");
	expect_read(1, "alice", NULL);
}
END_TEST

START_TEST(test_a_bad_expression_leaves_the_default)
{
	sssd.re_expression = "(";
	settle();
	expect_read(0, "alice@A", "alice");
}
END_TEST

START_TEST(test_default_domain_suffix)
{
	sssd.default_domain_suffix = "b";
	domains[0].conf.use_fully_qualified_names = domains[1].conf.use_fully_qualified_names =
		true; /* setup.c does this */
	settle();
	expect_read(0, "alice", NULL);
	expect_read(0, "alice@A", "alice");
	expect_read(1, "alice", "alice");
	expect_written("alice", "alice@A");
}
END_TEST

START_TEST(test_domain_resolution_order)
{
	sssd.domain_resolution_order = order;
	domains[0].conf.use_fully_qualified_names = domains[1].conf.use_fully_qualified_names =
		true;
	settle();
	expect_read(0, "alice", NULL); /* not in the list */
	expect_read(1, "alice", "alice");
	domains[0].conf.use_fully_qualified_names = false;
	settle();
	expect_read(0, "alice", "alice");
	expect_written("alice", "alice@A");
}
END_TEST

START_TEST(test_override_space)
{
	sssd.override_space = '_';
	settle();
	expect_read(0, "with_two_spaces", "with two spaces");
	expect_read(0, "with two_spaces", "with two_spaces");
	expect_read(0, "with_space@A", "with space");
	expect_written("with two spaces", "with_two_spaces");
	expect_written("has_one and a space", "has_one and a space");
	domains[0].conf.use_fully_qualified_names = true;
	settle();
	expect_written("a b", "a_b@A");
}
END_TEST

START_TEST(test_case)
{
	domains[0].conf.case_sensitive = CASE_FALSE;
	settle();
	expect_written("ALICE Æ", "alice æ");
	ck_assert_str_eq(resp_short_name(mem, &domains[0], "Eve"), "eve");
	domains[0] = (struct domain){ .name = "A", .conf.case_sensitive = CASE_PRESERVING };
	settle();
	expect_written("ALICE Æ", "ALICE Æ");
	ck_assert_str_eq(resp_short_name(mem, &domains[0], "Eve"), "Eve");
}
END_TEST

START_TEST(test_addresses)
{
	static const struct {
		const char *text;
		bool even_own, is_whole;
	} cases[] = {
		{ "alice", true, false },      { "alice@A", true, true },
		{ "alice@A", false, false },   { "alice@B", true, false },
		{ "alice@else", false, true }, { "alice@", true, true },
		{ "@else", true, false },
	};
	char name[PROTO_NAME_MAX + 1];

	settle();
	for (size_t i = 0; i < str_size(cases); i++) {
		bool is_whole = names_read_whole(&setup, &domains[0], cases[i].text,
		                                 cases[i].even_own, name);

		ck_assert_msg(is_whole == cases[i].is_whole, "%s", cases[i].text);
		if (is_whole)
			ck_assert_str_eq(name, cases[i].text);
	}

	/* What is a name as it stands is not asked twice. */
	sssd.re_expression = SLASH;
	settle();
	ck_assert(!names_read_whole(&setup, &domains[0], "alice@else", true, name));
}
END_TEST

START_TEST(test_long_names_are_nobodys)
{
	char text[PROTO_NAME_MAX + 8], name[PROTO_NAME_MAX + 1];

	settle();
	memset(text, 'x', sizeof(text));
	text[PROTO_NAME_MAX] = '\0';
	expect_read(0, text, text);
	strcpy(text + PROTO_NAME_MAX, "@A");
	ck_assert(names_read(&domains[0], text, name));
	ck_assert(!names_read_whole(&setup, &domains[0], text, true, name));
	text[PROTO_NAME_MAX] = 'x';
	expect_read(0, text, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup_case, teardown_case);
	tcase_add_test(tcase, test_plain);
	tcase_add_test(tcase, test_qualified);
	tcase_add_test(tcase, test_formats_of_sssd_and_of_a_domain);
	tcase_add_test(tcase, test_expressions_of_sssd_and_of_a_domain);
	tcase_add_test(tcase, test_a_bad_expression_leaves_the_default);
	tcase_add_test(tcase, test_default_domain_suffix);
	tcase_add_test(tcase, test_domain_resolution_order);
	tcase_add_test(tcase, test_override_space);
	tcase_add_test(tcase, test_case);
	tcase_add_test(tcase, test_addresses);
	tcase_add_test(tcase, test_long_names_are_nobodys);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
