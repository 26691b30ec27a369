/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests of monitor/loss.c
 */
#include "monitor/loss.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/event/timer.h"

#define SETTLE_MS 20

static struct fixture {
	struct tevent_context *ev;
	char dir[64], db[80], nss[80];
	char lost[128];
	unsigned n_lost;
	bool late;
} f;

static void note(const char *path, void *data)
{
	(void)data;
	snprintf(f.lost, sizeof(f.lost), "%s", path);
	f.n_lost++;
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* A directory "db" and a file "nss", both watched. */
static void setup(void)
{
	struct loss *loss;

	memset(&f, 0, sizeof(f));
	strcpy(f.dir, "/tmp/test_loss-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f.dir));
	snprintf(f.db, sizeof(f.db), "%s/db", f.dir);
	snprintf(f.nss, sizeof(f.nss), "%s/nss", f.dir);
	ck_assert_int_eq(mkdir(f.db, 0700), 0);
	touch(f.nss);

	f.ev = tevent_context_init(NULL);
	ck_assert_ptr_nonnull(f.ev);
	ck_assert_int_eq(loss_new(f.ev, f.ev, (const char *[]){ f.db, f.nss, NULL }, SETTLE_MS,
	                          note, NULL, &loss),
	                 0);
}

static void teardown(void)
{
	talloc_free(f.ev);
	rmdir(f.db);
	unlink(f.nss);
	rmdir(f.dir);
}

static void too_late(void *data)
{
	(void)data;
	f.late = true;
}

static void wait_for_losses(unsigned n)
{
	struct timer *deadline = timer_once(f.ev, f.ev, 20000, too_late, NULL);

	ck_assert_ptr_nonnull(deadline);
	while (f.n_lost < n && !f.late)
		ck_assert_int_eq(tevent_loop_once(f.ev), 0);
	talloc_free(deadline);
	ck_assert_uint_eq(f.n_lost, n);
}

static struct loss *watch(const char *path)
{
	struct loss *loss;

	ck_assert_int_eq(loss_new(f.ev, f.ev, (const char *[]){ path, NULL }, SETTLE_MS, note, NULL,
	                          &loss),
	                 0);
	return loss;
}

START_TEST(test_removed_directory_is_told)
{
	ck_assert_int_eq(rmdir(f.db), 0);
	wait_for_losses(1);
	ck_assert_str_eq(f.lost, f.db);
}
END_TEST

START_TEST(test_replaced_directory_is_told)
{
	char other[100];

	snprintf(other, sizeof(other), "%s.old", f.db);
	ck_assert_int_eq(rename(f.db, other), 0);
	ck_assert_int_eq(mkdir(f.db, 0700), 0);
	wait_for_losses(1);
	ck_assert_str_eq(f.lost, f.db);
	rmdir(other);
}
END_TEST

START_TEST(test_removed_file_is_told)
{
	ck_assert_int_eq(unlink(f.nss), 0);
	wait_for_losses(1);
	ck_assert_str_eq(f.lost, f.nss);
}
END_TEST

/* What happened to the file was looked at before what happened to the directory later. */
START_TEST(test_replaced_file_is_no_loss)
{
	char other[100];

	snprintf(other, sizeof(other), "%s.new", f.nss);
	touch(other);
	ck_assert_int_eq(rename(other, f.nss), 0);
	ck_assert_int_eq(rmdir(f.db), 0);
	wait_for_losses(1);
	ck_assert_str_eq(f.lost, f.db);
}
END_TEST

START_TEST(test_what_was_never_there_is_missed_only_after_it_came)
{
	char late[100];

	snprintf(late, sizeof(late), "%s/late", f.dir);
	watch(late);
	touch(late);
	ck_assert_int_eq(unlink(f.nss), 0); /* seen after the file came */
	wait_for_losses(1);
	ck_assert_str_eq(f.lost, f.nss);
	ck_assert_int_eq(unlink(late), 0);
	wait_for_losses(2);
	ck_assert_str_eq(f.lost, late);
}
END_TEST

START_TEST(test_two_losses_are_told_once)
{
	char marker[100];

	snprintf(marker, sizeof(marker), "%s/marker", f.dir);
	touch(marker);
	watch(marker);
	ck_assert_int_eq(rmdir(f.db), 0);
	ck_assert_int_eq(unlink(f.nss), 0);
	ck_assert_int_eq(unlink(marker), 0);
	wait_for_losses(2);
	ck_assert_str_eq(f.lost, marker);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loss");
	TCase *tcase = tcase_create("loss");
	SRunner *runner = srunner_create(suite);
	int n_failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_removed_directory_is_told);
	tcase_add_test(tcase, test_replaced_directory_is_told);
	tcase_add_test(tcase, test_removed_file_is_told);
	tcase_add_test(tcase, test_replaced_file_is_no_loss);
	tcase_add_test(tcase, test_what_was_never_there_is_missed_only_after_it_came);
	tcase_add_test(tcase, test_two_losses_are_told_once);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
