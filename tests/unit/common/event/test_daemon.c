/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each daemon lives in a process of its own and listens to its own fake service manager.
 */
#include "common/event/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "common/base/time.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"
#include "tests/unit/common/event/in_fork.h"

static const struct daemon_args args = { .name = "test", .logger = "stderr" };

static struct daemon *started; /* one for each process */
static int manager;

/* Binds a datagram socket and points NOTIFY_SOCKET to it. */
static int begin_managed(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	char path[64];

	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (bind(manager, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
	    getsockname(manager, (struct sockaddr *)&address, &size) < 0)
		return -1;
	snprintf(path, sizeof(path), "@%.*s", (int)(size - sizeof(sa_family_t) - 1),
	         address.sun_path + 1);
	return setenv("NOTIFY_SOCKET", path, 1);
}

/* What came next, "" when nothing did. */
static const char *told(void)
{
	static char text[4096];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void pass(void *data)
{
	*(bool *)data = true;
}

static void run_for(int64_t ms)
{
	bool is_over = false;

	timer_once(started, daemon_events(started), ms, pass, &is_over);
	while (!is_over)
		tevent_loop_once(daemon_events(started));
}

/* ---- what the service manager is told ---- */

static int ready(void)
{
	EXPECT(begin_managed() == 0);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	EXPECT(daemon_supervised(started));
	EXPECT(strcmp(told(), "") == 0);

	daemon_ready(started, "%d domains", 2);
	EXPECT(strcmp(told(), "READY=1\nSTATUS=2 domains") == 0);
	daemon_ready(started, "%d domains", 2);
	EXPECT(strcmp(told(), "") == 0);
	daemon_ready(started, "3 domains");
	EXPECT(strcmp(told(), "STATUS=3 domains") == 0);
	return 0;
}

START_TEST(test_ready_is_told_once)
{
	in_fork(ready);
}
END_TEST

static int status(void)
{
	EXPECT(begin_managed() == 0);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	daemon_status(started, "LDAP: %s", "offline");
	EXPECT(strcmp(told(), "STATUS=LDAP: offline") == 0);
	daemon_status(started, "LDAP: offline");
	EXPECT(strcmp(told(), "") == 0);
	daemon_status(started, "LDAP: online");
	EXPECT(strcmp(told(), "STATUS=LDAP: online") == 0);
	daemon_status(started, "LDAP: offline");
	EXPECT(strcmp(told(), "STATUS=LDAP: offline") == 0);
	daemon_ready(started, "LDAP: offline");
	EXPECT(strcmp(told(), "READY=1\nSTATUS=LDAP: offline") == 0);
	return 0;
}

START_TEST(test_status_is_told_when_it_changes)
{
	in_fork(status);
}
END_TEST

static int foreign_text(void)
{
	EXPECT(begin_managed() == 0);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	daemon_status(started, "server says: no\nMAINPID=1\r\x7f");
	EXPECT(strcmp(told(), "STATUS=server says: no MAINPID=1  ") == 0);
	return 0;
}

START_TEST(test_status_stays_one_line)
{
	in_fork(foreign_text);
}
END_TEST

/* systemd drops what has more than 4096 bytes, READY=1 and all. */
static int long_text(void)
{
	char text[8192];
	const char *sent;

	EXPECT(begin_managed() == 0);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text + 3899, "\xc3\xa6", 2); /* not to be cut in the middle */
	daemon_ready(started, "%s", text);
	sent = told();
	EXPECT(strncmp(sent, "READY=1\nSTATUS=xxx", 18) == 0);
	EXPECT(strlen(sent) < 4000);
	EXPECT(strcmp(sent + strlen(sent) - 6, "xx ...") == 0);
	return 0;
}

START_TEST(test_a_long_status_is_cut)
{
	in_fork(long_text);
}
END_TEST

static int stopping(void)
{
	EXPECT(begin_managed() == 0);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	daemon_stopping(started);
	EXPECT(strcmp(told(), "STOPPING=1") == 0);
	daemon_stopping(started);
	EXPECT(strcmp(told(), "") == 0);
	return 0;
}

START_TEST(test_stopping_is_told_once)
{
	in_fork(stopping);
}
END_TEST

static int watchdog(void)
{
	int64_t begun;

	EXPECT(begin_managed() == 0);
	setenv("WATCHDOG_USEC", "400000", 1);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	run_for(50);
	EXPECT(strcmp(told(), "") == 0); /* not before we are ready */

	begun = monotonic_us();
	daemon_ready(started, "up");
	EXPECT(strncmp(told(), "READY=1", 7) == 0);
	for (int i = 1; i <= 2; i++) {
		while (strcmp(told(), "WATCHDOG=1") != 0)
			tevent_loop_once(daemon_events(started));
		EXPECT(monotonic_us() - begun >= i * 200000);
		EXPECT(monotonic_us() - begun < i * 400000);
	}
	return 0;
}

START_TEST(test_watchdog_is_fed_at_half_its_interval)
{
	in_fork(watchdog);
}
END_TEST

static int watchdog_of_another(void)
{
	EXPECT(begin_managed() == 0);
	setenv("WATCHDOG_USEC", "10000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	daemon_ready(started, "up");
	told();
	run_for(30);
	EXPECT(strcmp(told(), "") == 0);
	return 0;
}

START_TEST(test_watchdog_of_another_process_is_not_ours)
{
	in_fork(watchdog_of_another);
}
END_TEST

static int unmanaged(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	EXPECT(!daemon_supervised(started));
	daemon_ready(started, "up");
	daemon_status(started, "still up");
	daemon_stopping(started);
	return 0;
}

START_TEST(test_nobody_need_listen)
{
	in_fork(unmanaged);
}
END_TEST

/* ---- signals ---- */

static char came[16]; /* a letter for each hook, in order */

static void note(char letter)
{
	came[strlen(came)] = letter;
}

static void on_terminate(void *data)
{
	(void)data;
	note('t');
}

static void on_hangup(void *data)
{
	(void)data;
	note('h');
}

static void on_offline(void *data)
{
	(void)data;
	note('1');
}

static void on_online(void *data)
{
	(void)data;
	note('2');
}

static void on_child(void *data)
{
	*(bool *)data = true;
	note('c');
}

static const struct daemon_hooks all_hooks = {
	.terminate = on_terminate,
	.hangup = on_hangup,
	.offline = on_offline,
	.online = on_online,
	.child = on_child,
};

static int hooks(void)
{
	static const struct {
		int number;
		const char *hook;
	} signals[] = { { SIGHUP, "h" },  { SIGUSR1, "1" }, { SIGUSR2, "2" },
		        { SIGTERM, "t" }, { SIGINT, "t" },  { SIGPIPE, "" } };
	bool data = false;

	EXPECT(daemon_start(NULL, &args, &all_hooks, &data, &started) == 0);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		memset(came, 0, sizeof(came));
		kill(getpid(), signals[i].number);
		EXPECT(strcmp(came, "") == 0); /* never outside the loop */
		run_for(5);
		EXPECT(strcmp(came, signals[i].hook) == 0);
	}

	memset(came, 0, sizeof(came));
	EXPECT(!data);
	if (fork() == 0)
		_exit(0);
	while (!data)
		tevent_loop_once(daemon_events(started));
	EXPECT(strcmp(came, "c") == 0);
	return 0;
}

START_TEST(test_each_signal_has_its_hook)
{
	in_fork(hooks);
}
END_TEST

static int harmless(void)
{
	static const int numbers[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE };

	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	for (int i = 0; i < 40; i++)
		kill(getpid(), numbers[i % 4]);
	run_for(5);
	talloc_free(started);
	for (int i = 0; i < 40; i++)
		kill(getpid(), numbers[i % 4]);
	return 0;
}

START_TEST(test_signals_without_hooks_are_harmless)
{
	in_fork(harmless);
}
END_TEST

/* A child that is forked, as by our helpers, and empties its mask at once. */
static int harmless_to_forks(void)
{
	sigset_t none;
	int ended;
	pid_t pid;

	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	pid = fork();
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		kill(getpid(), SIGHUP);
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		_exit(3);
	}
	EXPECT(waitpid(pid, &ended, 0) == pid);
	EXPECT(WIFEXITED(ended) && WEXITSTATUS(ended) == 3);
	return 0;
}

START_TEST(test_signals_are_harmless_to_forked_children)
{
	in_fork(harmless_to_forks);
}
END_TEST

static int harmless_when_start_fails(void)
{
	const struct daemon_args bad = { .name = "test", .logger = "paper" };

	EXPECT(daemon_start(NULL, &bad, NULL, NULL, &started) == -EINVAL);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGHUP);
	return 0;
}

START_TEST(test_signals_are_harmless_before_anything_else)
{
	in_fork(harmless_when_start_fails);
}
END_TEST

static int inherited_settings(void)
{
	sigset_t mask;
	int ended;

	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	signal(SIGCHLD, SIG_IGN);
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	EXPECT(!sigismember(&mask, SIGALRM));
	EXPECT(!sigismember(&mask, SIGCHLD)); /* without a hook it is nobody's */
	EXPECT(sigismember(&mask, SIGTERM));

	if (fork() == 0)
		_exit(5);
	EXPECT(wait(&ended) > 0 && WEXITSTATUS(ended) == 5);
	return 0;
}

START_TEST(test_inherited_signal_settings_do_not_stay)
{
	in_fork(inherited_settings);
}
END_TEST

/* ---- the loop ---- */

static int term_ends(void)
{
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	kill(getpid(), SIGTERM);
	EXPECT(daemon_run(started) == 0);
	talloc_free(started);
	return 0;
}

START_TEST(test_term_ends_without_a_hook)
{
	in_fork(term_ends);
}
END_TEST

static void stop_with_7(void *data)
{
	(void)data;
	daemon_stop(started, 7);
}

static int64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

static int waits(void)
{
	int64_t cpu, begun;

	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	timer_once(started, daemon_events(started), 200, stop_with_7, NULL);
	begun = monotonic_us();
	cpu = cpu_us();
	EXPECT(daemon_run(started) == 7);
	EXPECT(monotonic_us() - begun >= 200000);
	EXPECT(cpu_us() - cpu < 100000);
	return 0;
}

START_TEST(test_run_waits_without_spinning)
{
	in_fork(waits);
}
END_TEST

static void nap(void *data)
{
	const struct timespec ms = { .tv_nsec = *(int *)data * 1000000L };

	nanosleep(&ms, NULL);
}

static int latency(void)
{
	int short_ms = 10, long_ms = 70;
	int64_t longest_us = -1;
	uint64_t slow = 99;

	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	daemon_loop_latency(started, &longest_us, &slow);
	EXPECT(longest_us == 0 && slow == 0);

	/* Waiting is no work. */
	timer_once(started, daemon_events(started), 0, nap, &short_ms);
	run_for(400);
	run_for(1);
	daemon_loop_latency(started, &longest_us, &slow);
	EXPECT(longest_us >= 10000 && longest_us < 300000);

	timer_once(started, daemon_events(started), 0, nap, &long_ms);
	run_for(1);
	run_for(1);
	daemon_loop_latency(started, &longest_us, &slow);
	EXPECT(longest_us >= 70000);
	EXPECT(slow >= 1);
	EXPECT(metrics_cells[METRICS_TURNS_50MS] == slow);
	EXPECT(metrics_cells[METRICS_TURNS_10MS] > slow);
	return 0;
}

START_TEST(test_a_slow_iteration_is_counted)
{
	in_fork(latency);
}
END_TEST

/* ---- start ---- */

static int environment(void)
{
	setenv("_SSS_LOOPS", "YES", 1);
	unsetenv("SYSTEMD_BYPASS_USERDB");
	EXPECT(daemon_start(NULL, &args, NULL, NULL, &started) == 0);
	EXPECT(strcmp(getenv("_SSS_LOOPS"), "NO") == 0);
	EXPECT(strcmp(getenv("SYSTEMD_BYPASS_USERDB"), "1") == 0);
	return 0;
}

START_TEST(test_the_name_service_is_never_asked)
{
	in_fork(environment);
}
END_TEST

static int levels(void)
{
	struct daemon_args given = { .name = "test", .logger = "stderr", .debug_level = "6" };

	EXPECT(daemon_start(NULL, &given, NULL, NULL, &started) == 0);
	EXPECT(log_wants(LEVEL_DEBUG) && !log_wants(LEVEL_INNER));
	given.debug_level = "much";
	EXPECT(daemon_start(NULL, &given, NULL, NULL, &started) == -EINVAL);
	return 0;
}

START_TEST(test_the_debug_level_of_the_command_line_holds)
{
	in_fork(levels);
}
END_TEST

static bool core_limit_is(rlim_t bytes)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == bytes &&
	       limit.rlim_max == bytes;
}

static int no_core_dump(void)
{
	static const struct rlimit some = { 0, 4096 }, none = { 0, 0 };

	EXPECT(setrlimit(RLIMIT_CORE, &some) == 0);
	EXPECT(daemon_forbid_core_dump() == 0);
	EXPECT(core_limit_is(1) && prctl(PR_GET_DUMPABLE) == 0);

	/* LimitCORE=0, which only root may raise, is no reason to stay within others' reach. */
	EXPECT(setrlimit(RLIMIT_CORE, &none) == 0);
	EXPECT(geteuid() != 0 || setuid(65534) == 0);
	EXPECT(prctl(PR_SET_DUMPABLE, 1) == 0);
	EXPECT(daemon_forbid_core_dump() == 0);
	EXPECT(core_limit_is(0) && prctl(PR_GET_DUMPABLE) == 0);
	return 0;
}

START_TEST(test_no_core_dump_and_no_ptrace)
{
	in_fork(no_core_dump);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemon");
	TCase *notify = tcase_create("notify"), *signals = tcase_create("signals");
	TCase *loop = tcase_create("loop"), *start = tcase_create("start");
	SRunner *runner;
	int failed;

	tcase_add_test(notify, test_ready_is_told_once);
	tcase_add_test(notify, test_status_is_told_when_it_changes);
	tcase_add_test(notify, test_status_stays_one_line);
	tcase_add_test(notify, test_a_long_status_is_cut);
	tcase_add_test(notify, test_stopping_is_told_once);
	tcase_add_test(notify, test_watchdog_is_fed_at_half_its_interval);
	tcase_add_test(notify, test_watchdog_of_another_process_is_not_ours);
	tcase_add_test(notify, test_nobody_need_listen);
	suite_add_tcase(suite, notify);

	tcase_add_test(signals, test_each_signal_has_its_hook);
	tcase_add_test(signals, test_signals_without_hooks_are_harmless);
	tcase_add_test(signals, test_signals_are_harmless_to_forked_children);
	tcase_add_test(signals, test_signals_are_harmless_before_anything_else);
	tcase_add_test(signals, test_inherited_signal_settings_do_not_stay);
	suite_add_tcase(suite, signals);

	tcase_add_test(loop, test_term_ends_without_a_hook);
	tcase_add_test(loop, test_run_waits_without_spinning);
	tcase_add_test(loop, test_a_slow_iteration_is_counted);
	suite_add_tcase(suite, loop);

	tcase_add_test(start, test_the_name_service_is_never_asked);
	tcase_add_test(start, test_the_debug_level_of_the_command_line_holds);
	tcase_add_test(start, test_no_core_dump_and_no_ptrace);
	suite_add_tcase(suite, start);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
