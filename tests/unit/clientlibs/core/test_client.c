/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The library inside a program that forks, closes what it does not know, starts and ends threads,
 * takes signals and jumps: nothing of the program's is touched, nothing of ours is left behind
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clientlibs/nss/nss.h"
#include "common/wire/proto.h"
#include "tests/unit/clientlibs/responder.h"

#define FDS      300
#define FIRST_FD 64 /* of ours */
#define THREADS  64

/* Looks user number up; whether the answer is right. */
static bool lookup(unsigned number)
{
	struct passwd user;
	char texts[256], name[16];
	int error;

	snprintf(name, sizeof(name), "user%u", number);
	return _nss_sss_getpwnam_r(name, &user, texts, sizeof(texts), &error) ==
	               NSS_STATUS_SUCCESS &&
	       strcmp(user.pw_name, name) == 0 && user.pw_uid == 1000 + number;
}

static unsigned count_sockets(void)
{
	struct stat st;
	unsigned n = 0;

	for (int fd = 0; fd < FDS; fd++)
		n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	return n;
}

static int ended(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static unsigned sockets; /* without ours */

static void listen_and_start(void)
{
	responder_listen(128);
	responder_start(script_directory);
	sockets = count_sockets();
}

START_TEST(test_parent_and_child_go_on_at_the_same_time)
{
	pid_t child;

	ck_assert(lookup(1));
	child = fork();
	for (unsigned i = 0; i < 300; i++)
		if (!lookup(child == 0 ? i : 1000 + i))
			_exit(1);
	ck_assert_uint_eq(count_sockets(), sockets + 1);
	if (child == 0)
		_exit(0);
	ck_assert_int_eq(ended(child), 0);
	ck_assert_uint_eq(seen->connections, 2);
}
END_TEST

static void live(unsigned generation)
{
	pid_t child;

	ck_assert(lookup(generation));
	ck_assert_uint_eq(count_sockets(), sockets + 1);
	ck_assert_uint_eq(seen->connections, generation);
	if (generation == 5)
		return;

	child = fork();
	if (child == 0) {
		live(generation + 1);
		_exit(0);
	}
	ck_assert_int_eq(ended(child), 0);
	ck_assert(lookup(generation)); /* still its own */
}

START_TEST(test_each_generation_has_one_connection)
{
	live(1);
	ck_assert_uint_eq(seen->connections, 5);
}
END_TEST

static pthread_barrier_t all_connected, may_end;

static void *lookup_and_wait(void *number)
{
	bool right = lookup((unsigned)(uintptr_t)number);

	pthread_barrier_wait(&all_connected);
	pthread_barrier_wait(&may_end);
	return right ? number : NULL;
}

START_TEST(test_a_child_closes_what_its_parents_threads_had_open)
{
	pthread_t threads[8];
	pid_t child;

	pthread_barrier_init(&all_connected, NULL, 9);
	pthread_barrier_init(&may_end, NULL, 9);
	for (uintptr_t i = 0; i < 8; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, lookup_and_wait, (void *)(i + 1)), 0);
	pthread_barrier_wait(&all_connected);
	ck_assert_uint_eq(count_sockets(), sockets + 8);

	child = fork();
	if (child == 0)
		_exit(lookup(1) && count_sockets() == sockets + 1 ? 0 : 1);
	ck_assert_int_eq(ended(child), 0);

	pthread_barrier_wait(&may_end);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(count_sockets(), sockets);
}
END_TEST

START_TEST(test_a_child_may_have_threads_of_its_own)
{
	pthread_t thread;
	pid_t child;

	ck_assert(lookup(1));
	child = fork();
	if (child == 0) {
		/* The first to ask is not the one that was forked along. */
		for (uintptr_t i = 0; i < 4; i++) {
			pthread_barrier_init(&all_connected, NULL, 2);
			pthread_barrier_init(&may_end, NULL, 2);
			pthread_create(&thread, NULL, lookup_and_wait, (void *)(i + 1));
			pthread_barrier_wait(&all_connected);
			ck_assert_uint_eq(count_sockets(), sockets + 1);
			pthread_barrier_wait(&may_end);
			pthread_join(thread, NULL);
			ck_assert_uint_eq(count_sockets(), sockets);
		}
		_exit(lookup(2) && count_sockets() == sockets + 1 ? 0 : 1);
	}
	ck_assert_int_eq(ended(child), 0);
	ck_assert(lookup(3));
}
END_TEST

static volatile bool child_right;

/* A child of vfork(2) shares this memory but not the descriptors. */
static void lookup_in_vforked_child(void)
{
	pid_t child = vfork();

	if (child == 0) {
		child_right = lookup(2);
		_exit(0);
	}
	ck_assert_int_eq(ended(child), 0);
	ck_assert(child_right);
}

START_TEST(test_a_vforked_child_leaves_nothing_behind)
{
	/* nothing is open; a connection is; it went stale in the child's hands */
	lookup_in_vforked_child();
	ck_assert_uint_eq(count_sockets(), sockets);
	ck_assert(lookup(1));
	lookup_in_vforked_child();
	ck_assert_uint_eq(count_sockets(), sockets + 1);
	responder_kill();
	responder_start(script_directory);
	for (int i = 0; i < 3; i++) {
		lookup_in_vforked_child();
		ck_assert_uint_eq(count_sockets(), sockets + 1);
	}
	ck_assert(lookup(1));
	ck_assert_uint_eq(count_sockets(), sockets + 1);
}
END_TEST

/* Kernels before 4.14 and some sandboxes have no MADV_WIPEONFORK. */
static void forbid_wipeonfork(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_WIPEONFORK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(test_forks_are_noticed_on_old_kernels_too)
{
	pid_t child;

	forbid_wipeonfork();
	ck_assert(lookup(1));
	child = fork();
	for (unsigned i = 0; i < 100; i++)
		if (!lookup(child == 0 ? i : 1000 + i))
			_exit(1);
	ck_assert_uint_eq(count_sockets(), sockets + 1);
	if (child == 0)
		_exit(0);
	ck_assert_int_eq(ended(child), 0);
	ck_assert_uint_eq(seen->connections, 2);
}
END_TEST

/* Closes all that the test did not open and puts something of its own in the same places and in all
 * others: standard input for _i 0, one end of a socket pair for 1. Nobody may write to it, read
 * from it or close it. */
START_TEST(test_descriptors_that_became_the_programs_are_not_touched)
{
	struct stat before[FDS], after;
	bool known[FDS] = { false };
	int pair[2], other;
	char byte;

	for (int fd = 0; fd < FDS; fd++)
		known[fd] = fcntl(fd, F_GETFD) >= 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	other = fcntl(pair[1], F_DUPFD_CLOEXEC, FDS);
	close(pair[1]);
	ck_assert_int_ge(other, FDS);
	ck_assert_int_eq(write(other, "x", 1), 1); /* something to steal */

	for (int round = 0; round < 20; round++) {
		for (int fd = 3; fd < FDS + 10; fd++)
			if (fd != pair[0] && fd != other && (fd >= FDS || !known[fd]))
				close(fd);
		ck_assert(lookup(1));
		for (int fd = 3; fd < FDS; fd++) {
			if (fd != pair[0] && !known[fd])
				ck_assert_int_eq(dup2(_i == 0 ? STDIN_FILENO : pair[0], fd), fd);
			ck_assert_int_eq(fstat(fd, &before[fd]), 0);
		}
		ck_assert(lookup(2));
		for (int fd = 3; fd < FDS; fd++) {
			ck_assert_int_eq(fstat(fd, &after), 0);
			ck_assert_uint_eq(after.st_ino, before[fd].st_ino);
		}
	}

	ck_assert_int_eq(recv(other, &byte, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(recv(pair[0], &byte, 1, MSG_DONTWAIT), 1);
	ck_assert_int_eq(byte, 'x');
}
END_TEST

START_TEST(test_low_numbers_are_left_to_the_program)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		close(fd);
	ck_assert(lookup(1));
	for (int fd = 0; fd < 3; fd++)
		ck_assert_int_lt(fstat(fd, &st), 0);
	ck_assert_int_eq(fstat(FIRST_FD, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(fcntl(FIRST_FD, F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(test_a_low_limit_of_descriptors_is_lived_with)
{
	struct rlimit limit = { 32, 32 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert(lookup(1));
	ck_assert_uint_eq(count_sockets(), sockets + 1);
}
END_TEST

START_TEST(test_without_a_free_descriptor_the_answer_is_unavailable)
{
	struct rlimit limit = { 3, 64 };
	struct passwd user;
	char texts[256];
	int error = 0;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(_nss_sss_getpwnam_r("user1", &user, texts, sizeof(texts), &error),
	                 NSS_STATUS_UNAVAIL);
	ck_assert_int_eq(error, EMFILE);
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert(lookup(1));
}
END_TEST

static void *lookup_often(void *first)
{
	uintptr_t right = 0;

	pthread_barrier_wait(&all_connected);
	for (unsigned i = 0; i < 50; i++)
		right += lookup((unsigned)(uintptr_t)first + i);
	return (void *)right;
}

START_TEST(test_many_threads_ask_at_once)
{
	pthread_t threads[THREADS];
	void *right;

	pthread_barrier_init(&all_connected, NULL, THREADS);
	for (int round = 0; round < 3; round++) {
		for (uintptr_t i = 0; i < THREADS; i++)
			ck_assert_int_eq(
				pthread_create(&threads[i], NULL, lookup_often, (void *)(i * 100)),
				0);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], &right);
			ck_assert_uint_eq((uintptr_t)right, 50);
		}
		ck_assert_uint_eq(count_sockets(), sockets); /* gone with their threads */
	}
	ck_assert_uint_eq(seen->connections, 3 * THREADS);
}
END_TEST

/* Forks while other threads come and go: the list of threads is copied in any state. */
static bool stop;

static void *come_and_go(void *unused)
{
	pthread_t thread;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		pthread_create(&thread, NULL, (void *(*)(void *))(void *)lookup, (void *)1);
		pthread_join(thread, NULL);
	}
	return unused;
}

START_TEST(test_forks_among_threads_that_come_and_go)
{
	pthread_t threads[4];
	pid_t child;

	ck_assert(lookup(1));
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, come_and_go, NULL);
	for (int i = 0; i < 100; i++) {
		child = fork();
		if (child == 0) {
			alarm(5); /* a lock held for ever would show */
			_exit(lookup(7) && lookup(8) ? 0 : 1);
		}
		ck_assert_int_eq(ended(child), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(count_sockets(), sockets + 1);
}
END_TEST

static volatile sig_atomic_t wrong, handled;

static void lookup_in_handler(int signal)
{
	(void)signal;
	handled++;
	if (!lookup(2222))
		wrong++;
}

/* Not allowed by POSIX, and done all the same. */
START_TEST(test_a_handler_may_ask_in_the_middle_of_a_question)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	ck_assert(lookup(1)); /* from here on, the questions outside the handler need no malloc() */
	signal(SIGALRM, lookup_in_handler);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (unsigned i = 0; handled < 50; i = (i + 1) % 1000)
		ck_assert(lookup(i));
	setitimer(ITIMER_REAL, &never, NULL);
	ck_assert_int_eq(wrong, 0);
	ck_assert_uint_eq(count_sockets(), sockets + 1);
}
END_TEST

static sigjmp_buf out;

static void jump_out(int signal)
{
	(void)signal;
	siglongjmp(out, 1);
}

static bool script_late(const struct call *call)
{
	if (call->connection == 1 && call->command != PROTO_GET_VERSION)
		usleep(200 * 1000);
	return script_directory(call);
}

/* An error, where each call would begin with the first entry again. */
static void expect_no_walk(void)
{
	struct passwd user;
	struct group group;
	char texts[256];
	int error = 0;

	ck_assert_int_eq(_nss_sss_setpwent(0), NSS_STATUS_SUCCESS);
	ck_assert_int_eq(_nss_sss_getpwent_r(&user, texts, sizeof(texts), &error),
	                 NSS_STATUS_UNAVAIL);
	ck_assert_int_eq(error, EBUSY);
	ck_assert_int_eq(_nss_sss_getgrent_r(&group, texts, sizeof(texts), &error),
	                 NSS_STATUS_UNAVAIL);
	ck_assert_int_eq(_nss_sss_endpwent(), NSS_STATUS_SUCCESS);
}

/* The old way to limit a call in time. The answer to the question left behind must not become the
 * answer to the next. */
START_TEST(test_a_jump_out_of_a_question_spoils_no_other_answer)
{
	struct itimerval soon = { { 0, 0 }, { 0, 50000 } };

	responder_kill();
	responder_start(script_late);
	signal(SIGALRM, jump_out);
	if (sigsetjmp(out, 1) == 0) {
		ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
		lookup(1);
		ck_abort_msg("the timer did not interrupt");
	}
	for (unsigned i = 2; i < 10; i++)
		ck_assert(lookup(i));
	expect_no_walk();
}
END_TEST

static void use_all_keys(void)
{
	pthread_key_t key;

	while (pthread_key_create(&key, NULL) == 0)
		continue;
}

START_TEST(test_a_program_that_has_all_the_keys_of_thread_data)
{
	use_all_keys();
	ck_assert(lookup(1));
	expect_no_walk();
	ck_assert(lookup(2));
	ck_assert_uint_eq(count_sockets(), sockets);
}
END_TEST

static void *lookup_until_cancelled(void *nothing)
{
	pthread_cleanup_push(forget_frames, NULL);
	for (;;) {
		lookup(1);
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return nothing;
}

static void *vfork_until_cancelled(void *nothing)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	lookup(1);
	close(FIRST_FD); /* or its child would ask over that connection */
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	if (vfork() == 0) {
		child_right = lookup(2);
		_exit(0);
	}
	pthread_testcancel();
	return nothing;
}

static bool script_slow(const struct call *call)
{
	usleep(100 * 1000);
	return script_directory(call);
}

/* Starts a thread, and cancels it while the answer to its nth question is awaited. */
static void cancel(void *(*function)(void *nothing), unsigned nth)
{
	pthread_t thread;
	void *result;

	responder_kill();
	responder_start(script_slow);
	ck_assert_int_eq(pthread_create(&thread, NULL, function, NULL), 0);
	while (__atomic_load_n(&seen->requests, __ATOMIC_RELAXED) < nth)
		usleep(1000);
	ck_assert_int_eq(pthread_cancel(thread), 0);
	pthread_join(thread, &result);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_uint_eq(count_sockets(), sockets);
}

START_TEST(test_a_cancelled_thread_leaves_nothing_behind)
{
	cancel(lookup_until_cancelled, 1);
}
END_TEST

START_TEST(test_nor_does_one_without_thread_data)
{
	use_all_keys();
	cancel(lookup_until_cancelled, 1);
	ck_assert(lookup(2));
}
END_TEST

/* The child has its parent's thread, which is cancelled when it has that back. */
START_TEST(test_nor_does_one_whose_vforked_child_asks)
{
	cancel(vfork_until_cancelled, 2);
	ck_assert(child_right);
	ck_assert(lookup(3));
}
END_TEST

static pthread_key_t late_key;

static void lookup_late(void *right)
{
	*(bool *)right = lookup(5);
}

static void *leave(void *right)
{
	pthread_setspecific(late_key, right);
	lookup(4);
	return NULL;
}

/* Destructors of thread data run in any order, and some look users up. */
START_TEST(test_a_lookup_while_the_thread_ends)
{
	bool right = false;
	pthread_t thread;

	ck_assert(lookup(1)); /* our key comes first, and its destructor */
	ck_assert_int_eq(pthread_key_create(&late_key, lookup_late), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, leave, &right), 0);
	pthread_join(thread, NULL);
	ck_assert(right);
	ck_assert_uint_eq(count_sockets(), sockets + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *host = tcase_create("host"), *kernel = tcase_create("kernel");
	TCase *forks = tcase_create("forks");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(host, listen_and_start, responder_clean);
	tcase_add_test(host, test_parent_and_child_go_on_at_the_same_time);
	tcase_add_test(host, test_each_generation_has_one_connection);
	tcase_add_test(host, test_a_child_closes_what_its_parents_threads_had_open);
	tcase_add_test(host, test_forks_are_noticed_on_old_kernels_too);
	tcase_add_loop_test(host, test_descriptors_that_became_the_programs_are_not_touched, 0, 2);
	tcase_add_test(host, test_low_numbers_are_left_to_the_program);
	tcase_add_test(host, test_many_threads_ask_at_once);
	tcase_add_test(host, test_a_lookup_while_the_thread_ends);
	tcase_set_timeout(host, 30);
	suite_add_tcase(suite, host);

	tcase_add_checked_fixture(forks, listen_and_start, responder_clean);
	tcase_add_test(forks, test_a_child_may_have_threads_of_its_own);
	tcase_add_test(forks, test_forks_among_threads_that_come_and_go);
	tcase_set_timeout(forks, 30);
	suite_add_tcase(suite, forks);

	/* Not for ThreadSanitizer: it turns vfork into fork, keeps descriptors for itself, and
	 * holds signals back. */
	tcase_set_tags(kernel, "not-for-tsan");
	tcase_add_checked_fixture(kernel, listen_and_start, responder_clean);
	tcase_add_test(kernel, test_a_vforked_child_leaves_nothing_behind);
	tcase_add_test(kernel, test_a_low_limit_of_descriptors_is_lived_with);
	tcase_add_test(kernel, test_without_a_free_descriptor_the_answer_is_unavailable);
	tcase_add_test(kernel, test_a_handler_may_ask_in_the_middle_of_a_question);
	tcase_add_test(kernel, test_a_jump_out_of_a_question_spoils_no_other_answer);
	tcase_add_test(kernel, test_a_program_that_has_all_the_keys_of_thread_data);
	tcase_add_test(kernel, test_a_cancelled_thread_leaves_nothing_behind);
	tcase_add_test(kernel, test_nor_does_one_without_thread_data);
	tcase_add_test(kernel, test_nor_does_one_whose_vforked_child_asks);
	tcase_set_timeout(kernel, 30);
	suite_add_tcase(suite, kernel);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
