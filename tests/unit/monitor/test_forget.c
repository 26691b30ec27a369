/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/forget.h"

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"

#define NOW_S INT64_C(1800000000)
#define DAY_S (24 * 3600)

static char dir[] = "/tmp/test_forget-XXXXXX";

static const struct {
	const char *name;
	int days; /* ago, it was written to */
	bool stays;
} files[] = {
	/* Configured: however long its server is away. */
	{ "cache_HERE.mdb", 400, true },
	{ "cache_HERE.mdb-state", 400, true },
	{ "cache_HERE.2.mdb", 400, true },
	/* … though it does not start, and in whatever case. */
	{ "cache_refused.mdb", 400, true },
	{ "cache_a_20b.mdb", 400, true },
	/* Gone: all of it. */
	{ "cache_GONE.mdb", 31, false },
	{ "cache_GONE.mdb-lock", 31, false },
	{ "cache_GONE.mdb-state", 31, false },
	{ "cache_GONE.mdb-listed", 99, false },
	{ "cache_GONE.mdb.damaged-1", 99, false },
	{ "cache_GONE.2.mdb", 31, false },
	{ "cache_HERE.example.mdb", 31, false },
	{ "cache_HEREAFTER.mdb", 31, false },
	/* Not so long ago: the state is written when a backend ends. */
	{ "cache_LATELY.mdb", 29, true },
	{ "cache_AWAY.mdb", 99, true },
	{ "cache_AWAY.mdb-state", 29, true },
	/* From the future: the clock may be wrong. */
	{ "cache_AHEAD.mdb", -400, true },
	/* Nobody's. */
	{ "overrides.mdb", 400, true },
	{ "cache_.mdb", 400, true },
	{ "notes-of-cache_GONE.mdb", 400, true },
};

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

START_TEST(test_what_is_removed)
{
	const char *const domains[] = { "HERE", "a b", NULL }, *const refused[] = { "REFUSED",
		                                                                    NULL };

	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (size_t i = 0; i < str_size(files); i++) {
		int fd = open(in_dir(files[i].name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		struct timespec times[2] = { { .tv_sec = NOW_S },
			                     { .tv_sec = NOW_S - files[i].days * DAY_S } };

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(futimens(fd, times), 0);
		close(fd);
	}
	forget_gone(dir, domains, refused, (struct walltime){ NOW_S });
	for (size_t i = 0; i < str_size(files); i++) {
		ck_assert_msg((access(in_dir(files[i].name), F_OK) == 0) == files[i].stays, "%s",
		              files[i].name);
		unlink(in_dir(files[i].name));
	}
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(test_nothing_to_look_through)
{
	forget_gone("/nonexistent", NULL, NULL, (struct walltime){ NOW_S });
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forget");
	TCase *tcase = tcase_create("forget");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_what_is_removed);
	tcase_add_test(tcase, test_nothing_to_look_through);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
