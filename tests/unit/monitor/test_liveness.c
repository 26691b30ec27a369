/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/liveness.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- /proc/PID/stat ---- */

#define REST " 1 2 3 4 -1 4194304 100 0 0 0 17 5 0 0 20 0 1 0 300 1000 100 18446744073709551615\n"

static const struct {
	const char *text;
	int r;
	char state;
	uint64_t ticks;
} stats[] = {
	{ "42 (sssd_be) S" REST, 0, 'S', 22 },
	{ "42 (a) R 9 9 9) R" REST, 0, 'R', 22 },
	{ "42 () T" REST, 0, 'T', 22 },
	{ "42 (x\n(y) D 0 0) D" REST, 0, 'D', 22 },
	{ "42 (((((((((((((((( t" REST, -EBADMSG, 0, 0 },
	{ "42 ()))))))))))))))) t" REST, 0, 't', 22 },
	{ "42 (sssd_be) S 1 2 3 4 -1 4194304 100 0 0 0 17", -EBADMSG, 0, 0 },
	{ "42 (sssd_be) S 1 2 3 4 -1 4194304 100 0 0 0 17 ", -EBADMSG, 0, 0 },
	{ "42 (sssd_be) S 1 2 3 4 -1 4194304 100 0 0 0 x 5 0", -EBADMSG, 0, 0 },
	{ "42 (sssd_be) S 1 2 3 4 -1 4194304 100 0 0 0 -1 5 0", -EBADMSG, 0, 0 },
	{ "42 (sssd_be) S 1 2 3 4 -1 1 1 0 0 0 99999999999999999999999999 5 0", -EBADMSG, 0, 0 },
	{ "42 (sssd_be)", -EBADMSG, 0, 0 },
	{ "42 (sssd_be) ", -EBADMSG, 0, 0 },
	{ "42 (sssd_be) S", -EBADMSG, 0, 0 },
	{ "", -EBADMSG, 0, 0 },
	{ ")", -EBADMSG, 0, 0 },
};

START_TEST(test_stat_of_any_name)
{
	uint64_t ticks = 1;
	char state = '?';

	ck_assert_int_eq(liveness_parse_stat(stats[_i].text, &state, &ticks), stats[_i].r);
	ck_assert_int_eq(state, stats[_i].r < 0 ? '?' : stats[_i].state);
	ck_assert_uint_eq(ticks, stats[_i].r < 0 ? 1 : stats[_i].ticks);
}
END_TEST

START_TEST(test_stat_cut_short)
{
	static const char whole[] = "42 (sssd_be) S 1 2 3 4 -1 4194304 100 0 0 0 17 5";

	for (size_t size = 0; size < sizeof(whole) - 2; size++) {
		char *copy = strndup(whole, size);
		uint64_t ticks;
		char state;

		ck_assert_int_eq(liveness_parse_stat(copy, &state, &ticks), -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(test_own_process_uses_the_cpu)
{
	uint64_t before, after;
	char state;

	ck_assert_int_eq(liveness_read_stat(getpid(), &state, &before), 0);
	ck_assert_int_eq(state, 'R');
	while (clock() < CLOCKS_PER_SEC / 20)
		;
	ck_assert_int_eq(liveness_read_stat(getpid(), &state, &after), 0);
	ck_assert_uint_gt(after, before);
	ck_assert_int_lt(liveness_read_stat(-1, &state, &after), 0);
}
END_TEST

/* ---- verdicts: one letter for each interval; capital = the CPU was used in it ---- */

static const struct {
	const char
		*intervals; /* r runs, s sleeps, t is stopped, d waits for a disk, ! is heard of */
	const char *verdicts; /* . wait, l leave, E end */
} histories[] = {
	{ "RRR", "..E" },       { "rrr", "..E" }, /* runnable, even if it got no CPU */
	{ "SSS", "..E" },                         /* asleep at the moment, and busy before */
	{ "ssssss", "l....." },                   /* waits for something */
	{ "tttttt", "l....." },                   /* stopped: one warning */
	{ "TTTTTT", "l....." }, { "DDDDDD", "l....." },
	{ "RRtRRR", "..l..E" }, /* after a stop it has three again */
	{ "RRsR", "..lE" },     /* a sleep in between does not */
	{ "RR!RRR", ".. ..E" }, { "tt!tt", "l. l." },
};

START_TEST(test_history)
{
	const char *intervals = histories[_i].intervals, *verdicts = histories[_i].verdicts;
	struct liveness health = { 0 };
	uint64_t ticks = 100;

	liveness_asked(&health, ticks);
	for (; *intervals; intervals++, verdicts++) {
		bool used = *intervals < 'a';
		enum liveness_verdict verdict;

		if (*intervals == '!') {
			liveness_heard(&health);
			ck_assert(!health.asked && health.missed == 0);
			liveness_asked(&health, ticks);
			continue;
		}
		ticks += used ? 5 : 0;
		verdict = liveness_missed(
			&health, (char)(strchr("tT", *intervals) ? 'T' : *intervals & ~0x20),
			ticks);
		ck_assert_msg(verdict == (*verdicts == '.'   ? LIVENESS_WAIT
		                          : *verdicts == 'l' ? LIVENESS_LEAVE
		                                             : LIVENESS_END),
		              "%s at %s", histories[_i].intervals, intervals);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("liveness");
	TCase *liveness = tcase_create("liveness");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(liveness, test_stat_of_any_name, 0,
	                    (int)(sizeof(stats) / sizeof(stats[0])));
	tcase_add_test(liveness, test_stat_cut_short);
	tcase_add_test(liveness, test_own_process_uses_the_cpu);
	tcase_add_loop_test(liveness, test_history, 0,
	                    (int)(sizeof(histories) / sizeof(histories[0])));
	suite_add_tcase(suite, liveness);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
