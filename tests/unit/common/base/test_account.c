/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/account.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/test_account_XXXXXX";

static int find(const char *text, uid_t *ret_uid, gid_t *ret_gid)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	return account_find(path, "sssd", ret_uid, ret_gid);
}

/* clang-format off */
static const struct {
	const char *text;
	int result;
} cases[] = {
	{ "sssd:x:979:978::/:/bin/false\n", 0 },
	{ "root:x:0:0::/root:/bin/sh\nsssd:x:979:978::/:/bin/false\n", 0 },
	{ "sssd:x:979:978::/:/bin/false", 0 },
	{ "# sssd:x:1:1::/:\nbroken line\n::::\nsssd:x:979:978::/:/bin/false\n", 0 },
	{ "sssd2:x:1:1::/:/bin/false\nassd:x:1:1::/:/bin/false\n", -ENOENT },
	{ "", -ENOENT },
};
/* clang-format on */

START_TEST(test_the_line_of_the_user_is_found)
{
	uid_t uid = 1;
	gid_t gid = 1;

	ck_assert_int_eq(find(cases[_i].text, &uid, &gid), cases[_i].result);
	ck_assert_uint_eq(uid, cases[_i].result == 0 ? 979 : 1);
	ck_assert_uint_eq(gid, cases[_i].result == 0 ? 978 : 1);
}
END_TEST

START_TEST(test_a_line_longer_than_any_buffer_is_skipped)
{
	static char text[20000];
	size_t n = 0;
	uid_t uid;
	gid_t gid;

	alarm(10);
	n += (size_t)sprintf(text + n, "long:x:1:1:");
	while (n < 15000)
		text[n++] = 'g';
	sprintf(text + n, ":/:/bin/sh\nsssd:x:979:978::/:/bin/false\n");
	ck_assert_int_eq(find(text, &uid, &gid), 0);
	ck_assert_uint_eq(uid, 979);
	alarm(0);
}
END_TEST

START_TEST(test_without_the_file_there_is_an_error)
{
	uid_t uid;
	gid_t gid;

	ck_assert_int_eq(account_find("/nonexistent/passwd", "sssd", &uid, &gid), -ENOENT);
}
END_TEST

/* Only root can become somebody else; in a child, because there is no way back. */
START_TEST(test_who_becomes_somebody_keeps_nothing)
{
	int status;
	pid_t pid;

	if (getuid() != 0)
		return;
	pid = fork();
	if (pid == 0) {
		int r = account_become(65534, 65534);

		_exit(r == 0 && getuid() == 65534 && getegid() == 65534 &&
		                      getgroups(0, NULL) == 0 && setuid(0) < 0
		              ? 0
		              : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("account");
	TCase *tcase = tcase_create("account");
	SRunner *runner = srunner_create(suite);
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return EXIT_FAILURE;
	close(fd);
	tcase_add_loop_test(tcase, test_the_line_of_the_user_is_found, 0,
	                    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tcase, test_a_line_longer_than_any_buffer_is_skipped);
	tcase_add_test(tcase, test_without_the_file_there_is_an_error);
	tcase_add_test(tcase, test_who_becomes_somebody_keeps_nothing);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
