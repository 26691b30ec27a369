/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A server at the other end of a socket pair, which says nothing; and a thread that waits for it.
 */
#include "backend/ldap/handle.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/base/signals.h"
#include "common/event/timer.h"
#include "common/ldap/uri.h"

static struct tevent_context *ev;
static struct pool *pool;
static struct ldap_conf *conf;
static int ours, server; /* the two ends */

static const struct server_name name = {
	.text = "ldapi://%2fserver",
	.host = "/server",
	.protocol = URI_LDAPI,
};

static void begin(void)
{
	int ends[2];

	ev = tevent_context_init(NULL);
	pool = pool_new(ev, ev);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ours = ends[0];
	server = ends[1];
	conf = talloc_zero(ev, struct ldap_conf);
	conf->network_timeout_s = 60;
	conf->sasl_mech = talloc_strdup(conf, "EXTERNAL"); /* libsasl2 has it without a plug-in */
	conf->sasl_minssf = conf->sasl_maxssf = -1;
	ck_assert_int_eq(secret_new(conf, "secret", 6, &conf->bind_password), 0);
}

static void end(void)
{
	close(server);
	talloc_free(ev);
}

static void note(struct tevent_req *req)
{
	*(bool *)tevent_req_callback_data_void(req) = true;
}

static void stop(void *data)
{
	*(bool *)data = true;
}

static LDAP *opened(void)
{
	struct tevent_req *req = handle_open_send(ev, ev, pool, ours, &name, conf, false);
	bool ended = false;
	char *reason = NULL;
	LDAP *ld = NULL;

	tevent_req_set_callback(req, note, &ended);
	while (!ended)
		tevent_loop_once(ev);
	ck_assert_int_eq(handle_recv(req, ev, &ld, &reason), 0);
	talloc_free(req);
	return ld;
}

/* The job has been dropped when its socket is closed. */
static void run_until_dropped(void)
{
	for (bool over = false; fcntl(ours, F_GETFD) >= 0; over = false) {
		timer_once(ev, ev, 1, stop, &over);
		while (!over)
			tevent_loop_once(ev);
	}
}

START_TEST(test_a_bind_that_goes_on_when_the_domain_is_gone)
{
	LDAP *ld = opened();
	struct tevent_req *req = handle_bind_send(ev, ev, pool, ld, ours, &name, conf);
	struct pollfd asked = { .fd = server, .events = POLLIN };

	ck_assert_int_eq(poll(&asked, 1, -1), 1);
	talloc_free(conf);
	talloc_free(req); /* wakes the thread up, which says what failed */
	run_until_dropped();
}
END_TEST

START_TEST(test_what_begins_when_the_domain_is_gone)
{
	struct tevent_req *req = handle_open_send(ev, ev, pool, ours, &name, conf, true);

	talloc_free(conf);
	talloc_free(req);
	run_until_dropped();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ldap/handle");
	TCase *tcase = tcase_create("handle");
	SRunner *runner = srunner_create(suite);
	int failed;

	signals_calm();
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, test_a_bind_that_goes_on_when_the_domain_is_gone);
	tcase_add_test(tcase, test_what_begins_when_the_domain_is_gone);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
