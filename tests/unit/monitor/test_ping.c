/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ping, and how it ends a process that is no child of the monitor: here that is the test itself
 */
#include "monitor/ping.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "monitor/backends.h"
#include "tests/unit/common/sbus/pair.h"

static volatile sig_atomic_t terms;

/* ---- what main.c has ---- */

void monitor_changed(struct monitor *monitor)
{
	(void)monitor;
}

int monitor_load(struct monitor *monitor)
{
	(void)monitor;
	return 0;
}

char **monitor_child_argv(TALLOC_CTX *mem, const struct monitor *monitor, const char *program,
                          const char *const *args)
{
	(void)mem;
	(void)monitor;
	(void)program;
	(void)args;
	return NULL;
}

static void nothing_changed(void *data)
{
	(void)data;
}

/* ---- a monitor with one that has registered ---- */

static struct pair *pair;
static struct monitor monitor;
static struct service *service;

static void write_conf(const char *dir)
{
	static const char text[] = "[compiled]\nformat = 1\nprocess = sssd\ngeneration = 1\n"
				   "domains = A\nservices =\n\n[sssd]\n";
	auto_talloc char *sssd = talloc_asprintf(NULL, "%s/sssd", dir);
	auto_talloc char *path = talloc_asprintf(NULL, "%s/sssd/current", dir);

	ck_assert_int_eq(mkdir(sssd, 0700), 0);
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600), 0);
	ck_assert_int_eq(conf_load(pair, dir, "sssd", &monitor.conf), 0);
	unlink(path);
	rmdir(sssd);
}

static void set_up(void)
{
	pair = pair_standing();
	monitor = (struct monitor){ .ev = pair->ev };
	write_conf(pair->dir);
	monitor.registry = registry_new(pair, nothing_changed, NULL);
	monitor.backends = backends_new(pair, &monitor);
	monitor.ping = ping_new(pair, &monitor);
	ck_assert_int_eq(registry_add(monitor.registry, pair->accepted, PROVIDER_PREFIX "A",
	                              SERVICE_PROVIDER, (uint32_t)getpid(), &service),
	                 0);
}

static void tear_down(void)
{
	talloc_free(pair);
}

static void count_terms(int number)
{
	(void)number;
	terms++;
}

/* A long time without an answer, at work all the while. */
static void has_missed_all(void)
{
	service->health = (struct liveness){ .since_us = 1,
		                             .asked = true,
		                             .missed = LIVENESS_MISSED_MAX - 1 };
}

START_TEST(test_one_that_turns_in_circles_is_ended_whoever_started_it)
{
	signal(SIGTERM, count_terms);
	has_missed_all();
	ping_look(monitor.ping);
	ck_assert_int_eq(terms, 1);
	has_missed_all();
	ping_look(monitor.ping);
	ck_assert_int_eq(terms, 1);
}
END_TEST

START_TEST(test_one_that_has_been_quiet_for_a_while_only_is_not)
{
	signal(SIGTERM, count_terms);
	has_missed_all();
	service->health.missed = 0;
	ping_look(monitor.ping);
	ck_assert_int_eq(terms, 0);
}
END_TEST

/* Ends by that signal. */
START_TEST(test_kill_follows_term)
{
	unlink(pair->path);
	rmdir(pair->dir);
	signal(SIGTERM, count_terms);
	ck_assert_int_eq(registry_end(service, pair->ev, 50), 0);
	ck_assert_int_eq(terms, 1);
	pair_run(pair, 10000);
}
END_TEST

START_TEST(test_one_whose_connection_has_closed_is_not_killed)
{
	signal(SIGTERM, count_terms);
	ck_assert_int_eq(registry_end(service, pair->ev, 50), 0);
	TALLOC_FREE(pair->client);
	ck_assert(pair_until(pair, pair->n_closed == 1));
	pair_run(pair, 200);
	ck_assert_int_eq(terms, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ping");
	TCase *ping = tcase_create("ping");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(ping, set_up, tear_down);
	tcase_set_timeout(ping, 20);
	tcase_add_test(ping, test_one_that_turns_in_circles_is_ended_whoever_started_it);
	tcase_add_test(ping, test_one_that_has_been_quiet_for_a_while_only_is_not);
	tcase_add_test_raise_signal(ping, test_kill_follows_term, SIGKILL);
	tcase_add_test(ping, test_one_whose_connection_has_closed_is_not_killed);
	suite_add_tcase(suite, ping);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
