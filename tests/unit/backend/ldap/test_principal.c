/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Principal: which of a keytab's is taken
 */
#include "backend/ldap/principal.h"

#include <check.h>
#include <stdlib.h>

/* From what is wanted last to what is wanted first; of another realm in front. */
static const char *const all[] = {
	"nfs/www.example.com@R",    "host/other.example.com@Q",
	"host/other.example.com@R", "DOOR$@R",
	"host/www.example.com@R",   "WWW$@R",
	"www.example.com@R",
};
#define N_ALL (sizeof(all) / sizeof(*all))

static int chosen(size_t n, const char *realm)
{
	return principal_choose(all, n, NULL, realm, "www.example.com");
}

START_TEST(test_the_order)
{
	ck_assert_int_eq(chosen(7, "R"), 6); /* its name */
	ck_assert_int_eq(chosen(6, "R"), 5); /* its account */
	ck_assert_int_eq(chosen(5, "R"), 4); /* its service */
	ck_assert_int_eq(chosen(4, "R"), 3); /* any account */
	ck_assert_int_eq(chosen(3, "R"), 2); /* any host's service */
	ck_assert_int_eq(chosen(2, "R"), 1); /* of another realm */
	ck_assert_int_eq(chosen(1, "R"), 0); /* whatever is there */
	ck_assert_int_eq(chosen(0, "R"), -1);
}
END_TEST

START_TEST(test_a_realm_comes_before_the_order)
{
	ck_assert_int_eq(chosen(N_ALL, "Q"), 1);
	ck_assert_int_eq(chosen(N_ALL, "NONE"), 6);
	ck_assert_int_eq(chosen(N_ALL, NULL), 6);
}
END_TEST

START_TEST(test_the_account_of_a_long_name)
{
	static const char *const names[] = { "host/a-very-long-host-name@R", "A-VERY-LONG-HOS$@R" };

	ck_assert_int_eq(principal_choose(names, 2, NULL, "R", "a-very-long-host-name.example.com"),
	                 1);
	ck_assert_int_eq(principal_choose(names, 2, NULL, "R", "a-very-long-host-name"), 1);
}
END_TEST

START_TEST(test_an_authid_is_that_one_or_none)
{
	ck_assert_int_eq(principal_choose(all, N_ALL, "DOOR$", "R", "www"), 3);
	ck_assert_int_eq(principal_choose(all, N_ALL, "host/other.example.com", "Q", "www"), 1);
	ck_assert_int_eq(principal_choose(all, N_ALL, "host/other.example.com@R", "Q", "www"), 2);
	ck_assert_int_eq(principal_choose(all, N_ALL, "host/other.example.com@X", "Q", "www"), -1);
	ck_assert_int_eq(principal_choose(all, N_ALL, "door$", "R", "www"), -1);
	ck_assert_int_eq(principal_choose(all, N_ALL, "DOOR", "R", "www"), -1);
	ck_assert_int_eq(principal_choose(all, N_ALL, "", "R", "www"), -1);
}
END_TEST

START_TEST(test_a_quoted_at_is_part_of_the_name)
{
	static const char *const names[] = { "host/www\\@R@Q", "host/www@R" };

	ck_assert_int_eq(principal_choose(names, 2, NULL, "R", "www"), 1);
	ck_assert_int_eq(principal_choose(names, 2, "host/www\\@R", "Q", "www"), 0);
	ck_assert_int_eq(principal_choose(names, 1, "host/www\\", NULL, "www"), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ldap_principal");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_the_order);
	tcase_add_test(tcase, test_a_realm_comes_before_the_order);
	tcase_add_test(tcase, test_the_account_of_a_long_name);
	tcase_add_test(tcase, test_an_authid_is_that_one_or_none);
	tcase_add_test(tcase, test_a_quoted_at_is_part_of_the_name);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
