/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The order of servers and addresses, round after round. What DNS names is for the system tests: it
 * needs a name server.
 */
#include "backend/core/failover.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct tevent_context *ev;
static struct failover *failover;
static struct domain_conf conf = { .dns_discovery_domain = "nowhere.test",
	                           .dns_resolver_timeout_s = 6 };

static int name(TALLOC_CTX *mem, const struct srv *srv, struct server_name *ret_name, void *data)
{
	(void)mem;
	(void)srv;
	(void)ret_name;
	(void)data;
	ck_abort();
}

static void add(const char *text, bool backup)
{
	struct server_name made = { .text = talloc_strdup(failover, text),
		                    .host = talloc_strdup(failover, text),
		                    .port = 389 };

	ck_assert_int_eq(failover_add(failover, &made, backup), 0);
}

static void begin(void)
{
	ev = tevent_context_init(NULL);
	failover = failover_new(ev, ev, &conf, name, NULL);
	add("backup", true);
	add("first", false);
	add("second", false);
}

static void end(void)
{
	talloc_free(ev);
}

static struct address address(const char *text)
{
	struct address made = { .v4.sin_family = AF_INET, .size = sizeof(made.v4) };

	ck_assert_int_eq(inet_pton(AF_INET, text, &made.v4.sin_addr), 1);
	return made;
}

/* The server that comes next; it is being tried then. */
static struct server *next(void)
{
	struct server *server = NULL;

	if (failover_next(failover, &server) == FAILOVER_NOTHING)
		return NULL;
	ck_assert_ptr_nonnull(server);
	server->busy = true;
	return server;
}

static void expect(const char *text)
{
	struct server *server = next();

	if (text)
		ck_assert(server && strcmp(server->name.text, text) == 0);
	else
		ck_assert_ptr_null(server);
}

/* Two addresses, of which the first is tried. */
static struct server *resolved(void)
{
	struct address both[] = { address("192.0.2.1"), address("192.0.2.2") };
	struct server *server = next();

	ck_assert_int_eq(failover_set_addresses(server, both, 2), 0);
	server->resolved = true;
	server->endpoints[0].tried = true;
	server->busy = false;
	return server;
}

START_TEST(test_primary_servers_come_first_each_once)
{
	failover_begin(failover, false);
	expect("first");
	expect("second");
	expect("backup");
	expect(NULL);
	failover_begin(failover, false);
	expect("first");
}
END_TEST

START_TEST(test_looking_changes_nothing)
{
	struct server *one = NULL, *two = NULL;

	failover_begin(failover, false);
	ck_assert_int_eq(failover_next(failover, &one), FAILOVER_TRY);
	ck_assert_int_eq(failover_next(failover, &two), FAILOVER_TRY);
	ck_assert_ptr_eq(one, two);
}
END_TEST

START_TEST(test_who_failed_comes_last)
{
	struct server *first;

	failover_begin(failover, false);
	first = next();
	health_failed(first, &first->health, "gone");
	ck_assert_uint_eq(failover_good_ways(failover), 2);
	failover_begin(failover, false);
	expect("second");
	expect("backup");
	expect("first");
	expect(NULL);

	health_works(&first->health);
	ck_assert_ptr_null(first->health.reason);
	failover_begin(failover, false);
	expect("first");
}
END_TEST

START_TEST(test_backup_servers_can_be_left_out)
{
	failover_begin(failover, true);
	expect("first");
	expect("second");
	expect(NULL);
	ck_assert(failover_widen(failover));
	expect("backup");
	ck_assert(!failover_widen(failover));
}
END_TEST

START_TEST(test_other_address_comes_before_the_next_server)
{
	struct server *first;

	failover_begin(failover, false);
	first = resolved();
	ck_assert_uint_eq(failover_ways(failover), 4);
	health_failed(first, &first->endpoints[0].health, "hangs");
	expect("first");
	first->endpoints[1].tried = true;
	first->busy = false;
	expect("second");
}
END_TEST

START_TEST(test_health_belongs_to_the_address)
{
	struct address turned[] = { address("192.0.2.2"), address("192.0.2.9"),
		                    address("192.0.2.1"), address("192.0.2.2") };
	struct server *first;

	failover_begin(failover, false);
	first = resolved();
	health_failed(first, &first->endpoints[0].health, "hangs");
	ck_assert_int_eq(failover_set_addresses(first, turned, 4), 0);
	ck_assert_uint_eq(first->n_endpoints, 3); /* each once */
	ck_assert(!health_is_bad(&first->endpoints[0].health));
	ck_assert(!health_is_bad(&first->endpoints[1].health));
	ck_assert(health_is_bad(&first->endpoints[2].health));
	ck_assert_str_eq(first->endpoints[2].health.reason, "hangs");

	/* One good address makes a good server; none, none. */
	failover_begin(failover, false);
	expect("first");
	health_failed(first, &first->endpoints[0].health, "x");
	health_failed(first, &first->endpoints[1].health, "x");
	failover_begin(failover, false);
	expect("second");
}
END_TEST

START_TEST(test_blame_finds_its_address_later)
{
	struct address bad = address("192.0.2.2"), unknown = address("192.0.2.77");
	struct server *first;

	failover_begin(failover, false);
	first = resolved();
	failover_blame(failover, "first", &unknown, "x");
	failover_blame(failover, "nobody", &bad, "x");
	ck_assert(!health_is_bad(&first->endpoints[1].health));
	ck_assert_uint_eq(failover_good_ways(failover), 4);
	failover_blame(failover, "first", &bad, "closed in mid-answer");
	ck_assert_uint_eq(failover_good_ways(failover), 3);
	ck_assert(health_is_bad(&first->endpoints[1].health));
	ck_assert(!health_is_bad(&first->endpoints[0].health));
	failover_blame(failover, "first", &bad, NULL);
	ck_assert(!health_is_bad(&first->endpoints[1].health));
	failover_blame(failover, "first", &bad, "silent");

	failover_forget(failover);
	ck_assert(!health_is_bad(&first->endpoints[1].health));
}
END_TEST

START_TEST(test_discovery_is_asked_at_its_place_once_in_a_round)
{
	struct server *server = NULL;

	ck_assert_int_eq(failover_add_discovered(failover, "ldap", "LDAP"), 0);
	failover_begin(failover, false);
	expect("first");
	expect("second");
	ck_assert_int_eq(failover_next(failover, &server), FAILOVER_DISCOVER);
	talloc_free(failover_discover_send(ev, failover));
	expect("backup");
	expect(NULL);
	failover_begin(failover, false);
	expect("first");
	expect("second");
	ck_assert_int_eq(failover_next(failover, &server), FAILOVER_DISCOVER);
}
END_TEST

static void count(const struct server *server, void *data)
{
	char **all = data;

	*all = talloc_asprintf_append(*all, "%s ", server->name.text);
}

START_TEST(test_listing)
{
	char *all = talloc_strdup(ev, "");

	failover_each(failover, count, &all);
	ck_assert_str_eq(all, "first second backup ");
	ck_assert_uint_eq(failover_ways(failover), 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("failover");
	TCase *tests = tcase_create("failover");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_primary_servers_come_first_each_once);
	tcase_add_test(tests, test_looking_changes_nothing);
	tcase_add_test(tests, test_who_failed_comes_last);
	tcase_add_test(tests, test_backup_servers_can_be_left_out);
	tcase_add_test(tests, test_other_address_comes_before_the_next_server);
	tcase_add_test(tests, test_health_belongs_to_the_address);
	tcase_add_test(tests, test_blame_finds_its_address_later);
	tcase_add_test(tests, test_discovery_is_asked_at_its_place_once_in_a_round);
	tcase_add_test(tests, test_listing);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
