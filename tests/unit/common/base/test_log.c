/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log.c is compiled here with a clock of ours and the working directory for its folder: see
 * meson.build.
 */
#include "common/base/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/journal.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"

#define DATE "\\([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\)"

static int64_t now_us = 1000000000;

int64_t monotonic_us(void) /* a macro: see meson.build */
{
	return now_us;
}

/* What reached the journal: the fields of each call, a '|' behind each. */
static char journal[4096];

int journal_send(const char *path, const struct iovec *fields, size_t n)
{
	ck_assert_str_eq(path, JOURNAL_SOCKET);
	for (size_t i = 0; i < n; i++) {
		strncat(journal, fields[i].iov_base, fields[i].iov_len);
		strcat(journal, "|");
	}
	return 0;
}

static char folder[32];

/* A folder of our own, stderr in its file "stderr". */
static void enter_folder(void)
{
	int fd;

	strcpy(folder, "/tmp/test_log_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	fd = open("stderr", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dup2(fd, STDERR_FILENO);
	close(fd);
	unsetenv("JOURNAL_STREAM");
	setenv("TZ", "UTC", 1);
	umask(022);
}

static void leave_folder(void)
{
	static const char *const files[] = { "stderr", "sssd_test.log", "old.log", "target" };

	for (size_t i = 0; i < str_size(files); i++)
		unlink(files[i]);
	ck_assert_int_eq(rmdir(folder), 0);
}

static const char *content(const char *path)
{
	static char *bytes;
	size_t size;

	TALLOC_FREE(bytes);
	ck_assert_int_eq(fd_read_file(NULL, path, 1 << 24, &bytes, &size), 0);
	return bytes;
}

static size_t count_lines(const char *path)
{
	size_t n = 0;

	for (const char *c = content(path); *c; c++)
		n += *c == '\n';
	return n;
}

static void assert_match(const char *text, const char *pattern)
{
	regex_t regex;

	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "'%s' is not '%s'", text, pattern);
	regfree(&regex);
}

/* options.md of upstream's manual: level N is the sum up to N, 9 brings two bits more. */
/* clang-format off */
static const struct {
	const char *text;
	uint32_t mask;
} masks[] = {
	{ "0", 0x10 },          { "1", 0x30 },         { "2", 0x70 },
	{ "3", 0xf0 },          { "4", 0x1f0 },        { "5", 0x3f0 },
	{ "6", 0x7f0 },         { "7", 0x17f0 },       { "8", 0x37f0 },
	{ "9", 0x2f7f0 },       { "10", 0x3f7f0 },     { "0x3", 0xf0 },
	{ "16", 0x10 },         { "0x0070", 0x70 },    { "112", 0x70 },
	{ "0x0400", 0x400 },    { "0xfff0", 0xfff0 },  { "0xFFFFFFF0", 0xfffffff0 },
};
/* clang-format on */

START_TEST(test_mask)
{
	uint32_t mask = 0;

	ck_assert_int_eq(log_mask_of(masks[_i].text, &mask), 0);
	ck_assert_uint_eq(mask, masks[_i].mask);
}
END_TEST

START_TEST(test_what_is_no_level_is_refused)
{
	static const char *const wrong[] = { NULL,   "",     "true", "-1",         "11",
		                             "0x11", "0x7f", "2 ",   "4294967296", "1.5" };
	uint32_t mask = 99;

	for (size_t i = 0; i < str_size(wrong); i++)
		ck_assert_int_eq(log_mask_of(wrong[i], &mask), -EINVAL);
	ck_assert_uint_eq(mask, 99);
}
END_TEST

static int evaluated;

static int evaluate(void)
{
	return ++evaluated;
}

START_TEST(test_only_wanted_levels_are_written)
{
	log_start("sssd_test", LOG_TO_FILE);
	ck_assert(log_wants(LEVEL_NOTICE));
	ck_assert(!log_wants(LEVEL_CONF));
	log_notice("one");
	log_conf("two %d", evaluate());
	ck_assert_int_eq(evaluated, 0);
	log_set_mask(LEVEL_CONF);
	log_notice("three");
	log_conf("four %d", evaluate());
	assert_match(content("sssd_test.log"), "^" DATE ": \\[sssd_test\\] one\n" DATE
	                                       ": \\[sssd_test\\] four 1\n$");
	ck_assert_uint_eq(strlen(content("stderr")), 0);
}
END_TEST

START_TEST(test_a_line_carries_its_request)
{
	struct request_id id = { "00112233445566aa-2" };

	log_start("sssd_test", LOG_TO_FILE);
	log_at(LEVEL_WARN, &id, "lookup of %s", "alice");
	assert_match(content("sssd_test.log"),
	             "^" DATE ": \\[sssd_test\\] \\[RID#00112233445566aa-2\\] lookup of alice\n$");
}
END_TEST

START_TEST(test_microseconds_when_asked_for)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_set_microseconds(true);
	log_warn("one");
	assert_match(content("sssd_test.log"), "^\\([0-9-]{10} [0-9:]{8}:[0-9]{6}\\): \\[sssd");
}
END_TEST

START_TEST(test_no_date_when_none_is_wanted)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_set_timestamps(false);
	log_set_microseconds(true);
	log_warn("one");
	assert_match(content("sssd_test.log"), "^\\[sssd_test\\] one\n$");
}
END_TEST

START_TEST(test_a_line_stays_a_line)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("a\nb\x1b[2J\x7f");
	assert_match(content("sssd_test.log"), " a\\?b\\?\\[2J\\?\n$");
	ck_assert_uint_eq(count_lines("sssd_test.log"), 1);
}
END_TEST

START_TEST(test_a_long_line_is_cut)
{
	char text[10000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("%s", text);
	assert_match(content("sssd_test.log"), "x\\.\\.\\.\n$");
	ck_assert_uint_le(strlen(content("sssd_test.log")), 4096 + 100);
	ck_assert_uint_eq(count_lines("sssd_test.log"), 1);
}
END_TEST

START_TEST(test_the_file_is_for_its_owner_and_group)
{
	struct stat st;

	log_start("sssd_test", LOG_TO_FILE);
	ck_assert_int_eq(stat("sssd_test.log", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
}
END_TEST

START_TEST(test_reopening_begins_a_new_file)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("one");
	ck_assert_int_eq(rename("sssd_test.log", "old.log"), 0);
	log_warn("two");
	log_reopen();
	log_warn("three");
	assert_match(content("old.log"), " one\n.* two\n$");
	assert_match(content("sssd_test.log"), "^[^\n]* three\n$");
}
END_TEST

#define LOOK_US 10000000 /* log.h */

START_TEST(test_a_deleted_file_is_made_again)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("one");
	ck_assert_int_eq(unlink("sssd_test.log"), 0);
	now_us += LOOK_US;
	log_warn("two");
	assert_match(content("sssd_test.log"), "^[^\n]* two\n$");

	/* Without a line, too. */
	ck_assert_int_eq(unlink("sssd_test.log"), 0);
	log_look();
	ck_assert_int_eq(access("sssd_test.log", F_OK), -1);
	now_us += LOOK_US;
	log_look();
	ck_assert_int_eq(access("sssd_test.log", F_OK), 0);
}
END_TEST

START_TEST(test_a_file_that_was_replaced_is_the_one_that_is_written)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("one");
	ck_assert_int_eq(rename("sssd_test.log", "old.log"), 0);
	now_us += LOOK_US;
	log_warn("two"); /* logrotate(8) is about to make the new one */
	ck_assert_int_eq(access("sssd_test.log", F_OK), -1);
	close(open("sssd_test.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	now_us += LOOK_US;
	log_warn("three");
	assert_match(content("old.log"), " one\n.* two\n$");
	assert_match(content("sssd_test.log"), "^[^\n]* three\n$");
}
END_TEST

START_TEST(test_what_cannot_be_made_again_is_on_stderr_until_it_can)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("one");
	ck_assert_int_eq(unlink("sssd_test.log"), 0);
	ck_assert_int_eq(mkdir("sssd_test.log", 0700), 0);
	for (int i = 0; i < 2; i++) {
		now_us += LOOK_US;
		log_warn("two");
	}
	assert_match(content("stderr"), "^sssd_test: cannot open [^\n]*: Is a directory\n"
	                                "[^\n]* two\n[^\n]* two\n$");

	ck_assert_int_eq(rmdir("sssd_test.log"), 0);
	now_us += LOOK_US;
	log_warn("three");
	assert_match(content("sssd_test.log"), "^[^\n]* three\n$");
}
END_TEST

START_TEST(test_a_file_that_could_not_be_opened_is_tried_again)
{
	ck_assert_int_eq(mkdir("sssd_test.log", 0700), 0);
	log_start("sssd_test", LOG_TO_FILE);
	ck_assert_int_eq(rmdir("sssd_test.log"), 0);
	now_us += LOOK_US;
	log_warn("one");
	assert_match(content("sssd_test.log"), "^[^\n]* one\n$");
}
END_TEST

START_TEST(test_a_file_that_cannot_be_opened_is_named_on_stderr)
{
	ck_assert_int_eq(mkdir("sssd_test.log", 0700), 0);
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("one");
	assert_match(content("stderr"),
	             "^sssd_test: cannot open \\./sssd_test\\.log: Is a directory\n" DATE
	             ": \\[sssd_test\\] one\n$");

	/* Once the cause is gone, logrotate's HUP is enough. */
	ck_assert_int_eq(rmdir("sssd_test.log"), 0);
	log_reopen();
	log_warn("two");
	assert_match(content("sssd_test.log"), "^[^\n]* two\n$");
}
END_TEST

START_TEST(test_links_are_not_followed)
{
	ck_assert_int_eq(symlink("target", "sssd_test.log"), 0);
	log_start("sssd_test", LOG_TO_FILE);
	log_warn("one");
	ck_assert_int_eq(access("target", F_OK), -1);
	assert_match(content("stderr"), "cannot open");
}
END_TEST

START_TEST(test_a_fifo_does_not_stop_the_start)
{
	ck_assert_int_eq(mkfifo("sssd_test.log", 0600), 0);
	log_start("sssd_test", LOG_TO_FILE);
	assert_match(content("stderr"), "cannot open");
}
END_TEST

START_TEST(test_stderr_has_the_date_of_a_file)
{
	log_start("sssd_test", LOG_TO_STDERR);
	log_warn("one");
	assert_match(content("stderr"), "^" DATE ": \\[sssd_test\\] one\n$");
}
END_TEST

START_TEST(test_stderr_that_is_the_journal_has_a_priority_instead)
{
	struct stat st;
	char stream[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_start("sssd_test", LOG_TO_STDERR);
	log_warn("one");
	ck_assert_str_eq(content("stderr"), "<4>[sssd_test] one\n");
}
END_TEST

START_TEST(test_another_journal_stream_is_not_ours)
{
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_start("sssd_test", LOG_TO_STDERR);
	log_warn("one");
	assert_match(content("stderr"), "^" DATE);
}
END_TEST

START_TEST(test_the_journal_gets_fields)
{
	struct request_id id = { "00112233445566aa" };
	int line;

	log_start("sssd_test", LOG_TO_JOURNAL);
	line = __LINE__ + 1;
	log_at(LEVEL_ERROR, &id, "lookup of %s", "alice");
	assert_match(journal, "^MESSAGE=lookup of alice\\|");
	assert_match(journal, "\\|PRIORITY=3\\|");
	assert_match(journal, "\\|SYSLOG_IDENTIFIER=sssd_test\\|");
	assert_match(journal, "\\|SSS_PROCESS=sssd_test\\|");
	assert_match(journal, "\\|SSS_REQUEST=00112233445566aa\\|$");
	assert_match(journal, "\\|CODE_FILE=[^|]*test_log\\.c\\|");
	ck_assert_int_eq(strtol(strstr(journal, "CODE_LINE=") + strlen("CODE_LINE="), NULL, 10),
	                 line);
	ck_assert_uint_eq(strlen(content("stderr")), 0);
}
END_TEST

START_TEST(test_levels_have_their_priorities)
{
	static const struct {
		enum log_level level;
		const char *priority;
	} levels[] = {
		{ LEVEL_FATAL, "PRIORITY=2|" }, { LEVEL_ERROR, "PRIORITY=3|" },
		{ LEVEL_WARN, "PRIORITY=4|" },  { LEVEL_NOTICE, "PRIORITY=5|" },
		{ LEVEL_CONF, "PRIORITY=6|" },  { LEVEL_INFO, "PRIORITY=6|" },
		{ LEVEL_DEBUG, "PRIORITY=7|" }, { LEVEL_INNER, "PRIORITY=7|" },
		{ LEVEL_VARS, "PRIORITY=7|" },  { LEVEL_ALL, "PRIORITY=7|" },
		{ LEVEL_STORE, "PRIORITY=7|" },
	};

	log_start("sssd_test", LOG_TO_JOURNAL);
	log_set_mask(UINT32_MAX);
	for (size_t i = 0; i < str_size(levels); i++) {
		journal[0] = '\0';
		log_at(levels[i].level, NULL, "x");
		ck_assert_ptr_nonnull(strstr(journal, levels[i].priority));
		ck_assert_ptr_null(strstr(journal, "SSS_REQUEST"));
	}
}
END_TEST

static void complain(void)
{
	log_warn("complaint");
}

START_TEST(test_the_21st_line_of_a_site_is_counted_only)
{
	log_start("sssd_test", LOG_TO_FILE);
	for (int i = 0; i < 100; i++)
		complain();
	ck_assert_uint_eq(count_lines("sssd_test.log"), 20);
	log_warn("another site");
	ck_assert_uint_eq(count_lines("sssd_test.log"), 21);
}
END_TEST

START_TEST(test_what_was_left_out_is_reported_when_the_time_is_over)
{
	log_start("sssd_test", LOG_TO_FILE);
	for (int i = 0; i < 100; i++)
		complain();
	now_us += 10 * 1000000 - 1;
	log_warn("another site");
	ck_assert_uint_eq(count_lines("sssd_test.log"), 21);
	now_us += 1;
	log_warn("another site");
	assert_match(content("sssd_test.log"), "80 more lines of [^ ]*test_log\\.c:[0-9]+ were "
	                                       "left out within 10 s\n[^\n]*another site\n$");

	/* From here on it has 20 lines again. */
	for (int i = 0; i < 100; i++)
		complain();
	ck_assert_uint_eq(count_lines("sssd_test.log"), 23 + 20);
}
END_TEST

START_TEST(test_two_silenced_sites_are_both_reported)
{
	log_start("sssd_test", LOG_TO_FILE);
	for (int i = 0; i < 30; i++) {
		log_warn("one");
		log_error("two");
	}
	ck_assert_uint_eq(count_lines("sssd_test.log"), 40);
	now_us += 10 * 1000000;
	complain();
	ck_assert_uint_eq(count_lines("sssd_test.log"), 43);
}
END_TEST

START_TEST(test_slow_lines_are_never_limited)
{
	log_start("sssd_test", LOG_TO_FILE);
	for (int i = 0; i < 100; i++) {
		complain();
		now_us += 1000000;
	}
	ck_assert_uint_eq(count_lines("sssd_test.log"), 100);
}
END_TEST

START_TEST(test_a_trace_has_no_holes)
{
	log_start("sssd_test", LOG_TO_FILE);
	log_set_mask(UINT32_MAX);
	for (int i = 0; i < 100; i++) {
		log_conf("conf");
		log_info("info");
		log_debug("debug");
	}
	ck_assert_uint_eq(count_lines("sssd_test.log"), 300);
}
END_TEST

#define THREADS 8
#define ROUNDS  500

static void *chatter(void *data)
{
	for (int i = 0; i < ROUNDS; i++) {
		log_info("thread %d says something of some length", *(int *)data);
		complain();
		if (i % 50 == 0)
			log_reopen();
	}
	return NULL;
}

START_TEST(test_threads_do_not_mix_their_lines)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];
	const char *line;
	size_t n = 0;

	log_start("sssd_test", LOG_TO_FILE);
	log_set_mask(UINT32_MAX);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, chatter, &numbers[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	ck_assert_uint_eq(count_lines("sssd_test.log"), THREADS * ROUNDS + 20);
	for (line = content("sssd_test.log"); *line; line = strchr(line, '\n') + 1) {
		ck_assert_int_eq(line[0], '(');
		n += strncmp(strchr(line, ']') + 1, " thread ", 8) == 0;
	}
	ck_assert_uint_eq(n, THREADS * ROUNDS);
}
END_TEST

START_TEST(test_request_ids_are_16_hex_digits_and_differ)
{
	struct request_id last = { "" };
	char boot[5];

	log_start("sssd_test", LOG_TO_STDERR);
	for (int i = 0; i < 1000; i++) {
		struct request_id id = request_id_new();

		assert_match(id.text, "^[0-9a-f]{16}$");
		ck_assert_str_ne(id.text, last.text);
		last = id;
	}
	snprintf(boot, sizeof(boot), "%04x", (unsigned)boot_id() & 0xffff);
	ck_assert_int_eq(strncmp(last.text, boot, 4), 0);
}
END_TEST

START_TEST(test_errno_is_left_alone)
{
	log_start("sssd_test", LOG_TO_STDERR);
	close(STDERR_FILENO);
	errno = E2BIG;
	log_warn("one");
	ck_assert_int_eq(errno, E2BIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *log = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(log, enter_folder, leave_folder);
	tcase_add_loop_test(log, test_mask, 0, (int)str_size(masks));
	tcase_add_test(log, test_what_is_no_level_is_refused);
	tcase_add_test(log, test_only_wanted_levels_are_written);
	tcase_add_test(log, test_a_line_carries_its_request);
	tcase_add_test(log, test_microseconds_when_asked_for);
	tcase_add_test(log, test_no_date_when_none_is_wanted);
	tcase_add_test(log, test_a_line_stays_a_line);
	tcase_add_test(log, test_a_long_line_is_cut);
	tcase_add_test(log, test_the_file_is_for_its_owner_and_group);
	tcase_add_test(log, test_reopening_begins_a_new_file);
	tcase_add_test(log, test_a_deleted_file_is_made_again);
	tcase_add_test(log, test_a_file_that_was_replaced_is_the_one_that_is_written);
	tcase_add_test(log, test_what_cannot_be_made_again_is_on_stderr_until_it_can);
	tcase_add_test(log, test_a_file_that_could_not_be_opened_is_tried_again);
	tcase_add_test(log, test_a_file_that_cannot_be_opened_is_named_on_stderr);
	tcase_add_test(log, test_links_are_not_followed);
	tcase_add_test(log, test_a_fifo_does_not_stop_the_start);
	tcase_add_test(log, test_stderr_has_the_date_of_a_file);
	tcase_add_test(log, test_stderr_that_is_the_journal_has_a_priority_instead);
	tcase_add_test(log, test_another_journal_stream_is_not_ours);
	tcase_add_test(log, test_the_journal_gets_fields);
	tcase_add_test(log, test_levels_have_their_priorities);
	tcase_add_test(log, test_the_21st_line_of_a_site_is_counted_only);
	tcase_add_test(log, test_what_was_left_out_is_reported_when_the_time_is_over);
	tcase_add_test(log, test_two_silenced_sites_are_both_reported);
	tcase_add_test(log, test_slow_lines_are_never_limited);
	tcase_add_test(log, test_a_trace_has_no_holes);
	tcase_add_test(log, test_threads_do_not_mix_their_lines);
	tcase_add_test(log, test_request_ids_are_16_hex_digits_and_differ);
	tcase_add_test(log, test_errno_is_left_alone);
	suite_add_tcase(suite, log);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
