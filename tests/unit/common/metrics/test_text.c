/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/metrics/text.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* A file of that program in which each cell holds its number. */
static void fill(uint8_t bytes[METRICS_FILE], uint32_t program)
{
	uint32_t words[] = { METRICS_VERSION, program, METRICS_CELLS, 0 };

	memcpy(bytes, METRICS_MAGIC, 8);
	memcpy(bytes + 8, words, sizeof(words));
	for (uint64_t i = 0; i < METRICS_CELLS; i++)
		memcpy(bytes + METRICS_HEAD + i * 8, &i, 8);
}

START_TEST(test_file_is_read)
{
	struct metrics_file file = { .name = "nss" };
	uint8_t bytes[METRICS_FILE];

	fill(bytes, METRICS_LOOKUPS);
	ck_assert_int_eq(metrics_read(bytes, sizeof(bytes), &file), 0);
	ck_assert_str_eq(file.name, "nss");
	ck_assert_int_eq(file.program, METRICS_LOOKUPS);
	for (uint64_t i = 0; i < METRICS_CELLS; i++)
		ck_assert_uint_eq(file.cells[i], i);
}
END_TEST

START_TEST(test_file_of_another_length_is_refused)
{
	uint8_t bytes[METRICS_FILE + 1] = { 0 };

	fill(bytes, METRICS_LOOKUPS);
	for (size_t size = 0; size <= METRICS_FILE + 1; size++) {
		uint8_t *copy = malloc(size ? size : 1); /* its own, so that ASan guards its end */
		struct metrics_file file = { .name = "untouched" };

		memcpy(copy, bytes, size);
		ck_assert_int_eq(metrics_read(copy, size, &file),
		                 size == METRICS_FILE ? 0 : -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(test_senseless_heads_are_refused)
{
	static const struct {
		size_t place;
		uint32_t value;
		int r;
	} rows[] = {
		{ 0, 0, -EBADMSG },
		{ 4, 0, -EBADMSG },
		{ 8, METRICS_VERSION + 1, -EPROTONOSUPPORT },
		{ 12, 0, -EBADMSG },
		{ 12, METRICS_PROGRAMS, -EBADMSG },
		{ 12, UINT32_MAX, -EBADMSG },
		{ 16, METRICS_CELLS + 1, -EPROTONOSUPPORT },
		{ METRICS_FILE - 4, UINT32_MAX, -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct metrics_file file = { .name = "nss" };
		uint8_t bytes[METRICS_FILE];

		fill(bytes, METRICS_LOOKUPS);
		memcpy(bytes + rows[i].place, &rows[i].value, 4);
		ck_assert_int_eq(metrics_read(bytes, sizeof(bytes), &file), rows[i].r);
	}
}
END_TEST

/* The table and the enum are two lists of one thing. */
START_TEST(test_each_cell_has_its_family)
{
	static const struct {
		unsigned cell;
		enum metrics_program program;
		const char *family;
	} rows[] = {
		{ METRICS_STARTS, METRICS_MONITOR, "sssd_starts" },
		{ METRICS_STOPS, METRICS_BACKEND, "sssd_exits" },
		{ METRICS_IDLE_EXITS, METRICS_TICKETS, "sssd_exits" },
		{ METRICS_IDLE_EXITS, METRICS_BACKEND, NULL },
		{ METRICS_RESTARTS, METRICS_MONITOR, "sssd_backend_restarts" },
		{ METRICS_LOOP, METRICS_MONITOR, "sssd_loop_seconds" },
		{ METRICS_TURNS_10MS - 1, METRICS_MONITOR, "sssd_loop_seconds" },
		{ METRICS_TURNS_10MS, METRICS_MONITOR, "sssd_loop_slow" },
		{ METRICS_REQUEST_TIMES - 1, METRICS_LOOKUPS, "sssd_loop_slow" },
		{ METRICS_TURNS_10MS, METRICS_RENEWER, NULL },
		{ METRICS_REQUEST_TIMES, METRICS_LOOKUPS, "sssd_request_seconds" },
		{ METRICS_REQUESTS - 1, METRICS_LOOKUPS, "sssd_request_seconds" },
		{ METRICS_REQUESTS, METRICS_LOOKUPS, "sssd_requests" },
		{ METRICS_FRESH - 1, METRICS_TICKETS, "sssd_requests" },
		{ METRICS_FRESH, METRICS_LOOKUPS, "sssd_answers" },
		{ METRICS_FRESH, METRICS_BACKEND, NULL },
		{ METRICS_ASKED, METRICS_LOOKUPS, "sssd_answers" },
		{ METRICS_MEMORY_STORED, METRICS_LOOKUPS, "sssd_memory_cache_records" },
		{ METRICS_MEMORY_EVICTED, METRICS_LOOKUPS, "sssd_memory_cache_records" },
		{ METRICS_SEARCHES, METRICS_BACKEND, "sssd_searches" },
		{ METRICS_SEARCHES_CONNECTION, METRICS_BACKEND, "sssd_searches" },
		{ METRICS_ENTRIES, METRICS_BACKEND, "sssd_entries" },
		{ METRICS_CONNECTIONS_FAILED, METRICS_BACKEND, "sssd_connections" },
		{ METRICS_WENT_OFFLINE, METRICS_BACKEND, "sssd_state_changes" },
		{ METRICS_COMMITS, METRICS_TICKETS, "sssd_commits" },
		{ METRICS_CHANGES, METRICS_BACKEND, "sssd_committed_changes" },
		{ METRICS_RECORDS, METRICS_BACKEND, "sssd_committed_records" },
		{ METRICS_IDLE_EXITS, METRICS_RENEWER, "sssd_exits" },
		{ METRICS_LOOP, METRICS_RENEWER, NULL },
		{ METRICS_RENEWALS_BEGUN, METRICS_RENEWER, "sssd_renewals_begun" },
		{ METRICS_RENEWALS_BEGUN, METRICS_TICKETS, NULL },
		{ METRICS_RENEWAL_TIMES, METRICS_RENEWER, "sssd_renewal_seconds" },
		{ METRICS_RENEWALS, METRICS_RENEWER, "sssd_renewals" },
		{ METRICS_CELLS - 1, METRICS_RENEWER, "sssd_renewals" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *family = metrics_family_of(rows[i].cell, rows[i].program);

		if (rows[i].family)
			ck_assert_str_eq(family, rows[i].family);
		else
			ck_assert_ptr_null(family);
	}
	for (unsigned cell = 0; cell < METRICS_CELLS; cell++) {
		bool known = false;

		for (enum metrics_program p = METRICS_LOOKUPS; p < METRICS_PROGRAMS; p++)
			known = known || metrics_family_of(cell, p);
		/* Pairs that nobody has: who lists backends is not told "not found". */
		known = known || (cell >= METRICS_REQUESTS && cell < METRICS_FRESH);
		ck_assert_msg(known, "cell %u", cell);
	}
}
END_TEST

static char *print(const struct metrics_file *files, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	metrics_print(out, files, n);
	fclose(out);
	return text;
}

START_TEST(test_text_of_a_monitor)
{
	struct metrics_file file = { .name = "sssd", .program = METRICS_MONITOR };
	auto_free char *text = NULL;

	file.cells[METRICS_STARTS] = 3;
	file.cells[METRICS_LOOP] = 2;
	file.cells[METRICS_LOOP + 2] = 1;
	file.cells[METRICS_LOOP + METRICS_BOUNDS] = 1;
	file.cells[METRICS_LOOP + METRICS_BOUNDS + 1] = 20000123;
	text = print(&file, 1);
	ck_assert_ptr_nonnull(strstr(text,
	                             "# TYPE sssd_starts counter\n"
	                             "# HELP sssd_starts Processes of this name that started.\n"
	                             "sssd_starts_total{process=\"sssd\"} 3\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "sssd_loop_seconds_bucket{process=\"sssd\",le=\"0.000016\"} 2\n"
	                     "sssd_loop_seconds_bucket{process=\"sssd\",le=\"0.000064\"} 2\n"
	                     "sssd_loop_seconds_bucket{process=\"sssd\",le=\"0.000256\"} 3\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "sssd_loop_seconds_bucket{process=\"sssd\",le=\"16.777216\"} 3\n"
	                     "sssd_loop_seconds_bucket{process=\"sssd\",le=\"+Inf\"} 4\n"
	                     "sssd_loop_seconds_count{process=\"sssd\"} 4\n"
	                     "sssd_loop_seconds_sum{process=\"sssd\"} 20.000123\n"));
	ck_assert_ptr_null(strstr(text, "sssd_requests_total{"));
	ck_assert_ptr_null(strstr(text, "idle"));
	ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
}
END_TEST

START_TEST(test_samples_of_a_family_stand_together)
{
	struct metrics_file files[] = {
		{ .name = "be_LDAP", .program = METRICS_BACKEND },
		{ .name = "nss", .program = METRICS_LOOKUPS },
	};
	unsigned user = METRICS_REQUESTS + QUERY_USER_BY_NAME * METRICS_RESULTS;
	auto_free char *text = NULL;

	files[0].cells[user + METRICS_WAS_OFFLINE] = 7;
	files[1].cells[user + METRICS_NOT_FOUND] = 8;
	text = print(files, 2);
	ck_assert_ptr_nonnull(
		strstr(text, "sssd_requests_total{process=\"be_LDAP\",kind=\"user_by_name\","
	                     "result=\"offline\"} 7\n"));
	ck_assert_ptr_nonnull(strstr(text,
	                             "sssd_requests_total{process=\"nss\",kind=\"user_by_name\","
	                             "result=\"not_found\"} 8\n"));
	ck_assert_ptr_nonnull(strstr(text, "sssd_starts_total{process=\"be_LDAP\"} 0\n"
	                                   "sssd_starts_total{process=\"nss\"} 0\n# TYPE"));
}
END_TEST

START_TEST(test_names_are_escaped)
{
	struct metrics_file files[] = {
		{ .name = "a\"b\\c\nd\x1b", .program = METRICS_MONITOR },
		{ .name = "\xc3\xa6", .program = METRICS_MONITOR },
		{ .name = "\xe6", .program = METRICS_MONITOR },
	};
	auto_free char *text = print(files, 3);

	ck_assert_ptr_nonnull(strstr(text, "{process=\"a\\\"b\\\\c?d?\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "{process=\"\xc3\xa6\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "{process=\"?\"} 0\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics_text");
	TCase *tcase = tcase_create("text");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_file_is_read);
	tcase_add_test(tcase, test_file_of_another_length_is_refused);
	tcase_add_test(tcase, test_senseless_heads_are_refused);
	tcase_add_test(tcase, test_each_cell_has_its_family);
	tcase_add_test(tcase, test_text_of_a_monitor);
	tcase_add_test(tcase, test_samples_of_a_family_stand_together);
	tcase_add_test(tcase, test_names_are_escaped);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
