/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The real sssd over stubs of its children, in a directory of its own
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/sbus/iface_monitor.h"

static char dir[64];
static TALLOC_CTX *mem;
static pid_t monitor;

/* Waits for condition, at most ten seconds. */
#define until(condition)                                                \
	__extension__({                                                 \
		int64_t end_us = monotonic_us() + 10000000;             \
		bool met;                                               \
		while (!(met = (condition)) && monotonic_us() < end_us) \
			usleep(10000);                                  \
		met;                                                    \
	})

static const char *path(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *path(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = talloc_vasprintf(mem, format, args);
	va_end(args);
	return talloc_asprintf(mem, "%s/%s", dir, text);
}

static const char *content(const char *file)
{
	char *text;
	size_t size;

	return fd_read_file(mem, file, 1 << 20, &text, &size) == 0 ? text : "";
}

static const char *log_of(const char *domain)
{
	return content(path("run/stub-%s.log", domain));
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	while ((text = strstr(text, word)) != NULL) {
		text += strlen(word);
		n++;
	}
	return n;
}

/* The pid in the last "started" line; 0 when there is none. */
static pid_t pid_of(const char *domain)
{
	const char *at = log_of(domain), *last = NULL;

	for (; (at = strstr(at, "started ")) != NULL; at++)
		last = at;
	return last ? (pid_t)atoi(last + strlen("started ")) : 0;
}

static bool alive(pid_t pid)
{
	return pid > 0 && kill(pid, 0) == 0;
}

/* ---- a tree, and a monitor in it ---- */

static void write_conf(unsigned generation, const char *domains, const char *services)
{
	const char *text =
		talloc_asprintf(mem,
	                        "[compiled]\nformat = 1\nprocess = sssd\ngeneration = %u\n"
	                        "domains = %s\nservices = %s\n\n[sssd]\ndisable_netlink = true\n",
	                        generation, domains, services);

	ck_assert_int_eq(fd_write_file(path("conf/sssd/current"), text, strlen(text), 0644), 0);
}

static void remove_all(const char *name)
{
	DIR *folder = opendir(name);
	struct dirent *item;

	while (folder && (item = readdir(folder)) != NULL)
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
			remove_all(talloc_asprintf(mem, "%s/%s", name, item->d_name));
	if (folder)
		closedir(folder);
	remove(name);
}

/* Only a test that failed leaves any of these; check(3) ends it by exit(3), without tear_down(). */
static void kill_what_is_left(void)
{
	pid_t daemon = (pid_t)atoi(content(path("run/sssd.pid")));

	if (daemon > 0)
		kill(daemon, SIGKILL);
	if (monitor > 0) {
		kill(monitor, SIGKILL);
		waitpid(monitor, NULL, 0);
	}
	for (const char *const *domain =
	             (const char *const[]){ "A", "B", "CRASH", "DEAF", "SILENT", "SLOW", NULL };
	     *domain; domain++)
		if (alive(pid_of(*domain)))
			kill(pid_of(*domain), SIGKILL);
	remove_all(dir);
}

static void tear_down(void)
{
	kill_what_is_left();
	talloc_free(mem);
	mem = NULL;
}

static void clean_up_at_exit(void)
{
	if (mem)
		tear_down();
}

static void set_up(void)
{
	strcpy(dir, "/tmp/monitor-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	mem = talloc_new(NULL);
	chmod(dir, 0755);
	mkdir(path("conf"), 0755);
	mkdir(path("conf/sssd"), 0755);
	mkdir(path("run"), 0755);
	mkdir(path("pipes"), 0755);
	mkdir(path("libexec"), 0755);
	ck_assert_int_eq(symlink(BUILD_ROOT "/tests/fake/backend_stub", path("libexec/sssd_be")),
	                 0);
	ck_assert_int_eq(symlink(BUILD_ROOT "/tests/fake/responder_stub", path("libexec/sssd_nss")),
	                 0);
	ck_assert_int_eq(symlink("/bin/true", path("libexec/sssd_conf")), 0);
	/* Whatever the monitor leaves behind becomes ours, and so can be found. */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ck_assert_int_eq(atexit(clean_up_at_exit), 0);
	monitor = 0;
}

static pid_t spawn(const char *option)
{
	const char *run = path("run"), *pipes = path("pipes"), *conf = path("conf"),
		   *libexec = path("libexec"), *mc = path("mc");
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (!getenv("TEST_LOUD"))
			dup2(null, STDERR_FILENO);
		execl(BUILD_ROOT "/monitor/sssd", "sssd", option, "--run-dir", run, "--pipes-dir",
		      pipes, "--conf-dir", conf, "--libexec", libexec, "--mc-dir", mc,
		      "--logger=stderr", NULL);
		_exit(127);
	}
	return pid;
}

static void start(const char *domains, const char *services)
{
	write_conf(1, domains, services);
	monitor = spawn("-i");
	ck_assert(until(access(path("run/sbus-monitor"), F_OK) == 0));
}

/* Waits for the end of pid, at most ten seconds; its status, or -1. */
static int status_of(pid_t pid)
{
	int status = -1;

	return until(waitpid(pid, &status, WNOHANG) == pid) ? status : -1;
}

static int stop(void)
{
	pid_t pid = monitor;

	monitor = 0;
	kill(pid, SIGTERM);
	return status_of(pid);
}

/* No child is left, neither ours nor adopted. */
static bool no_children(void)
{
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* ---- the bus, asked as sssctl does ---- */

struct asked {
	struct tevent_context *ev;
	struct sbus_conn *conn;
};

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	(void)client;
	((struct asked *)data)->conn = conn;
}

static struct asked *ask(void)
{
	struct asked *asked = talloc_zero(mem, struct asked);
	struct sbus_client *client;

	asked->ev = tevent_context_init(asked);
	ck_assert_int_eq(sbus_client_new(asked, asked->ev, path("run/sbus-monitor"), false,
	                                 connected, asked, &client),
	                 0);
	while (!asked->conn)
		tevent_loop_once(asked->ev);
	return asked;
}

static const char *services_text(void)
{
	struct asked *asked = ask();
	struct tevent_req *req = monitor_list_services_send(asked, asked->ev, asked->conn, 5000);
	struct monitor_list_services_out out;
	char *text = talloc_strdup(mem, "");

	ck_assert(tevent_req_poll(req, asked->ev));
	ck_assert_int_eq(monitor_list_services_recv(req, mem, &out), 0);
	for (; *out.lines; out.lines++)
		text = talloc_asprintf_append(text, "%s\n", *out.lines);
	talloc_free(asked);
	return text;
}

static int reload(uint64_t *ret_generation)
{
	struct asked *asked = ask();
	struct tevent_req *req = monitor_reload_send(asked, asked->ev, asked->conn, 20000);
	struct monitor_reload_out out = { 0 };
	int r;

	ck_assert(tevent_req_poll(req, asked->ev));
	r = monitor_reload_recv(req, mem, &out);
	*ret_generation = out.generation;
	talloc_free(asked);
	return r;
}

/* ---- tests ---- */

START_TEST(test_each_domain_has_a_backend_and_none_is_left_behind)
{
	start("A, B", "");
	ck_assert(until(strstr(log_of("A"), "registered 1 1") &&
	                strstr(log_of("B"), "registered 1 1")));
	ck_assert(until(count(services_text(), "online since 2026-11-21 10:20:55 (stub)") == 2));
	ck_assert_ptr_nonnull(strstr(services_text(), "%BE_A 1 "));
	ck_assert_int_eq(atoi(content(path("run/sssd.pid"))), monitor);

	ck_assert_int_eq(stop(), 0);
	ck_assert(until(no_children()));
	ck_assert(!alive(pid_of("A")) && !alive(pid_of("B")));
	ck_assert_int_eq(access(path("run/sssd.pid"), F_OK), -1);
	ck_assert_int_eq(access(path("run/sbus-monitor"), F_OK), -1);
	ck_assert_int_eq(access(path("pipes/nss"), F_OK), -1);
}
END_TEST

START_TEST(test_killed_backend_comes_back)
{
	start("A", "");
	for (int life = 1; life <= 3; life++) {
		ck_assert(until(count(log_of("A"), "registered") == (unsigned)life));
		kill(pid_of("A"), SIGKILL);
	}
	ck_assert(until(strstr(log_of("A"), "registered 1 4")));
	/* kill -9 damages nothing. */
	ck_assert_ptr_null(strstr(log_of("A"), "suspect"));
	ck_assert_int_eq(stop(), 0);
}
END_TEST

START_TEST(test_two_crashes_make_the_cache_suspect)
{
	start("CRASH, A", "");
	ck_assert(until(count(log_of("CRASH"), "suspect") >= 1));
	ck_assert_uint_eq(count(log_of("CRASH"), "started"), 3);
	ck_assert_uint_eq(count(log_of("A"), "started"), 1);
	ck_assert_int_eq(stop(), 0);
	ck_assert(until(no_children()));
}
END_TEST

START_TEST(test_deaf_backend_is_killed_at_the_end)
{
	int64_t start_us;

	start("DEAF", "");
	ck_assert(until(strstr(log_of("DEAF"), "registered")));
	start_us = monotonic_us();
	ck_assert_int_eq(stop(), 0);
	ck_assert_int_ge(monotonic_us() - start_us, 4900000);
	ck_assert_ptr_nonnull(strstr(log_of("DEAF"), "drain"));
	ck_assert(until(no_children()));
}
END_TEST

START_TEST(test_second_monitor_says_it_is_running)
{
	start("A", "");
	ck_assert(until(atoi(content(path("run/sssd.pid"))) == monitor));
	ck_assert_int_eq(status_of(spawn("-i")), W_EXITCODE(6, 0));
	ck_assert_int_eq(status_of(spawn("-D")), W_EXITCODE(6, 0));
	ck_assert(alive(monitor));
	ck_assert_int_eq(atoi(content(path("run/sssd.pid"))), monitor);
	ck_assert_int_eq(stop(), 0);
}
END_TEST

static int connect_nss(void)
{
	int fd = -1;

	ck_assert_int_eq(fd_connect_unix(path("pipes/nss"), &fd), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	return fd;
}

/* The other one begins while this one is not ready by far: its sockets are not taken from it. */
START_TEST(test_two_that_start_at_once_are_one_that_answers)
{
	static const char slow[] = "#!/bin/sh\necho >>\"$3/../began\"\nsleep 0.5\n";
	pid_t second;

	write_conf(1, "A", "");
	unlink(path("libexec/sssd_conf"));
	ck_assert_int_eq(fd_write_file(path("libexec/sssd_conf"), slow, strlen(slow), 0755), 0);
	monitor = spawn("-i");
	ck_assert(until(strlen(content(path("began"))) == 1));
	second = spawn(_i == 0 ? "-i" : "-D");
	ck_assert_int_eq(status_of(second), W_EXITCODE(6, 0));

	ck_assert(until(strstr(log_of("A"), "registered 1 1")));
	ck_assert_uint_eq(strlen(content(path("began"))), 1);
	ck_assert_int_eq(atoi(content(path("run/sssd.pid"))), monitor);
	close(connect_nss());
	ck_assert_int_eq(stop(), 0);
}
END_TEST

/* As somebody who has removed the lock's file can do. */
START_TEST(test_only_our_own_socket_is_removed_at_the_end)
{
	start("A", "");
	ck_assert_int_eq(unlink(path("pipes/nss")), 0);
	ck_assert_int_eq(fd_write_file(path("pipes/nss"), "", 0, 0644), 0);
	ck_assert_int_eq(stop(), 0);
	ck_assert_int_eq(access(path("pipes/nss"), F_OK), 0);
}
END_TEST

START_TEST(test_killed_monitor_leaves_lookups_alone_and_comes_back)
{
	pid_t backend;

	start("A", "");
	ck_assert(until(strstr(log_of("A"), "registered 1 1")));
	backend = pid_of("A");
	kill(monitor, SIGKILL);
	ck_assert_int_eq(status_of(monitor), SIGKILL);
	ck_assert(alive(backend));

	/* Its successor finds the backend alive and does not end it. */
	monitor = spawn("-i");
	ck_assert(until(count(services_text(), "%BE_A 1 ") >= 1));
	ck_assert(until(strstr(services_text(), talloc_asprintf(mem, " %d ", (int)backend))));
	ck_assert_int_eq(stop(), 0);
	ck_assert(until(!alive(backend) || waitpid(backend, NULL, WNOHANG) == backend));
}
END_TEST

/* As any user can, who has waited for that on a file that he may read. */
START_TEST(test_a_readers_lock_on_what_a_crash_left_is_no_monitor)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct stat st;
	int status;
	pid_t reader;

	start("A", "");
	ck_assert(until(strstr(log_of("A"), "registered 1 1")));
	kill(monitor, SIGKILL);
	ck_assert_int_eq(status_of(monitor), SIGKILL);
	reader = fork();
	if (reader == 0) {
		status = open(path("run/sssd.pid"), O_RDONLY);
		if (fcntl(status, F_SETLK, &lock) == 0 && creat(path("run/locked"), 0600) >= 0)
			pause();
		_exit(1);
	}
	ck_assert(until(access(path("run/locked"), F_OK) == 0));

	monitor = spawn("-i");
	ck_assert(until(atoi(content(path("run/sssd.pid"))) == monitor));
	ck_assert_int_eq(stat(path("run/sssd.pid"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(status_of(spawn("-i")), W_EXITCODE(6, 0));
	kill(reader, SIGKILL);
	ck_assert_int_eq(waitpid(reader, &status, 0), reader);
	ck_assert_int_eq(stop(), 0);
}
END_TEST

START_TEST(test_no_domain_is_no_start)
{
	write_conf(1, "", "");
	ck_assert_int_eq(status_of(spawn("-i")), W_EXITCODE(1, 0));
	ck_assert_int_eq(access(path("run/sssd.pid"), F_OK), -1);
}
END_TEST

START_TEST(test_no_configuration_is_no_start)
{
	ck_assert_int_eq(status_of(spawn("-i")), W_EXITCODE(3, 0));
}
END_TEST

START_TEST(test_refused_configuration_keeps_its_status)
{
	write_conf(1, "A", "");
	unlink(path("libexec/sssd_conf"));
	ck_assert_int_eq(symlink("/bin/false", path("libexec/sssd_conf")), 0);
	ck_assert_int_eq(status_of(spawn("-i")), W_EXITCODE(1, 0));
	ck_assert_int_eq(status_of(spawn("-g")), W_EXITCODE(1, 0));
}
END_TEST

START_TEST(test_daemon_returns_when_it_is_ready)
{
	int64_t start_us = monotonic_us();

	write_conf(1, "A", "");
	ck_assert_int_eq(status_of(spawn("-D")), 0);
	/* The monitor does not wait longer than this; a busy machine may need it. */
	if (monotonic_us() - start_us < 1900000)
		ck_assert_ptr_nonnull(strstr(log_of("A"), "registered"));
	ck_assert(until(strstr(log_of("A"), "registered")));
	monitor = (pid_t)atoi(content(path("run/sssd.pid")));
	ck_assert(alive(monitor));
	ck_assert_int_eq(stop(), 0);
	ck_assert(until(no_children()));
}
END_TEST

START_TEST(test_backend_that_hangs_does_not_hold_up_the_start)
{
	int64_t start_us = monotonic_us();

	write_conf(1, "SILENT", "");
	ck_assert_int_eq(status_of(spawn("-D")), 0);
	ck_assert_int_ge(monotonic_us() - start_us, 1900000);
	ck_assert_int_le(monotonic_us() - start_us, 10000000);
	monitor = (pid_t)atoi(content(path("run/sssd.pid")));
	ck_assert_int_eq(stop(), 0);
}
END_TEST

START_TEST(test_reload_starts_and_ends_backends)
{
	uint64_t generation;

	start("A", "");
	ck_assert(until(strstr(log_of("A"), "registered 1 1")));
	write_conf(2, "A, B", "");
	ck_assert_int_eq(reload(&generation), 0);
	ck_assert_uint_eq(generation, 2);
	/* When it answers, the new one is there and everybody was told. */
	ck_assert_ptr_nonnull(strstr(log_of("B"), "registered 2 1"));
	ck_assert_ptr_nonnull(strstr(log_of("A"), "config_changed 2"));

	write_conf(3, "B", "");
	ck_assert_int_eq(reload(&generation), 0);
	ck_assert(until(no_children() || waitpid(-1, NULL, WNOHANG) == 0));
	ck_assert(until(!strstr(services_text(), "%BE_A ")));
	ck_assert_uint_eq(count(log_of("A"), "started"), 1);

	/* A file that cannot be read changes nothing. */
	ck_assert_int_eq(fd_write_file(path("conf/sssd/current"), "nonsense", 8, 0644), 0);
	ck_assert_int_lt(reload(&generation), 0);
	ck_assert_ptr_nonnull(strstr(services_text(), "%BE_B "));
	ck_assert_int_eq(stop(), 0);
}
END_TEST

/* What others ask it from then on is answered by its successor. */
START_TEST(test_backend_may_take_all_its_time_to_end)
{
	const char *services;
	uint64_t generation;
	unsigned n_starts;

	start("A, SLOW", "");
	ck_assert(until(strstr(log_of("SLOW"), "registered 1 1")));
	write_conf(2, "A, SLOW", "");
	ck_assert_int_eq(reload(&generation), 0);
	services = strstr(services_text(), "%BE_SLOW ");
	ck_assert_ptr_nonnull(services);
	ck_assert_int_eq(sscanf(services, "%%BE_SLOW 1 %*d %u ", &n_starts), 1);
	ck_assert_uint_eq(n_starts, 2);
	ck_assert_int_eq(stop(), 0);
	ck_assert_uint_eq(count(log_of("SLOW"), "ended in order"), 2);
}
END_TEST

START_TEST(test_compiled_file_is_noticed_without_being_told)
{
	start("A", "");
	ck_assert(until(strstr(log_of("A"), "registered 1 1")));
	write_conf(2, "A", "");
	ck_assert(until(strstr(log_of("A"), "config_changed 2")));
	ck_assert_int_eq(stop(), 0);
}
END_TEST

START_TEST(test_signals_are_passed_on)
{
	start("A", "");
	ck_assert(until(strstr(log_of("A"), "registered 1 1")));
	kill(monitor, SIGUSR1);
	ck_assert(until(strstr(log_of("A"), "go_offline")));
	kill(monitor, SIGUSR2);
	ck_assert(until(strstr(log_of("A"), "reset_offline")));
	kill(monitor, SIGHUP);
	ck_assert(until(strstr(log_of("A"), "rotate_logs")));
	ck_assert_int_eq(stop(), 0);
}
END_TEST

/* ---- sockets ---- */

/* Asks the responder for its pid, and tells it how to go on. */
static pid_t nss_pid(char then)
{
	char text[16] = "";
	int fd = connect_nss();

	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_int_eq(write(fd, &then, 1), 1);
	close(fd);
	return (pid_t)atoi(text);
}

START_TEST(test_first_connection_starts_the_responder)
{
	struct stat info;
	pid_t first, second;

	start("A", "");
	ck_assert_int_eq(stat(path("pipes/nss"), &info), 0);
	ck_assert_uint_eq(info.st_mode & 0777, 0666);

	first = nss_pid('.');
	ck_assert_int_eq(nss_pid('x'), first); /* the same one answers, then exits */
	ck_assert(until(!alive(first)));
	second = nss_pid('a'); /* and is started again, and crashes */
	ck_assert_int_ne(second, first);
	ck_assert(until(!alive(second)));
	ck_assert_int_ne(nss_pid('.'), second); /* comes back after the back-off */
	ck_assert_int_eq(stop(), 0);
	ck_assert(until(no_children()));
	ck_assert_int_eq(access(path("pipes/nss"), F_OK), -1);
}
END_TEST

START_TEST(test_named_service_runs_at_once)
{
	pid_t first;
	char task[64];

	start("A", "nss");
	/* Without any connection: it is a child of the monitor. */
	snprintf(task, sizeof(task), "/proc/%d/task/%d/children", (int)monitor, (int)monitor);
	ck_assert(until(count(content(task), " ") == 2)); /* each pid is followed by one */
	first = nss_pid('x');
	ck_assert(until(!alive(first)));
	ck_assert_int_ne(nss_pid('.'), first);
	ck_assert_int_eq(stop(), 0);
}
END_TEST

START_TEST(test_killed_monitors_responder_is_replaced)
{
	pid_t orphan, killed;

	if (access("/run/systemd/system", F_OK) == 0)
		return; /* whoever listens there stays then */
	start("A", "");
	orphan = nss_pid('.');
	killed = monitor;
	kill(killed, SIGKILL);
	ck_assert_int_eq(status_of(killed), SIGKILL);
	ck_assert_int_eq(nss_pid('.'), orphan); /* lookups go on */

	monitor = spawn("-i");
	ck_assert(until(nss_pid('.') != orphan));
	ck_assert_int_eq(stop(), 0);
	kill(orphan, SIGKILL);
	ck_assert_int_eq(status_of(orphan), SIGKILL);
}
END_TEST

/* ---- the command line ---- */

static int exit_status_of(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDERR_FILENO);
		dup2(null, STDOUT_FILENO);
		execv(BUILD_ROOT "/monitor/sssd", (char *const *)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const struct {
	const char *argv[6];
	int status;
} lines[] = {
	{ { "sssd", "--version" }, 0 },
	{ { "sssd", "--help" }, 0 },
	{ { "sssd", "-?" }, 0 },
	{ { "sssd", "-i", "-D" }, 1 },
	{ { "sssd", "-g", "-i" }, 1 },
	{ { "sssd", "--nonsense" }, 1 },
	{ { "sssd", "-Z" }, 1 },
	{ { "sssd", "surplus" }, 1 },
	{ { "sssd", "-d" }, 1 },
	{ { "sssd", "-i", "-d", "loud" }, 1 },
	{ { "sssd", "-i", "--logger=paper" }, 1 },
	{ { "sssd", "-i", "--debug-timestamps=0" }, 1 },
};

START_TEST(test_command_line)
{
	ck_assert_int_eq(exit_status_of(lines[_i].argv), lines[_i].status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("monitor");
	TCase *life = tcase_create("life");
	SRunner *runner = srunner_create(suite);
	int failed;

	unsetenv("NOTIFY_SOCKET");
	tcase_set_timeout(life, 40);
	tcase_add_checked_fixture(life, set_up, tear_down);
	tcase_add_test(life, test_each_domain_has_a_backend_and_none_is_left_behind);
	tcase_add_test(life, test_killed_backend_comes_back);
	tcase_add_test(life, test_two_crashes_make_the_cache_suspect);
	tcase_add_test(life, test_deaf_backend_is_killed_at_the_end);
	tcase_add_test(life, test_second_monitor_says_it_is_running);
	tcase_add_loop_test(life, test_two_that_start_at_once_are_one_that_answers, 0, 2);
	tcase_add_test(life, test_only_our_own_socket_is_removed_at_the_end);
	tcase_add_test(life, test_killed_monitor_leaves_lookups_alone_and_comes_back);
	tcase_add_test(life, test_a_readers_lock_on_what_a_crash_left_is_no_monitor);
	tcase_add_test(life, test_no_domain_is_no_start);
	tcase_add_test(life, test_no_configuration_is_no_start);
	tcase_add_test(life, test_refused_configuration_keeps_its_status);
	tcase_add_test(life, test_daemon_returns_when_it_is_ready);
	tcase_add_test(life, test_backend_that_hangs_does_not_hold_up_the_start);
	tcase_add_test(life, test_reload_starts_and_ends_backends);
	tcase_add_test(life, test_backend_may_take_all_its_time_to_end);
	tcase_add_test(life, test_compiled_file_is_noticed_without_being_told);
	tcase_add_test(life, test_signals_are_passed_on);
	tcase_add_test(life, test_first_connection_starts_the_responder);
	tcase_add_test(life, test_named_service_runs_at_once);
	tcase_add_test(life, test_killed_monitors_responder_is_replaced);
	tcase_add_loop_test(life, test_command_line, 0, (int)(sizeof(lines) / sizeof(lines[0])));
	suite_add_tcase(suite, life);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
