/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A monitor of the test's own at the other end of the socket.
 */
#include "backend/core/registration.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/event/timer.h"
#include "common/sbus/iface_monitor.h"
#include "common/sbus/iface_service.h"

static struct tevent_context *ev;
static char dir[] = "/tmp/registration-XXXXXX", path[128];
static struct registration *registration;

/* ---- the monitor ---- */

static struct sbus_server *server;
static struct sbus_conn *conn; /* to the backend */
static char name[64], states[256];
static uint32_t type, registrations;

static void on_registration(struct sbus_call *call,
                            const struct monitor_registration_service_in *in, void *data)
{
	struct monitor_registration_service_out out = { .monitor_version = 1, .generation = 7 };

	(void)data;
	snprintf(name, sizeof(name), "%s", in->name);
	type = in->type;
	ck_assert_uint_eq(in->pid, (uint32_t)getpid());
	registrations++;
	monitor_registration_service_reply(call, &out);
}

static void on_report(struct sbus_call *call, const struct monitor_report_status_in *in, void *data)
{
	size_t size = strlen(states);

	(void)data;
	snprintf(states + size, sizeof(states) - size, "%s;", in->state);
	monitor_report_status_reply(call);
}

static const struct monitor_methods methods = {
	.registration_service = on_registration,
	.report_status = on_report,
};

static void accepted(struct sbus_server *from, struct sbus_conn *new_conn, void *data)
{
	(void)from;
	(void)data;
	conn = new_conn;
	ck_assert_int_eq(monitor_serve(conn, &methods, NULL), 0);
}

static void start_monitor(void)
{
	ck_assert_int_eq(sbus_server_new(ev, ev, path, accepted, NULL, &server), 0);
}

/* ---- the backend ---- */

static char wanted[32]; /* a letter for each hook that ran */
static uint64_t last_generation;

static void note(char letter)
{
	wanted[strlen(wanted)] = letter;
}

static void rotate_logs(void *data)
{
	(void)data;
	note('l');
}

static void go_offline(void *data)
{
	(void)data;
	note('o');
}

static void reset_offline(void *data)
{
	(void)data;
	note('r');
}

static void network_changed(void *data)
{
	(void)data;
	note('n');
}

/* From 100 on the test's process would have to end. */
static bool generation(uint64_t now, void *data)
{
	(void)data;
	last_generation = now;
	return now >= 100;
}

static void drain(void *data)
{
	(void)data;
	note('d');
}

static const struct registration_hooks hooks = {
	rotate_logs, go_offline, reset_offline, network_changed, generation, drain,
};

static void begin(void)
{
	ev = tevent_context_init(NULL);
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sbus-monitor", dir);
	memset(wanted, 0, sizeof(wanted));
	memset(states, 0, sizeof(states));
	registrations = 0;
	conn = NULL;
	log_set_mask(LEVEL_FATAL);
}

static void end(void)
{
	talloc_free(ev);
	unlink(path);
	rmdir(dir);
}

static void start_backend(void)
{
	ck_assert_int_eq(registration_new(ev, ev, path, "%BE_T", &hooks, NULL, &registration), 0);
}

static void run_until_registered(uint32_t times)
{
	while (registrations < times)
		tevent_loop_once(ev);
}

static void run_until_state(const char *text)
{
	while (!strstr(states, text))
		tevent_loop_once(ev);
}

static void noted(struct tevent_req *req)
{
	*(bool *)tevent_req_callback_data_void(req) = true;
}

static void wait_for(struct tevent_req *req)
{
	bool ended = false;

	ck_assert_ptr_nonnull(req);
	tevent_req_set_callback(req, noted, &ended);
	while (!ended)
		tevent_loop_once(ev);
}

START_TEST(test_registers_as_provider_and_learns_the_generation)
{
	start_monitor();
	start_backend();
	run_until_registered(1);
	ck_assert_str_eq(name, "%BE_T");
	ck_assert_uint_eq(type, 1);
	last_generation = 0;
	while (last_generation == 0)
		tevent_loop_once(ev);
	ck_assert_uint_eq(last_generation, 7);
}
END_TEST

START_TEST(test_state_from_before_the_monitor_is_told_when_it_comes)
{
	start_backend();
	registration_report(registration, "unknown");
	registration_report(registration, "online");
	start_monitor();
	run_until_state("online;");
	ck_assert_str_eq(states, "online;");
}
END_TEST

START_TEST(test_states_come_in_order_and_the_last_is_the_latest)
{
	start_monitor();
	start_backend();
	run_until_registered(1);
	registration_report(registration, "one");
	run_until_state("one;");
	registration_report(registration, "two");
	registration_report(registration, "three");
	registration_report(registration, "four");
	run_until_state("four;");
	ck_assert_ptr_nonnull(strstr(states, "one;"));
	ck_assert_str_eq(states + strlen(states) - strlen("four;"), "four;");
}
END_TEST

START_TEST(test_registers_and_reports_again_to_a_new_monitor)
{
	start_monitor();
	start_backend();
	registration_report(registration, "online");
	run_until_state("online;");
	TALLOC_FREE(server);
	memset(states, 0, sizeof(states));
	start_monitor();
	run_until_registered(2);
	run_until_state("online;");
}
END_TEST

START_TEST(test_commands_reach_their_hooks)
{
	struct service_config_changed_in changed = { .generation = 9 };

	start_monitor();
	start_backend();
	run_until_registered(1);
	wait_for(service_ping_send(ev, ev, conn, 5000));
	wait_for(service_rotate_logs_send(ev, ev, conn, 5000));
	wait_for(service_go_offline_send(ev, ev, conn, 5000));
	wait_for(service_reset_offline_send(ev, ev, conn, 5000));
	wait_for(service_network_changed_send(ev, ev, conn, 5000));
	wait_for(service_res_init_send(ev, ev, conn, 5000));
	wait_for(service_config_changed_send(ev, ev, conn, &changed, 5000));
	wait_for(service_drain_send(ev, ev, conn, 5000));
	ck_assert_str_eq(wanted, "lornnd");
	ck_assert_uint_eq(last_generation, 9);
}
END_TEST

START_TEST(test_process_that_ends_for_the_new_configuration_does_not_answer)
{
	struct service_config_changed_in changed = { .generation = 100 };
	struct tevent_req *req;
	bool ended = false;

	start_monitor();
	start_backend();
	run_until_registered(1);
	req = service_config_changed_send(ev, ev, conn, &changed, 5000);
	tevent_req_set_callback(req, noted, &ended);
	while (last_generation != 100)
		tevent_loop_once(ev);
	wait_for(service_ping_send(ev, ev, conn, 5000));
	ck_assert(!ended);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registration");
	TCase *tests = tcase_create("registration");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_registers_as_provider_and_learns_the_generation);
	tcase_add_test(tests, test_state_from_before_the_monitor_is_told_when_it_comes);
	tcase_add_test(tests, test_states_come_in_order_and_the_last_is_the_latest);
	tcase_add_test(tests, test_registers_and_reports_again_to_a_new_monitor);
	tcase_add_test(tests, test_commands_reach_their_hooks);
	tcase_add_test(tests, test_process_that_ends_for_the_new_configuration_does_not_answer);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
