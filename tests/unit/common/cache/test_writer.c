/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Groups, limits, and files that vanish under the writer and its readers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/common/cache/fixture.h"

static struct tevent_req *send_user(const char *name, uint32_t uid)
{
	struct user user = some_user(name, uid);
	struct cache_change *change = new_change();

	ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	return cache_commit_send(fixture.ev, fixture.ev, fixture.writer, change);
}

static int put_name(const char *name, uint32_t uid)
{
	struct user user = some_user(name, uid);

	return put_user(&user);
}

static void wait_all(struct tevent_req **reqs, int n, int result)
{
	for (int i = 0; i < n; i++) {
		ck_assert(tevent_req_poll(reqs[i], fixture.ev));
		ck_assert_int_eq(cache_commit_recv(reqs[i]), result);
		talloc_free(reqs[i]);
	}
}

/* ---- groups ---- */

START_TEST(test_one_turn_of_the_loop_is_one_transaction)
{
	struct tevent_req *reqs[200];
	char name[16];

	fixture_open();
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		reqs[i] = send_user(name, 1000 + (uint32_t)i);
	}
	wait_all(reqs, 200, 0);
	ck_assert_uint_eq(stats().commits, 200);
	ck_assert_uint_eq(stats().groups, 1);
	ck_assert_uint_eq(stats().records, 200);
	ck_assert_uint_eq(stats().entries, 200);
}
END_TEST

START_TEST(test_a_group_ends_when_its_time_is_up)
{
	struct tevent_req *reqs[5];

	fixture_open();
	fake_slow = true;
	for (int i = 0; i < 5; i++)
		reqs[i] = send_user("alice", 1000 + (uint32_t)i);
	wait_all(reqs, 5, 0);
	ck_assert_uint_eq(stats().groups, 5);
}
END_TEST

START_TEST(test_a_change_is_seen_whole_or_not_at_all)
{
	struct user user = some_user("alice", 1000);
	struct cache_change *change = new_change();
	struct entry entry;
	char name[300];

	fixture_open();
	ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	user.name = name;
	ck_assert_int_eq(cache_put_user(change, &user, 600), -ENAMETOOLONG);
	ck_assert_int_eq(FIND_USER("alice", &entry), -ENOENT);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);

	/* Nothing to do is done. */
	ck_assert_int_eq(commit(new_change()), 0);
	ck_assert_uint_eq(stats().groups, 1);
}
END_TEST

static unsigned new_kinds;
static struct cache_note last_note;
static char last_name[256];

static void note_kinds(const struct cache_note *notes, size_t n, void *data)
{
	for (size_t i = 0; i < n; i++)
		*(notes[i].is_new ? &new_kinds : (unsigned *)data) |= 1u << notes[i].kind;
	last_note = notes[n - 1];
	if (last_note.name)
		snprintf(last_name, sizeof(last_name), "%s", last_note.name);
}

#define BIT(kind) (1u << (kind))

START_TEST(test_what_replaces_or_removes_an_entry_is_told)
{
	struct user alice = some_user("alice", 1000), bob = some_user("bob", 1000);
	struct user carol = some_user("carol", 1001), dave = some_user("dave", 1002);
	struct group staff = some_group("staff", 50);
	uint32_t gids[] = { 50 };
	struct initgroups lists = some_initgroups("alice", 1, gids, 1);
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = "alice" };
	struct cache_change *change;
	unsigned kinds = 0;

	fixture_open();
	cache_on_change(fixture.writer, note_kinds, &kinds);
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_int_eq(put_group(&staff), 0);
	ck_assert_int_eq(put_initgroups(&lists), 0);
	ck_assert_uint_eq(new_kinds, BIT(ENTRY_USER) | BIT(ENTRY_GROUP));
	new_kinds = 0;
	fake_later_s = 300;
	ck_assert_int_eq(put_user(&alice), 0); /* written again, with another time */
	ck_assert_uint_eq(kinds | new_kinds, 0);

	alice.shell = "/bin/other";
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_uint_eq(kinds, BIT(ENTRY_USER));
	kinds = 0;
	lists.n_gids = 0;
	ck_assert_int_eq(put_initgroups(&lists), 0);
	ck_assert_uint_eq(kinds, BIT(ENTRY_INITGROUPS));

	/* An answer, but for whom it sends away. */
	kinds = 0;
	alice.shell = "/bin/third";
	change = new_change();
	cache_change_is_answer(change, ENTRY_USER);
	ck_assert_int_eq(cache_put_user(change, &alice, 600), 0);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_uint_eq(kinds, 0);
	change = new_change();
	cache_change_is_answer(change, ENTRY_USER);
	ck_assert_int_eq(cache_put_user(change, &bob, 600), 0);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_uint_eq(kinds, BIT(ENTRY_USER) | BIT(ENTRY_INITGROUPS));

	/* One that says another id: who asked by the new one knows nothing of the old. */
	kinds = new_kinds = 0;
	bob.uid = 1009;
	change = new_change();
	cache_change_is_answer(change, ENTRY_USER);
	ck_assert_int_eq(cache_put_user(change, &bob, 600), 0);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_uint_eq(kinds, BIT(ENTRY_USER));
	ck_assert_uint_eq(new_kinds, BIT(ENTRY_USER));
	ck_assert_uint_eq(last_note.id, 1009);

	kinds = 0;
	query.name = "bob";
	change = new_change();
	ck_assert_int_eq(cache_remove(change, &query), 0);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_uint_eq(kinds, BIT(ENTRY_USER));
	ck_assert_uint_eq(last_note.id, 1009);
	ck_assert_str_eq(last_name, "bob");

	/* Nor one that takes a further name away from somebody else, or drops one. */
	carol.aliases = NAMES("caz\0");
	ck_assert_int_eq(put_user(&carol), 0);
	for (int i = 0; i < 2; i++) {
		kinds = 0;
		dave.aliases = i == 0 ? carol.aliases : (struct names){ 0 };
		change = new_change();
		cache_change_is_answer(change, ENTRY_USER);
		ck_assert_int_eq(cache_put_user(change, &dave, 600), 0);
		ck_assert_int_eq(commit(change), 0);
		ck_assert_uint_eq(kinds, BIT(ENTRY_USER) | BIT(ENTRY_INITGROUPS));
	}
	kinds = 0;
	change = new_change();
	ck_assert_int_eq(cache_remove(change, &query), 0);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_uint_eq(kinds, 0);
}
END_TEST

static unsigned n_named, n_unnamed;

static void count_notes(const struct cache_note *notes, size_t n, void *data)
{
	(void)data;
	for (size_t i = 0; i < n; i++)
		*(notes[i].name ? &n_named : &n_unnamed) += 1;
}

/* Nor is each of thousands told one by one, nor any forgotten. */
START_TEST(test_of_many_changes_the_kinds_are_told)
{
	struct cache_change *change;
	char name[16];

	fixture_open();
	cache_on_change(fixture.writer, count_notes, NULL);
	change = new_change();
	for (uint32_t i = 0; i < 100; i++) {
		struct group group = some_group(name, 100 + i);

		snprintf(name, sizeof(name), "g%u", i);
		ck_assert_int_eq(cache_put_group(change, &group, 600), 0);
	}
	ck_assert_int_eq(commit(change), 0);
	ck_assert_uint_eq(n_named, 32);
	ck_assert_uint_eq(n_unnamed, 1);
}
END_TEST

START_TEST(test_a_freed_request_is_stored_all_the_same)
{
	struct tevent_req *first, *second;
	struct entry entry;

	fixture_open();
	first = send_user("alice", 1000);
	second = send_user("bob", 1001);
	talloc_free(first);
	wait_all(&second, 1, 0);
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);
}
END_TEST

START_TEST(test_closing_finishes_what_waits)
{
	struct tevent_req *req;
	struct entry entry;

	fixture_open();
	req = send_user("alice", 1000);
	fixture_close();
	wait_all(&req, 1, 0);
	ck_assert(!cache_check_needed(&fixture.options));
	fixture_open();
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);
}
END_TEST

static void close_writer(struct tevent_req *req)
{
	(void)req;
	fixture_close();
}

START_TEST(test_a_callback_may_close_the_writer)
{
	struct tevent_req *reqs[3];

	fixture_open();
	for (int i = 0; i < 3; i++)
		reqs[i] = send_user("alice", 1000 + (uint32_t)i);
	tevent_req_set_callback(reqs[0], close_writer, NULL);
	wait_all(reqs, 3, 0);
	ck_assert_ptr_null(fixture.writer);
}
END_TEST

START_TEST(test_there_is_one_writer)
{
	struct cache_writer *second;

	fixture_open();
	ck_assert_int_eq(cache_writer_open(NULL, fixture.ev, &fixture.options, &second), -EBUSY);
	ck_assert_int_eq(cache_mark_checked(&fixture.options), -EBUSY);
	ck_assert_int_eq(cache_check(&fixture.options), -EBUSY);
	ck_assert_int_eq(put_name("alice", 1000), 0);
}
END_TEST

/* ---- limits ---- */

START_TEST(test_over_the_quota_nothing_new_comes_and_the_old_is_kept_up)
{
	struct user user = some_user("u0", 1000);
	struct cache_change *change;
	struct entry entry;
	char name[16];
	int r = 0, n;

	fixture.options.max_size = 256 * 1024;
	fixture_open();
	for (n = 0; n < 10000 && r == 0; n++) {
		snprintf(name, sizeof(name), "u%d", n);
		r = put_name(name, 1000 + (uint32_t)n);
	}
	ck_assert_int_eq(r, -E_CACHE_QUOTA);
	ck_assert_uint_ge(stats().bytes_used, stats().bytes_max);
	ck_assert_uint_lt(stats().bytes_used, stats().bytes_max + 64 * 1024);
	ck_assert_uint_eq(stats().bytes_max, 256 * 1024);

	/* In a group it fails alone. */
	user.gecos = "Changed";
	change = new_change();
	ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	{
		struct tevent_req *fails = send_user("new", 9), *works;

		works = cache_commit_send(fixture.ev, fixture.ev, fixture.writer, change);
		wait_all(&fails, 1, -E_CACHE_QUOTA);
		wait_all(&works, 1, 0);
	}
	ck_assert_int_eq(FIND_USER("u0", &entry), 0);
	ck_assert_str_eq(entry.user.gecos, "Changed");
	ck_assert_int_eq(FIND_USER("new", &entry), -ENOENT);

	change = new_change();
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(cache_remove(change, &(struct query){ .kind = QUERY_USER_BY_ID,
		                                                       .id = 1000 + (uint32_t)i }),
		                 0);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_int_eq(put_name("new", 9), 0);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

START_TEST(test_a_full_disk_says_so_and_loses_nothing)
{
	struct rlimit limit = { .rlim_cur = 300 * 1024, .rlim_max = RLIM_INFINITY };
	struct user user = some_user("big", 7);
	struct cache_change *change = new_change();
	char *gecos = malloc(1 << 20);
	struct entry entry;

	fixture_open();
	ck_assert_int_eq(put_name("alice", 1000), 0);
	memset(gecos, 'x', 1 << 20);
	gecos[(1 << 20) - 1] = '\0';
	user.gecos = gecos;
	ck_assert_int_eq(cache_put_user(change, &user, 600), 0);

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(commit(change), -ENOSPC);
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);
	ck_assert_int_eq(FIND_USER("big", &entry), -ENOENT);

	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(put_user(&user), 0);
	ck_assert_int_eq(FIND_USER("big", &entry), 0);
	ck_assert_uint_eq(stats().entries, 2);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
	free(gecos);
}
END_TEST

/* ---- readers ---- */

START_TEST(test_a_reader_sees_each_commit)
{
	struct other *other = other_start();

	ck_assert_int_eq(other_open(other), -ENOENT);
	fixture_open();
	ck_assert_int_eq(other_open(other), 0);
	ck_assert_int_eq(other_find_user(other, "alice"), -ENOENT);
	ck_assert_int_eq(put_name("alice", 1000), 0);
	ck_assert_int_eq(other_find_user(other, "ALICE"), 1000);
	ck_assert_int_eq(other_still_there(other), 0);

	/* Also while nobody writes. */
	fixture_close();
	ck_assert_int_eq(other_find_user(other, "alice"), 1000);
	ck_assert_int_eq(other_close(other), 0);
	ck_assert_int_eq(other_open(other), 0);
	ck_assert_int_eq(other_find_user(other, "alice"), 1000);
	other_stop(other);
}
END_TEST

START_TEST(test_a_reader_of_a_read_only_mount_is_refused)
{
	struct other *other;
	int r;

	fixture_open();
	ck_assert_int_eq(put_name("alice", 1000), 0);
	fixture_close();
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(fixture.dir, fixture.dir, NULL, MS_BIND, NULL) < 0) {
		fprintf(stderr, "no mounts here: a read-only one was not tried\n");
		return;
	}
	ck_assert_int_eq(mount("", fixture.dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	other = other_start();
	r = other_open(other);
	other_stop(other);
	umount2(fixture.dir, MNT_DETACH);
	ck_assert_int_eq(r, -E_CACHE_NO_SLOT);
}
END_TEST

static uint64_t disk_use(void)
{
	struct stat st;

	ck_assert_int_eq(stat(paths()->data, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

START_TEST(test_a_dead_reader_does_not_keep_pages)
{
	struct other *dead = other_start(), *alive = other_start();
	uint64_t before;

	fixture_open();
	ck_assert_int_eq(put_name("alice", 1), 0);
	fixture_close();                        /* the next start looks for dead readers again */
	ck_assert_int_eq(other_open(alive), 0); /* else the table would be begun anew */
	ck_assert_int_eq(other_open(dead), 0);
	ck_assert_int_eq(other_begin(dead), 0);
	other_kill(dead);

	fixture_open();
	for (uint32_t i = 2; i < 50; i++)
		ck_assert_int_eq(put_name("alice", i), 0);
	before = disk_use();
	for (uint32_t i = 2; i < 500; i++)
		ck_assert_int_eq(put_name("alice", i), 0);
	ck_assert_uint_le(disk_use(), before + 16384);
	other_stop(alive);
}
END_TEST

/* ---- files that vanish ---- */

static void remove_all(void)
{
	unlink(paths()->data);
	unlink(paths()->lock);
	unlink(paths()->state);
}

static void remove_touched(void)
{
	unlink(paths()->touched);
}

static void remove_data(void)
{
	unlink(paths()->data);
}

static void remove_lock(void)
{
	unlink(paths()->lock);
}

static void remove_state(void)
{
	unlink(paths()->state);
}

static void put_another_in_its_place(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/foreign", fixture.dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "restored from who knows where", 29), 29);
	close(fd);
	ck_assert_int_eq(rename(path, paths()->data), 0);
}

static const struct {
	void (*happens)(void);
	bool reader_notices; /* and has to open anew */
	bool kept;           /* what was there before */
} losses[] = {
	{ remove_all, true, false },    { remove_data, true, false },
	{ remove_lock, true, true },    { remove_state, false, true },
	{ remove_touched, true, true }, { put_another_in_its_place, true, false },
};

START_TEST(test_no_caller_fails_when_files_vanish)
{
	struct entry entry;

	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		struct other *other = other_start();
		struct cache *cache;
		uint64_t id;

		fixture_open();
		cache = cache_writer_reader(fixture.writer);
		id = cache_environment_id(cache);
		ck_assert_int_eq(put_name("alice", 1000), 0);
		ck_assert_int_eq(other_open(other), 0);

		losses[i].happens();
		ck_assert_int_eq(put_name("bob", 1001), 0);
		ck_assert_int_eq(cache_still_there(cache), 0);
		ck_assert_int_eq(FIND_USER("bob", &entry), 0);
		ck_assert_int_eq(FIND_USER("alice", &entry), losses[i].kept ? 0 : -ENOENT);
		ck_assert(losses[i].kept == (cache_environment_id(cache) == id));
		ck_assert_uint_eq(stats().entries, losses[i].kept ? 2 : 1);

		ck_assert_int_eq(other_still_there(other),
		                 losses[i].reader_notices ? -E_CACHE_REPLACED : 0);
		ck_assert_int_eq(other_find_user(other, "alice"), 1000);
		ck_assert_int_eq(other_close(other), 0);
		ck_assert_int_eq(other_open(other), 0);
		ck_assert_int_eq(other_find_user(other, "bob"), 1001);
		other_stop(other);

		fixture_close();
		ck_assert(!cache_check_needed(&fixture.options));
		ck_assert_int_eq(checked(), 0);
		ck_assert_int_eq(cache_set_aside(&fixture.options), 0);
	}
}
END_TEST

START_TEST(test_a_folder_that_vanished_is_an_error_and_its_return_is_noticed)
{
	char aside[128];
	struct entry entry;

	fixture_open();
	ck_assert_int_eq(put_name("alice", 1000), 0);
	snprintf(aside, sizeof(aside), "%s.aside", fixture.dir);
	ck_assert_int_eq(rename(fixture.dir, aside), 0);
	ck_assert_int_eq(put_name("bob", 1001), -ENOENT);
	ck_assert_int_eq(FIND_USER("alice", &entry), -E_CACHE_REPLACED);

	/* The very same file, so nothing was lost. */
	ck_assert_int_eq(rename(aside, fixture.dir), 0);
	ck_assert_int_eq(put_name("bob", 1001), 0);
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);
}
END_TEST

START_TEST(test_epochs_outlive_the_file)
{
	fixture_open();
	ck_assert_int_eq(cache_touch(&fixture.options, ENTRY_USER, NULL), 0);
	remove_all();
	ck_assert_int_eq(put_name("alice", 1000), 0);
	fixture_close();
	fixture_open();
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
	ck_assert_int_eq(cache_touch(&fixture.options, ENTRY_USER, NULL), 0);
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

/* ---- kill -9 ---- */

#define ROUNDS 50

/* NULL if it cannot be asked for. No assertion in here: each one writes to a file that check shares
 * with the parent, and a kill in the middle of a write(2) cuts it short (seen: 15 of 1,000 kills).
 */
static struct tevent_req *send_unasserted(const char *name, uint32_t uid)
{
	struct user user = some_user(name, uid);
	struct cache_change *change =
		cache_change_new(fixture.ev, cache_epoch(cache_writer_reader(fixture.writer)));

	if (!change || cache_put_user(change, &user, 600) < 0)
		return NULL;
	return cache_commit_send(fixture.ev, fixture.ev, fixture.writer, change);
}

/* Commits as fast as it can and tells each number that was acknowledged. */
static void write_until_killed(int fd, uint32_t next)
{
	struct tevent_req *reqs[8];
	char name[16];

	if (cache_writer_open(fixture.ev, fixture.ev, &fixture.options, &fixture.writer) < 0)
		_exit(1);
	for (;;) {
		for (uint32_t i = 0; i < 8; i++) {
			snprintf(name, sizeof(name), "u%u", next + i);
			reqs[i] = send_unasserted(name, 1000 + next + i);
			if (!reqs[i])
				_exit(1);
		}
		for (uint32_t i = 0; i < 8; i++) {
			tevent_req_poll(reqs[i], fixture.ev);
			if (cache_commit_recv(reqs[i]) != 0)
				_exit(1);
			talloc_free(reqs[i]);
		}
		next += 8;
		if (write(fd, &next, sizeof(next)) != sizeof(next))
			_exit(1);
	}
}

static uint32_t kill_one_writer(uint32_t next, unsigned after_us)
{
	int ends[2], status;
	uint32_t told;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(ends[0]);
		write_until_killed(ends[1], next);
	}
	close(ends[1]);

	/* It is writing when it has told something. */
	ck_assert_int_eq(read(ends[0], &told, sizeof(told)), sizeof(told));
	usleep(after_us);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	next = told;
	while (read(ends[0], &told, sizeof(told)) == sizeof(told))
		next = told;
	close(ends[0]);
	return next;
}

START_TEST(test_fifty_killed_writers_lose_nothing_acknowledged)
{
	uint32_t next = 0;
	char name[16];

	srandom(42);
	for (int round = 0; round < ROUNDS; round++) {
		struct other *other = other_start();

		next = kill_one_writer(next, (unsigned)random() % 5000);
		ck_assert(!cache_check_needed(&fixture.options));
		ck_assert_int_eq(checked(), 0);
		ck_assert_int_eq(other_open(other), 0);
		for (uint32_t i = round % 10 ? next - 8 : 0; i < next; i++) {
			snprintf(name, sizeof(name), "u%u", i);
			ck_assert_int_eq(other_find_user(other, name), (int)(1000 + i));
		}
		other_stop(other);
	}
	ck_assert_uint_gt(next, 8 * ROUNDS);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_one_turn_of_the_loop_is_one_transaction,
		test_a_group_ends_when_its_time_is_up,
		test_a_change_is_seen_whole_or_not_at_all,
		test_what_replaces_or_removes_an_entry_is_told,
		test_of_many_changes_the_kinds_are_told,
		test_a_freed_request_is_stored_all_the_same,
		test_closing_finishes_what_waits,
		test_a_callback_may_close_the_writer,
		test_there_is_one_writer,
		test_over_the_quota_nothing_new_comes_and_the_old_is_kept_up,
		test_a_full_disk_says_so_and_loses_nothing,
		test_a_reader_sees_each_commit,
		test_a_reader_of_a_read_only_mount_is_refused,
		test_a_dead_reader_does_not_keep_pages,
		test_no_caller_fails_when_files_vanish,
		test_a_folder_that_vanished_is_an_error_and_its_return_is_noticed,
		test_epochs_outlive_the_file,
		test_fifty_killed_writers_lose_nothing_acknowledged,
		NULL,
	};

	return run_suite("cache_writer", tests);
}
