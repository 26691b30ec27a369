/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests of responders/core/confwatch.c. What it calls of tevent and inotify goes through functions
 * of ours: see meson.build.
 */
#include "responders/core/confwatch.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/event/timer.h"

static struct fixture {
	struct tevent_context *ev;
	struct confwatch *watch;
	char top[32], dir[48], nss[64], new[80], current[80];
	unsigned n_changed;
	bool late;
} f;

static bool no_event;

/* ld(1), --wrap */
typeof(_tevent_add_fd) __real__tevent_add_fd, __wrap__tevent_add_fd;
typeof(inotify_add_watch) __real_inotify_add_watch, __wrap_inotify_add_watch;

struct tevent_fd *__wrap__tevent_add_fd(struct tevent_context *ev, TALLOC_CTX *mem, int fd,
                                        uint16_t flags, tevent_fd_handler_t handler, void *data,
                                        const char *name, const char *location)
{
	return no_event ? NULL
	                : __real__tevent_add_fd(ev, mem, fd, flags, handler, data, name, location);
}

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0); /* nobody has closed it */
	return __real_inotify_add_watch(fd, path, mask);
}

static void note(void *data)
{
	(void)data;
	f.n_changed++;
}

static void setup(void)
{
	memset(&f, 0, sizeof(f));
	no_event = false;
	strcpy(f.top, "/tmp/test_confwatch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f.top));
	snprintf(f.dir, sizeof(f.dir), "%s/conf", f.top);
	snprintf(f.nss, sizeof(f.nss), "%s/nss", f.dir);
	snprintf(f.new, sizeof(f.new), "%s/new", f.nss);
	snprintf(f.current, sizeof(f.current), "%s/current", f.nss);
	f.ev = tevent_context_init(NULL);
	ck_assert_ptr_nonnull(f.ev);
	ck_assert_int_eq(timer_prepare(f.ev), 0);
}

static void teardown(void)
{
	talloc_free(f.ev);
	unlink(f.current);
	rmdir(f.nss);
	rmdir(f.dir);
	rmdir(f.top);
}

static void make_dirs(void)
{
	ck_assert_int_eq(mkdir(f.dir, 0700), 0);
	ck_assert_int_eq(mkdir(f.nss, 0700), 0);
}

static int begin(void)
{
	return confwatch_new(f.ev, f.ev, f.dir, "nss", note, NULL, &f.watch);
}

/* As sssd_conf does it. */
static void compile(void)
{
	int fd = open(f.new, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(rename(f.new, f.current), 0);
}

static void too_late(void *data)
{
	(void)data;
	f.late = true;
}

static void wait_for_change(void)
{
	struct timer *timer = timer_once(f.ev, f.ev, 5000, too_late, NULL);
	unsigned before = f.n_changed;

	while (f.n_changed == before && !f.late)
		ck_assert_int_eq(tevent_loop_once(f.ev), 0);
	ck_assert(!f.late);
	talloc_free(timer);
}

START_TEST(test_each_new_file_is_noticed)
{
	make_dirs();
	ck_assert_int_eq(begin(), 0);
	for (int i = 0; i < 3; i++) {
		compile();
		wait_for_change();
	}
}
END_TEST

START_TEST(test_directories_may_come_later)
{
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(mkdir(f.dir, 0700), 0);
	wait_for_change();
	ck_assert_int_eq(mkdir(f.nss, 0700), 0);
	wait_for_change();
	compile();
	wait_for_change();
}
END_TEST

START_TEST(test_directory_may_be_made_anew)
{
	make_dirs();
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(rmdir(f.nss), 0);
	wait_for_change();
	ck_assert_int_eq(mkdir(f.nss, 0700), 0);
	wait_for_change();
	compile();
	wait_for_change();
}
END_TEST

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

START_TEST(test_without_a_place_in_the_loop_nothing_is_kept_or_used)
{
	int before = lowest_free();

	make_dirs();
	no_event = true;
	ck_assert_int_eq(begin(), -ENOMEM);
	ck_assert_ptr_null(f.watch);
	ck_assert_int_eq(lowest_free(), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("confwatch");
	TCase *watch = tcase_create("confwatch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(watch, setup, teardown);
	tcase_set_timeout(watch, 30);
	tcase_add_test(watch, test_each_new_file_is_noticed);
	tcase_add_test(watch, test_directories_may_come_later);
	tcase_add_test(watch, test_directory_may_be_made_anew);
	tcase_add_test(watch, test_without_a_place_in_the_loop_nothing_is_kept_or_used);
	suite_add_tcase(suite, watch);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
