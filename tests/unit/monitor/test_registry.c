/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/registry.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/unit/common/sbus/pair.h"

static void count(void *data)
{
	++*(int *)data;
}

static int add(struct registry *registry, struct pair *pair, const char *name, unsigned type,
               struct service **ret_service)
{
	return registry_add(registry, pair->accepted, name, type, (uint32_t)getpid(), ret_service);
}

START_TEST(test_another_ones_pid_is_refused)
{
	auto_talloc struct pair *pair = pair_standing();
	int changes = 0;
	auto_talloc struct registry *registry = registry_new(NULL, count, &changes);
	struct service *service = NULL;

	ck_assert_int_eq(registry_add(registry, pair->accepted, "nss", 2, 1, &service), -EPERM);
	ck_assert_int_eq(registry_add(registry, pair->accepted, "nss", 2, UINT32_MAX, &service),
	                 -EPERM);
	ck_assert_ptr_null(service);
	ck_assert_ptr_null(registry_find(registry, "nss"));
	ck_assert_int_eq(changes, 0);
}
END_TEST

static const struct {
	const char *name;
	unsigned type;
} senseless[] = { { "", 0 }, { "a b", 0 }, { "a\nb", 0 }, { "nss", 4 }, { NULL, 0 } };

START_TEST(test_senseless_registration_is_refused)
{
	auto_talloc struct pair *pair = pair_standing();
	int changes = 0;
	auto_talloc struct registry *registry = registry_new(NULL, count, &changes);
	char *long_name = talloc_asprintf(pair, "%0301d", 0);
	struct service *service;

	ck_assert_int_eq(add(registry, pair, senseless[_i].name ? senseless[_i].name : long_name,
	                     senseless[_i].type, &service),
	                 -EINVAL);
}
END_TEST

START_TEST(test_entry_lives_as_long_as_its_connection)
{
	auto_talloc struct pair *pair = pair_standing();
	int changes = 0;
	auto_talloc struct registry *registry = registry_new(NULL, count, &changes);
	struct service *service, *second;

	ck_assert_int_eq(add(registry, pair, "nss", SERVICE_SOCKET, &service), 0);
	ck_assert_int_eq(changes, 1);
	ck_assert_ptr_eq(registry_find(registry, "nss"), service);
	ck_assert_ptr_eq(registry_of(registry, pair->accepted), service);
	ck_assert_int_eq(service->pid, getpid());
	ck_assert_int_eq(service->type, SERVICE_SOCKET);
	ck_assert_int_eq(add(registry, pair, "pam", 0, &second), -EALREADY);

	TALLOC_FREE(pair->client);
	ck_assert(pair_until(pair, pair->n_closed == 1));
	ck_assert(pair_until(pair, changes == 2));
	ck_assert_ptr_null(registry_find(registry, "nss"));
	ck_assert(list_empty(registry_all(registry)));
}
END_TEST

START_TEST(test_starts_are_counted_for_each_name)
{
	auto_talloc struct pair *pair = pair_standing();
	int changes = 0;
	auto_talloc struct registry *registry = registry_new(NULL, count, &changes);
	struct service *service;

	for (unsigned life = 1; life <= 3; life++) {
		ck_assert_int_eq(add(registry, pair, life == 2 ? "pam" : "nss", 0, &service), 0);
		ck_assert_uint_eq(service->starts, life == 3 ? 2 : 1);
		TALLOC_FREE(pair->client);
		ck_assert(pair_until(pair, pair->n_closed == (int)life));
		pair_connect(pair, false);
		ck_assert(pair_until(pair, pair->accepted));
	}
}
END_TEST

START_TEST(test_names_are_bounded)
{
	auto_talloc struct pair *pair = pair_standing();
	int changes = 0;
	auto_talloc struct registry *registry = registry_new(NULL, count, &changes);
	struct service *service;

	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "name%d", i);
		registry_note_end(registry, name, "exit status 0");
	}
	ck_assert_str_eq(registry_last_end(registry, "name255"), "exit status 0");
	ck_assert_ptr_null(registry_last_end(registry, "name256"));
	ck_assert_int_eq(add(registry, pair, "nss", 0, &service), -ENOSPC);
	ck_assert_int_eq(add(registry, pair, "name7", 0, &service), 0);
}
END_TEST

START_TEST(test_lines_tell_all)
{
	auto_talloc struct pair *pair = pair_standing();
	int changes = 0;
	auto_talloc struct registry *registry = registry_new(NULL, count, &changes);
	const char *const *lines;
	struct service *service;
	char *wanted;

	ck_assert_int_eq(registry_lines(registry, pair, &lines), 0);
	ck_assert_ptr_null(lines[0]);

	ck_assert_int_eq(add(registry, pair, "%BE_LDAP", SERVICE_PROVIDER, &service), 0);
	service->since.s = 1763720000;
	ck_assert_int_eq(registry_lines(registry, pair, &lines), 0);
	wanted = talloc_asprintf(pair, "%s 1 %d 1 1763720000 -", "%BE_LDAP", (int)getpid());
	ck_assert_str_eq(lines[0], wanted);

	registry_report(service, "online\nsince then");
	ck_assert_int_eq(registry_lines(registry, pair, &lines), 0);
	wanted = talloc_asprintf(pair, "%s 1 %d 1 1763720000 online\\x0asince then", "%BE_LDAP",
	                         (int)getpid());
	ck_assert_str_eq(lines[0], wanted);
	ck_assert_ptr_null(lines[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry");
	TCase *registry = tcase_create("registry");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(registry, test_another_ones_pid_is_refused);
	tcase_add_loop_test(registry, test_senseless_registration_is_refused, 0, 5);
	tcase_add_test(registry, test_entry_lives_as_long_as_its_connection);
	tcase_add_test(registry, test_starts_are_counted_for_each_name);
	tcase_add_test(registry, test_names_are_bounded);
	tcase_add_test(registry, test_lines_tell_all);
	suite_add_tcase(suite, registry);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
