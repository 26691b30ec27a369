/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * This program is its own checking child, as sssd_be is.
 */
#include "backend/core/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/event/timer.h"

#define DIES_ONCE "STORE_CHECK_DIES_ONCE" /* set: the first checking child ends by this signal */

static struct tevent_context *ev;
static char dir[] = "/tmp/store-XXXXXX";
static struct cache_options options = { .domain = "A b" }; /* a name that has to be escaped */

static void begin(void)
{
	ev = tevent_context_init(NULL);
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	options.dir = dir;
	log_set_mask(LEVEL_FATAL);
}

static void end(void)
{
	static const char *const names[] = { "",          "-lock",      "-state", "-touched",
		                             "-suspect",  ".damaged-1", "-bereft", "-died" };
	char path[128];

	talloc_free(ev);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/cache_A_20b.mdb%s", dir, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static void note(struct tevent_req *req)
{
	*(bool *)tevent_req_callback_data_void(req) = true;
}

static struct cache_writer *open_writer(void)
{
	int error = 0;
	struct tevent_req *req = store_open_send(ev, ev, &options, &error);
	struct cache_writer *writer = NULL;
	bool ended = false;

	tevent_req_set_callback(req, note, &ended);
	while (!ended)
		tevent_loop_once(ev);
	ck_assert_int_eq(store_open_recv(req, ev, &writer), 0);
	ck_assert_int_eq(error, 0);
	talloc_free(req);
	return writer;
}

static void commit(struct cache_writer *writer)
{
	struct cache_change *change =
		cache_change_new(ev, cache_epoch(cache_writer_reader(writer)));
	struct user user = { .name = "alice", .uid = 5, .gid = 5 };
	struct tevent_req *req;
	bool ended = false;

	ck_assert_int_eq(cache_put_user(change, &user, 100), 0);
	req = cache_commit_send(ev, ev, writer, change);
	tevent_req_set_callback(req, note, &ended);
	while (!ended)
		tevent_loop_once(ev);
	ck_assert_int_eq(cache_commit_recv(req), 0);
	talloc_free(req);
}

static int find(struct cache_writer *writer)
{
	struct cache *cache = cache_writer_reader(writer);
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = "alice" };
	struct entry entry;
	int r;

	ck_assert_int_eq(cache_begin(cache), 0);
	r = cache_find(cache, &query, &entry);
	cache_end(cache);
	return r;
}

static void damage(void)
{
	char path[128], noise[4096];
	int fd;

	memset(noise, 0xa5, sizeof(noise));
	snprintf(path, sizeof(path), "%s/cache_A_20b.mdb", dir);
	fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	for (int page = 2; page < 40; page++)
		ck_assert_int_eq(pwrite(fd, noise, sizeof(noise), page * 4096), sizeof(noise));
	close(fd);
}

START_TEST(test_new_cache_is_made)
{
	struct cache_writer *writer = open_writer();

	ck_assert_ptr_nonnull(writer);
	commit(writer);
	ck_assert_int_eq(find(writer), 0);
}
END_TEST

START_TEST(test_suspect_cache_that_is_sound_is_kept)
{
	struct cache_writer *writer = open_writer();

	commit(writer);
	talloc_free(writer);
	ck_assert_int_eq(cache_mark_suspect(&options), 0);
	ck_assert(cache_check_needed(&options));

	writer = open_writer();
	ck_assert_int_eq(find(writer), 0);
	ck_assert(!cache_is_suspect(cache_writer_reader(writer)));
}
END_TEST

START_TEST(test_damaged_cache_is_set_aside)
{
	struct cache_writer *writer = open_writer();
	char path[128];

	commit(writer);
	talloc_free(writer);
	damage();
	ck_assert_int_eq(cache_mark_suspect(&options), 0);

	writer = open_writer();
	ck_assert_int_eq(find(writer), -ENOENT);
	commit(writer);
	snprintf(path, sizeof(path), "%s/cache_A_20b.mdb.damaged-1", dir);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* What ends a child without a word about the file, and what a damaged file can do to it. */
static const struct {
	const char *number;
	bool damaged;
} ends[] = {
	{ "15" /* TERM */, false }, { "9" /* KILL */, false },  { "2" /* INT */, false },
	{ "1" /* HUP */, false },   { "10" /* USR1 */, false }, { "12" /* USR2 */, false },
	{ "13" /* PIPE */, false }, { "3" /* QUIT */, false },  { "11" /* SEGV */, true },
	{ "7" /* BUS */, true },    { "6" /* ABRT */, true },
};

/* The backend is told something while its child is at work, and so is the child. */
START_TEST(test_check_that_was_ended_by_a_signal)
{
	struct cache_writer *writer = open_writer();

	commit(writer);
	talloc_free(writer);
	ck_assert_int_eq(cache_mark_suspect(&options), 0);
	ck_assert_int_eq(setenv(DIES_ONCE, ends[_i].number, 1), 0);

	writer = open_writer();
	ck_assert_int_eq(unsetenv(DIES_ONCE), 0);
	ck_assert_int_eq(find(writer), ends[_i].damaged ? -ENOENT : 0);
}
END_TEST

/* Only the bytes of the first record are bad: nothing that is looked at before the file is
 * mapped. */
START_TEST(test_bad_header_is_found_at_the_opening)
{
	struct cache_writer *writer = open_writer();
	char path[128];

	commit(writer);
	talloc_free(writer);
	damage();
	ck_assert(!cache_check_needed(&options));

	writer = open_writer();
	ck_assert_int_eq(find(writer), -ENOENT);
	snprintf(path, sizeof(path), "%s/cache_A_20b.mdb.damaged-1", dir);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

static void let_go(void *data)
{
	talloc_free(data);
}

START_TEST(test_waits_for_the_writer_before_us)
{
	struct cache_writer *before = open_writer(), *writer;

	timer_once(ev, ev, 300, let_go, before);
	writer = open_writer();
	ck_assert_ptr_nonnull(writer);
}
END_TEST

START_TEST(test_check_wants_the_name_of_a_cache)
{
	ck_assert_int_ne(store_check_main("/tmp/other.mdb"), 0);
	ck_assert_int_ne(store_check_main("/tmp/cache_.mdb"), 0);
	ck_assert_int_ne(store_check_main("/tmp/cache_A_2.mdb"), 0);
	ck_assert_int_ne(store_check_main("/tmp/cache_A_xx.mdb"), 0);
}
END_TEST

START_TEST(test_check_wants_a_cache_that_is_there)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cache_absent.mdb", dir);
	ck_assert_int_ne(store_check_main(path), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	strcat(path, "-state"); /* the check holds it while it looks */
	unlink(path);
}
END_TEST

/* By the name that scripts look for. */
START_TEST(test_checking_child_is_called_as_the_backend)
{
	char name[16] = "";

	ck_assert_int_eq(prctl(PR_SET_NAME, "exe"), 0);
	store_check_main("/tmp/other.mdb");
	ck_assert_int_eq(prctl(PR_GET_NAME, name), 0);
	ck_assert_str_eq(name, "sssd_be");
}
END_TEST

/* As if no sanitizer were there to make an exit of it. */
static void dies(int number)
{
	signal(number, SIG_DFL);
	raise(number);
}

/* A child has no other memory than the folder. */
static void die_once(const char *path)
{
	const char *how = getenv(DIES_ONCE);
	char mark[128];
	int fd;

	if (!how)
		return;
	snprintf(mark, sizeof(mark), "%s-died", path);
	fd = open(mark, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		dies(atoi(how));
	unlink(mark);
}

int main(int argc, char *argv[])
{
	Suite *suite;
	TCase *tests;
	SRunner *runner;
	int failed;

	if (argc == 3 && strcmp(argv[1], "--check") == 0) {
		die_once(argv[2]);
		return store_check_main(argv[2]);
	}

	suite = suite_create("store");
	tests = tcase_create("store");
	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_new_cache_is_made);
	tcase_add_test(tests, test_suspect_cache_that_is_sound_is_kept);
	tcase_add_test(tests, test_damaged_cache_is_set_aside);
	tcase_add_loop_test(tests, test_check_that_was_ended_by_a_signal, 0,
	                    (int)(sizeof(ends) / sizeof(ends[0])));
	tcase_add_test(tests, test_bad_header_is_found_at_the_opening);
	tcase_add_test(tests, test_waits_for_the_writer_before_us);
	tcase_add_test(tests, test_check_wants_the_name_of_a_cache);
	tcase_add_test(tests, test_check_wants_a_cache_that_is_there);
	tcase_add_test(tests, test_checking_child_is_called_as_the_backend);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
