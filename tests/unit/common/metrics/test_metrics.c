/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is counted is read back from the file, as sssctl does. Each test is a process of its own
 * (check), and so is each of the processes that share a file.
 */
#include "common/metrics/metrics.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/metrics/text.h"
#include "tests/unit/common/event/in_fork.h"

static char folder[32];

static void enter_folder(void)
{
	strcpy(folder, "/tmp/test_metrics_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("metrics", 0700), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void leave_folder(void)
{
	ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* -1 when there is no such file, or it makes no sense. */
static int64_t on_disk(unsigned cell)
{
	auto_close int fd = open("metrics/nss", O_RDONLY | O_NOFOLLOW);
	uint8_t bytes[METRICS_FILE + 1];
	struct metrics_file found;
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (n < 0 || metrics_read(bytes, (size_t)n, &found) < 0)
		return -1;
	return (int64_t)found.cells[cell];
}

static int start(void)
{
	return metrics_start(".", "nss", METRICS_LOOKUPS);
}

static unsigned files_in(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *item;
	unsigned n = 0;

	while ((item = readdir(dir)) != NULL)
		n += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
	closedir(dir);
	return n;
}

/* ---- one file for all that have the name ---- */

static int count_one(void)
{
	EXPECT(start() == 0);
	metrics_count(METRICS_FRESH);
	return 0;
}

START_TEST(test_counts_outlive_processes)
{
	for (int i = 1; i <= 3; i++) {
		in_fork(count_one);
		ck_assert_int_eq(on_disk(METRICS_STARTS), i);
		ck_assert_int_eq(on_disk(METRICS_FRESH), i);
	}
	ck_assert_uint_eq(files_in("metrics"), 1);
}
END_TEST

START_TEST(test_a_killed_process_has_counted)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		start();
		metrics_count(METRICS_FRESH);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(on_disk(METRICS_FRESH), 1);
}
END_TEST

START_TEST(test_two_count_at_once)
{
	ck_assert_int_eq(start(), 0);
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			start();
			for (int j = 0; j < 100000; j++)
				metrics_count(METRICS_FRESH);
			_exit(0);
		}
	for (int status; wait(&status) > 0;)
		ck_assert_int_eq(status, 0);
	ck_assert_int_eq(on_disk(METRICS_FRESH), 200000);
	ck_assert_int_eq(on_disk(METRICS_STARTS), 3);
}
END_TEST

START_TEST(test_what_was_counted_before_the_start_is_not_lost)
{
	metrics_count(METRICS_FRESH);
	ck_assert_int_eq(start(), 0);
	metrics_count(METRICS_FRESH);
	ck_assert_int_eq(on_disk(METRICS_FRESH), 2);
}
END_TEST

/* ---- without a file ---- */

START_TEST(test_a_missing_directory_is_waited_for)
{
	ck_assert_int_eq(rmdir("metrics"), 0);
	ck_assert_int_eq(start(), -ENOENT);
	metrics_count(METRICS_FRESH);
	ck_assert_int_eq(metrics_look(), -ENOENT);
	ck_assert_int_eq(mkdir("metrics", 0700), 0);
	ck_assert_int_eq(metrics_look(), 0);
	metrics_count(METRICS_FRESH);
	ck_assert_int_eq(on_disk(METRICS_FRESH), 2);
	ck_assert_int_eq(on_disk(METRICS_STARTS), 1);
}
END_TEST

START_TEST(test_a_removed_file_is_replaced_and_nothing_lost)
{
	ck_assert_int_eq(start(), 0);
	metrics_count(METRICS_FRESH);
	ck_assert_int_eq(metrics_look(), 0);
	ck_assert_int_eq(unlink("metrics/nss"), 0);
	metrics_count(METRICS_FRESH);
	ck_assert_int_eq(metrics_look(), 0);
	ck_assert_int_eq(on_disk(METRICS_FRESH), 2);
	ck_assert_int_eq(metrics_look(), 0);
	metrics_count(METRICS_FRESH);
	ck_assert_int_eq(on_disk(METRICS_FRESH), 3);
}
END_TEST

/* What a full file system says; without room there is no file that could be mapped. */
static int count_without_room(void)
{
	struct rlimit none = { 0, 0 };

	signal(SIGXFSZ, SIG_IGN);
	EXPECT(setrlimit(RLIMIT_FSIZE, &none) == 0);
	EXPECT(start() < 0);
	metrics_count(METRICS_FRESH);
	EXPECT(metrics_cells[METRICS_FRESH] == 1);
	return 0;
}

START_TEST(test_without_room_it_counts_in_memory)
{
	in_fork(count_without_room);
	ck_assert_uint_eq(files_in("metrics"), 0);
}
END_TEST

/* Files come from a backup with holes, maybe, and then there may be no room. */
START_TEST(test_holes_are_no_room)
{
	auto_close int fd = -1;
	struct stat st;

	in_fork(count_one);
	fd = open("metrics/nss", O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, METRICS_HEAD), 0);
	ck_assert_int_eq(ftruncate(fd, METRICS_FILE), 0);
	in_fork(count_one);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, METRICS_FILE);
}
END_TEST

START_TEST(test_names_that_are_no_files)
{
	ck_assert_int_eq(metrics_start(".", "", METRICS_BACKEND), -EINVAL);
	ck_assert_int_eq(metrics_start(".", "..", METRICS_BACKEND), -EINVAL);
	ck_assert_int_eq(metrics_start(".", "a/b", METRICS_BACKEND), -EINVAL);
	ck_assert_int_eq(metrics_look(), 0);
}
END_TEST

/* ---- what else may lie at the path ---- */

static void put(size_t place, const void *bytes, size_t size)
{
	auto_close int fd = open("metrics/nss", O_RDWR);

	ck_assert_int_eq(pwrite(fd, bytes, size, (off_t)place), size);
}

static void damage(int i)
{
	static const uint64_t beyond = METRICS_CELL_MAX;
	static const uint32_t two = METRICS_VERSION + 1, other = METRICS_BACKEND, none = 0;

	switch (i) {
	case 0:
		ck_assert_int_eq(truncate("metrics/nss", METRICS_FILE - 1), 0);
		break;
	case 1:
		ck_assert_int_eq(truncate("metrics/nss", METRICS_FILE + 1), 0);
		break;
	case 2:
		ck_assert_int_eq(truncate("metrics/nss", 0), 0);
		break;
	case 3:
		put(0, "x", 1);
		break;
	case 4:
		put(8, &two, sizeof(two));
		break;
	case 5:
		put(12, &other, sizeof(other));
		break;
	case 6:
		put(12, &none, sizeof(none));
		break;
	case 7:
		put(16, &two, sizeof(two));
		break;
	case 8:
		put(METRICS_FILE - 8, &beyond, sizeof(beyond));
		break;
	case 9:
		ck_assert_int_eq(rename("metrics/nss", "kept"), 0);
		ck_assert_int_eq(symlink("../kept", "metrics/nss"), 0);
		break;
	case 10:
		ck_assert_int_eq(unlink("metrics/nss"), 0);
		ck_assert_int_eq(mkfifo("metrics/nss", 0600), 0);
		break;
	}
}

START_TEST(test_what_is_not_ours_gives_way)
{
	in_fork(count_one);
	in_fork(count_one);
	damage(_i);
	in_fork(count_one);
	ck_assert_int_eq(on_disk(METRICS_STARTS), 1);
	ck_assert_int_eq(on_disk(METRICS_FRESH), 1);
	ck_assert_uint_eq(files_in("metrics"), 1);
}
END_TEST

START_TEST(test_a_directory_in_the_way_stays)
{
	ck_assert_int_eq(mkdir("metrics/nss", 0700), 0);
	ck_assert_int_lt(start(), 0);
	metrics_count(METRICS_FRESH);
	ck_assert_uint_eq(metrics_cells[METRICS_FRESH], 1);
	ck_assert_uint_eq(files_in("metrics"), 1);
}
END_TEST

/* ---- values ---- */

START_TEST(test_histogram_bounds)
{
	static const struct {
		int64_t us;
		unsigned bucket;
	} rows[] = {
		{ -1, 0 },         { 0, 0 },        { 16, 0 },        { 17, 1 },
		{ 64, 1 },         { 65, 2 },       { 256, 2 },       { 257, 3 },
		{ 4194304, 9 },    { 4194305, 10 }, { 16777216, 10 }, { 16777217, 11 },
		{ INT32_MAX, 11 },
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before = metrics_cells[METRICS_LOOP + rows[i].bucket];

		metrics_time(METRICS_LOOP, rows[i].us);
		ck_assert_uint_eq(metrics_cells[METRICS_LOOP + rows[i].bucket], before + 1);
		sum += rows[i].us > 0 ? (uint64_t)rows[i].us : 0;
	}
	ck_assert_uint_eq(metrics_cells[METRICS_LOOP + METRICS_BOUNDS + 1], sum);
	ck_assert_uint_eq(metrics_cells[METRICS_REQUEST_TIMES], 0);
}
END_TEST

START_TEST(test_results)
{
	static const struct {
		int r;
		enum metrics_result result;
	} rows[] = {
		{ 0, METRICS_OK },
		{ -ENOENT, METRICS_NOT_FOUND },
		{ -E_OFFLINE, METRICS_WAS_OFFLINE },
		{ -ETIMEDOUT, METRICS_TIMEOUT },
		{ -EIO, METRICS_ERROR },
		{ -E_SERVER, METRICS_ERROR },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		metrics_request(QUERY_INITGROUPS, rows[i].r, 20);
	for (unsigned i = 0; i < METRICS_RESULTS; i++)
		ck_assert_uint_eq(
			metrics_cells[METRICS_REQUESTS + QUERY_INITGROUPS * METRICS_RESULTS + i],
			i == METRICS_ERROR ? 2 : 1);
	ck_assert_uint_eq(metrics_cells[METRICS_REQUEST_TIMES + 1], 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("metrics");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, enter_folder, leave_folder);
	tcase_add_test(tcase, test_counts_outlive_processes);
	tcase_add_test(tcase, test_a_killed_process_has_counted);
	tcase_add_test(tcase, test_two_count_at_once);
	tcase_add_test(tcase, test_what_was_counted_before_the_start_is_not_lost);
	tcase_add_test(tcase, test_a_missing_directory_is_waited_for);
	tcase_add_test(tcase, test_a_removed_file_is_replaced_and_nothing_lost);
	tcase_add_test(tcase, test_without_room_it_counts_in_memory);
	tcase_add_test(tcase, test_holes_are_no_room);
	tcase_add_test(tcase, test_names_that_are_no_files);
	tcase_add_loop_test(tcase, test_what_is_not_ours_gives_way, 0, 11);
	tcase_add_test(tcase, test_a_directory_in_the_way_stays);
	tcase_add_test(tcase, test_histogram_bounds);
	tcase_add_test(tcase, test_results);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
