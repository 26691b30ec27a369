/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers of a name server, made by hand (RFC 1035 section 4.1), and the order of RFC 2782.
 */
#include "backend/core/srv.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static TALLOC_CTX *mem;
static uint8_t message[4096];
static size_t size;
static struct srv *records;
static size_t count;
static uint32_t ttl_s;

static void put(const void *bytes, size_t n)
{
	ck_assert_uint_le(size + n, sizeof(message));
	memcpy(message + size, bytes, n);
	size += n;
}

static void put_u16(unsigned value)
{
	put((uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void put_u32(uint32_t value)
{
	put_u16(value >> 16);
	put_u16(value & 0xffff);
}

/* "a.test" as labels; "" is the root. */
static void put_name(const char *name)
{
	while (*name) {
		uint8_t label = (uint8_t)strcspn(name, ".");

		put(&label, 1);
		put(name, label);
		name += label + (name[label] == '.');
	}
	put("", 1);
}

static void begin(void)
{
	mem = talloc_new(NULL);
	size = 0;
	records = NULL;
	count = 0;
}

static void end(void)
{
	talloc_free(mem);
}

static void begin_message(unsigned n_answers)
{
	put_u16(7);
	put_u16(0x8180);
	put_u16(1);
	put_u16(n_answers);
	put_u16(0);
	put_u16(0);
	put_name("_ldap._tcp.a.test");
	put_u16(33);
	put_u16(1);
}

static void put_srv(uint32_t ttl, unsigned priority, unsigned weight, unsigned port,
                    const char *target)
{
	size_t at;

	put_u16(0xc00c); /* the name of the question */
	put_u16(33);
	put_u16(1);
	put_u32(ttl);
	at = size;
	put_u16(0);
	put_u16(priority);
	put_u16(weight);
	put_u16(port);
	put_name(target);
	message[at + 1] = (uint8_t)(size - at - 2);
}

static int parse(size_t n)
{
	uint8_t *copy = malloc(n ? n : 1); /* with ASan around it */
	int r;

	memcpy(copy, message, n);
	r = srv_parse(mem, copy, n, &records, &count, &ttl_s);
	free(copy);
	return r;
}

START_TEST(test_records_and_the_shortest_ttl)
{
	begin_message(2);
	put_srv(300, 0, 10, 389, "ldap1.a.test");
	put_srv(60, 1, 0, 636, "ldap2.a.test");
	ck_assert_int_eq(parse(size), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(ttl_s, 60);
	srv_sort(records, count);
	ck_assert_str_eq(records[0].host, "ldap1.a.test");
	ck_assert_uint_eq(records[0].port, 389);
	ck_assert_uint_eq(records[0].weight, 10);
	ck_assert_str_eq(records[1].host, "ldap2.a.test");
	ck_assert_uint_eq(records[1].port, 636);
	ck_assert_uint_eq(records[1].priority, 1);
}
END_TEST

START_TEST(test_ttl_with_its_top_bit_is_none)
{
	begin_message(1);
	put_srv(0x80000001, 0, 0, 389, "ldap1.a.test");
	ck_assert_int_eq(parse(size), 0);
	ck_assert_uint_eq(ttl_s, 0);
}
END_TEST

START_TEST(test_no_record_is_no_server)
{
	begin_message(0);
	ck_assert_int_eq(parse(size), -ENOENT);
}
END_TEST

START_TEST(test_root_means_that_there_is_no_service)
{
	begin_message(1);
	put_srv(300, 0, 0, 389, "");
	ck_assert_int_eq(parse(size), -ENOENT);
}
END_TEST

START_TEST(test_cut_anywhere_is_refused)
{
	begin_message(2);
	put_srv(300, 0, 10, 389, "ldap1.a.test");
	put_srv(60, 1, 0, 636, "ldap2.a.test");
	for (size_t n = 0; n < size; n++)
		ck_assert_int_lt(parse(n), 0);
}
END_TEST

START_TEST(test_no_more_than_the_limit)
{
	begin_message(SRV_MAX + 9);
	for (unsigned i = 0; i < SRV_MAX + 9; i++)
		put_srv(300, i, 0, 389, "x");
	ck_assert_int_eq(parse(size), 0);
	ck_assert_uint_eq(count, SRV_MAX);
}
END_TEST

START_TEST(test_priorities_come_in_order)
{
	struct srv all[30];

	for (unsigned i = 0; i < 30; i++)
		all[i] = (struct srv){ .priority = (uint16_t)(i * 7 % 5),
			               .weight = (uint16_t)(i % 3) };
	srv_sort(all, 30);
	for (unsigned i = 1; i < 30; i++)
		ck_assert_uint_le(all[i - 1].priority, all[i].priority);
}
END_TEST

/* Three times as heavy, three times as often; the limits are ten standard deviations away. */
START_TEST(test_weights_are_chances)
{
	unsigned heavy = 0, zero = 0;

	for (unsigned i = 0; i < 4000; i++) {
		struct srv all[] = { { .weight = 0 }, { .weight = 100 }, { .weight = 300 } };

		srv_sort(all, 3);
		heavy += all[0].weight == 300;
		zero += all[0].weight == 0;
	}
	ck_assert_uint_ge(heavy, 2720);
	ck_assert_uint_le(heavy, 3270);
	ck_assert_uint_le(zero, 60);
}
END_TEST

START_TEST(test_no_weights_are_equal_chances)
{
	unsigned first = 0;

	for (unsigned i = 0; i < 4000; i++) {
		struct srv all[] = { { .port = 1 }, { .port = 2 } };

		srv_sort(all, 2);
		first += all[0].port == 1;
	}
	ck_assert_uint_ge(first, 1680);
	ck_assert_uint_le(first, 2320);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("srv");
	TCase *tests = tcase_create("srv");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_records_and_the_shortest_ttl);
	tcase_add_test(tests, test_ttl_with_its_top_bit_is_none);
	tcase_add_test(tests, test_no_record_is_no_server);
	tcase_add_test(tests, test_root_means_that_there_is_no_service);
	tcase_add_test(tests, test_cut_anywhere_is_refused);
	tcase_add_test(tests, test_no_more_than_the_limit);
	tcase_add_test(tests, test_priorities_come_in_order);
	tcase_add_test(tests, test_weights_are_chances);
	tcase_add_test(tests, test_no_weights_are_equal_chances);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
