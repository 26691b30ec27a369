/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ldap/uri.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

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
static const struct {
	const char *text;
	struct uri uri;
} good[] = {
	{ "ldap://a.example", { "ldap://a.example:389", "a.example", 389, URI_LDAP } },
	{ "ldaps://a.example", { "ldaps://a.example:636", "a.example", 636, URI_LDAPS } },
	{ "LDAP://A:3389/", { "ldap://A:3389", "A", 3389, URI_LDAP } },
	{ "ldap://10.0.0.1:1", { "ldap://10.0.0.1:1", "10.0.0.1", 1, URI_LDAP } },
	{ "ldap://[::1]", { "ldap://[::1]:389", "::1", 389, URI_LDAP } },
	{ "ldaps://[2001:db8::2]:65535", { "ldaps://[2001:db8::2]:65535", "2001:db8::2", 65535, URI_LDAPS } },
	{ "ldap://a/dc=x??sub", { "ldap://a:389", "a", 389, URI_LDAP } },
	{ "ldapi://%2Frun%2fslapd.sock", { "ldapi://%2Frun%2fslapd.sock", "/run/slapd.sock", 0, URI_LDAPI } },
	{ "ldapi://", { "ldapi://", "/var/run/slapd/ldapi", 0, URI_LDAPI } },
	{ "ldapi:///", { "ldapi://", "/var/run/slapd/ldapi", 0, URI_LDAPI } },
};

static const char *const bad[] = {
	"", "a.example", "http://a", "ldap:a", "ldap:/a", "ldap://", "ldap://:389", "ldap://a:", "ldap://a:0",
	"ldap://a:65536", "ldap://a:38x", "ldap://a:-1", "ldap://a:0x10", "ldap://::1", "ldap://[::1",
	"ldap://[::1]389", "ldap://[]", "ldap://a b", "ldap://a\nb", "ldap://a%2fb", "ldapi://%2", "ldapi://%00x",
	"ldapi://%zz", "ldapi://run",
};
/* clang-format on */

START_TEST(test_understood)
{
	const struct uri *wanted = &good[_i].uri;
	struct uri uri;

	ck_assert_int_eq(uri_parse(mem, good[_i].text, &uri), 0);
	ck_assert_str_eq(uri.text, wanted->text);
	ck_assert_int_eq(uri.scheme, wanted->scheme);
	ck_assert_str_eq(uri.host, wanted->host);
	ck_assert_uint_eq(uri.port, wanted->port);
}
END_TEST

START_TEST(test_refused)
{
	struct uri uri;

	ck_assert_int_eq(uri_parse(mem, bad[_i], &uri), -EINVAL);
}
END_TEST

START_TEST(test_word_for_discovery)
{
	ck_assert(uri_is_discovery("_srv_"));
	ck_assert(uri_is_discovery("_SRV_"));
	ck_assert(!uri_is_discovery("ldap://_srv_"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("uri");
	TCase *tests = tcase_create("uri");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, test_understood, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tests, test_refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tests, test_word_for_discovery);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
