/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The mapped file under readers who stand still between two instructions: no thread can be made to,
 * so the test takes their steps for them, and has to see the inside
 */
#include "clientlibs/core/mapped.c"

#include <check.h>
#include <stdlib.h>

#include "tests/unit/clientlibs/mcfile.h"
#include "tests/unit/clientlibs/responder.h"

static struct mcfile users;

static void set_up(void)
{
	responder_listen(1);
	ck_assert_int_eq(mkdir("mc", 0755), 0);
	users = mcfile_new(256);
	mcfile_save(&users, "mc/passwd");
}

static void clean_up(void)
{
	unlink("mc/passwd");
	rmdir("mc");
	mcfile_free(&users);
	responder_clean();
}

/* The current slot, which somebody has just entered. */
static struct slot *enter(void)
{
	const struct mapped *mapped = mapped_enter(MAPPED_PASSWD, mapped_now());

	ck_assert_ptr_nonnull(mapped);
	return (struct slot *)(void *)mapped;
}

START_TEST(test_who_leaves_late_takes_a_file_opened_meanwhile_and_no_more)
{
	struct file *file = &files[MAPPED_PASSWD];
	struct slot *slot = enter();

	/* Its file is replaced; its last reader is on the way out. */
	retire(file, slot);
	ck_assert_int_eq(__atomic_sub_fetch(&slot->users, 1, __ATOMIC_SEQ_CST), 0);
	ck_assert(!is_current(file, slot));

	/* One that had seen it as the current one comes, too late, and is faster. */
	__atomic_fetch_add(&slot->users, 1, __ATOMIC_SEQ_CST);
	leave(file, slot);
	ck_assert_int_eq(slot->users, UNUSED);
	ck_assert_ptr_eq(enter(), slot);
	leave(file, slot);
	ck_assert(is_current(file, slot));

	give_back(file, slot);
	ck_assert_int_eq(slot->users, UNUSED);
	leave(file, enter());
}
END_TEST

START_TEST(test_who_leaves_late_leaves_a_file_opened_meanwhile_to_its_readers)
{
	struct file *file = &files[MAPPED_PASSWD];
	struct slot *slot = enter();

	retire(file, slot);
	leave(file, slot);
	ck_assert_ptr_eq(enter(), slot);
	give_back(file, slot);
	ck_assert(is_current(file, slot));
	ck_assert_int_eq(memcmp(slot->mapped.bytes, slot->header, sizeof(slot->header)), 0);
	leave(file, slot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mapped");
	TCase *tcase = tcase_create("mapped");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, clean_up);
	tcase_add_test(tcase, test_who_leaves_late_takes_a_file_opened_meanwhile_and_no_more);
	tcase_add_test(tcase, test_who_leaves_late_leaves_a_file_opened_meanwhile_to_its_readers);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
