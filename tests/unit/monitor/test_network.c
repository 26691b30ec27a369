/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/network.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/event/pathwatch.h"
#include "common/event/timer.h"

/* ---- rtnetlink ---- */

#define LINK(changed, flags_) .link = { .ifi_change = changed, .ifi_flags = flags_ }
#define ROUTE(table, flags_)  .route = { .rtm_table = table, .rtm_flags = flags_ }

static const struct {
	uint16_t type;
	union {
		struct ifinfomsg link;
		struct rtmsg route;
	} body;
	bool change;
} messages[] = {
	{ RTM_NEWADDR, { { 0 } }, true },
	{ RTM_DELADDR, { { 0 } }, true },
	{ RTM_DELLINK, { { 0 } }, true },
	{ RTM_NEWLINK, { LINK(IFF_UP, IFF_UP) }, true },
	{ RTM_NEWLINK, { LINK(0, IFF_UP) }, false }, /* statistics of a wireless link */
	{ RTM_NEWLINK, { LINK(IFF_UP, IFF_UP | IFF_LOOPBACK) }, false },
	{ RTM_NEWROUTE, { ROUTE(RT_TABLE_MAIN, 0) }, true },
	{ RTM_DELROUTE, { ROUTE(RT_TABLE_MAIN, 0) }, true },
	{ RTM_NEWROUTE, { ROUTE(RT_TABLE_LOCAL, 0) }, false },
	{ RTM_NEWROUTE, { ROUTE(RT_TABLE_MAIN, RTM_F_CLONED) }, false },
	{ RTM_NEWNEIGH, { { 0 } }, false },
	{ NLMSG_NOOP, { { 0 } }, false },
};

static size_t build(char *bytes, size_t at, int i)
{
	struct nlmsghdr header = { .nlmsg_len = NLMSG_HDRLEN + sizeof(messages[i].body),
		                   .nlmsg_type = messages[i].type };

	memcpy(bytes + at, &header, sizeof(header));
	memcpy(bytes + at + sizeof(header), &messages[i].body, sizeof(messages[i].body));
	return at + NLMSG_ALIGN(header.nlmsg_len);
}

START_TEST(test_what_is_a_change)
{
	char bytes[256] = { 0 };
	size_t size = build(bytes, 0, _i);

	ck_assert(network_is_change(bytes, size) == messages[_i].change);
	/* And behind one that is none. */
	size = build(bytes, build(bytes, 0, 10), _i);
	ck_assert(network_is_change(bytes, size) == messages[_i].change);
}
END_TEST

START_TEST(test_message_cut_short_is_no_change)
{
	char bytes[256] = { 0 };
	size_t size = build(bytes, 0, _i);

	for (size_t cut = 0; cut < size; cut++) {
		char *copy = malloc(cut ? cut : 1);

		memcpy(copy, bytes, cut);
		ck_assert(!network_is_change(copy, cut));
		free(copy);
	}
}
END_TEST

START_TEST(test_message_that_lies_about_its_length)
{
	static const uint32_t lengths[] = { 0, 1, 15, 100, UINT32_MAX };
	char bytes[32] = { 0 };
	struct nlmsghdr header = { .nlmsg_len = lengths[_i], .nlmsg_type = RTM_NEWADDR };

	memcpy(bytes, &header, sizeof(header));
	ck_assert(!network_is_change(bytes, sizeof(bytes)));
}
END_TEST

/* ---- files ---- */

static char dir[64];
static struct tevent_context *ev;
static int changes;

static void changed(void *data)
{
	(void)data;
	changes++;
}

static void stop(void *data)
{
	*(bool *)data = true;
}

static void run_ms(int64_t ms)
{
	bool over = false;

	timer_once(ev, ev, ms, stop, &over);
	while (!over)
		tevent_loop_once(ev);
}

static const char *in_dir(const char *name)
{
	return talloc_asprintf(ev, "%s/%s", dir, name);
}

static void write_to(const char *name)
{
	FILE *file = fopen(in_dir(name), "w");

	fputs("nameserver 192.0.2.1\n", file);
	fclose(file);
}

static void set_up(void)
{
	strcpy(dir, "/tmp/network-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ev = tevent_context_init(NULL);
	changes = 0;
}

static void tear_down(void)
{
	static const char *const names[] = { "a/real",      "b/real", "a",   "b",
		                             "resolv.conf", "other",  "new", NULL };

	for (size_t i = 0; names[i]; i++)
		remove(in_dir(names[i]));
	rmdir(dir);
	talloc_free(ev);
}

static void watch(void)
{
	struct pathwatch *made;

	ck_assert_int_eq(pathwatch_new(ev, ev, in_dir("resolv.conf"), 100, changed, NULL, &made),
	                 0);
}

START_TEST(test_burst_is_one_change)
{
	write_to("resolv.conf");
	watch();
	for (int i = 0; i < 20; i++)
		write_to("resolv.conf");
	run_ms(50);
	ck_assert_int_eq(changes, 0);
	run_ms(200);
	ck_assert_int_eq(changes, 1);
	write_to("resolv.conf");
	run_ms(200);
	ck_assert_int_eq(changes, 2);
}
END_TEST

START_TEST(test_other_files_do_not_matter)
{
	write_to("resolv.conf");
	watch();
	write_to("other");
	run_ms(200);
	ck_assert_int_eq(changes, 0);
}
END_TEST

START_TEST(test_watch_that_rests)
{
	const char *elsewhere = talloc_asprintf(ev, "%s-renamed", dir);
	struct pathwatch *made;

	ck_assert_int_eq(pathwatch_new(ev, ev, in_dir("resolv.conf"), 10, changed, NULL, &made), 0);
	for (int i = 1; i <= 3; i++) {
		write_to("resolv.conf");
		run_ms(100);
		ck_assert_int_eq(changes, i);
		write_to("resolv.conf");
		pathwatch_rest(made); /* before that was told */
		write_to("resolv.conf");
		run_ms(100);
		ck_assert_int_eq(pathwatch_resume(made), 0);
		ck_assert_int_eq(pathwatch_resume(made), 0); /* it watches already */
		run_ms(100);
		ck_assert_int_eq(changes, i);
	}
	pathwatch_rest(made);
	rename(dir, elsewhere);
	ck_assert_int_eq(pathwatch_resume(made), -ENOENT);
	rename(elsewhere, dir);
	ck_assert_int_eq(pathwatch_resume(made), 0);
	write_to("resolv.conf");
	run_ms(100);
	ck_assert_int_eq(changes, 4);
}
END_TEST

START_TEST(test_file_appears_is_replaced_and_goes)
{
	watch();
	write_to("resolv.conf");
	run_ms(200);
	ck_assert_int_eq(changes, 1);
	write_to("new");
	rename(in_dir("new"), in_dir("resolv.conf"));
	run_ms(200);
	ck_assert_int_eq(changes, 2);
	unlink(in_dir("resolv.conf"));
	run_ms(200);
	ck_assert_int_eq(changes, 3);
}
END_TEST

START_TEST(test_symlink_and_its_target)
{
	mkdir(in_dir("a"), 0755);
	mkdir(in_dir("b"), 0755);
	write_to("a/real");
	write_to("b/real");
	ck_assert_int_eq(symlink("a/real", in_dir("resolv.conf")), 0);
	watch();

	write_to("a/real");
	run_ms(200);
	ck_assert_int_eq(changes, 1);
	write_to("b/real");
	run_ms(200);
	ck_assert_int_eq(changes, 1);

	unlink(in_dir("resolv.conf"));
	ck_assert_int_eq(symlink("b/real", in_dir("resolv.conf")), 0);
	run_ms(200);
	ck_assert_int_eq(changes, 2);
	write_to("b/real");
	run_ms(200);
	ck_assert_int_eq(changes, 3);
	write_to("a/real");
	run_ms(200);
	ck_assert_int_eq(changes, 3);
}
END_TEST

START_TEST(test_network_waits_a_second_after_resolv_conf)
{
	struct network_options options = { .resolv_conf = in_dir("resolv.conf"), .inotify = true };
	int64_t start_us;
	struct network *network;

	write_to("resolv.conf");
	network = network_new(ev, ev, &options, changed, NULL);
	ck_assert_ptr_nonnull(network);
	start_us = monotonic_us();
	write_to("resolv.conf");
	while (changes == 0 && monotonic_us() < start_us + 3000000)
		run_ms(20);
	ck_assert_int_eq(changes, 1);
	ck_assert_int_ge(monotonic_us() - start_us, 990000);
	ck_assert_int_le(monotonic_us() - start_us, 1500000);
}
END_TEST

/* ---- without inotify ---- */

static bool has_no_inotify;

int inotify_init1(int flags)
{
	if (!has_no_inotify)
		return (int)syscall(SYS_inotify_init1, flags);
	errno = EMFILE;
	return -1;
}

static void wait_for_change(int n)
{
	int64_t start_us = monotonic_us();

	while (changes < n && monotonic_us() < start_us + 5000000)
		run_ms(20);
	ck_assert_int_eq(changes, n);
}

/* It is not to be had, or not wanted; and then nothing but looking is left. */
START_TEST(test_resolv_conf_is_looked_at)
{
	struct network_options options = { .resolv_conf = in_dir("resolv.conf"),
		                           .inotify = _i == 0,
		                           .look_ms = 50 };

	has_no_inotify = true;
	write_to("b");
	ck_assert_ptr_nonnull(network_new(ev, ev, &options, changed, NULL));
	has_no_inotify = false;
	write_to("resolv.conf");
	wait_for_change(1);
	write_to("resolv.conf");
	wait_for_change(2);
	unlink(in_dir("resolv.conf"));
	ck_assert_int_eq(symlink("b", in_dir("resolv.conf")), 0);
	wait_for_change(3);
	write_to("b");
	wait_for_change(4);
	unlink(in_dir("b"));
	wait_for_change(5);
	run_ms(1200);
	ck_assert_int_eq(changes, 5);
}
END_TEST

/* ---- the clock ---- */

/* The timer of the wall clock, which no test may set, is a pipe; those of other clocks are real. */
static int clock_pipe[2] = { -1, -1 };
static int armed;

int timerfd_create(clockid_t clock, int flags)
{
	if (clock != CLOCK_REALTIME)
		return (int)syscall(SYS_timerfd_create, clock, flags);
	ck_assert_int_eq(pipe2(clock_pipe, O_NONBLOCK | O_CLOEXEC), 0);
	return clock_pipe[0];
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *ret_old)
{
	if (fd != clock_pipe[0])
		return (int)syscall(SYS_timerfd_settime, fd, flags, when, ret_old);
	ck_assert_int_eq(flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	ck_assert_int_ge(when->it_value.tv_sec, INT32_MAX);
	armed++;
	errno = ECANCELED;
	return -1;
}

START_TEST(test_step_of_the_clock_is_a_change)
{
	int64_t start_us = monotonic_us();
	struct network *network =
		network_new(ev, ev, &(struct network_options){ 0 }, changed, NULL);

	ck_assert_ptr_nonnull(network);
	ck_assert_int_eq(armed, 1);
	for (int i = 1; i <= 2; i++) {
		ck_assert_int_eq(write(clock_pipe[1], "12345678", 8), 8);
		while (changes < i && monotonic_us() < start_us + 5000000)
			run_ms(20);
		ck_assert_int_eq(changes, i);
		ck_assert_int_eq(armed, 1 + i);
	}
	run_ms(1200);
	ck_assert_int_eq(changes, 2);
	talloc_free(network);
	close(clock_pipe[1]);
}
END_TEST

START_TEST(test_netlink_can_be_watched)
{
	struct network_options options = { .netlink = true };

	ck_assert_ptr_nonnull(network_new(ev, ev, &options, changed, NULL));
	run_ms(20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("network");
	TCase *netlink = tcase_create("netlink");
	TCase *files = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed, n_messages = (int)(sizeof(messages) / sizeof(messages[0]));

	tcase_add_loop_test(netlink, test_what_is_a_change, 0, n_messages);
	tcase_add_loop_test(netlink, test_message_cut_short_is_no_change, 0, n_messages);
	tcase_add_loop_test(netlink, test_message_that_lies_about_its_length, 0, 5);
	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_set_timeout(files, 20);
	tcase_add_test(files, test_burst_is_one_change);
	tcase_add_test(files, test_other_files_do_not_matter);
	tcase_add_test(files, test_watch_that_rests);
	tcase_add_test(files, test_file_appears_is_replaced_and_goes);
	tcase_add_test(files, test_symlink_and_its_target);
	tcase_add_test(files, test_network_waits_a_second_after_resolv_conf);
	tcase_add_loop_test(files, test_resolv_conf_is_looked_at, 0, 2);
	tcase_add_test(files, test_step_of_the_clock_is_a_change);
	tcase_add_test(files, test_netlink_can_be_watched);
	suite_add_tcase(suite, netlink);
	suite_add_tcase(suite, files);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
