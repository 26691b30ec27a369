/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/ldap/server.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "backend/core/srv.h"
#include "common/base/str.h"
#include "common/ldap/uri.h"

static TALLOC_CTX *mem;

static void begin(void)
{
	mem = talloc_new(NULL);
}

static void end(void)
{
	talloc_free(mem);
}

START_TEST(test_what_a_uri_says)
{
	struct server_name name;

	ck_assert_int_eq(server_from_uri(mem, "ldaps://[::1]:1636/", &name), 0);
	ck_assert_str_eq(name.text, "ldaps://[::1]:1636");
	ck_assert_str_eq(name.host, "::1");
	ck_assert_uint_eq(name.port, 1636);
	ck_assert_int_eq(name.protocol, URI_LDAPS);
	ck_assert_int_eq(server_from_uri(mem, "http://a", &name), -EINVAL);
}
END_TEST

/* clang-format off */
static const struct {
	const char *host;
	uint16_t port;
	const char *service, *text; /* NULL: refused */
} named[] = {
	{ "a.example", 389, "ldap", "ldap://a.example:389" },
	{ "a.example", 3389, "corp", "ldap://a.example:3389" },
	{ "a.example", 636, "ldap", "ldaps://a.example:636" },
	{ "a.example", 1636, "LDAPS", "ldaps://a.example:1636" },
	{ "a b", 389, "ldap", NULL },
	{ "a:1", 389, "ldap", NULL },
	{ "a/b", 389, "ldap", NULL },
	{ "a\nb", 389, "ldap", NULL },
	{ "a?b", 389, "ldap", NULL },
	{ "[::1]", 389, "ldap", NULL },
	{ "", 389, "ldap", NULL },
};
/* clang-format on */

START_TEST(test_servers_that_dns_names)
{
	struct srv srv = { .host = (char *)(uintptr_t)named[_i].host, .port = named[_i].port };
	struct server_name name;
	int r = server_from_srv(mem, &srv, named[_i].service, &name);

	ck_assert_int_eq(r, named[_i].text ? 0 : -EINVAL);
	if (r == 0)
		ck_assert_str_eq(name.text, named[_i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tests = tcase_create("server");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_what_a_uri_says);
	tcase_add_loop_test(tests, test_servers_that_dns_names, 0, (int)str_size(named));
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
