/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/dirs.h"

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

static char root[PATH_MAX];

static const char *below(const char *path)
{
	static char text[2 * PATH_MAX];

	snprintf(text, sizeof(text), "%s%s", root, path);
	return text;
}

/* A whole tree, all root's. */
static void make_tree(void)
{
	strcpy(root, "/tmp/test_tree_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	umask(0);
	for (const char *const *path =
	             (const char *const[]){ "/run", "/var", "/var/lib", "/var/log", NULL };
	     *path; path++)
		ck_assert_int_eq(mkdir(below(*path), 0755), 0);
	for (const struct dirs_item *item = dirs_items; item->path; item++)
		if (item->target) {
			ck_assert_int_eq(symlink(item->target, below(item->path)), 0);
		} else {
			ck_assert_int_eq(mkdir(below(item->path), 0755), 0);
			ck_assert_int_eq(chmod(below(item->path), item->mode), 0);
		}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_tree(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *wrong(void)
{
	const char *path = NULL;

	return dirs_are_whole(root, getuid(), getgid(), &path) ? NULL : path;
}

static void make_file(const char *path)
{
	FILE *file = fopen(below(path), "w");

	ck_assert_ptr_nonnull(file);
	fclose(file);
}

START_TEST(test_a_whole_tree_needs_nothing)
{
	ck_assert_ptr_null(wrong());
	make_file("/var/lib/sss/db/cache_A.mdb");
	ck_assert_ptr_null(wrong());
}
END_TEST

START_TEST(test_whatever_is_missing_is_named)
{
	const struct dirs_item *item = &dirs_items[_i];

	remove(below(item->path)); /* fails for one that holds others: another test's */
	if (access(below(item->path), F_OK) == 0 && !item->target)
		return;
	ck_assert_str_eq(wrong(), item->path);
}
END_TEST

START_TEST(test_a_wrong_mode_is_noticed)
{
	const struct dirs_item *item = &dirs_items[_i];

	if (item->target)
		return;
	ck_assert_int_eq(chmod(below(item->path), item->mode ^ 0001), 0);
	ck_assert_str_eq(wrong(), item->path);
}
END_TEST

START_TEST(test_a_link_to_elsewhere_or_a_directory_in_its_place_is_noticed)
{
	ck_assert_int_eq(unlink(below("/var/lib/sss/pipes")), 0);
	ck_assert_int_eq(symlink("/run/sss/pipes2", below("/var/lib/sss/pipes")), 0);
	ck_assert_str_eq(wrong(), "/var/lib/sss/pipes");
	ck_assert_int_eq(unlink(below("/var/lib/sss/pipes")), 0);
	ck_assert_int_eq(mkdir(below("/var/lib/sss/pipes"), 0755), 0);
	ck_assert_str_eq(wrong(), "/var/lib/sss/pipes");
}
END_TEST

START_TEST(test_a_file_of_somebody_else_is_noticed)
{
	make_file("/var/lib/sss/db/cache_A.mdb");
	ck_assert_int_eq(chown(below("/var/lib/sss/db/cache_A.mdb"), 1, 0), 0);
	ck_assert_str_eq(wrong(), "/var/lib/sss/db");
}
END_TEST

/* One list says it to systemd-tmpfiles(8), the other to us. */
START_TEST(test_it_is_the_list_of_tmpfiles)
{
	FILE *file = fopen(TMPFILES_CONF, "r");
	unsigned found = 0, items = 0;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		char type[8], path[128], mode[16], user[16], group[16], age[8], target[128];
		int n = sscanf(line, "%7s %127s %15s %15s %15s %7s %127s", type, path, mode, user,
		               group, age, target);
		const struct dirs_item *item = dirs_items;

		if (n < 5 || type[0] == '#')
			continue;
		while (item->path && strcmp(item->path, path) != 0)
			item++;
		ck_assert_msg(item->path != NULL, "%s is not in dirs_items", path);
		if (type[0] == 'L') {
			ck_assert_str_eq(item->target, target);
		} else if (strcmp(type, "Z") == 0) {
			ck_assert_msg(item->below, "%s", path);
		} else {
			ck_assert_uint_eq(item->mode, strtoul(mode, NULL, 8));
			ck_assert_msg(item->user == (strcmp(user, "sssd") == 0), "%s", path);
			ck_assert_msg(item->group == (strcmp(group, "sssd") == 0), "%s", path);
		}
		found += strcmp(type, "Z") != 0;
	}
	fclose(file);
	while (dirs_items[items].path)
		items++;
	ck_assert_uint_eq(found, items);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dirs");
	TCase *tree = tcase_create("tree");
	SRunner *runner = srunner_create(suite);
	int failed, items = 0;

	if (getuid() != 0) {
		puts("a tree of root's can only be made by root: skipped");
		return 77; /* meson's word for it */
	}
	while (dirs_items[items].path)
		items++;
	tcase_add_checked_fixture(tree, make_tree, remove_tree);
	tcase_add_test(tree, test_a_whole_tree_needs_nothing);
	tcase_add_loop_test(tree, test_whatever_is_missing_is_named, 0, items);
	tcase_add_loop_test(tree, test_a_wrong_mode_is_noticed, 0, items);
	tcase_add_test(tree, test_a_link_to_elsewhere_or_a_directory_in_its_place_is_noticed);
	tcase_add_test(tree, test_a_file_of_somebody_else_is_noticed);
	tcase_add_test(tree, test_it_is_the_list_of_tmpfiles);
	suite_add_tcase(suite, tree);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
