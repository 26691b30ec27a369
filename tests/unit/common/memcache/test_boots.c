/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way of the files from one boot to the next. A boot ends with its /run; what a power cut
 * leaves of a file that nobody synced is anything.
 */
#include "common/memcache/boots.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/memcache/mcmap.h"
#include "common/wire/writer.h"

#define FOREVER UINT64_C(0x7fffffff)
#define WAIT_MS 200

static char root[] = "/tmp/test_boots_XXXXXX";
static char dir[PATH_MAX], mc[PATH_MAX + 16], run_dir[PATH_MAX];
static struct boots boots;
static struct mcmap *map;
static struct mcmap_stats stats;

/* ---- what a power cut may do ---- */

static long steps_left = -1; /* then the machine is off; -1 = never */
static bool is_synced[2];    /* passwd and the directory: since it was changed */
static bool tries_to_write;  /* another process, before each link that is made */
static bool may_be_read;     /* by a path of the disk, as it may be after a power cut */

enum {
	PASSWD,
	DIRECTORY,
};

static void step(void)
{
	if (steps_left == 0)
		_exit(may_be_read && !is_synced[PASSWD] ? 1 : 0);
	if (steps_left > 0)
		steps_left--;
}

/* In the place of the C library's. */
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t place)
{
	step();
	is_synced[PASSWD] = false;
	return syscall(SYS_pwrite64, fd, bytes, size, place);
}

int fsync(int fd)
{
	struct stat st;

	step();
	if (fstat(fd, &st) == 0)
		is_synced[S_ISDIR(st.st_mode) ? DIRECTORY : PASSWD] = true;
	if (is_synced[DIRECTORY] && !boots_are_closed(mc))
		may_be_read = false;
	return 0;
}

int rename(const char *from, const char *to)
{
	step();
	is_synced[DIRECTORY] = false;
	if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0) < 0)
		return -1;
	/* The kernel may write that down at once, or late. */
	if (boots_are_closed(mc))
		may_be_read = true;
	return 0;
}

int unlink(const char *path)
{
	step();
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static const char *mount_point; /* NULL: none */

int statx(int at, const char *path, int flags, unsigned int mask, struct statx *ret_st)
{
	int r = (int)syscall(SYS_statx, at, path, flags, mask, ret_st);

	if (mount_point && strcmp(path, mount_point) == 0)
		ret_st->stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	return r;
}

static void try_to_write(void);

int symlink(const char *target, const char *path)
{
	step();
	if (tries_to_write)
		try_to_write();
	return (int)syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

/* ---- a boot ---- */

/* Paths are relative to root. */
static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void take_away(const char *path)
{
	ck_assert_int_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void make_directory(const char *path)
{
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void copy(const char *from, const char *to)
{
	auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	static char bytes[1 << 16];
	ssize_t n;

	ck_assert(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		ck_assert_int_eq(write(out, bytes, (size_t)n), n);
	ck_assert_int_eq(n, 0);
}

static void set_closed_at(const char *path, uint32_t closed_at)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, &closed_at, 4, MEMCACHE_CLOSED_AT), 4);
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int open_map(void)
{
	struct mcmap_options options = { mc, MCMAP_PASSWD, 1, 7 };
	int r;

	TALLOC_FREE(map);
	r = mcmap_open(NULL, &options, &map);
	if (r == 0)
		mcmap_stats(map, &stats);
	return r;
}

static void put_user(const char *name)
{
	struct writer data = writer_new(1000);

	writer_u32(&data, 16);
	writer_u32(&data, 1000);
	writer_u32(&data, 100);
	writer_u32(&data, (uint32_t)strlen(name) + 9);
	writer_str(&data, name);
	writer_bytes(&data, "*\0G\0/\0/\0", 8);
	ck_assert_int_eq(writer_end(&data), 0);
	ck_assert_int_ge(mcmap_put(map, data.bytes, data.size, FOREVER, MCMAP_BY_BOTH), 0);
	writer_free(&data);
}

/* 1 the file is found, and a reader accepts it; else 0. */
static int is_found(void)
{
	uint8_t bytes[MEMCACHE_DATA_AT];
	struct memcache_header header;
	auto_close int fd = open("lib/mc/passwd", O_RDONLY | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && read(fd, bytes, sizeof(bytes)) == sizeof(bytes) &&
	       memcache_header_read(bytes, (uint64_t)st.st_size, &header) == 0 &&
	       memcache_clock_is_right(bytes);
}

static void try_to_write(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(open_map() == -EBUSY ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void end_boot(void)
{
	TALLOC_FREE(map);
	take_away("run");
	make_directory("run");
}

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(dir, sizeof(dir), "%s/lib", root);
	snprintf(mc, sizeof(mc), "%s/mc", dir);
	snprintf(run_dir, sizeof(run_dir), "%s/run/sss", root);
	ck_assert_int_eq(chdir(root), 0);
	make_directory("lib");
	make_directory("run");
	boots = (struct boots){ dir, run_dir, getuid(), getgid() };
	ck_assert_int_eq(boots_open(&boots), 1);
	ck_assert_int_eq(open_map(), 0);
	ck_assert(!stats.was_kept);
	put_user("al");
}

static void clean_up(void)
{
	TALLOC_FREE(map);
	ck_assert_int_eq(chdir("/"), 0);
	take_away(root);
}

/* ---- tests ---- */

START_TEST(test_opened_once)
{
	ck_assert_int_eq(boots_open(&boots), 0);
	ck_assert_int_eq(is_found(), 1);
	ck_assert_int_eq(open_map(), 0);
	ck_assert(stats.was_kept);
}
END_TEST

START_TEST(test_closed_and_opened_again_they_are_the_same)
{
	uint64_t series = boots_series(mc);

	for (int i = 0; i < 3; i++) {
		TALLOC_FREE(map);
		ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
		ck_assert_int_eq(boots_close(&boots, WAIT_MS), 0);
		ck_assert(boots_are_closed(mc));
		ck_assert_uint_eq(boots_series(mc), series);
		end_boot();
		ck_assert_int_eq(is_found(), 1);
		ck_assert_int_eq(boots_open(&boots), 1);
		ck_assert(!boots_are_closed(mc));
		ck_assert_uint_eq(boots_series(mc), series);
		ck_assert_int_eq(is_found(), 1);
		ck_assert_int_eq(open_map(), 0);
		ck_assert(stats.was_kept);
		ck_assert_uint_gt(stats.used, 0);
		put_user("bo");
	}
}
END_TEST

START_TEST(test_after_a_crash_no_path_leads_to_them)
{
	for (int boots_before = 0; boots_before < 2; boots_before++) {
		if (boots_before == 1) {
			TALLOC_FREE(map);
			ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
			end_boot();
			ck_assert_int_eq(boots_open(&boots), 1);
		}
		end_boot();
		ck_assert_int_eq(access(mc, F_OK), -1);
		ck_assert_int_eq(open_map(), -ENOENT);
		ck_assert_int_eq(boots_open(&boots), 1);
		ck_assert_int_eq(access("lib/mc/passwd", F_OK), -1);
		ck_assert_int_eq(open_map(), 0);
		ck_assert(!stats.was_kept);
	}
}
END_TEST

START_TEST(test_nobody_writes_what_is_closed)
{
	TALLOC_FREE(map);
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
	ck_assert_int_eq(open_map(), -EROFS);
	ck_assert_int_eq(is_found(), 1);
	ck_assert_int_eq(mcmap_recycle_others(mc, MCMAP_PASSWD, 7), 0);
	ck_assert_int_eq(is_found(), 1);
	ck_assert_int_eq(mcmap_recycle_others(mc, MCMAP_PASSWD, 8), 0);
	ck_assert_int_eq(is_found(), 0);
	ck_assert_int_eq(boots_open(&boots), 1);
	ck_assert_int_eq(open_map(), 0);
	ck_assert(!stats.was_kept);
}
END_TEST

START_TEST(test_a_map_without_a_file_begins_none_where_they_are_closed)
{
	take_away("run/sss/mc");
	ck_assert_int_eq(mcmap_clear(map), -ENOENT);
	ck_assert_int_eq(boots_open(&boots), 1);
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
	ck_assert_int_eq(mcmap_clear(map), -EROFS);
	ck_assert_int_eq(is_found(), 0);
}
END_TEST

START_TEST(test_a_writer_is_waited_for)
{
	int pipes[2];
	char byte;
	pid_t pid;

	TALLOC_FREE(map);
	ck_assert_int_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		if (open_map() == 0 && write(pipes[1], "", 1) == 1)
			usleep(400000);
		_exit(0);
	}
	ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
	ck_assert_int_eq(open_map(), -EBUSY);
	ck_assert_int_eq(boots_close(&boots, 0), -EBUSY);
	ck_assert(!boots_are_closed(mc));
	ck_assert_int_eq(boots_close(&boots, 10000), 1);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(test_a_reader_with_a_lock_is_not)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	int pipes[2], status, fd;
	char byte;
	pid_t pid;

	TALLOC_FREE(map);
	ck_assert_int_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		fd = open("lib/mc/passwd", O_RDONLY);
		if (fcntl(fd, F_SETLK, &lock) == 0 && write(pipes[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
	ck_assert_int_eq(boots_close(&boots, 0), 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}
END_TEST

/* As any user can on what he may read. */
START_TEST(test_a_lock_on_a_directory_keeps_nobody_waiting)
{
	auto_close int lib = open("lib", O_RDONLY | O_CLOEXEC);
	auto_close int run = open("run/sss", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(flock(lib, LOCK_SH) + flock(run, LOCK_SH), 0);
	TALLOC_FREE(map);
	ck_assert_int_eq(boots_close(&boots, 0), 1);
	ck_assert_int_eq(boots_open(&boots), 1);
}
END_TEST

START_TEST(test_one_opens_or_closes_at_a_time)
{
	auto_close int fd = open("run/sss/mc.lock", O_RDWR | O_CLOEXEC);
	struct stat st;
	pid_t pid;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	TALLOC_FREE(map);
	ck_assert_int_eq(boots_close(&boots, 0), -EBUSY);
	ck_assert(!boots_are_closed(mc));
	pid = fork();
	if (pid == 0) {
		usleep(100000);
		_exit(flock(fd, LOCK_UN));
	}
	ck_assert_int_eq(boots_open(&boots), 0);
	ck_assert_int_eq(boots_close(&boots, 0), 1);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

static bool is_closed(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[MEMCACHE_DATA_AT];

	return read(fd, bytes, sizeof(bytes)) == sizeof(bytes) && memcache_is_closed(bytes);
}

/* A responder that drains still answers. */
START_TEST(test_what_a_writer_begins_before_he_leaves_is_closed)
{
	struct mcmap_options options = { mc, MCMAP_GROUP, 1, 7 };
	int pipes[2], status;
	char byte;
	pid_t pid;

	TALLOC_FREE(map);
	ck_assert_int_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		struct mcmap *group;

		if (open_map() < 0 || write(pipes[1], "", 1) != 1)
			_exit(1);
		usleep(100000);
		_exit(mcmap_clear(map) == 0 && mcmap_open(NULL, &options, &group) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
	ck_assert_int_eq(boots_close(&boots, 10000), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(is_closed("lib/mc/passwd") && is_closed("lib/mc/group"));
}
END_TEST

START_TEST(test_nobody_begins_to_write_while_they_are_closed)
{
	TALLOC_FREE(map);
	tries_to_write = true;
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
	tries_to_write = false;
	ck_assert(is_closed("lib/mc/passwd"));
	ck_assert_int_eq(open_map(), -EROFS);
}
END_TEST

static void assert_passwd_and_sid_are_alone(void)
{
	static const char *const others[] = { "unknown", "passwd.new", "group", "else" };

	ck_assert(is_there("lib/mc.files/passwd") && is_there("lib/mc.files/sid"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "lib/mc.files/%s", others[i]);
		ck_assert_msg(!is_there(path), "%s", path);
	}
}

START_TEST(test_what_else_lies_there_is_not_taken_along)
{
	TALLOC_FREE(map);
	copy("lib/mc/passwd", "lib/mc/unknown");
	copy("lib/mc/passwd", "lib/mc/sid");
	copy("lib/mc/passwd", "lib/mc/passwd.new");
	copy("/dev/null", "lib/mc/group");
	make_directory("lib/mc/initgroups");
	make_directory("lib/mc/else");
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
	assert_passwd_and_sid_are_alone();
	end_boot();
	/* Nobody of ours has put it there, or he has not closed it. */
	copy("lib/mc/passwd", "lib/mc/unknown");
	copy("lib/mc/passwd", "lib/mc/group");
	set_closed_at("lib/mc/group", 0);
	ck_assert_int_eq(boots_open(&boots), 1);
	assert_passwd_and_sid_are_alone();
	ck_assert_int_eq(open_map(), 0);
	ck_assert(stats.was_kept);
}
END_TEST

START_TEST(test_a_link_to_a_file_of_root_is_not_followed)
{
	TALLOC_FREE(map);
	copy("lib/mc/passwd", "one");
	copy("lib/mc/passwd", "two");
	ck_assert_int_eq(symlink("../../one", "lib/mc.files/group"), 0);
	ck_assert_int_eq(link("two", "lib/mc.files/initgroups"), 0);
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
	ck_assert(!is_there("lib/mc/group") && !is_there("lib/mc/initgroups"));
	ck_assert(!is_closed("one") && !is_closed("two"));
}
END_TEST

START_TEST(test_a_clock_that_is_earlier_than_when_they_were_closed)
{
	uint32_t later = (uint32_t)time(NULL) + 100;

	TALLOC_FREE(map);
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
	set_closed_at("lib/mc/passwd", later);
	ck_assert_int_eq(is_found(), 0);
	ck_assert_int_eq(boots_open(&boots), 1);
	ck_assert_int_eq(access("lib/mc/passwd", F_OK), -1);
}
END_TEST

START_TEST(test_a_directory_or_nothing_in_the_place_of_the_link)
{
	static const char *const gone[][2] = {
		{ "lib/mc" }, { "lib/mc", "lib/mc.files" }, { "run/sss/mc" }, { "run/sss" },
		{ "lib" },    { "lib/mc", "run" },
	};

	for (size_t i = 0; i < 2 * sizeof(gone) / sizeof(gone[0]); i++) {
		const char *const *paths = gone[i / 2];

		for (size_t k = 0; k < 2 && paths[k]; k++)
			take_away(paths[k]);
		if (!is_there("lib"))
			make_directory("lib");
		if (!is_there("run"))
			make_directory("run");
		if (i % 2 && !is_there("lib/mc")) {
			make_directory("lib/mc");
			copy("/dev/null", "lib/mc/passwd");
		}
		ck_assert_int_eq(boots_open(&boots), 1);
		ck_assert(boots_series(mc) == boot_id() && !is_there("lib/mc/passwd"));
		ck_assert_int_eq(boots_open(&boots), 0);
		ck_assert_int_eq(open_map(), 0);
		ck_assert_msg(!stats.was_kept, "%s", paths[0]);
		put_user("al");
	}
	/* A link to elsewhere. */
	take_away("lib/mc");
	ck_assert_int_eq(symlink("/nowhere", "lib/mc"), 0);
	ck_assert_int_eq(boots_open(&boots), 1);
	ck_assert_int_eq(open_map(), 0);
	ck_assert(!stats.was_kept);
}
END_TEST

/* The host's in a container. */
START_TEST(test_what_is_mounted_there_stays)
{
	TALLOC_FREE(map);
	take_away("lib/mc");
	make_directory("lib/mc");
	copy("/dev/null", "lib/mc/group");
	mount_point = mc;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(boots_open(&boots), -EXDEV);
		ck_assert(is_there("lib/mc/group"));
		ck_assert_uint_eq(boots_series(mc), boot_id());
		ck_assert_int_eq(open_map(), 0);
		TALLOC_FREE(map);
		ck_assert_int_eq(boots_close(&boots, 0), 0);
		ck_assert(is_there("lib/mc/passwd"));
	}
	mount_point = NULL;
	ck_assert_int_eq(boots_open(&boots), 1);
	ck_assert(!is_there("lib/mc/group"));
}
END_TEST

/* As an attempt leaves it that was cut short before it gave the directory away. */
START_TEST(test_a_directory_that_is_roots_still_becomes_the_writers)
{
	struct stat st;

	if (getuid() != 0)
		return;
	TALLOC_FREE(map);
	take_away("run/sss/mc");
	take_away("lib/mc.files");
	ck_assert_int_eq(mkdir("lib/mc.files", 0700), 0);
	boots.uid = 4711;
	boots.gid = 4712;
	ck_assert_int_eq(boots_open(&boots), 1);
	ck_assert_int_eq(stat("lib/mc.files", &st), 0);
	ck_assert(st.st_uid == 4711 && st.st_gid == 4712);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
}
END_TEST

START_TEST(test_a_directory_alone_is_of_one_boot)
{
	TALLOC_FREE(map);
	take_away("lib/mc");
	make_directory("lib/mc");
	ck_assert(!boots_are_closed(mc));
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 0);
	take_away("run/sss");
	ck_assert_int_eq(boots_close(&boots, WAIT_MS), 0);
	ck_assert_int_eq(open_map(), 0);
	ck_assert_int_eq(open_map(), 0);
	ck_assert(stats.was_kept);
}
END_TEST

/* Wherever the power goes, no path of the disk leads to a file with a page that was not synced;
 * and what can be read then is what was closed. */
static void cut_power_at_each_step(int (*work)(void), int at_least)
{
	int n = 0, status = 0;

	for (bool done = false; !done; n++) {
		pid_t pid = fork();

		ck_assert_int_lt(n, 200);
		if (pid == 0) {
			steps_left = n;
			work();
			_exit(2);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status));
		ck_assert_msg(WEXITSTATUS(status) != 1, "step %d", n);
		done = WEXITSTATUS(status) == 2;
		take_away("run");
		make_directory("run");
		ck_assert_int_eq(boots_are_closed(mc), is_found());
		ck_assert_int_eq(boots_open(&boots), 1);
		ck_assert_int_eq(open_map(), 0);
		put_user("al");
		TALLOC_FREE(map);
	}
	ck_assert_int_gt(n, at_least);
}

static int close_all(void)
{
	return boots_close(&boots, WAIT_MS);
}

START_TEST(test_the_power_goes_while_they_are_closed)
{
	TALLOC_FREE(map);
	cut_power_at_each_step(close_all, 10);
}
END_TEST

/* Whoever finds them in use writes at once. */
static int open_and_write(void)
{
	may_be_read = true;
	is_synced[PASSWD] = true;
	if (boots_open(&boots) != 1)
		return -1;
	is_synced[PASSWD] = false;
	step();
	return 0;
}

START_TEST(test_the_power_goes_while_they_are_opened)
{
	/* The words of the header alone are changed before that, in files that are whole. */
	TALLOC_FREE(map);
	for (int n = 0, status = 0; status != 2; n++) {
		pid_t pid;

		ck_assert_int_eq(boots_close(&boots, WAIT_MS), 1);
		end_boot();
		pid = fork();
		if (pid == 0) {
			steps_left = n;
			open_and_write();
			_exit(2);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status));
		status = WEXITSTATUS(status);
		/* Where a writer finds the way, no power cut brings the link back. */
		if (access("run/sss/mc", F_OK) == 0)
			ck_assert_int_ne(status, 1);
		end_boot();
		ck_assert_int_ge(boots_open(&boots), 0);
		ck_assert_int_eq(open_map(), 0);
		put_user("al");
		TALLOC_FREE(map);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("boots");
	TCase *tests = tcase_create("boots");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, set_up, clean_up);
	tcase_add_test(tests, test_opened_once);
	tcase_add_test(tests, test_closed_and_opened_again_they_are_the_same);
	tcase_add_test(tests, test_after_a_crash_no_path_leads_to_them);
	tcase_add_test(tests, test_nobody_writes_what_is_closed);
	tcase_add_test(tests, test_a_map_without_a_file_begins_none_where_they_are_closed);
	tcase_add_test(tests, test_a_writer_is_waited_for);
	tcase_add_test(tests, test_a_reader_with_a_lock_is_not);
	tcase_add_test(tests, test_a_lock_on_a_directory_keeps_nobody_waiting);
	tcase_add_test(tests, test_one_opens_or_closes_at_a_time);
	tcase_add_test(tests, test_what_a_writer_begins_before_he_leaves_is_closed);
	tcase_add_test(tests, test_nobody_begins_to_write_while_they_are_closed);
	tcase_add_test(tests, test_what_else_lies_there_is_not_taken_along);
	tcase_add_test(tests, test_a_link_to_a_file_of_root_is_not_followed);
	tcase_add_test(tests, test_a_clock_that_is_earlier_than_when_they_were_closed);
	tcase_add_test(tests, test_a_directory_or_nothing_in_the_place_of_the_link);
	tcase_add_test(tests, test_what_is_mounted_there_stays);
	tcase_add_test(tests, test_a_directory_that_is_roots_still_becomes_the_writers);
	tcase_add_test(tests, test_a_directory_alone_is_of_one_boot);
	tcase_add_test(tests, test_the_power_goes_while_they_are_closed);
	tcase_add_test(tests, test_the_power_goes_while_they_are_opened);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
