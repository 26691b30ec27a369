/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Home directories and shells: what each option makes of what the server says. The rows say what
 * Debian's sssd 2.8.2 answers.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"

static const struct user eve = {
	.name = "Eve", .uid = 10005, .home = "/Export/Eve", .upn = "Eve@REALM"
};
static const struct user bare = { .name = "Ærlig", .uid = 7, .home = "", .upn = "" };
static const struct user climber = { .name = "c", .uid = 8, .home = "/c", .upn = "../c@REALM" };

/* clang-format off */
static const struct {
	const char *in_domain, *in_nss; /* override_homedir, or fallback_homedir after a '|' */
	const char *substring;          /* of the domain */
	const struct user *user;
	const char *home;
} homes[] = {
	{ NULL, NULL, NULL, &eve, "/Export/Eve" },
	{ "/net/%d/%u/%U/%l/%f", NULL, NULL, &eve, "/net/LDAP/Eve/10005/E/Eve@LDAP" },
	{ "%o-%h-%P-%%", NULL, NULL, &eve, "/Export/Eve-/export/eve-Eve@REALM-%" },
	{ "%H/%u", NULL, NULL, &eve, "/home/Eve" },
	{ "%H/%u", NULL, "/exp", &eve, "/exp/Eve" },
	{ "/d/%u", "/n/%u", NULL, &eve, "/d/Eve" },
	{ NULL, "/n/%u", NULL, &eve, "/n/Eve" },
	{ "/h/%l", NULL, NULL, &bare, "/h/Æ" },
	{ "%o-%h-", NULL, NULL, &bare, "--" },
	{ "/home/%P", NULL, NULL, &bare, "" },
	{ "/home/%P", NULL, NULL, &climber, "" },
	{ "|/fb/%u", NULL, NULL, &eve, "/Export/Eve" },
	{ "|/fb/%U", NULL, NULL, &bare, "/fb/7" },
	{ "|/fb/%U", "|/nfb/%U", NULL, &bare, "/fb/7" },
	{ NULL, "|/nfb/%U", NULL, &bare, "/nfb/7" },
	{ "/no/such/%q", NULL, NULL, &eve, "" },
};

static const struct {
	const char *override_in_domain, *override, *default_in_domain, *default_shell, *vetoed, *allowed;
	const char *shell, *answer;
} shells[] = {
	/* domain    [nss]      domain    [nss]      vetoed     allowed */
	{ NULL,      NULL,      NULL,     NULL,      NULL,      NULL,      "/bin/zsh",  "/bin/zsh" },
	{ NULL,      NULL,      NULL,     NULL,      NULL,      NULL,      "",          "" },
	{ "/bin/d",  "/bin/n",  NULL,     NULL,      NULL,      NULL,      "/bin/zsh",  "/bin/d" },
	{ NULL,      "/bin/n",  NULL,     NULL,      "/bin/n",  "/bin/xx", "/bin/zsh",  "/bin/n" },
	{ NULL,      NULL,      "/bin/d", "/bin/n",  NULL,      NULL,      "",          "/bin/d" },
	{ NULL,      NULL,      NULL,     "/bin/n",  "/bin/n",  NULL,      "",          "/bin/n" },
	{ NULL,      NULL,      NULL,     "/bin/n",  NULL,      "/bin/xx", "",          "/bin/n" },
	{ NULL,      NULL,      NULL,     NULL,      NULL,      "/bin/xx", "",          "" },
	{ NULL,      NULL,      NULL,     NULL,      "/bin/zsh", NULL,     "/bin/zsh",  "/bin/fall" },
	{ NULL,      NULL,      NULL,     NULL,      "/bin/zsh", NULL,     "/bin/bash", "/bin/bash" },
	{ NULL,      NULL,      NULL,     NULL,      "/bin/bash", "/bin/xx", "/bin/bash", "/bin/fall" },
	{ NULL,      NULL,      NULL,     NULL,      NULL,      "/bin/xx", "/bin/bash", "/bin/bash" },
	{ NULL,      NULL,      NULL,     NULL,      NULL,      "/bin/xx", "/bin/zsh",  "/sbin/nologin" },
	{ NULL,      NULL,      NULL,     NULL,      NULL,      "/bin/zsh", "/bin/zsh", "/bin/fall" },
	{ NULL,      NULL,      NULL,     NULL,      NULL,      "*",       "/bin/zsh",  "/bin/fall" },
	{ NULL,      NULL,      NULL,     NULL,      NULL,      "*",       "/bin/bash", "/bin/bash" },
};
/* clang-format on */

static void set_home(const char *row, const char **ret_override, const char **ret_fallback)
{
	if (row && *row == '|')
		*ret_fallback = row + 1;
	else
		*ret_override = row;
}

START_TEST(test_home)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct nss nss = { .conf.homedir_substring = "/home" };
	struct domain domain = { .name = "LDAP" };

	set_home(homes[_i].in_domain, &domain.conf.override_homedir, &domain.conf.fallback_homedir);
	set_home(homes[_i].in_nss, &nss.conf.override_homedir, &nss.conf.fallback_homedir);
	domain.conf.homedir_substring = homes[_i].substring;
	ck_assert_str_eq(nss_home(mem, &nss, &domain, homes[_i].user), homes[_i].home);
}
END_TEST

START_TEST(test_shell)
{
	char *installed[] = { "/bin/sh", "/bin/bash", NULL };
	char *vetoed[] = { "/bin/other", (char *)(uintptr_t)shells[_i].vetoed, NULL };
	char *allowed[] = { (char *)(uintptr_t)shells[_i].allowed, NULL };
	struct nss nss = { .shells = installed };
	struct domain domain = { .name = "LDAP" };

	nss.conf.override_shell = shells[_i].override;
	nss.conf.default_shell = shells[_i].default_shell;
	nss.conf.shell_fallback = "/bin/fall";
	nss.conf.vetoed_shells = vetoed;
	nss.conf.allowed_shells = *allowed ? allowed : NULL;
	domain.conf.override_shell = shells[_i].override_in_domain;
	domain.conf.default_shell = shells[_i].default_in_domain;
	ck_assert_str_eq(nss_shell(&nss, &domain, shells[_i].shell), shells[_i].answer);
}
END_TEST

START_TEST(test_shells_of_the_file)
{
	char text[] = "# /etc/shells: valid login shells\n\n/bin/sh\n  /bin/bash  # the usual one\n"
		      "nothing\n#/bin/no\n/bin/zsh\r\n/bin/last";
	auto_talloc char **paths = NULL;

	ck_assert_int_eq(shells_parse(NULL, text, &paths), 0);
	ck_assert_str_eq(paths[0], "/bin/sh");
	ck_assert_str_eq(paths[1], "/bin/bash");
	ck_assert_str_eq(paths[2], "/bin/zsh");
	ck_assert_str_eq(paths[3], "/bin/last");
	ck_assert_ptr_null(paths[4]);
}
END_TEST

START_TEST(test_an_empty_file_has_no_shells)
{
	char text[] = "";
	auto_talloc char **paths = NULL;

	ck_assert_int_eq(shells_parse(NULL, text, &paths), 0);
	ck_assert_ptr_null(paths[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("values");
	TCase *tcase = tcase_create("values");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, test_home, 0, (int)str_size(homes));
	tcase_add_loop_test(tcase, test_shell, 0, (int)str_size(shells));
	tcase_add_test(tcase, test_shells_of_the_file);
	tcase_add_test(tcase, test_an_empty_file_has_no_shells);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
