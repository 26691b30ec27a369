/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/conf/files.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/conf/ini.h"

static TALLOC_CTX *mem;
static char dir[] = "/tmp/test_files_XXXXXX";
static struct conf_paths paths;
static struct conf_files *files;
static struct conf *conf;

static const char *below(const char *name)
{
	return talloc_asprintf(mem, "%s/%s", dir, name);
}

static void put_mode(const char *name, const char *text, mode_t mode)
{
	ck_assert_int_eq(fd_write_file(below(name), text, strlen(text), mode), 0);
}

static void put(const char *name, const char *text)
{
	put_mode(name, text, 0600);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	return ftw->level > 0 ? remove(path) : 0;
}

/* Whoever runs the tests is the service account: its files are taken. */
static void setup(void)
{
	mem = talloc_new(NULL);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	ck_assert_int_eq(mkdir(below("conf.d"), 0700), 0);
	paths = (struct conf_paths){ below("sssd.conf"), below("vendor.conf"), below("conf.d"),
		                     getuid(), getgid() };
	files = NULL;
	conf = NULL;
}

static void teardown(void)
{
	TALLOC_FREE(mem);
}

static int read_all(void)
{
	return conf_files_read(mem, &paths, &files, &conf);
}

static const char *get(const char *name)
{
	const struct conf_value *value = conf_get(conf, "a", name);

	return value ? value->text : NULL;
}

START_TEST(test_main_file_alone)
{
	put("sssd.conf", "[a]\nk = main\n");
	ck_assert_int_eq(read_all(), 0);
	ck_assert_pstr_eq(get("k"), "main");
	ck_assert_str_eq(conf_get(conf, "a", "k")->file, paths.main);
	ck_assert_int_eq(files->main.state, CONF_FILE_USED);
	ck_assert_uint_eq(files->main.size, 13);
	ck_assert_uint_eq(files->n_files, 0);
}
END_TEST

START_TEST(test_vendor_file_only_without_a_main_file)
{
	put("vendor.conf", "[a]\nk = vendor\nv = vendor\n");
	put("conf.d/x.conf", "[a]\nk = x\n");
	ck_assert_int_eq(read_all(), 0);
	ck_assert_pstr_eq(get("k"), "x");
	ck_assert_pstr_eq(get("v"), "vendor");
	ck_assert_str_eq(files->main.path, paths.vendor);

	put("sssd.conf", "[a]\nm = main\n");
	ck_assert_int_eq(read_all(), 0);
	ck_assert_pstr_eq(get("v"), NULL);
	ck_assert_pstr_eq(get("m"), "main");
}
END_TEST

START_TEST(test_snippets_are_enough)
{
	put("conf.d/x.conf", "[a]\nk = x\n");
	ck_assert_int_eq(read_all(), 0);
	ck_assert_pstr_eq(get("k"), "x");
	ck_assert_int_eq(files->main.state, CONF_FILE_MISSING);
}
END_TEST

START_TEST(test_snippets_in_order_of_bytes)
{
	put("sssd.conf", "[a]\nk = main\n");
	put("conf.d/10_b.conf", "[a]\nk = 10_b\n");
	put("conf.d/01_a.conf", "[a]\nk = 01_a\n");
	put("conf.d/9_b.conf", "[a]\nk = 9_b\n");
	put("conf.d/B.conf", "[a]\ncase = upper\n");
	put("conf.d/a.conf", "[a]\ncase = lower\n");
	ck_assert_int_eq(read_all(), 0);
	ck_assert_pstr_eq(get("k"), "9_b");
	ck_assert_pstr_eq(get("case"), "lower");
	ck_assert_str_eq(files->files[0].path, below("conf.d/01_a.conf"));
}
END_TEST

START_TEST(test_what_is_no_snippet)
{
	put("sssd.conf", "[a]\nk = main\n");
	put("conf.d/.x.conf", "[a]\nk = x\n");
	put("conf.d/.conf", "[a]\nk = x\n");
	put("conf.d/x.conf~", "[a]\nk = x\n");
	put("conf.d/x.conf.rpmnew", "[a]\nk = x\n");
	put("conf.d/README", "[a]\nk = x\n");
	ck_assert_int_eq(read_all(), 0);
	ck_assert_pstr_eq(get("k"), "main");
	ck_assert_uint_eq(files->n_files, 0);
}
END_TEST

START_TEST(test_nothing_configured)
{
	ck_assert_int_eq(read_all(), -ENOENT);
	ck_assert_ptr_null(conf);
	ck_assert_int_eq(files->main.state, CONF_FILE_MISSING);
	ck_assert_str_eq(files->main.path, paths.main);
}
END_TEST

START_TEST(test_a_bad_snippet_alone_is_nothing)
{
	put("conf.d/x.conf", "word\n");
	ck_assert_int_eq(read_all(), -ENOENT);
}
END_TEST

START_TEST(test_missing_directory_is_told)
{
	put("sssd.conf", "[a]\nk = main\n");
	ck_assert_int_eq(rmdir(paths.snippets), 0);
	ck_assert_int_eq(read_all(), 0);
	ck_assert_int_eq(files->snippets.state, CONF_FILE_MISSING);
}
END_TEST

START_TEST(test_bad_snippets_are_left_out)
{
	put("sssd.conf", "[a]\nk = main\nm = main\n");
	put("conf.d/1.conf", "[a]\nk = 1\n\nword\nm = 1\n");
	put_mode("conf.d/2.conf", "[a]\nk = 2\n", 0644);
	put("conf.d/3.conf", "[a]\nm = 3\n");
	ck_assert_int_eq(mkdir(below("conf.d/4.conf"), 0700), 0);
	ck_assert_int_eq(mkfifo(below("conf.d/5.conf"), 0600), 0);
	ck_assert_int_eq(symlink("/nonexistent", below("conf.d/6.conf")), 0);

	ck_assert_int_eq(read_all(), 0);
	ck_assert_pstr_eq(get("k"), "main");
	ck_assert_pstr_eq(get("m"), "3");
	ck_assert_uint_eq(files->n_files, 6);
	ck_assert_int_eq(files->files[0].state, CONF_FILE_SYNTAX);
	ck_assert_uint_eq(files->files[0].line, 4);
	ck_assert_int_eq(files->files[0].number, 5);
	ck_assert_int_eq(files->files[1].state, CONF_FILE_ACCESS);
	ck_assert_int_eq(files->files[2].state, CONF_FILE_USED);
	ck_assert_int_eq(files->files[3].state, CONF_FILE_ACCESS);
	ck_assert_int_eq(files->files[4].state, CONF_FILE_ACCESS);
	ck_assert_int_eq(files->files[5].state, CONF_FILE_MISSING);
}
END_TEST

START_TEST(test_bad_main_file_is_refused_as_a_whole)
{
	put("sssd.conf", "[a]\nk = main\nword\n");
	put("vendor.conf", "[a]\nk = vendor\n");
	put("conf.d/1.conf", "[a]\nk = 1\n");
	ck_assert_int_eq(read_all(), -E_CONFIG);
	ck_assert_ptr_null(conf);
	ck_assert_int_eq(files->main.state, CONF_FILE_SYNTAX);
	ck_assert_uint_eq(files->main.line, 3);
	ck_assert_str_eq(files->main.path, paths.main);
}
END_TEST

/* clang-format off */
static const struct {
	mode_t mode;
	bool good;
} modes[] = {
	{ 0600, true }, { 0400, true }, { 0640, true }, { 0440, true }, { 0700, true },
	{ 0644, false }, { 0604, false }, { 0602, false }, { 0601, false }, { 0660, false },
	{ 0620, false }, { 0610, false }, { 0200, false }, { 0040, false }, { 0666, false },
};
/* clang-format on */

START_TEST(test_modes)
{
	put_mode("sssd.conf", "[a]\nk = v\n", modes[_i].mode);
	if (getuid() != 0 && (modes[_i].mode & 0400) == 0)
		return; /* only root gets as far as to look at it */
	if (modes[_i].good) {
		ck_assert_int_eq(read_all(), 0);
	} else {
		ck_assert_int_eq(read_all(), -E_CONFIG);
		ck_assert_int_eq(files->main.state, CONF_FILE_ACCESS);
		ck_assert_ptr_nonnull(strstr(files->main.reason,
		                             talloc_asprintf(mem, "mode %04o", modes[_i].mode)));
		ck_assert_ptr_nonnull(strstr(files->main.reason, "0600 root:root"));
	}
}
END_TEST

START_TEST(test_owners)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		bool good;
	} owners[] = {
		{ 0, 0, true },    { 0, 4242, true },  { 4242, 4242, true },
		{ 4242, 0, true }, { 4243, 0, false }, { 0, 4243, false },
	};

	put("sssd.conf", "[a]\nk = v\n");
	paths.uid = paths.gid = 4242;
	if (chown(paths.main, owners[_i].uid, owners[_i].gid) < 0)
		return; /* not root */
	ck_assert_int_eq(read_all(), owners[_i].good ? 0 : -E_CONFIG);
}
END_TEST

START_TEST(test_largest_file)
{
	char *text = talloc_size(mem, INI_FILE_MAX + 2);

	memset(text, '\n', INI_FILE_MAX + 1);
	text[INI_FILE_MAX] = '\0';
	put("sssd.conf", text);
	ck_assert_int_eq(read_all(), 0);

	text[INI_FILE_MAX] = '\n';
	text[INI_FILE_MAX + 1] = '\0';
	put("sssd.conf", text);
	ck_assert_int_eq(read_all(), -E_CONFIG);
	ck_assert_int_eq(files->main.state, CONF_FILE_UNREADABLE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("files");
	TCase *tests = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	umask(0);
	if (!mkdtemp(dir))
		return EXIT_FAILURE;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_main_file_alone);
	tcase_add_test(tests, test_vendor_file_only_without_a_main_file);
	tcase_add_test(tests, test_snippets_are_enough);
	tcase_add_test(tests, test_snippets_in_order_of_bytes);
	tcase_add_test(tests, test_what_is_no_snippet);
	tcase_add_test(tests, test_nothing_configured);
	tcase_add_test(tests, test_a_bad_snippet_alone_is_nothing);
	tcase_add_test(tests, test_missing_directory_is_told);
	tcase_add_test(tests, test_bad_snippets_are_left_out);
	tcase_add_test(tests, test_bad_main_file_is_refused_as_a_whole);
	tcase_add_loop_test(tests, test_modes, 0, (int)str_size(modes));
	tcase_add_loop_test(tests, test_owners, 0, 6);
	tcase_add_test(tests, test_largest_file);
	suite_add_tcase(suite, tests);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	rmdir(dir);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
