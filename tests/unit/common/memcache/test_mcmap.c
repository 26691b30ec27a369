/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The writing side of the memory cache, seen by the reader of the client library
 */
#include "common/memcache/mcmap.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/writer.h"

#define FOREVER  UINT64_C(0x7fffffff)
#define FIRST    (MEMCACHE_DATA_AT + 2 * MEMCACHE_SLOT_SIZE) /* of a file: a record */
#define N_USERS  300
#define N_SHARED 40 /* users that readers and writer fight for */
#define READERS  64

static char dir[] = "/tmp/test_mcmap_XXXXXX";
static char path[64];
static struct mcmap_options options;
static struct mcmap *map;
static struct mcmap_stats stats;

/* ---- what may happen to a write ---- */

static long writes_left = -1; /* then the process is killed; -1 = never */
static long bytes_left = -1;  /* then the disk is full; -1 = never */

static size_t bytes_read;

/* Stand in front of the C library's. */
ssize_t pread(int fd, void *bytes, size_t size, off_t place)
{
	bytes_read += size;
	return syscall(SYS_pread64, fd, bytes, size, place);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t place)
{
	if (writes_left == 0)
		_exit(0);
	if (writes_left > 0)
		writes_left--;
	if (bytes_left >= 0 && (long)size > bytes_left) {
		size = (size_t)bytes_left;
		if (size == 0) {
			errno = ENOSPC;
			return -1;
		}
	}
	if (bytes_left > 0)
		bytes_left -= (long)size;
	return syscall(SYS_pwrite64, fd, bytes, size, place);
}

/* ---- records ---- */

static unsigned went; /* calls that made something else go */

static int put_user(const char *name, uint32_t uid, const char *home, uint64_t expires,
                    enum mcmap_by by)
{
	struct writer data = writer_new(1 << 20);
	int r;

	writer_u32(&data, 16);
	writer_u32(&data, uid);
	writer_u32(&data, 100);
	writer_u32(&data, (uint32_t)(strlen(name) + strlen(home) + 9));
	writer_str(&data, name);
	writer_str(&data, "*");
	writer_str(&data, "G");
	writer_str(&data, home);
	writer_str(&data, "/s");
	ck_assert_int_eq(writer_end(&data), 0);
	r = mcmap_put(map, data.bytes, data.size, expires, by);
	writer_free(&data);
	went += r > 0;
	return r < 0 ? r : 0;
}

static int put_groups(const char *name, const char *canonical, uint32_t gid)
{
	struct writer data = writer_new(1 << 20);
	int r;

	writer_u32(&data, 28);
	writer_u32(&data, 28 + (uint32_t)strlen(canonical) + 1);
	writer_u32(&data, 28);
	writer_u32(&data, (uint32_t)(strlen(canonical) + strlen(name) + 2));
	writer_u32(&data, (uint32_t)(strlen(canonical) + strlen(name) + 6));
	writer_u32(&data, 1);
	writer_u32(&data, gid);
	writer_str(&data, canonical);
	writer_str(&data, name);
	r = mcmap_put(map, data.bytes, data.size, FOREVER, MCMAP_BY_BOTH);
	writer_free(&data);
	return r < 0 ? r : 0;
}

/* ---- what a client sees ---- */

static struct passwd user;
static char texts[70000];

static uint8_t *file_bytes(size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *bytes;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	ck_assert_int_eq(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_size = (size_t)st.st_size;
	return bytes;
}

/* One look at the file, for as many questions as one likes. */
static struct mapped look(void)
{
	struct mapped mapped;

	mapped.bytes = file_bytes(&mapped.size);
	ck_assert_int_eq(memcache_header_read(mapped.bytes, mapped.size, &mapped.header), 0);
	return mapped;
}

/* The very memory that the writer changes: to be unmapped. */
static struct mapped look_into(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct mapped mapped;
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	mapped.size = (size_t)st.st_size;
	mapped.bytes = mmap(NULL, mapped.size, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert(mapped.bytes != MAP_FAILED);
	close(fd);
	ck_assert_int_eq(memcache_header_read(mapped.bytes, mapped.size, &mapped.header), 0);
	return mapped;
}

static int ask(const struct mapped *mapped, const char *name, uint32_t uid)
{
	struct nss_place place = { &user, texts, sizeof(texts) };
	struct memcache_key key = { .name = name, .id = uid };

	return memcache_find_in(mapped, &passwd_map.memcache, &key, time(NULL), &place);
}

static int find(const char *name, uint32_t uid)
{
	struct mapped mapped = look();
	int r = ask(&mapped, name, uid);

	free((void *)mapped.bytes);
	return r;
}

static int find_groups(const char *name)
{
	struct mapped mapped = look();
	gid_t *gids = NULL;
	long start = 0, size = 0;
	struct nss_groups wanted = { 1, &start, &size, &gids, -1, 0 };
	int r = memcache_find_in(&mapped, &initgroups_kind, &(struct memcache_key){ .name = name },
	                         0, &wanted);

	r = r > 0 ? (int)gids[0] : r;
	free(gids);
	free((void *)mapped.bytes);
	return r;
}

static void reopen(void)
{
	TALLOC_FREE(map);
	ck_assert_int_eq(mcmap_open(NULL, &options, &map), 0);
	mcmap_stats(map, &stats);
}

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/passwd", dir);
	options = (struct mcmap_options){ dir, MCMAP_PASSWD, 1, 7 };
	reopen();
	ck_assert(!stats.was_kept);
}

static void clean_up(void)
{
	TALLOC_FREE(map);
	unlink(path);
	rmdir(path);
	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		static const char *const names[] = { MCMAP_NAMES };
		char lock[80];

		snprintf(lock, sizeof(lock), "%s/.%s.lock", dir, names[kind]);
		unlink(lock);
	}
	rmdir(dir);
}

/* ---- tests ---- */

START_TEST(test_the_file_is_as_others_have_it)
{
	struct mapped mapped = look();
	struct stat st;

	ck_assert_uint_eq(mapped.header.data_size, 26216 * 40);
	ck_assert_uint_eq(mapped.header.bits_size, 26216 / 8);
	ck_assert_uint_eq(mapped.header.table_size, 26216 * 4);
	ck_assert_uint_eq(mapped.header.data_at, 56);
	ck_assert_uint_eq(mapped.header.table_at % 8, 0);
	free((void *)mapped.bytes);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_lt(st.st_blocks * 512, 26216 * 5 + 16384); /* the records are holes */
	ck_assert_int_ge(st.st_blocks * 512, 26216 * 4);         /* and the table is none */
}
END_TEST

START_TEST(test_a_new_file_is_hardly_written)
{
	bytes_left = 400;
	ck_assert_int_eq(mcmap_clear(map), 0);
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_gt(bytes_left, 0);
	ck_assert_int_eq(find("al", 0), 1);
	ck_assert_int_eq(find("bo", 0), -ENOENT);
	bytes_left = -1;
}
END_TEST

START_TEST(test_put_is_found_by_both_keys)
{
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("al", 0), 1);
	ck_assert_uint_eq(user.pw_uid, 1000);
	ck_assert_str_eq(user.pw_dir, "/h");
	ck_assert_str_eq(user.pw_shell, "/s");
	ck_assert_int_eq(find(NULL, 1000), 1);
	ck_assert_str_eq(user.pw_name, "al");
	ck_assert_int_eq(find("bo", 0), -ENOENT);
}
END_TEST

START_TEST(test_found_only_by_the_keys_it_was_put_for)
{
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_KEY1), 0);
	ck_assert_int_eq(put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_KEY2), 0);
	ck_assert_int_eq(find("al", 0), 1);
	ck_assert_int_eq(find(NULL, 1000), -ENOENT);
	ck_assert_int_eq(find("bo", 0), -ENOENT);
	ck_assert_int_eq(find(NULL, 1001), 1);
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_KEY2), 0);
	ck_assert_int_eq(find(NULL, 1000), 1);
	ck_assert_int_eq(find("al", 0), 1);
	mcmap_stats(map, &stats);
	ck_assert_uint_eq(stats.stored, 3);
	reopen();
	ck_assert(stats.was_kept);
	ck_assert_int_eq(find("bo", 0), -ENOENT);
	ck_assert_int_eq(find(NULL, 1001), 1);
}
END_TEST

/* Who asks by id again and again does not prolong what the name once led to. */
START_TEST(test_a_key_is_not_given_the_time_of_another)
{
	static const enum mcmap_by before[] = { MCMAP_BY_KEY1, MCMAP_BY_BOTH };
	uint64_t past = (uint64_t)time(NULL) - 9;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put_user("al", 1000, "/h", past, before[i]), 0);
		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_KEY2), 0);
		ck_assert_int_eq(find("al", 0), -ENOENT);
		ck_assert_int_eq(find(NULL, 1000), 1);
	}
	ck_assert_int_eq(put_user("al", 1000, "/h", past, MCMAP_BY_KEY2), 0);
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_KEY1), 0);
	ck_assert_int_eq(find("al", 0), 1);
	ck_assert_int_eq(find(NULL, 1000), -ENOENT);
}
END_TEST

START_TEST(test_what_goes_by_one_key_goes_by_the_other)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_KEY1), 0);
		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_KEY2), 0);
		ck_assert_int_eq(i ? mcmap_forget(map, MCMAP_BY_KEY1, "al")
		                   : mcmap_forget(map, MCMAP_BY_KEY2, "1000"),
		                 2);
		ck_assert_int_eq(find("al", 0), -ENOENT);
		ck_assert_int_eq(find(NULL, 1000), -ENOENT);
	}
}
END_TEST

START_TEST(test_a_new_version_replaces_the_old_one)
{
	ck_assert_int_eq(put_user("al", 1000, "/old", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(put_user("al", 1000, "/new", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find(NULL, 1000), 1);
	ck_assert_str_eq(user.pw_dir, "/new");

	ck_assert_int_eq(put_user("al", 2000, "/new", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find(NULL, 1000), -ENOENT);
	ck_assert_int_eq(put_user("bo", 2000, "/new", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("al", 0), -ENOENT);
	ck_assert_int_eq(find(NULL, 2000), 1);
	ck_assert_str_eq(user.pw_name, "bo");
	mcmap_stats(map, &stats);
	ck_assert_uint_eq(stats.used, 2);
}
END_TEST

START_TEST(test_the_same_again_is_given_more_time)
{
	ck_assert_int_eq(put_user("al", 1000, "/h", (uint64_t)time(NULL) - 9, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("al", 0), -ENOENT);
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("al", 0), 1);
	mcmap_stats(map, &stats);
	ck_assert_uint_eq(stats.stored, 1);
	ck_assert_uint_eq(stats.renewed, 1);
}
END_TEST

START_TEST(test_forget)
{
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY1, "nobody"), 0);
	ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY1, "al"), 1);
	ck_assert_int_eq(find(NULL, 1000), -ENOENT);
	ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY2, "1001"), 1);
	ck_assert_int_eq(find("bo", 0), -ENOENT);
	mcmap_stats(map, &stats);
	ck_assert_uint_eq(stats.used, 0);
}
END_TEST

START_TEST(test_several_names_lead_to_the_groups_of_one_user)
{
	TALLOC_FREE(map);
	options.kind = MCMAP_INITGROUPS;
	unlink(path);
	snprintf(path, sizeof(path), "%s/initgroups", dir);
	reopen();
	ck_assert_int_eq(put_groups("al", "al@d", 5000), 0);
	ck_assert_int_eq(put_groups("AL", "al@d", 5000), 0);
	ck_assert_int_eq(put_groups("bo", "bo@d", 5001), 0);
	ck_assert_int_eq(find_groups("al"), 5000);
	ck_assert_int_eq(find_groups("AL"), 5000);
	ck_assert_int_eq(put_groups("al", "al@d", 5002), 0);
	ck_assert_int_eq(find_groups("al"), 5002);
	ck_assert_int_eq(find_groups("AL"), -ENOENT);
	ck_assert_int_eq(put_groups("AL", "al@d", 5002), 0);
	ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY2, "al@d"), 2);
	ck_assert_int_eq(find_groups("AL"), -ENOENT);
	ck_assert_int_eq(find_groups("bo"), 5001);
	reopen();
	ck_assert(stats.was_kept);
	ck_assert_int_eq(find_groups("bo"), 5001);
}
END_TEST

START_TEST(test_what_is_no_record_is_refused)
{
	static const uint32_t bad[] = { 15, 1000, 100, 2, 0x61616161 };

	ck_assert_int_eq(mcmap_put(map, bad, sizeof(bad), FOREVER, MCMAP_BY_BOTH), -EBADMSG);
	for (size_t size = 0; size < 16; size++)
		ck_assert_int_eq(mcmap_put(map, "\20\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0", size, FOREVER,
		                           MCMAP_BY_BOTH),
		                 -EBADMSG);
}
END_TEST

START_TEST(test_another_process_is_kept_out)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct mcmap *second;

		_exit(mcmap_open(NULL, &options, &second) == -EBUSY ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(mcmap_is_sound(map));
}
END_TEST

/* Holds a lock on the file of the path, as anybody can who may read it. */
static pid_t hold_read_lock(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Nor does it cost others the cache. */
START_TEST(test_a_reader_cannot_keep_the_writer_out)
{
	int status;
	pid_t pid;

	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	TALLOC_FREE(map);
	pid = hold_read_lock();
	reopen();
	ck_assert(stats.was_kept);
	ck_assert(mcmap_is_sound(map));
	ck_assert_int_eq(find("al", 0), 1);
	ck_assert_int_eq(put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("bo", 0), 1);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

static const char *lock_path(void)
{
	static char lock[80];

	snprintf(lock, sizeof(lock), "%s/.passwd.lock", dir);
	return lock;
}

/* Nobody else can open what our locks are on. */
START_TEST(test_the_lock_is_ours_alone)
{
	struct stat st;

	ck_assert_int_eq(stat(lock_path(), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(unlink(lock_path()), 0);
	ck_assert(!mcmap_is_sound(map));
	ck_assert_int_eq(mcmap_clear(map), 0);
	ck_assert(mcmap_is_sound(map));
}
END_TEST

/* Who lost his file does not replace that of his successor. */
START_TEST(test_the_file_of_another_process_is_not_replaced)
{
	int status, to_child[2], to_parent[2];
	char byte = 0;
	pid_t pid;

	ck_assert_int_eq(pipe2(to_child, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(to_parent, O_CLOEXEC), 0);
	ck_assert_int_eq(unlink(path), 0);
	pid = fork();
	if (pid == 0) {
		struct mcmap *second;

		/* While its file alone is lost it is the writer still. */
		if (mcmap_open(NULL, &options, &second) != -EBUSY || unlink(lock_path()) < 0)
			_exit(3);
		if (mcmap_open(NULL, &options, &second) == 0 && write(to_parent[1], "", 1) == 1 &&
		    read(to_child[0], &byte, 1) == 1)
			_exit(mcmap_is_sound(second) ? 0 : 1);
		_exit(2);
	}
	close(to_parent[1]);
	ck_assert_int_eq(read(to_parent[0], &byte, 1), 1);
	ck_assert_int_eq(mcmap_clear(map), -EBUSY);
	ck_assert_int_eq(write(to_child[1], "", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(mcmap_clear(map), 0);
	close(to_parent[0]);
	close(to_child[0]);
	close(to_child[1]);
}
END_TEST

/* ---- what is taken back by others ---- */

static int take_back(enum mcmap_by by, const char *text)
{
	int64_t wait_us = MCMAP_WAIT_US;

	return mcmap_take_back(dir, MCMAP_PASSWD, &(struct mcmap_key){ by, text }, 1, &wait_us);
}

static uint32_t status_of_file(void)
{
	uint32_t word = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(pread(fd, &word, 4, 12), 4);
	close(fd);
	return word;
}

START_TEST(test_one_entry_is_taken_back_alone)
{
	char name[16];

	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(put_user("cy", 1002, "/h", FOREVER, MCMAP_BY_KEY1), 0);
	ck_assert_int_eq(put_user("cy", 1002, "/h", FOREVER, MCMAP_BY_KEY2), 0);
	ck_assert_int_eq(take_back(MCMAP_BY_KEY1, "al"), 0);
	ck_assert_int_eq(take_back(MCMAP_BY_KEY2, "1002"), 0);
	ck_assert_int_eq(take_back(MCMAP_BY_KEY1, "nobody"), 0);
	ck_assert_uint_eq(status_of_file(), MEMCACHE_ALIVE);
	ck_assert_int_eq(find("al", 0), -ENOENT);
	ck_assert_int_eq(find(NULL, 1000), -ENOENT);
	ck_assert_int_eq(find("cy", 0), -ENOENT);
	ck_assert_int_eq(find(NULL, 1002), -ENOENT);
	ck_assert_int_eq(find("bo", 0), 1);
	ck_assert_int_eq(find(NULL, 1001), 1);
	ck_assert(mcmap_is_sound(map));

	/* Its writer goes on, and around: what was removed behind its back is room some day. */
	ck_assert_int_eq(put_user("al", 1000, "/other", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("al", 0), 1);
	for (uint32_t i = 0; i < 30000; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		ck_assert_int_eq(put_user(name, 2000 + i, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	}
	reopen();
	ck_assert(stats.was_kept);
}
END_TEST

START_TEST(test_without_a_writer_and_without_a_file)
{
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	TALLOC_FREE(map);
	ck_assert_int_eq(take_back(MCMAP_BY_KEY1, "al"), 0);
	ck_assert_int_eq(find("al", 0), -ENOENT);
	ck_assert_int_eq(find("bo", 0), 1);
	reopen();
	ck_assert(stats.was_kept);
	ck_assert_uint_eq(stats.used, 2);
	TALLOC_FREE(map);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(take_back(MCMAP_BY_KEY1, "bo"), 0);
	reopen();
}
END_TEST

/* In the middle of a change, for ever. */
static pid_t stand_still(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1 };
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(lock_path(), O_RDWR | O_CLOEXEC);

		if (fcntl(fd, F_OFD_SETLK, &lock) == 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

START_TEST(test_who_stands_still_is_not_waited_for)
{
	struct timespec began, ended;
	int status;
	pid_t pid;

	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	pid = stand_still();
	clock_gettime(CLOCK_MONOTONIC, &began);
	ck_assert_int_eq(take_back(MCMAP_BY_KEY1, "al"), 0);
	ck_assert_uint_eq(status_of_file(), MEMCACHE_RECYCLED);
	ck_assert_int_eq(put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_BOTH), -EBUSY);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	ck_assert_int_lt(ended.tv_sec - began.tv_sec, 2);
	ck_assert_int_eq(mcmap_clear(map), 0);
	ck_assert_int_eq(put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("bo", 0), 1);
	ck_assert_int_eq(take_back(MCMAP_BY_KEY1, "bo"), 0);
	ck_assert_uint_eq(status_of_file(), MEMCACHE_ALIVE);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

START_TEST(test_where_there_is_nothing_to_forget_nobody_is_waited_for)
{
	pid_t pid = stand_still();
	int status;

	ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY1, "al"), 0);
	ck_assert(mcmap_is_sound(map));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);

	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	pid = stand_still();
	ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY1, "al"), -EBUSY);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

/* While a writer stores and evicts, others take back: neither breaks what the other does. */
START_TEST(test_a_writer_and_others_at_once)
{
	bool was_given_up;
	int status = 0;
	char name[16];
	pid_t pid;

	TALLOC_FREE(map);
	pid = fork();
	if (pid == 0) {
		reopen();
		for (uint32_t i = 0; i < 100000; i++) {
			int r;

			snprintf(name, sizeof(name), "u%u", i % 12000);
			r = put_user(name, 1000 + i % 12000, i % 7 ? "/h" : "/a/longer/one",
			             FOREVER, MCMAP_BY_BOTH);

			/* On a busy machine one of them may stand still for a while: then the file
			 * is given up. */
			if (r == -EBUSY)
				r = mcmap_clear(map);
			if (r != 0)
				_exit(1);
		}
		_exit(0);
	}
	for (uint32_t i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		snprintf(name, sizeof(name), "u%u", i % 12000);
		ck_assert_int_eq(take_back(MCMAP_BY_KEY1, name), 0);
		usleep(20);
	}
	ck_assert_int_eq(status, 0);
	was_given_up = status_of_file() == MEMCACHE_RECYCLED;
	reopen();
	ck_assert(stats.was_kept || was_given_up);
}
END_TEST

/* A disk that fails altogether: what cannot be marked is not left at its path. */
START_TEST(test_what_cannot_be_given_up_is_taken_away)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
		bytes_left = 0;
		if (i == 0)
			ck_assert_int_lt(mcmap_clear(map), 0);
		else if (i == 1)
			ck_assert_int_eq(mcmap_recycle(dir, MCMAP_PASSWD), 0);
		else
			ck_assert_int_eq(mcmap_recycle_others(dir, MCMAP_PASSWD, 8), 0);
		ck_assert_int_lt(stat(path, &st), 0);
		bytes_left = -1;
		ck_assert_int_eq(mcmap_clear(map), 0);
	}
}
END_TEST

/* Whatever is found at the path is taken over only if it is ours, whole, and of today. */
START_TEST(test_what_is_not_taken_over)
{
	static const struct {
		off_t place;
		uint32_t value;
	} rows[] = {
		{ 0, 0xf0000009 },
		{ 4, 2 },
		{ 12, 0 },
		{ 12, 2 },
		{ 16, 1 },
		{ 20, 80 },
		{ 40, 60 },
		{ 44, 1 },
		{ 52, 1 },
		{ 56, 0xffffffff },
		{ 56 + 4, 96 },
		{ 56 + 24, 1 },
		{ 56 + 28, 1 },
		{ 56 + 36, 1 },
		{ FIRST, 0xffffffff },
		{ FIRST + 4, 1 << 30 },
		{ FIRST + 16, 77 },
		{ FIRST + 24, 1 },
		{ FIRST + 36, 1 },
		{ FIRST + 40, 17 },
		{ FIRST + 44, 1234 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd;

		ck_assert_int_eq(mcmap_clear(map), 0);
		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
		fd = open(path, O_RDWR | O_CLOEXEC);
		ck_assert_int_eq(pwrite(fd, &rows[i].value, 4, rows[i].place), 4);
		close(fd);
		reopen();
		ck_assert_msg(!stats.was_kept, "row %zu", i);
		ck_assert_int_eq(find("al", 0), -ENOENT);
	}

	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	options.generation++;
	reopen();
	ck_assert(!stats.was_kept);
	options.size_mib = 2;
	reopen();
	ck_assert(!stats.was_kept);
	TALLOC_FREE(map);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	reopen();
	ck_assert(!stats.was_kept);
	ck_assert_int_eq(chmod(path, 0), 0);
	reopen();
	ck_assert_int_eq(truncate(path, 100), 0);
	reopen();
	ck_assert(!stats.was_kept);
}
END_TEST

static void damage(uint32_t slot, size_t at, uint32_t value)
{
	off_t place = (off_t)(MEMCACHE_DATA_AT + slot * MEMCACHE_SLOT_SIZE + at);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, &value, 4, place), 4);
	close(fd);
}

/* In a file that is in use: a record that no removal would take out of its chain. */
START_TEST(test_a_damaged_chain_is_not_followed_for_ever)
{
	static const struct {
		size_t at;
		uint32_t value;
		enum mcmap_by by;
	} rows[] = {
		{ 24, 1, MCMAP_BY_KEY1 }, /* not of this chain */
		{ 28, 1, MCMAP_BY_KEY2 },
		{ 16, 2, MCMAP_BY_KEY1 }, /* behind itself */
		{ 20, 2, MCMAP_BY_KEY2 },
	};

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const char *key = rows[i / 2].by == MCMAP_BY_KEY1 ? "al" : "1000";

		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
		damage(2, rows[i / 2].at, rows[i / 2].value);
		if (i % 2) {
			ck_assert_int_eq(take_back(rows[i / 2].by, key), 0);
			ck_assert_uint_eq(status_of_file(), MEMCACHE_RECYCLED);
		} else
			ck_assert_int_eq(mcmap_forget(map, rows[i / 2].by, key), -EBADMSG);
		ck_assert_int_eq(mcmap_clear(map), 0);
	}
}
END_TEST

static uint32_t hash_in(const struct mapped *mapped, const char *key)
{
	return memcache_hash(key, strlen(key) + 1, mapped->header.seed) %
	       (mapped->header.table_size / (uint32_t)sizeof(uint32_t));
}

/* Another key whose chain is that of key: the prefix and a number behind *n. */
static void find_other(const char *key, const char *prefix, uint32_t *n)
{
	struct mapped mapped = look();
	char other[32];

	do
		snprintf(other, sizeof(other), "%s%u", prefix, ++*n);
	while (hash_in(&mapped, other) != hash_in(&mapped, key));
	free((void *)mapped.bytes);
}

/* Whoever looks there for somebody else reads no more than the heads, and those not often. */
START_TEST(test_a_circle_is_noticed_soon)
{
	char *home = malloc(60001), other[32], third[32];
	uint32_t n = 0;

	memset(home, 'h', 60000);
	home[60000] = '\0';
	find_other("al", "x", &n);
	snprintf(other, sizeof(other), "x%u", n);
	find_other("al", "x", &n);
	snprintf(third, sizeof(third), "x%u", n);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put_user("al", 1000, home, FOREVER, MCMAP_BY_BOTH), 0);
		mcmap_stats(map, &stats);
		ck_assert_int_eq(put_user(other, 1001, home, FOREVER, MCMAP_BY_BOTH), 0);
		damage(2, 16, i ? 2 + stats.used : 2); /* back to the other, or itself */
		bytes_read = 0;
		ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY1, third), -EBADMSG);
		ck_assert_uint_lt(bytes_read, 10 * 60000);
		ck_assert_int_eq(mcmap_clear(map), 0);
	}
	free(home);
}
END_TEST

/* What stands behind it in its chains is found again as soon as somebody asked for it. */
START_TEST(test_what_one_who_was_killed_left_in_a_chain_goes)
{
	char name[32], digits[16];
	uint32_t n = 0, uid = 2000;
	int status;
	pid_t pid;

	find_other("al", "x", &n);
	find_other("1000", "", &uid);
	snprintf(name, sizeof(name), "x%u", n);
	snprintf(digits, sizeof(digits), "%u", uid);
	for (long writes = 1; writes < 4; writes++)
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
			ck_assert_int_eq(put_user(i == 1 ? "bo" : name, i == 0 ? 1001 : uid, "/h",
			                          FOREVER, MCMAP_BY_BOTH),
			                 0);
			pid = fork();
			if (pid == 0) {
				writes_left = writes;
				take_back(i == 1 ? MCMAP_BY_KEY2 : MCMAP_BY_KEY1,
				          i == 1 ? digits : name);
				_exit(1);
			}
			ck_assert_int_eq(waitpid(pid, &status, 0), pid);
			ck_assert_int_eq(status, 0);
			if (writes < 3) {
				ck_assert_int_eq(find("al", 0), i == 1 ? 1 : -ENOENT);
				ck_assert_int_eq(find(NULL, 1000), i == 0 ? 1 : -ENOENT);
			}
			ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
			ck_assert_int_eq(find("al", 0), 1);
			ck_assert_int_eq(find(NULL, 1000), 1);
			mcmap_stats(map, &stats);
			if (writes < 3)
				ck_assert_uint_eq(stats.used, 2);
			ck_assert_int_eq(mcmap_clear(map), 0);
		}
}
END_TEST

/* Users of two slots each: until one had to go, or so many slots are taken. */
static int fill(uint32_t n_slots)
{
	static uint32_t uid = 10000;
	char name[16];
	int r = 0;

	mcmap_stats(map, &stats);
	for (uint64_t evicted = stats.evicted;
	     r == 0 && stats.used < n_slots && stats.evicted == evicted; mcmap_stats(map, &stats)) {
		snprintf(name, sizeof(name), "u%u", ++uid);
		r = put_user(name, uid, "/h", FOREVER, MCMAP_BY_BOTH);
	}
	return r;
}

/* As far as clients look: what comes behind that is found by nobody. */
START_TEST(test_a_chain_that_is_too_long_is_damage)
{
	uint32_t link = MEMCACHE_NONE, hash;
	struct mapped mapped;

	ck_assert_int_eq(fill(stats.slots / 2), 0);
	mapped = look_into();
	hash = hash_in(&mapped, "al");
	for (uint32_t slot = 2; slot < 2 + 2 * 2000; slot += 2) {
		damage(slot, 16, link);
		damage(slot, 24, hash);
		link = slot;
	}
	damage(0, mapped.header.table_at - MEMCACHE_DATA_AT + hash * sizeof(link), link);
	munmap((void *)mapped.bytes, mapped.size);
	bytes_read = 0;
	ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY1, "al"), -EBADMSG);
	ck_assert_uint_lt(bytes_read, 1024 * 200);
}
END_TEST

/* Its slots are counted where room is looked for: by those that are over, and by others. */
START_TEST(test_a_length_beyond_all_slots_is_not_taken_for_none)
{
	uint32_t n_slots = stats.slots, border = n_slots - n_slots / 8;

	ck_assert_int_eq(put_user("al", 1000, "/h", 1, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(fill(border - 4), 0);
	damage(2, 4, UINT32_MAX - 5);
	ck_assert_int_eq(fill(n_slots), -EBADMSG);
	ck_assert_uint_ge(stats.used, border - 4);

	ck_assert_int_eq(mcmap_clear(map), 0);
	ck_assert_int_eq(fill(n_slots), 0);
	damage(border + 2, 4, UINT32_MAX - 5);
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), -EBADMSG);
}
END_TEST

/* With data of more than talloc gives at once, most of it a hole. */
START_TEST(test_a_large_file_is_taken_over)
{
	struct mapped mapped;
	int fd;

	options.size_mib = 257;
	reopen();
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	mapped = look_into();
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "\1", 1, mapped.header.bits_at + mapped.header.bits_size - 1),
	                 1);
	close(fd);
	munmap((void *)mapped.bytes, mapped.size);

	reopen();
	ck_assert(stats.was_kept);
	mapped = look_into();
	ck_assert_int_eq(ask(&mapped, "al", 0), 1);
	munmap((void *)mapped.bytes, mapped.size);
}
END_TEST

/* Moves the file's first and only record, as one who knows nothing of our parts could have it. */
static void move_record(uint32_t slot)
{
	size_t size;
	uint8_t *bytes = file_bytes(&size);
	struct memcache_head head = memcache_head_read(bytes + FIRST);
	struct memcache_header header;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(memcache_header_read(bytes, size, &header), 0);
	memcpy(bytes + MEMCACHE_DATA_AT + slot * MEMCACHE_SLOT_SIZE, bytes + FIRST, head.length);
	memcpy(bytes + header.table_at + head.hash1 * sizeof(slot), &slot, sizeof(slot));
	memcpy(bytes + header.table_at + head.hash2 * sizeof(slot), &slot, sizeof(slot));
	memset(bytes + header.bits_at, 0xff, header.bits_size);
	ck_assert_int_eq(write(fd, bytes, size), size);
	close(fd);
	free(bytes);
}

START_TEST(test_no_record_lies_across_the_border_of_two_parts)
{
	struct mapped mapped = look_into();
	uint32_t n_slots = mapped.header.data_size / MEMCACHE_SLOT_SIZE;
	uint32_t border = n_slots - n_slots / 8;

	munmap((void *)mapped.bytes, mapped.size);
	for (uint32_t slot = border - 2; slot <= border; slot++) {
		ck_assert_int_eq(mcmap_clear(map), 0);
		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
		move_record(slot);
		ck_assert_int_eq(find("al", 0), 1);
		reopen();
		ck_assert_int_eq(stats.was_kept, slot != border - 1);
	}
}
END_TEST

START_TEST(test_what_others_do_to_the_file_is_noticed)
{
	for (int i = 0; i < 4; i++) {
		ck_assert(mcmap_is_sound(map));
		ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
		if (i == 0)
			ck_assert_int_eq(unlink(path), 0);
		else if (i == 1)
			ck_assert_int_eq(truncate(path, 5000), 0);
		else if (i == 2)
			ck_assert_int_eq(mcmap_recycle(dir, MCMAP_PASSWD), 0);
		else
			ck_assert_int_eq(mcmap_remove(dir, MCMAP_PASSWD), 0);
		put_user("bo", 1001, "/h", FOREVER, MCMAP_BY_BOTH); /* fails, or goes nowhere */
		ck_assert(!mcmap_is_sound(map));
		ck_assert_int_eq(mcmap_clear(map), 0);
		ck_assert_int_eq(find("al", 0), -ENOENT);
	}
}
END_TEST

START_TEST(test_clear_gives_the_old_file_up)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t status;

	ck_assert_int_eq(mcmap_clear(map), 0);
	ck_assert_int_eq(pread(fd, &status, 4, 12), 4);
	ck_assert_uint_eq(status, MEMCACHE_RECYCLED);
	close(fd);
	ck_assert(mcmap_is_sound(map));
}
END_TEST

START_TEST(test_a_full_disk_stores_nothing_and_harms_nothing)
{
	char name[32];

	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	for (long room = 0; room < 75; room += 5) {
		bytes_left = room;
		snprintf(name, sizeof(name), "u%ld", room);
		ck_assert_int_lt(
			put_user(name, 2000 + (uint32_t)room, "/h", FOREVER, MCMAP_BY_BOTH), 0);
		bytes_left = -1;
		ck_assert_int_eq(find(name, 0), -ENOENT);
		ck_assert_int_eq(find("al", 0), 1);
	}
	bytes_left = 100;
	ck_assert_int_eq(mcmap_clear(map), -ENOSPC);
	ck_assert_int_lt(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	bytes_left = -1;
	ck_assert_int_eq(mcmap_clear(map), 0);
	ck_assert_int_eq(put_user("al", 1000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find("al", 0), 1);
}
END_TEST

START_TEST(test_those_in_use_outlast_those_that_came_once)
{
	char name[32];
	unsigned hot = 0;

	went = 0;
	for (uint32_t i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		ck_assert_int_eq(put_user(name, 10000 + i, "/home/user", FOREVER, MCMAP_BY_BOTH),
		                 0);
		if (i % 100 == 99)
			for (uint32_t j = 0; j < 50; j++) {
				snprintf(name, sizeof(name), "user%u", j);
				ck_assert_int_eq(put_user(name, 10000 + j, "/home/user", FOREVER,
				                          MCMAP_BY_BOTH),
				                 0);
			}
	}
	mcmap_stats(map, &stats);
	ck_assert_uint_gt(stats.evicted, 20000);
	ck_assert_uint_eq(went, stats.evicted); /* one for each: all have the same size */
	for (uint32_t j = 0; j < 50; j++) {
		snprintf(name, sizeof(name), "user%u", j);
		hot += find(name, 0) == 1;
	}
	ck_assert_uint_eq(hot, 50);
	ck_assert_uint_eq(stats.stored, 40000); /* the hot ones stayed where they were */
	reopen();
	ck_assert(stats.was_kept);
}
END_TEST

static uint32_t number_after(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* What a client and the responder do: a miss is stored. Returns whether it was a hit. */
static bool ask_or_put(const struct mapped *mapped, const char *prefix, uint32_t n)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%05u", prefix, n);
	if (ask(mapped, name, 0) == 1)
		return true;
	ck_assert_int_eq(put_user(name, 100000 + n, "/home/user", FOREVER, MCMAP_BY_BOTH), 0);
	return false;
}

/* 72 % of the file, as 50,000 users are in one of the default size. The writer sees none of their
 * hits; beside them others come once each, and are three times what fits into the file. */
START_TEST(test_those_that_come_once_do_not_push_out_those_that_come_often)
{
	const uint32_t n_hot = 6250, n_asks = 250000;
	struct mapped mapped = look_into();
	uint32_t state = 1, n_hits = 0;

	for (uint32_t i = 0; i < n_hot; i++)
		ask_or_put(&mapped, "hot", i);
	for (uint32_t i = 0; i < n_asks; i++) {
		n_hits += ask_or_put(&mapped, "hot", number_after(&state) % n_hot);
		if (i % 10 == 0)
			ask_or_put(&mapped, "cold", 10000 + i / 10);
	}
	ck_assert_uint_gt(n_hits, n_asks / 100 * 98);
	munmap((void *)mapped.bytes, mapped.size);
	reopen();
	ck_assert(stats.was_kept);
}
END_TEST

/* The file is full of those that nobody wants any more when another lot comes into use. */
START_TEST(test_who_comes_into_use_later_gets_the_room)
{
	const uint32_t n_hot = 6250, n_asks = 60000;
	struct mapped mapped = look_into();
	uint32_t state = 1, n_hits = 0;

	for (uint32_t i = 0; i < 3 * n_hot; i++)
		ask_or_put(&mapped, "old", i);
	for (uint32_t i = 0; i < n_asks; i++)
		ask_or_put(&mapped, "hot", number_after(&state) % n_hot);
	for (uint32_t i = 0; i < n_asks; i++)
		n_hits += ask_or_put(&mapped, "hot", number_after(&state) % n_hot);
	ck_assert_uint_gt(n_hits, n_asks / 100 * 98);
	munmap((void *)mapped.bytes, mapped.size);
}
END_TEST

START_TEST(test_a_record_that_takes_too_much_of_the_file)
{
	char *home = malloc(200000);

	memset(home, 'h', 199999);
	home[199999] = '\0';
	ck_assert_int_eq(put_user("al", 1000, home, FOREVER, MCMAP_BY_BOTH), -EMSGSIZE);
	home[60000] = '\0';
	for (uint32_t i = 0; i < 60; i++)
		ck_assert_int_eq(put_user("al", 1000 + i, home, FOREVER, MCMAP_BY_BOTH), 0);
	ck_assert_int_eq(find(NULL, 1059), 1);
	free(home);
}
END_TEST

/* Users come, change their names, numbers and homes, and go; the file is closed and opened. Nothing
 * is evicted, so all that the model has must be found, and nothing else. */
START_TEST(test_as_a_model_of_it)
{
	static struct {
		uint32_t uid, home;
	} model[N_USERS]; /* uid 0: not there */
	char name[32], home[32];
	struct mapped mapped;

	srand(4711);
	for (int step = 0; step < 6000; step++) {
		uint32_t n = (uint32_t)rand() % N_USERS;

		snprintf(name, sizeof(name), "u%u", n);
		if (rand() % 4 == 0) {
			ck_assert_int_eq(mcmap_forget(map, MCMAP_BY_KEY1, name), model[n].uid != 0);
			model[n].uid = 0;
		} else {
			uint32_t uid = 1000 + (uint32_t)rand() % N_USERS;

			snprintf(home, sizeof(home), "/h/%0*d", rand() % 20 + 1, step);
			for (uint32_t i = 0; i < N_USERS; i++)
				if (model[i].uid == uid)
					model[i].uid = 0;
			model[n].uid = uid;
			model[n].home = (uint32_t)step;
			ck_assert_int_eq(put_user(name, uid, home, FOREVER, MCMAP_BY_BOTH), 0);
		}
		if (step % 500 == 0) {
			reopen();
			ck_assert(stats.was_kept);
		}
		if (step % 60 != 0)
			continue;
		mapped = look();
		for (uint32_t i = 0; i < N_USERS; i++) {
			snprintf(name, sizeof(name), "u%u", i);
			ck_assert_int_eq(ask(&mapped, name, 0), model[i].uid ? 1 : -ENOENT);
			if (!model[i].uid)
				continue;
			ck_assert_uint_eq(user.pw_uid, model[i].uid);
			ck_assert_uint_eq(strtoul(user.pw_dir + 3, NULL, 10), model[i].home);
			ck_assert_int_eq(ask(&mapped, NULL, model[i].uid), 1);
			ck_assert_str_eq(user.pw_name, name);
		}
		free((void *)mapped.bytes);
	}
}
END_TEST

/* Killed before each write of a change in turn: readers are told the old version, the new one, or
 * nothing, and whoever takes over goes on. */
START_TEST(test_killed_at_any_write)
{
	int status, kept = 0;
	pid_t pid;

	for (long n = 0; n < 40; n++) {
		ck_assert_int_eq(mcmap_clear(map), 0);
		ck_assert_int_eq(put_user("bo", 1001, "/b", FOREVER, MCMAP_BY_BOTH), 0);
		ck_assert_int_eq(put_user("al", 1000, "/old", FOREVER, MCMAP_BY_BOTH), 0);
		pid = fork();
		if (pid == 0) {
			writes_left = n;
			put_user("al", 2000, "/longer than it was, by far, to need more room",
			         FOREVER, MCMAP_BY_BOTH);
			_exit(1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		for (int again = 0; again < 2; again++) {
			int by_name = find("al", 0);

			ck_assert(by_name != 1 || user.pw_uid == 1000 || user.pw_uid == 2000);
			if (n == 0)
				ck_assert_int_eq(by_name, 1);
			if (find(NULL, 1000) == 1)
				ck_assert_int_eq(n, 0); /* the first write makes it go */
			if (find("bo", 0) == 1)
				ck_assert_uint_eq(user.pw_uid, 1001);
			reopen();
			kept += stats.was_kept;
		}
		ck_assert_int_eq(put_user("al", 3000, "/h", FOREVER, MCMAP_BY_BOTH), 0);
		ck_assert_int_eq(find(NULL, 3000), 1);
		if (status != 0)
			break; /* it was not killed any more */
	}
	ck_assert_int_ne(status, 0);
	ck_assert_int_gt(kept, 10);
}
END_TEST

#define HOME_SIZE 200

/* All of it tells whose it is and in which version, and there are two sizes: the half of one record
 * and the half of another make sense to all but the reader's last look at the barriers. */
static void make_home(unsigned n, unsigned version, char home[static HOME_SIZE])
{
	int at = snprintf(home, HOME_SIZE, "/h");

	for (unsigned i = 0; i < 12 + version % 2; i++)
		at += snprintf(home + at, HOME_SIZE - (size_t)at, "/%02u.%08u", n, version);
}

static bool is_whole(unsigned n, const struct passwd *found)
{
	char name[32], home[HOME_SIZE];
	unsigned whose, version;

	snprintf(name, sizeof(name), "u%02u", n);
	if (strcmp(name, found->pw_name) != 0 || found->pw_uid != 1000 + n ||
	    sscanf(found->pw_dir, "/h/%2u.%8u", &whose, &version) != 2)
		return false;
	make_home(n, version, home);
	return strcmp(home, found->pw_dir) == 0 && strcmp(found->pw_shell, "/s") == 0;
}

/* Until all readers are done. */
static void write_on(const int *n_reading)
{
	char name[32], home[HOME_SIZE];

	for (unsigned version = 1; __atomic_load_n(n_reading, __ATOMIC_RELAXED) > 0; version++) {
		unsigned n = (version * 7919) % N_SHARED;

		snprintf(name, sizeof(name), "u%02u", n);
		make_home(n, version, home);
		if (version % 5 == 0)
			mcmap_forget(map, MCMAP_BY_KEY1, name);
		else
			put_user(name, 1000 + n, home, FOREVER, MCMAP_BY_BOTH);
	}
}

/* A minute where the figures of the issue are asked for. */
static unsigned reading_s(void)
{
	const char *length = getenv("SSSD_TEST_LENGTH");

	return length && strcmp(length, "long") == 0 ? 60 : 5;
}

/* 1 an answer was torn; 2 there were none. */
static int read_on(const struct mapped *mapped)
{
	time_t end = time(NULL) + reading_s();
	unsigned found = 0;

	srand((unsigned)getpid());
	for (unsigned calls = 0; time(NULL) < end; calls++) {
		char name[32];
		unsigned n = (unsigned)rand() % N_SHARED;
		int r;

		snprintf(name, sizeof(name), "u%02u", n);
		r = ask(mapped, calls % 2 ? name : NULL, 1000 + n);
		if (r == 1 && !is_whole(n, &user))
			return 1;
		found += r == 1;
	}
	return found > 0 ? 0 : 2;
}

/* One writer who never rests, on few slots; readers who look into the very same memory. They are
 * many more than there are processors, and stand still in the middle of a record while others run;
 * the writer goes first. */
START_TEST(test_no_answer_is_torn)
{
	int *n_reading =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *all_there = n_reading + 1; /* to make so many takes longer than they read, maybe */
	struct mapped mapped = look_into();
	pid_t readers[READERS];
	int status;

	*n_reading = READERS;
	for (int i = 0; i < READERS; i++) {
		readers[i] = fork();
		if (readers[i] != 0)
			continue;
		while (!__atomic_load_n(all_there, __ATOMIC_RELAXED))
			usleep(1000);
		status = nice(10) < 0 ? 3 : read_on(&mapped);
		__atomic_sub_fetch(n_reading, 1, __ATOMIC_RELAXED);
		_exit(status);
	}
	__atomic_store_n(all_there, 1, __ATOMIC_RELAXED);
	write_on(n_reading); /* by the one who has the lock */
	for (int i = 0; i < READERS; i++) {
		ck_assert_int_eq(waitpid(readers[i], &status, 0), readers[i]);
		ck_assert_int_eq(status, 0);
	}
	munmap((void *)mapped.bytes, mapped.size);
	munmap(n_reading, 4096);
	reopen();
	ck_assert(stats.was_kept);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mcmap");
	TCase *records = tcase_create("records"), *files = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(records, set_up, clean_up);
	tcase_set_timeout(records, 60);
	tcase_add_test(records, test_the_file_is_as_others_have_it);
	tcase_add_test(records, test_a_new_file_is_hardly_written);
	tcase_add_test(records, test_put_is_found_by_both_keys);
	tcase_add_test(records, test_found_only_by_the_keys_it_was_put_for);
	tcase_add_test(records, test_a_key_is_not_given_the_time_of_another);
	tcase_add_test(records, test_what_goes_by_one_key_goes_by_the_other);
	tcase_add_test(records, test_a_new_version_replaces_the_old_one);
	tcase_add_test(records, test_the_same_again_is_given_more_time);
	tcase_add_test(records, test_forget);
	tcase_add_test(records, test_several_names_lead_to_the_groups_of_one_user);
	tcase_add_test(records, test_what_is_no_record_is_refused);
	tcase_add_test(records, test_those_in_use_outlast_those_that_came_once);
	tcase_add_test(records, test_those_that_come_once_do_not_push_out_those_that_come_often);
	tcase_add_test(records, test_who_comes_into_use_later_gets_the_room);
	tcase_add_test(records, test_a_record_that_takes_too_much_of_the_file);
	tcase_add_test(records, test_as_a_model_of_it);
	suite_add_tcase(suite, records);

	tcase_add_checked_fixture(files, set_up, clean_up);
	tcase_set_timeout(files, 100);
	tcase_add_test(files, test_another_process_is_kept_out);
	tcase_add_test(files, test_a_reader_cannot_keep_the_writer_out);
	tcase_add_test(files, test_the_file_of_another_process_is_not_replaced);
	tcase_add_test(files, test_the_lock_is_ours_alone);
	tcase_add_test(files, test_one_entry_is_taken_back_alone);
	tcase_add_test(files, test_without_a_writer_and_without_a_file);
	tcase_add_test(files, test_who_stands_still_is_not_waited_for);
	tcase_add_test(files, test_where_there_is_nothing_to_forget_nobody_is_waited_for);
	tcase_add_test(files, test_a_writer_and_others_at_once);
	tcase_add_test(files, test_what_cannot_be_given_up_is_taken_away);
	tcase_add_test(files, test_what_is_not_taken_over);
	tcase_add_test(files, test_a_damaged_chain_is_not_followed_for_ever);
	tcase_add_test(files, test_a_circle_is_noticed_soon);
	tcase_add_test(files, test_what_one_who_was_killed_left_in_a_chain_goes);
	tcase_add_test(files, test_a_chain_that_is_too_long_is_damage);
	tcase_add_test(files, test_a_length_beyond_all_slots_is_not_taken_for_none);
	tcase_add_test(files, test_a_large_file_is_taken_over);
	tcase_add_test(files, test_no_record_lies_across_the_border_of_two_parts);
	tcase_add_test(files, test_what_others_do_to_the_file_is_noticed);
	tcase_add_test(files, test_clear_gives_the_old_file_up);
	tcase_add_test(files, test_a_full_disk_stores_nothing_and_harms_nothing);
	tcase_add_test(files, test_killed_at_any_write);
	tcase_add_test(files, test_no_answer_is_torn);
	suite_add_tcase(suite, files);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
