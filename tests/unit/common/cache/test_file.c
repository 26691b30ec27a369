/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "tests/unit/common/cache/fixture.h"

START_TEST(test_a_domain_never_leaves_its_folder)
{
	static const struct {
		const char *domain, *file;
	} cases[] = {
		{ "LDAP", "/d/cache_LDAP.mdb" },
		{ "a.example-1.org", "/d/cache_a.example-1.org.mdb" },
		{ "../../etc/x", "/d/cache_.._2f.._2fetc_2fx.mdb" },
		{ "a_b c", "/d/cache_a_5fb_20c.mdb" },
		{ "\xc3\xa4", "/d/cache__c3_a4.mdb" },
	};
	struct cache_files *files;

	for (size_t i = 0; i < str_size(cases); i++) {
		struct cache_options options = { .dir = "/d", .domain = cases[i].domain };

		ck_assert_int_eq(files_of(fixture.ev, &options, &files), 0);
		ck_assert_str_eq(files->data, cases[i].file);
	}
}
END_TEST

START_TEST(test_no_folder_no_cache)
{
	struct cache *cache;

	fixture.options.dir = "/nonexistent";
	ck_assert_int_eq(cache_open(NULL, &fixture.options, &cache), -ENOENT);
	ck_assert_int_eq(cache_writer_open(NULL, fixture.ev, &fixture.options, &fixture.writer),
	                 -ENOENT);
	ck_assert(!cache_check_needed(&fixture.options));
}
END_TEST

START_TEST(test_state_comes_back_or_is_refused)
{
	struct state state = { .clean = true, .boot = 5, .data = { .inode = 6, .born_ns = 7 } };
	uint8_t bytes[STATE_SIZE];
	struct state read;

	state_build(&state, bytes);
	ck_assert_int_eq(state_parse(bytes, STATE_SIZE, &read), 0);
	ck_assert(read.clean);
	ck_assert_uint_eq(read.boot, 5);
	ck_assert_uint_eq(read.data.inode, 6);
	ck_assert_uint_eq(read.data.born_ns, 7);

	for (size_t size = 0; size < STATE_SIZE; size++) {
		uint8_t *cut = memcpy(malloc(size + 1), bytes, size);

		ck_assert_int_eq(state_parse(cut, size, &read), -EBADMSG);
		free(cut);
	}
	for (size_t bit = 0; bit < 8 * STATE_SIZE; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(state_parse(bytes, STATE_SIZE, &read), -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

/* ---- is a check needed? ---- */

/* What kill -9 leaves. */
static void lose_clean_mark(void)
{
	int fd;
	struct file_id data;

	ck_assert_int_eq(file_id(paths()->data, &data), 0);
	ck_assert_int_eq(state_lock(paths(), &fd), 0);
	ck_assert_int_eq(state_write(fd, &data, false), 0);
	close(fd);
}

static void reboot(void)
{
	fake_boot++;
}

static void crash(void)
{
	lose_clean_mark();
	reboot();
}

static void nothing(void)
{
}

static void no_state(void)
{
	unlink(paths()->state);
}

static void bad_state(void)
{
	ck_assert_int_eq(truncate(paths()->state, 63), 0);
}

static void suspect(void)
{
	ck_assert_int_eq(cache_mark_suspect(&fixture.options), 0);
}

static void cut(void)
{
	ck_assert_int_eq(truncate(paths()->data, 8192), 0);
}

static void cut_in_meta(void)
{
	ck_assert_int_eq(truncate(paths()->data, 4100), 0);
}

static void empty(void)
{
	ck_assert_int_eq(truncate(paths()->data, 0), 0);
}

/* What a backup tool does: the same bytes, another file. */
static void restored(void)
{
	char command[512];
	char *bytes = malloc(1 << 24);
	int in = open(paths()->data, O_RDONLY), out;
	ssize_t n = read(in, bytes, 1 << 24);

	close(in);
	snprintf(command, sizeof(command), "%s/copy", fixture.dir);
	out = open(command, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(out, bytes, (size_t)n), n);
	close(out);
	free(bytes);
	ck_assert_int_eq(rename(command, paths()->data), 0);
}

static void gone(void)
{
	unlink(paths()->data);
}

START_TEST(test_what_needs_a_check)
{
	static const struct {
		void (*happens)(void);
		bool needed;
	} cases[] = {
		{ nothing, false },         /* closed in order */
		{ reboot, false },
		{ lose_clean_mark, false }, /* the writer was killed: the page cache has it all */
		{ crash, true },            /* it may have been the power */
		{ no_state, true },
		{ bad_state, true },
		{ suspect, true },
		{ cut, true },
		{ cut_in_meta, true },
		{ empty, true },
		{ restored, true },
		{ gone, false },
	};

	for (size_t i = 0; i < str_size(cases); i++) {
		struct user alice = some_user("alice", 1000);

		fixture_open();
		ck_assert_int_eq(put_user(&alice), 0);
		fixture_close();

		cases[i].happens();
		ck_assert_msg(cache_check_needed(&fixture.options) == cases[i].needed,
		              "case %zu", i);
		if (cases[i].needed)
			ck_assert_int_eq(cache_writer_open(NULL, fixture.ev, &fixture.options,
			                                   &fixture.writer), -E_CACHE_DAMAGED);
		ck_assert_int_eq(cache_set_aside(&fixture.options), 0);
	}
}
END_TEST

START_TEST(test_a_checked_file_is_not_asked_for_again)
{
	struct user alice = some_user("alice", 1000);
	struct cache *cache;
	struct entry entry;

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	fixture_close();
	crash();
	ck_assert_int_eq(cache_mark_suspect(&fixture.options), 0);
	ck_assert_int_eq(cache_open(NULL, &fixture.options, &cache), -E_CACHE_DAMAGED);

	ck_assert_int_eq(checked(), 0);
	ck_assert_int_eq(cache_mark_checked(&fixture.options), 0);
	ck_assert(!cache_check_needed(&fixture.options));
	fixture_open();
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);
}
END_TEST

START_TEST(test_set_aside_keeps_one_and_begins_anew)
{
	struct user alice = some_user("alice", 1000), bob = some_user("bob", 1001);
	struct file_id aside, was;
	struct entry entry;
	uint64_t id;

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	fixture_close();
	ck_assert_int_eq(cache_mark_suspect(&fixture.options), 0);
	ck_assert_int_eq(cache_set_aside(&fixture.options), 0);
	ck_assert_int_ne(access(paths()->lock, F_OK), 0);
	ck_assert(!cache_check_needed(&fixture.options));

	fixture_open();
	ck_assert_int_eq(FIND_USER("alice", &entry), -ENOENT);
	ck_assert_int_eq(put_user(&bob), 0);
	id = cache_environment_id(cache_writer_reader(fixture.writer));
	fixture_close();
	ck_assert_int_eq(file_id(paths()->data, &was), 0);
	ck_assert_int_eq(cache_set_aside(&fixture.options), 0);
	ck_assert_int_eq(file_id(paths()->damaged, &aside), 0);
	ck_assert(file_id_equal(&aside, &was));

	fixture_open();
	ck_assert_uint_ne(cache_environment_id(cache_writer_reader(fixture.writer)), id);
}
END_TEST

START_TEST(test_a_whole_meta_page_only)
{
	struct user alice = some_user("alice", 1000);
	uint8_t bytes[META_SIZE];
	struct meta meta;
	int fd;

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	fixture_close();
	fd = open(paths()->data, O_RDONLY);
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	close(fd);

	ck_assert_int_eq(meta_parse(bytes, sizeof(bytes), &meta), 0);
	ck_assert_uint_eq(meta.page_size, (unsigned)sysconf(_SC_PAGESIZE));
	ck_assert_uint_gt(meta.txn, 0);
	for (size_t size = 0; size < 136; size++) {
		uint8_t *cut_bytes = memcpy(malloc(size + 1), bytes, size);

		ck_assert_int_eq(meta_parse(cut_bytes, size, &meta), -E_CACHE_DAMAGED);
		free(cut_bytes);
	}
	bytes[20] ^= 3; /* the version */
	ck_assert_int_eq(meta_parse(bytes, sizeof(bytes), &meta), -E_CACHE_VERSION);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_a_domain_never_leaves_its_folder,
		test_no_folder_no_cache,
		test_state_comes_back_or_is_refused,
		test_what_needs_a_check,
		test_a_checked_file_is_not_asked_for_again,
		test_set_aside_keeps_one_and_begins_anew,
		test_a_whole_meta_page_only,
		NULL,
	};

	return run_suite("cache_file", tests);
}
