/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewals: whose tickets the helper is asked for, and when; the helper is a socket that only
 * listens
 */
#include "responders/kcm/renew.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "responders/kcm/renew_proto.h"
#include "tests/unit/responders/kcm/build.h"

/* Services, which never log in. */
#define FORGER 901
#define HTTPD  902

#define NOW_S 1600

static const struct kcm_conf conf = { .tgt_renewal = true,
	                              .krb5_renew_interval_s = 60,
	                              .krb5_auth_timeout_s = 6 };

static char dir[64], socket_path[96];
static struct tevent_context *ev;
static struct kcm_store *store;
static struct renewals *renewals;
static int listener, connections[64];
static size_t n_connections;

static unsigned n_changed;

static void changed(void *data)
{
	(void)data;
	n_changed++;
}

static void setup(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(dir, "/tmp/kcm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(socket_path, sizeof(socket_path), "%s/helper", dir);
	strcpy(address.sun_path, socket_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 64), 0);

	ev = tevent_context_init(NULL);
	ck_assert_int_eq(kcm_store_open(ev, dir, NULL, &store), 0);
	renewals = renewals_new(ev, ev, &store, socket_path, changed, NULL);
	renewals_configure(renewals, &conf);
}

static void teardown(void)
{
	static const char *const names[] = { "kcm.mdb", "kcm.mdb-state", "helper" };
	char path[128];

	TALLOC_FREE(renewals);
	TALLOC_FREE(ev);
	for (size_t i = 0; i < n_connections; i++)
		close(connections[i]);
	n_connections = 0;
	close(listener);
	for (size_t i = 0; i < str_size(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

/* A cache of uid with a TGT that is due after half its life. */
static void add(uid_t uid, unsigned number, uint32_t start, uint32_t end)
{
	struct writer out = writer_new(4096);
	struct credential credential;
	struct ccache ccache;
	struct reader in;
	char name[32];
	int r;

	put_tgt(&out, "TEST", start, end, UINT32_MAX, TICKET_RENEWABLE);
	in = reader_over(out.bytes, out.size);
	credential = read_credential(&in);
	snprintf(name, sizeof(name), "%u:%u", (unsigned)uid, number);
	ck_assert_int_eq(kcm_store_begin(store, true), 0);
	r = kcm_store_make(store, uid, name, 0, &ccache);
	if (r == 0)
		r = kcm_store_set_principal(store, &ccache, credential.client.all);
	if (r == 0)
		r = kcm_store_add(store, &ccache, &credential);
	if (r == 0)
		r = kcm_store_save(store, &ccache);
	ck_assert_int_eq(kcm_store_end(store, r), 0);
	writer_free(&out);
}

/* How many more have connected; they wait. */
static unsigned count_new(void)
{
	unsigned n = 0;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		connections[n_connections++] = fd;
		n++;
	}
	return n;
}

static void run(int64_t now_s)
{
	int64_t next_s;

	ck_assert_int_eq(renewals_run(renewals, now_s, &next_s), 0);
}

START_TEST(test_who_names_a_silent_kdc_holds_up_nobody_else)
{
	for (unsigned i = 0; i < 20; i++)
		add(FORGER, i, 1000 + i, 2000);
	for (unsigned i = 0; i < 3; i++)
		add(HTTPD, i, 1150, 2000); /* due after all of these */
	run(NOW_S);
	ck_assert_uint_eq(count_new(), 2 + 2);
	run(NOW_S);
	ck_assert_uint_eq(count_new(), 0);
}
END_TEST

/* The KDC of the first one has no answer. */
static void fail_first(void)
{
	n_changed = 0;
	close(connections[0]);
	connections[0] = connections[--n_connections];
	while (n_changed == 0)
		tevent_loop_once(ev);
}

static int64_t next_after(int64_t now_s)
{
	int64_t next_s;

	ck_assert_int_eq(renewals_run(renewals, now_s, &next_s), 0);
	return next_s;
}

START_TEST(test_who_names_a_kdc_that_refuses_waits_and_nobody_else)
{
	for (unsigned i = 0; i < 20; i++)
		add(FORGER, i, 1000 + i, 2000);
	run(NOW_S);
	ck_assert_uint_eq(count_new(), 2);
	add(HTTPD, 0, 1150, 2000);
	fail_first();
	ck_assert_int_eq(next_after(NOW_S), NOW_S + 1);
	ck_assert_uint_eq(count_new(), 1); /* of HTTPD */
	usleep(1000000);
	run(NOW_S);
	ck_assert_uint_eq(count_new(), 1); /* it makes place for the next one, of the same user */

	/* Twice as long each time. */
	fail_first();
	ck_assert_int_eq(next_after(NOW_S), NOW_S + 2);
	fail_first();
	ck_assert_int_eq(next_after(NOW_S), NOW_S + 4);
	ck_assert_uint_eq(count_new(), 0);
}
END_TEST

START_TEST(test_all_places_are_used)
{
	for (uid_t uid = 0; uid < 10; uid++)
		for (unsigned i = 0; i < 3; i++)
			add(uid, i, 1000, 2000);
	run(NOW_S);
	ck_assert_uint_eq(count_new(), 8);
}
END_TEST

START_TEST(test_what_is_not_due_waits)
{
	int64_t next_s;

	add(HTTPD, 0, 1000, 2300);
	ck_assert_int_eq(renewals_run(renewals, NOW_S, &next_s), 0);
	ck_assert_int_eq(next_s, 1650);
	ck_assert_uint_eq(count_new(), 0);
	ck_assert(!renewals_busy(renewals));
}
END_TEST

/* Else it would be asked again and again. */
START_TEST(test_no_kdc_is_asked_for_what_cannot_be_put_off)
{
	struct rlimit before, none;
	int64_t next_s;
	int r;

	add(HTTPD, 0, 1000, 2000);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none = (struct rlimit){ 1, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &none);
	r = renewals_run(renewals, NOW_S, &next_s);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_lt(r, 0);
	ck_assert_uint_eq(count_new(), 0);
	ck_assert(!renewals_busy(renewals));

	run(NOW_S);
	ck_assert_uint_eq(count_new(), 1);
}
END_TEST

START_TEST(test_without_a_helper_it_is_tried_again)
{
	int64_t next_s;

	unlink(socket_path);
	for (unsigned i = 0; i < 10; i++)
		add(i, 0, 1000, 2000);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(renewals_run(renewals, NOW_S, &next_s), 0);
		ck_assert_int_eq(next_s, NOW_S); /* the next ones, now */
	}
	ck_assert_int_eq(renewals_run(renewals, NOW_S, &next_s), 0);
	ck_assert_int_eq(next_s, NOW_S + 60);
	ck_assert(!renewals_busy(renewals));
}
END_TEST

/* The helper answers the first one with such a TGT. */
static void answer_first(uint32_t start, uint32_t end)
{
	struct writer tgt = writer_new(4096), out = writer_new(8192);
	struct renew_reply reply = { .text = "" };

	put_tgt(&tgt, "TEST", start, end, UINT32_MAX, TICKET_RENEWABLE);
	reply.credential = (struct bytes){ tgt.bytes, tgt.size };
	renew_write_reply(&out, &reply);
	ck_assert_int_eq(writer_end(&out), 0);
	ck_assert_int_eq(write(connections[0], out.bytes, out.size), (ssize_t)out.size);
	n_changed = 0;
	while (n_changed == 0)
		tevent_loop_once(ev);
	close(connections[0]);
	connections[0] = connections[--n_connections];
	writer_free(&tgt);
	writer_free(&out);
}

/* The only one in the only cache. */
static struct stored stored_one(void)
{
	struct stored stored = { 0 }, none;
	struct ccache ccache;
	char name[32];

	snprintf(name, sizeof(name), "%u:0", HTTPD);
	ck_assert_int_eq(kcm_store_begin(store, false), 0);
	ck_assert_int_eq(kcm_store_find(store, HTTPD, name, &ccache), 0);
	ck_assert_uint_eq(ccache.n_credentials, 1);
	ck_assert_int_eq(kcm_store_next_credential(store, &ccache, 0, &stored), 0);
	ck_assert_int_eq(kcm_store_next_credential(store, &ccache, stored.number, &none), -ENOENT);
	ck_assert_int_eq(kcm_store_end(store, 0), 0);
	return stored;
}

START_TEST(test_a_renewed_ticket_takes_the_place_of_the_old)
{
	uint32_t now = (uint32_t)walltime_now().s;

	add(HTTPD, 0, now - 600, now + 400);
	run(now);
	ck_assert_uint_eq(count_new(), 1);
	answer_first(now, now + 1000);
	ck_assert_int_eq(stored_one().expires_s, now + 1000);
	ck_assert_int_eq(stored_one().due_s, now + 500);
	ck_assert_int_eq(next_after(now), now + 500);
	ck_assert(!renewals_busy(renewals));
}
END_TEST

/* Else the KDC would be asked again and again. */
START_TEST(test_what_comes_back_due_is_held_back)
{
	uint32_t now = (uint32_t)walltime_now().s;

	add(HTTPD, 0, now - 600, now + 400);
	run(now);
	ck_assert_uint_eq(count_new(), 1);
	answer_first(now - 600, now + 500);
	ck_assert_int_eq(stored_one().expires_s, now + 500);
	ck_assert_int_ge(stored_one().due_s, now + conf.krb5_renew_interval_s);
	run(now + 5);
	ck_assert_uint_eq(count_new(), 0);
}
END_TEST

START_TEST(test_one_that_ends_sooner_is_not_taken)
{
	uint32_t now = (uint32_t)walltime_now().s;

	add(HTTPD, 0, now - 600, now + 400);
	run(now);
	ck_assert_uint_eq(count_new(), 1);
	answer_first(now, now + 399);
	ck_assert_int_eq(stored_one().expires_s, now + 400);
	ck_assert_int_gt(stored_one().due_s, now); /* it is tried again */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kcm_renew");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_who_names_a_silent_kdc_holds_up_nobody_else);
	tcase_add_test(tcase, test_who_names_a_kdc_that_refuses_waits_and_nobody_else);
	tcase_add_test(tcase, test_all_places_are_used);
	tcase_add_test(tcase, test_what_is_not_due_waits);
	tcase_add_test(tcase, test_no_kdc_is_asked_for_what_cannot_be_put_off);
	tcase_add_test(tcase, test_without_a_helper_it_is_tried_again);
	tcase_add_test(tcase, test_a_renewed_ticket_takes_the_place_of_the_old);
	tcase_add_test(tcase, test_what_comes_back_due_is_held_back);
	tcase_add_test(tcase, test_one_that_ends_sooner_is_not_taken);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
