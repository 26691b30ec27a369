/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is taken back of several files at once; of a single one: test_mcmap.c
 */
#include "common/memcache/takeback.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/time.h"

#define STATUS_AT   12
#define ALL_WAIT_US 4000

static char dir[] = "/tmp/test_takeback_XXXXXX";
static const char *const names[] = { MCMAP_NAMES };

static int open_file(const char *before, const char *name, const char *behind)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s%s%s", dir, before, name, behind);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static uint32_t take_status(int fd)
{
	uint32_t was = 0, alive = MEMCACHE_ALIVE;

	ck_assert_int_eq(pread(fd, &was, 4, STATUS_AT), 4);
	ck_assert_int_eq(pwrite(fd, &alive, 4, STATUS_AT), 4);
	return was;
}

/* For those who stand still in the middle of a change of each: the shortest of several times, as
 * the machine may have other things to do. */
START_TEST(test_all_files_together_have_one_time_to_wait)
{
	static const struct take_back_domain domain = { "d", true, true, true };
	auto_talloc struct take_back *back = take_back_new(NULL);
	int files[MCMAP_N_KINDS], locks[MCMAP_N_KINDS];
	int64_t shortest_us = INT64_MAX;

	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		struct flock change = { .l_type = F_WRLCK, .l_start = 1, .l_len = 1 };

		files[kind] = open_file("", names[kind], "");
		ck_assert_int_eq(ftruncate(files[kind], MEMCACHE_DATA_AT), 0);
		locks[kind] = open_file(".", names[kind], ".lock");
		ck_assert_int_eq(fcntl(locks[kind], F_OFD_SETLK, &change), 0);
	}
	for (int i = 0; i < 10; i++) {
		int64_t began_us = monotonic_us();

		take_back_entry(back, &domain, MCMAP_PASSWD, 1000, "al");
		take_back_entry(back, &domain, MCMAP_GROUP, 1000, "al");
		take_back_groups(back, &domain, "al");
		ck_assert_int_eq(take_back_run(back, dir), 0);
		if (monotonic_us() - began_us < shortest_us)
			shortest_us = monotonic_us() - began_us;
		ck_assert_uint_eq(take_status(files[MCMAP_PASSWD]), MEMCACHE_RECYCLED);
		ck_assert_uint_eq(take_status(files[MCMAP_GROUP]), MEMCACHE_RECYCLED);
		ck_assert_uint_eq(take_status(files[MCMAP_INITGROUPS]), MEMCACHE_RECYCLED);
	}
	ck_assert_int_lt(shortest_us, ALL_WAIT_US);
	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		close(files[kind]);
		close(locks[kind]);
	}
}
END_TEST

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void clean_up(void)
{
	char path[64];

	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[kind]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/.%s.lock", dir, names[kind]);
		unlink(path);
	}
	rmdir(dir);
}

int main(void)
{
	Suite *suite = suite_create("takeback");
	TCase *tcase = tcase_create("takeback");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, clean_up);
	tcase_add_test(tcase, test_all_files_together_have_one_time_to_wait);
	suite_add_tcase(suite, tcase);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
