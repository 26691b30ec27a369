/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers from the memory cache, from files of every kind and under every change
 */
#include "clientlibs/nss/memcache.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clientlibs/core/guard.h"
#include "clientlibs/nss/nss.h"
#include "common/wire/memcache.h"
#include "tests/unit/clientlibs/mcfile.h"
#include "tests/unit/clientlibs/responder.h"

#define THREADS 8
#define FOREVER UINT64_C(0x7fffffff)

static struct mcfile users, groups, lists;
static struct passwd user;
static struct group group;
static char buffer[4096];
static int error;

/* Users "cached0" to "cached39" with uids from 5000, groups likewise from 6000, the groups of the
 * first users; and beside them the responder, who knows "user0" and so on. */
static void set_up(void)
{
	char name[32];

	responder_listen(64);
	responder_start(script_directory);
	ck_assert_int_eq(mkdir("mc", 0755), 0);
	users = mcfile_new(256);
	groups = mcfile_new(4096);
	lists = mcfile_new(1024);
	for (uint32_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "cached%u", i);
		mcfile_add_user(&users, name, 5000 + i, FOREVER);
		mcfile_add_group(&groups, name, 6000 + i, i, FOREVER);
		mcfile_add_initgroups(&lists, name, i * 10, FOREVER);
	}
	mcfile_save(&users, "mc/passwd");
	mcfile_save(&groups, "mc/group");
	mcfile_save(&lists, "mc/initgroups");
}

static void clean_up(void)
{
	unlink("mc/passwd");
	rmdir("mc/passwd");
	unlink("mc/group");
	unlink("mc/initgroups");
	rmdir("mc");
	mcfile_free(&users);
	mcfile_free(&groups);
	mcfile_free(&lists);
	responder_clean();
}

static enum nss_status by_name(const char *name)
{
	return _nss_sss_getpwnam_r(name, &user, buffer, sizeof(buffer), &error);
}

static enum nss_status by_uid(uid_t uid)
{
	return _nss_sss_getpwuid_r(uid, &user, buffer, sizeof(buffer), &error);
}

/* The path is looked at when the second changes. */
static void wait_for_the_next_second(void)
{
	int64_t now = mapped_now();

	while (mapped_now() == now)
		usleep(2000);
}

/* How many mappings of our files this process has. */
static unsigned count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[1024];
	unsigned n = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "/mc/") || strstr(line, "/aside");
	fclose(maps);
	return n;
}

START_TEST(test_found_without_a_question)
{
	char name[32];

	for (uint32_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "cached%u", i);
		ck_assert_int_eq(by_name(name), NSS_STATUS_SUCCESS);
		ck_assert_str_eq(user.pw_name, name);
		ck_assert_str_eq(user.pw_passwd, "*");
		ck_assert_str_eq(user.pw_gecos, "A User");
		ck_assert_str_eq(user.pw_dir, "/home/user");
		ck_assert_str_eq(user.pw_shell, "/bin/sh");
		ck_assert_uint_eq(user.pw_uid, 5000 + i);
		ck_assert_uint_eq(user.pw_gid, 100);
		memset(&user, 0, sizeof(user));
		ck_assert_int_eq(by_uid(5000 + i), NSS_STATUS_SUCCESS);
		ck_assert_str_eq(user.pw_name, name);

		ck_assert_int_eq(_nss_sss_getgrnam_r(name, &group, buffer, sizeof(buffer), &error),
		                 NSS_STATUS_SUCCESS);
		ck_assert_uint_eq(group.gr_gid, 6000 + i);
		ck_assert_int_eq(
			_nss_sss_getgrgid_r(6000 + i, &group, buffer, sizeof(buffer), &error),
			NSS_STATUS_SUCCESS);
		ck_assert_str_eq(group.gr_name, name);
		ck_assert_str_eq(group.gr_passwd, "*");
		for (uint32_t j = 0; j < i; j++) {
			snprintf(name, sizeof(name), "user%u", j);
			ck_assert_str_eq(group.gr_mem[j], name);
		}
		ck_assert_ptr_null(group.gr_mem[i]);
	}
	ck_assert_uint_eq(seen->connections, 0);
}
END_TEST

START_TEST(test_initgroups_appends_skips_and_stops_at_the_limit)
{
	for (long limit = -1; limit < 80; limit += 7) {
		long start = 1, size = 1;
		gid_t *gids = malloc(sizeof(gid_t));

		gids[0] = 77;
		ck_assert_int_eq(_nss_sss_initgroups_dyn("cached7", 20003, &start, &size, &gids,
		                                         limit, &error),
		                 NSS_STATUS_SUCCESS);
		if (limit < 0) {
			ck_assert_int_eq(start, 70); /* 77, and 70 groups without one */
			ck_assert_uint_eq(gids[69], 20069);
		} else {
			ck_assert_int_le(start, limit < 70 ? (limit > 1 ? limit : 1) : 70);
		}
		ck_assert_uint_eq(gids[0], 77);
		for (long i = 1; i < start; i++)
			ck_assert_uint_ne(gids[i], 20003);
		free(gids);
	}
	ck_assert_uint_eq(seen->connections, 0);
}
END_TEST

START_TEST(test_what_is_not_there_is_asked_for)
{
	ck_assert_int_eq(by_name("user3"), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(user.pw_uid, 1003);
	ck_assert_int_eq(by_name("cached"), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(by_name("cached1x"), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(by_uid(999), NSS_STATUS_NOTFOUND);
	ck_assert_uint_eq(seen->requests, 4);
}
END_TEST

START_TEST(test_an_expired_record_is_asked_for)
{
	mcfile_add_user(&users, "user5", 4444, (uint64_t)time(NULL) - 3);
	mcfile_save(&users, "mc/passwd");
	ck_assert_int_eq(by_name("user5"), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(user.pw_uid, 1005);
	ck_assert_uint_eq(seen->requests, 1);
}
END_TEST

START_TEST(test_the_environment_can_refuse)
{
	setenv("SSS_NSS_USE_MEMCACHE", "NO", 1);
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_NOTFOUND);
	ck_assert_uint_eq(seen->requests, 1);
	setenv("SSS_NSS_USE_MEMCACHE", "no", 1);
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_NOTFOUND);
	ck_assert_uint_eq(seen->requests, 2);
	setenv("SSS_NSS_USE_MEMCACHE", "YES", 1);
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	unsetenv("SSS_NSS_USE_MEMCACHE");
}
END_TEST

START_TEST(test_a_small_buffer_grows)
{
	char *exact;
	size_t size = 1;

	for (; size < sizeof(buffer); size++) {
		exact = malloc(size);
		if (_nss_sss_getgrnam_r("cached9", &group, exact, size, &error) ==
		    NSS_STATUS_SUCCESS)
			break;
		ck_assert_int_eq(error, ERANGE);
		free(exact);
	}
	ck_assert_str_eq(group.gr_mem[8], "user8");
	ck_assert_uint_eq(size, 10 * sizeof(char *) + sizeof("cached9") + 2 + 9 * sizeof("user0"));
	free(exact);
	ck_assert_int_eq(_nss_sss_getpwnam_r("cached9", &user, buffer, 5, &error),
	                 NSS_STATUS_TRYAGAIN);
	ck_assert_int_eq(error, ERANGE);
	ck_assert_uint_eq(seen->requests, 0);
}
END_TEST

START_TEST(test_no_descriptor_is_kept_and_errno_stays)
{
	struct stat st;

	errno = 4321;
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	ck_assert_int_eq(errno, 4321);
	unlink("mc/passwd");
	wait_for_the_next_second();
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(errno, 4321);
	for (int fd = 0; fd < 200; fd++)
		ck_assert(fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		          (st.st_size != (off_t)users.size));
}
END_TEST

START_TEST(test_a_recycled_file_is_left_at_once_for_the_one_at_its_path)
{
	int fd = open("mc/passwd", O_RDWR | O_CLOEXEC);
	uint32_t recycled = MEMCACHE_RECYCLED;

	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	mcfile_add_user(&users, "fresh", 7777, FOREVER);
	mcfile_save(&users, "mc/passwd");
	ck_assert_int_eq(by_name("fresh"), NSS_STATUS_NOTFOUND);
	ck_assert_int_eq(pwrite(fd, &recycled, 4, 12), 4);
	by_name("fresh"); /* may be told by the socket alone, or by the new file already */
	ck_assert_int_eq(by_name("fresh"), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(user.pw_uid, 7777);
	ck_assert_uint_eq(count_mappings(), 1);
	close(fd);
}
END_TEST

START_TEST(test_a_replaced_file_is_noticed_within_a_second)
{
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	for (uint32_t i = 0; i < 6; i++) {
		char name[32];

		snprintf(name, sizeof(name), "fresh%u", i);
		mcfile_add_user(&users, name, 7000 + i, FOREVER);
		mcfile_save(&users, "mc/passwd");
		if (i % 2 == 0)
			wait_for_the_next_second();
		else
			continue;
		by_name(name);
		ck_assert_int_eq(by_name(name), NSS_STATUS_SUCCESS);
		ck_assert_uint_eq(count_mappings(), 1);
	}
}
END_TEST

START_TEST(test_what_is_no_file_of_ours_is_left_alone)
{
	uint8_t *garbage = malloc(users.size);

	for (int i = 0; i < 6; i++) {
		unlink("mc/passwd");
		rmdir("mc/passwd");
		memset(garbage, 0x5a, users.size);
		if (i == 0)
			ck_assert_int_eq(mkdir("mc/passwd", 0755), 0);
		else if (i == 1)
			ck_assert_int_eq(mkfifo("mc/passwd", 0644), 0);
		else if (i == 2)
			ck_assert_int_eq(symlink("/dev/zero", "mc/passwd"), 0);
		else if (i == 3)
			close(open("mc/passwd", O_CREAT | O_CLOEXEC, 0644));
		else if (i == 4)
			mcfile_save(&(struct mcfile){ garbage, users.size }, "mc/passwd");
		else
			mcfile_save(&(struct mcfile){ users.bytes, 60 }, "mc/passwd");
		wait_for_the_next_second();
		ck_assert_int_eq(by_name("cached1"), NSS_STATUS_NOTFOUND);
		ck_assert_int_eq(by_name("user1"), NSS_STATUS_SUCCESS);
	}
	free(garbage);
	ck_assert_uint_eq(count_mappings(), 0);
}
END_TEST

START_TEST(test_a_file_that_is_cut_kills_nobody)
{
	for (off_t size = (off_t)users.size; size >= 0; size -= size > 4096 ? 4096 : size + 1) {
		mcfile_save(&users, "mc/passwd");
		wait_for_the_next_second();
		by_name("cached1");
		ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
		ck_assert_int_eq(truncate("mc/passwd", size), 0);
		for (uint32_t i = 0; i < 40; i++) {
			char name[32];
			enum nss_status status;

			snprintf(name, sizeof(name), "cached%u", i);
			status = by_name(name);
			ck_assert(status == NSS_STATUS_NOTFOUND || user.pw_uid == 5000 + i);
			ck_assert_int_eq(by_name("user1"), NSS_STATUS_SUCCESS);
			ck_assert_uint_eq(user.pw_uid, 1001);
		}
	}
}
END_TEST

START_TEST(test_a_file_that_grew_is_opened_again)
{
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	ck_assert_int_eq(truncate("mc/passwd", (off_t)users.size + 65536), 0);
	wait_for_the_next_second();
	by_name("cached1");
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(count_mappings(), 1);
}
END_TEST

/* Whatever a chain is made to look like, a walk along it ends. */
static void set_booted_at(uint32_t booted_at)
{
	int fd = open("mc/passwd", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, &booted_at, sizeof(booted_at), MEMCACHE_HEADER_SIZE),
	                 sizeof(booted_at));
	close(fd);
}

/* Its records would last longer by what the clock was set back. */
START_TEST(test_a_file_from_before_the_clock_was_set_is_left_alone)
{
	uint32_t booted_at = memcache_booted_at();

	set_booted_at(booted_at + 30);
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	set_booted_at(booted_at + 3600);
	wait_for_the_next_second();
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_NOTFOUND);
	wait_for_the_next_second();
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_NOTFOUND);
	ck_assert_uint_eq(count_mappings(), 0);
	set_booted_at(booted_at);
	wait_for_the_next_second();
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
}
END_TEST

START_TEST(test_chains_that_run_in_circles_or_away)
{
	static const uint32_t bad[] = { 0, 3, 6, 255, 256, 0x7fffffff, 0xfffffffe };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct mapped mapped = { .bytes = users.bytes, .size = users.size };
		struct nss_place place = { &user, buffer, sizeof(buffer) };

		ck_assert_int_eq(memcache_header_read(users.bytes, users.size, &mapped.header), 0);
		for (uint32_t slot = 0; slot < users.used; slot += 3) {
			mcfile_put(mcfile_record(&users, slot) + 16, bad[i]);
			mcfile_put(mcfile_record(&users, slot) + 20, bad[i]);
		}
		for (uint32_t slot = 0; slot < users.n_slots; slot++)
			mcfile_put(users.bytes + mapped.header.table_at + slot * 4, bad[i]);
		for (uint32_t uid = 5000; uid < 5100; uid++)
			ck_assert_int_le(memcache_find_in(&mapped, &passwd_map.memcache,
			                                  &(struct memcache_key){ .id = uid }, 0,
			                                  &place),
			                 1);
	}
}
END_TEST

START_TEST(test_a_record_in_change_is_not_believed)
{
	struct mapped mapped = { .bytes = users.bytes, .size = users.size };
	struct nss_place place = { &user, buffer, sizeof(buffer) };
	const struct memcache_key key = { .name = "cached0" };
	uint8_t *record = mcfile_record(&users, 0);

	ck_assert_int_eq(memcache_header_read(users.bytes, users.size, &mapped.header), 0);
	ck_assert_int_eq(memcache_find_in(&mapped, &passwd_map.memcache, &key, 0, &place), 1);
	mcfile_put(record + 36, 0xf0000002); /* begun */
	ck_assert_int_eq(memcache_find_in(&mapped, &passwd_map.memcache, &key, 0, &place), -ENOENT);
	mcfile_put(record, 0xf0000002); /* done */
	ck_assert_int_eq(memcache_find_in(&mapped, &passwd_map.memcache, &key, 0, &place), 1);
	mcfile_put(record, MEMCACHE_INVALID); /* removed */
	mcfile_put(record + 36, MEMCACHE_INVALID);
	ck_assert_int_eq(memcache_find_in(&mapped, &passwd_map.memcache, &key, 0, &place), -ENOENT);
}
END_TEST

/* As strlen(3) would split it, whatever the bytes and wherever they begin; exact on a heap copy. */
START_TEST(test_texts_are_split_at_their_ends)
{
	char *list[40];

	srand(7);
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)rand() % 40, n = 0, found = 0;
		char *text = malloc(size ? size : 1);

		for (size_t i = 0; i < size; i++) {
			text[i] = rand() % 3 == 0 ? '\0' : (char)(rand() % 2 ? 0x80 : rand());
			n += text[i] == '\0';
		}
		if (size > 0)
			n += text[size - 1] != '\0';
		if (size > 0 && text[size - 1] != '\0')
			ck_assert(!nss_split(text, size, list, n));
		else
			ck_assert(nss_split(text, size, list, n));
		for (char *at = text; size > 0 && text[size - 1] == '\0' && at < text + size;
		     at += strlen(at) + 1)
			ck_assert_ptr_eq(list[found++], at);
		ck_assert(!nss_split(text, size, list, n + 1));
		if (n > 0)
			ck_assert(!nss_split(text, size, list, n - 1));
		free(text);
	}
}
END_TEST

static volatile sig_atomic_t caught;

static void catch (int number)
{
	caught++;
	signal(number, SIG_DFL);
}

/* A fault in memory that is none of ours. */
static void fault(void)
{
	int fd = open("short", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	volatile char *bytes = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)bytes[0];
	_exit(0);
}

static int end_of(void (*child)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		child();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	unlink("short");
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void fault_by_default(void)
{
	signal(SIGBUS, SIG_DFL);
	if (by_name("cached1") == NSS_STATUS_SUCCESS && guard_is_on())
		fault();
}

static void kill_by_default(void)
{
	signal(SIGBUS, SIG_DFL);
	if (by_name("cached1") == NSS_STATUS_SUCCESS && guard_is_on())
		kill(getpid(), SIGBUS);
}

static void fault_with_a_handler(void)
{
	signal(SIGBUS, catch);
	if (by_name("cached1") != NSS_STATUS_SUCCESS || !guard_is_on())
		_exit(1);
	kill(getpid(), SIGBUS);
	if (caught == 1)
		fault(); /* the handler has set the default action */
}

static void handler_that_came_later(void)
{
	if (by_name("cached1") != NSS_STATUS_SUCCESS)
		_exit(1);
	signal(SIGBUS, catch);
	wait_for_the_next_second();
	if (by_name("cached1") != NSS_STATUS_NOTFOUND || guard_is_on() || count_mappings() > 0)
		_exit(2);
	signal(SIGBUS, SIG_DFL);
	wait_for_the_next_second();
	if (by_name("cached1") != NSS_STATUS_SUCCESS || !guard_is_on())
		_exit(3);
	_exit(9);
}

static void end_well(int number)
{
	(void)number;
	_exit(9);
}

/* It has signals of its own, and its parent's memory. */
static void fault_after_a_vforked_child_reset_its_signals(void)
{
	signal(SIGBUS, end_well);
	if (by_name("cached1") != NSS_STATUS_SUCCESS || !guard_is_on())
		_exit(1);
	if (vfork() == 0) {
		signal(SIGBUS, SIG_DFL);
		wait_for_the_next_second();
		by_name("cached1");
		_exit(0);
	}
	fault();
}

START_TEST(test_faults_of_the_program_stay_the_program_s)
{
	ck_assert_int_eq(end_of(fault_after_a_vforked_child_reset_its_signals), -9);
	ck_assert_int_eq(end_of(fault_by_default), SIGBUS);
	ck_assert_int_eq(end_of(kill_by_default), SIGBUS);
	ck_assert_int_eq(end_of(fault_with_a_handler), SIGBUS);
	ck_assert_int_eq(end_of(handler_that_came_later), -9);
}
END_TEST

/* A blocked fault kills whatever the action is. */
static void fault_while_blocked(void)
{
	sigset_t bus;

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	sigprocmask(SIG_BLOCK, &bus, NULL);
	wait_for_the_next_second();
	by_name("cached1");
	if (truncate("mc/passwd", 0) < 0)
		_exit(2);
	_exit(by_name("cached1") == NSS_STATUS_NOTFOUND ? 9 : 3);
}

START_TEST(test_a_thread_that_blocks_faults_asks)
{
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	ck_assert_int_eq(end_of(fault_while_blocked), -9);
}
END_TEST

static unsigned count_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#define FIRST_FD 64 /* of ours */

static bool forbid_looking_at_descriptors(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fstat, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_newfstatat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	struct stat st;

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 && fstat(0, &st) < 0;
}

static void ask_where_nobody_may_look_at_descriptors(void)
{
	unsigned before;

	if (by_name("user1") != NSS_STATUS_SUCCESS) /* through the socket, which is kept */
		_exit(1);
	before = count_descriptors();
	if (!forbid_looking_at_descriptors())
		_exit(2);
	for (int i = 0; i < 3; i++) {
		wait_for_the_next_second();
		by_name("cached1");
	}
	_exit(count_descriptors() <= before ? 9 : 3);
}

START_TEST(test_no_descriptor_is_lost_where_nobody_may_look_at_them)
{
	ck_assert_int_eq(end_of(ask_where_nobody_may_look_at_descriptors), -9);
}
END_TEST

/* The program's own descriptor has the number of the connection when it loses fstat(2). */
static void ask_with_another_at_the_number(void)
{
	int fd;

	if (by_name("user1") != NSS_STATUS_SUCCESS || fcntl(FIRST_FD, F_GETFD) < 0)
		_exit(1);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, FIRST_FD) != FIRST_FD || !forbid_looking_at_descriptors())
		_exit(2);
	by_name("user2");
	_exit(fcntl(FIRST_FD, F_GETFD) >= 0 ? 9 : 3);
}

START_TEST(test_what_cannot_be_looked_at_is_not_closed)
{
	ck_assert_int_eq(end_of(ask_with_another_at_the_number), -9);
}
END_TEST

static bool stop;

#define ALL_THREADS 64
#define QUESTIONS   60
static pthread_barrier_t all_there;
static unsigned n_began;

/* The first question of each thread, to all files at once, is the first of the program, too. */
static void *ask_all(void *wrong)
{
	unsigned i = __atomic_fetch_add(&n_began, 1, __ATOMIC_RELAXED);
	gid_t *gids = malloc(16 * sizeof(*gids));
	char texts[4096], name[32];
	struct passwd found;
	struct group found_group;
	int ignored;

	pthread_barrier_wait(&all_there);
	for (unsigned end = i + QUESTIONS; i < end; i++) {
		unsigned number = i % 40;
		long n = 0, size = 16;
		bool right = true;

		snprintf(name, sizeof(name), "cached%u", number);
		if (i % 3 == 0 && _nss_sss_getpwuid_r(5000 + number, &found, texts, sizeof(texts),
		                                      &ignored) == NSS_STATUS_SUCCESS)
			right = found.pw_uid == 5000 + number; /* the responder has one, too */
		if (i % 3 == 1 && _nss_sss_getgrnam_r(name, &found_group, texts, sizeof(texts),
		                                      &ignored) == NSS_STATUS_SUCCESS)
			right = found_group.gr_gid == 6000 + number;
		if (i % 3 == 2 && _nss_sss_initgroups_dyn(name, 0, &n, &size, &gids, 16,
		                                          &ignored) == NSS_STATUS_SUCCESS)
			right = number == 0 ? n == 0 : n > 0 && gids[0] == 20000;
		if (!right)
			__atomic_fetch_add((unsigned *)wrong, 1, __ATOMIC_RELAXED);
	}
	free(gids);
	return NULL;
}

START_TEST(test_all_threads_begin_at_once)
{
	pthread_t threads[ALL_THREADS];
	unsigned wrong = 0;

	pthread_barrier_init(&all_there, NULL, ALL_THREADS);
	for (int i = 0; i < ALL_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_all, &wrong), 0);
	for (int i = 0; i < 4; i++) {
		mcfile_save(&users, "mc/passwd");
		mcfile_save(&groups, "mc/group");
	}
	for (int i = 0; i < ALL_THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Wrong answers are counted; none at all is none. */
static void *read_on(void *wrong)
{
	struct passwd found;
	char texts[256], name[32];
	int number;

	for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		struct nss_place place = { &found, texts, sizeof(texts) };

		snprintf(name, sizeof(name), "cached%u", i % 40);
		number = memcache_find(&passwd_map.memcache, &(struct memcache_key){ .name = name },
		                       &place);
		if (number > 0 &&
		    (found.pw_uid != 5000 + i % 40 || strcmp(found.pw_name, name) != 0))
			__atomic_fetch_add((unsigned *)wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(test_threads_read_while_files_come_go_and_are_cut)
{
	pthread_t threads[THREADS];
	unsigned wrong = 0;
	int status;
	pid_t pid;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, &wrong), 0);
	for (int i = 0; i < 150; i++) {
		usleep(20000);
		if (i % 3 == 0)
			ck_assert_int_eq(truncate("mc/passwd", i % 2 ? 0 : 4096), 0);
		if (i % 3 == 1)
			mcfile_save(&users, "mc/passwd");
		if (i % 10 == 0) {
			pid = fork();
			if (pid == 0)
				_exit(by_name("user1") == NSS_STATUS_SUCCESS ? 0 : 1);
			ck_assert_int_eq(waitpid(pid, &status, 0), pid);
			ck_assert_int_eq(status, 0);
		}
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(wrong, 0);

	mcfile_save(&users, "mc/passwd");
	wait_for_the_next_second();
	by_name("cached1");
	ck_assert_int_eq(by_name("cached1"), NSS_STATUS_SUCCESS);
	ck_assert_uint_eq(count_mappings(), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memcache");
	TCase *answers = tcase_create("answers"), *files = tcase_create("files");
	TCase *faults = tcase_create("faults");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_tags(answers, "one-thread");
	tcase_add_checked_fixture(answers, set_up, clean_up);
	tcase_add_test(answers, test_found_without_a_question);
	tcase_add_test(answers, test_initgroups_appends_skips_and_stops_at_the_limit);
	tcase_add_test(answers, test_what_is_not_there_is_asked_for);
	tcase_add_test(answers, test_an_expired_record_is_asked_for);
	tcase_add_test(answers, test_the_environment_can_refuse);
	tcase_add_test(answers, test_a_small_buffer_grows);
	tcase_add_test(answers, test_texts_are_split_at_their_ends);
	tcase_add_test(answers, test_a_file_from_before_the_clock_was_set_is_left_alone);
	tcase_add_test(answers, test_chains_that_run_in_circles_or_away);
	tcase_add_test(answers, test_a_record_in_change_is_not_believed);
	suite_add_tcase(suite, answers);

	tcase_set_tags(files, "one-thread");
	tcase_add_checked_fixture(files, set_up, clean_up);
	tcase_set_timeout(files, 30);
	tcase_add_test(files, test_no_descriptor_is_kept_and_errno_stays);
	tcase_add_test(files, test_a_recycled_file_is_left_at_once_for_the_one_at_its_path);
	tcase_add_test(files, test_a_replaced_file_is_noticed_within_a_second);
	tcase_add_test(files, test_what_is_no_file_of_ours_is_left_alone);
	tcase_add_test(files, test_a_file_that_is_cut_kills_nobody);
	tcase_add_test(files, test_a_file_that_grew_is_opened_again);
	tcase_add_test(files, test_no_descriptor_is_lost_where_nobody_may_look_at_them);
	tcase_add_test(files, test_what_cannot_be_looked_at_is_not_closed);
	suite_add_tcase(suite, files);

	tcase_add_checked_fixture(faults, set_up, clean_up);
	tcase_set_timeout(faults, 30);
	tcase_add_test(faults, test_faults_of_the_program_stay_the_program_s);
	tcase_add_test(faults, test_a_thread_that_blocks_faults_asks);
	tcase_add_test(faults, test_all_threads_begin_at_once);
	tcase_add_test(faults, test_threads_read_while_files_come_go_and_are_cut);
	suite_add_tcase(suite, faults);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
