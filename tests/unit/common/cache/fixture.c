/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fixture - a cache in a folder of its own, a loop, and a reader in another process
 */
#include "tests/unit/common/cache/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture fixture;
int64_t fake_later_s, fake_wall_later_s;
uint64_t fake_boot;
bool fake_slow;

struct entry_now entry_now_faked(void);
struct entry_now entry_now_faked(void)
{
	struct entry_now now = entry_now();

	now.boot.s += fake_later_s;
	now.wall.s += fake_later_s + fake_wall_later_s;
	if (fake_boot)
		now.boot_id = fake_boot;
	return now;
}

uint64_t boot_id_faked(void);
uint64_t boot_id_faked(void)
{
	return fake_boot ? fake_boot : boot_id();
}

/* A machine that runs other things too may take 10 ms for nothing. */
bool deadline_passed_faked(struct deadline deadline);
bool deadline_passed_faked(struct deadline deadline)
{
	(void)deadline;
	return fake_slow;
}

void fixture_setup(void)
{
	fake_later_s = fake_wall_later_s = 0;
	fake_boot = 0;
	fake_slow = false;
	strcpy(fixture.dir, "/tmp/test_cache_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(fixture.dir));
	fixture.ev = tevent_context_init(NULL);
	fixture.options = (struct cache_options){
		.dir = fixture.dir, .domain = "LDAP", .names = CACHE_CASE_FOLDED
	};
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *item;
	char file[512];

	while (folder && (item = readdir(folder))) {
		snprintf(file, sizeof(file), "%s/%s", path, item->d_name);
		unlink(file);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

void fixture_teardown(void)
{
	fixture_close();
	TALLOC_FREE(fixture.ev);
	remove_folder(fixture.dir);
}

void fixture_open(void)
{
	ck_assert_int_eq(cache_writer_open(fixture.ev, fixture.ev, &fixture.options,
	                                   &fixture.writer), 0);
}

void fixture_close(void)
{
	TALLOC_FREE(fixture.writer);
}

/* ---- subjects ---- */

struct names names_of(const char *bytes, size_t size)
{
	struct names names = { .bytes = bytes, .size = size };

	for (size_t i = 0; i < size; i++)
		names.count += bytes[i] == '\0';
	return names;
}

struct user some_user(const char *name, uint32_t uid)
{
	return (struct user){
		.name = name, .uid = uid, .gid = 100, .gecos = "Some Body", .home = "/home/x",
		.shell = "/bin/sh", .upn = "", .dn = "uid=x,dc=example",
	};
}

struct group some_group(const char *name, uint32_t gid)
{
	return (struct group){ .name = name, .gid = gid, .dn = "cn=x,dc=example" };
}

struct initgroups some_initgroups(const char *name, uint8_t complete, const uint32_t *gids,
                                  uint32_t n_gids)
{
	return (struct initgroups){
		.name = name, .primary_gid = 100, .complete = complete, .n_gids = n_gids,
		.gids = (const uint8_t *)gids,
	};
}

/* ---- the writer ---- */

struct cache_change *new_change(void)
{
	struct cache_change *change = cache_change_new(
		fixture.ev,
		fixture.writer ? cache_epoch(cache_writer_reader(fixture.writer)) : 0);

	ck_assert_ptr_nonnull(change);
	return change;
}

int commit(struct cache_change *change)
{
	struct tevent_req *req = cache_commit_send(fixture.ev, fixture.ev, fixture.writer, change);
	int r;

	ck_assert(tevent_req_poll(req, fixture.ev));
	r = cache_commit_recv(req);
	talloc_free(req);
	return r;
}

int put_user(const struct user *user)
{
	struct cache_change *change = new_change();

	ck_assert_int_eq(cache_put_user(change, user, 600), 0);
	return commit(change);
}

int put_group(const struct group *group)
{
	struct cache_change *change = new_change();

	ck_assert_int_eq(cache_put_group(change, group, 600), 0);
	return commit(change);
}

int put_initgroups(const struct initgroups *initgroups)
{
	struct cache_change *change = new_change();

	ck_assert_int_eq(cache_put_initgroups(change, initgroups, 600), 0);
	return commit(change);
}

int sweep(int64_t keep_s, uint64_t *ret_removed)
{
	struct tevent_req *req = cache_sweep_send(fixture.ev, fixture.ev, fixture.writer, keep_s);
	int r;

	ck_assert(tevent_req_poll(req, fixture.ev));
	r = cache_sweep_recv(req, ret_removed);
	talloc_free(req);
	return r;
}

static int find_in(struct cache *cache, const struct query *query, struct entry *ret_entry,
                   uint32_t *ret_epoch)
{
	int r = cache_begin(cache);

	if (r < 0)
		return r;
	r = cache_find(cache, query, ret_entry);
	ck_assert_int_eq(cache_peek(cache, query, ret_entry), r);
	if (r == 0)
		*ret_epoch = cache_touched(cache, ret_entry->kind, entry_name(ret_entry));
	cache_end(cache);
	return r;
}

int find(enum query_kind kind, const char *name, uint32_t id, struct entry *ret_entry)
{
	struct query query = { .kind = kind, .name = name, .id = id };
	uint32_t epoch = 0;

	return find_in(cache_writer_reader(fixture.writer), &query, ret_entry, &epoch);
}

int find_age(enum query_kind kind, const char *name, uint32_t id)
{
	struct query query = { .kind = kind, .name = name, .id = id };
	struct entry_now now = entry_now_faked();
	struct entry entry;
	uint32_t epoch = 0;
	int r;

	r = find_in(cache_writer_reader(fixture.writer), &query, &entry, &epoch);
	return r < 0 ? r : (int)entry_age(&entry, &now, 50, epoch);
}

struct cache_stats stats(void)
{
	struct cache_stats stats;

	cache_writer_stats(fixture.writer, &stats);
	return stats;
}

const struct cache_files *paths(void)
{
	struct cache_files *files;

	ck_assert_int_eq(files_of(fixture.ev, &fixture.options, &files), 0);
	return files;
}

/* ---- other processes ---- */

/* What dies in there, or is reported by a sanitizer, is a result: nobody wants to read it. */
static void be_quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
}

int in_child(int (*body)(void *data), void *data)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		be_quiet();
		alarm(20);
		_exit(body(data));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int check_here(void *data)
{
	(void)data;
	return cache_check(&fixture.options) < 0;
}

int checked(void)
{
	int status = in_child(check_here, NULL);

	ck_assert_int_ne(status, -SIGALRM);
	return status != 0;
}

struct other {
	pid_t pid;
	int fd;
};

struct order {
	char what;
	char name[64];
};

static int obey(struct cache **cache, const struct order *order)
{
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = order->name };
	struct entry entry;
	uint32_t epoch = 0;
	int r;

	switch (order->what) {
	case 'o':
		return cache_open(NULL, &fixture.options, cache);
	case 'c':
		TALLOC_FREE(*cache);
		return 0;
	case 's':
		return cache_still_there(*cache);
	case 'b':
		return cache_begin(*cache);
	default:
		r = find_in(*cache, &query, &entry, &epoch);
		return r < 0 ? r : (int)entry.user.uid;
	}
}

static void other_process(int fd)
{
	struct cache *cache = NULL;
	struct order order;
	int answer;

	alarm(60);
	while (read(fd, &order, sizeof(order)) == sizeof(order)) {
		answer = obey(&cache, &order);
		if (write(fd, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	talloc_free(cache);
}

struct other *other_start(void)
{
	struct other *other = talloc(fixture.ev, struct other);
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	other->pid = fork();
	ck_assert_int_ge(other->pid, 0);
	if (other->pid == 0) {
		close(ends[0]);
		other_process(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	other->fd = ends[0];
	return other;
}

static int ask(struct other *other, char what, const char *name)
{
	struct order order = { .what = what };
	int answer;

	strcpy(order.name, name);
	ck_assert_int_eq(write(other->fd, &order, sizeof(order)), sizeof(order));
	ck_assert_int_eq(read(other->fd, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

int other_open(struct other *other)
{
	return ask(other, 'o', "");
}

int other_close(struct other *other)
{
	return ask(other, 'c', "");
}

int other_find_user(struct other *other, const char *name)
{
	return ask(other, 'f', name);
}

int other_still_there(struct other *other)
{
	return ask(other, 's', "");
}

int other_begin(struct other *other)
{
	return ask(other, 'b', "");
}

static void other_wait(struct other *other)
{
	int status;

	close(other->fd);
	ck_assert_int_eq(waitpid(other->pid, &status, 0), other->pid);
	talloc_free(other);
}

void other_stop(struct other *other)
{
	other_wait(other);
}

void other_kill(struct other *other)
{
	kill(other->pid, SIGKILL);
	other_wait(other);
}

int run_suite(const char *name, const TTest *const *tests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_set_timeout(tcase, 100);
	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
