/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The control in an answer, as slapd makes it, and not; and how much of it is read in a turn of the
 * loop, with a connection to a server that is the other end of a socketpair(2).
 */
#include "backend/ldap/deref.h"

#include <check.h>
#include <errno.h>
#include <openldap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/ldap/conn.h"
#include "backend/ldap/link.h"
#include "common/base/error.h"
#include "common/wire/writer.h"

#define BER_MAX (1u << 20)

static TALLOC_CTX *mem;
static char *seen; /* what was told, a line each */

static const struct ldap_conf conf = {
	.user_name = "uid",
	.user_uid_number = "uidNumber",
	.user_object_class = "posixAccount",
	.group_object_class = "posixGroup",
};

static void begin(void)
{
	mem = talloc_new(NULL);
	seen = talloc_strdup(mem, "");
}

static void end(void)
{
	talloc_free(mem);
}

/* An element of BER with the bytes of parts, which are elements themselves, in a row. */
struct ber {
	char *bytes;
	size_t size;
};

static struct ber element(uint8_t tag, const void *bytes, size_t size)
{
	struct writer out = writer_new(BER_MAX);
	struct ber made;

	writer_u8(&out, tag);
	if (size < 128) {
		writer_u8(&out, (uint8_t)size);
	} else {
		writer_u8(&out, 0x84);
		writer_be32(&out, (uint32_t)size);
	}
	writer_bytes(&out, bytes, size);
	made = (struct ber){ talloc_memdup(mem, out.bytes, out.size), out.size };
	writer_free(&out);
	return made;
}

static struct ber text(const char *value)
{
	return element(0x04, value, strlen(value));
}

/* The parts end with one without bytes. */
static struct ber list(uint8_t tag, const struct ber *parts)
{
	struct writer out = writer_new(BER_MAX);
	struct ber made;

	for (; parts->bytes; parts++)
		writer_bytes(&out, parts->bytes, parts->size);
	made = element(tag, out.size ? (char *)out.bytes : "", out.size);
	writer_free(&out);
	return made;
}
#define LIST(tag, ...) list(tag, (const struct ber[]){ __VA_ARGS__, { 0 } })

static struct ber attribute(const char *type, struct ber values)
{
	return LIST(0x30, text(type), values);
}

static struct ber whole(void)
{
	struct ber user = attribute("OBJECTCLASS", LIST(0x31, text("top"), text("POSIXaccount")));
	struct ber name = attribute("uid", LIST(0x31, text("alice"), text("al")));
	struct ber uid = attribute("uidNumber", LIST(0x31, text("7")));
	struct ber group = attribute("objectClass", LIST(0x31, text("posixGroup")));

	return LIST(0x30,
	            LIST(0x30, text("member"), text("cn=a,dc=x"), LIST(0xa0, user, name, uid)),
	            LIST(0x30, text("member"), text("cn=gone,dc=x")),
	            LIST(0x30, text("member"), text("cn=g,dc=x"), LIST(0xa0, group)));
}

static void tell(const struct entry_values *member, bool user, bool group, void *data)
{
	const struct berval *name = member->values[USER_NAME], *uid = member->values[USER_UID];

	ck_assert_ptr_eq(data, &seen);
	seen = talloc_asprintf_append(seen, "%s%s%s", member->dn, user ? " user" : "",
	                              group ? " group" : "");
	for (; name && name->bv_val; name++)
		seen = talloc_asprintf_append(seen, " %s", name->bv_val);
	seen = talloc_asprintf_append(seen, " %s\n", uid ? uid->bv_val : "-");
}

/* On a heap copy of its own, which ASan guards. */
static int read_bytes(const char *bytes, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct berval control = { .bv_val = copy, .bv_len = size };
	struct deref_reader reader;
	int r;

	memcpy(copy, bytes, size);
	reader = deref_reader_over(&control);
	do
		r = deref_read(&reader, 1, &conf, tell, &seen);
	while (r == 1);
	free(copy);
	return r;
}

START_TEST(test_members_that_exist_are_told)
{
	struct ber control = whole();

	ck_assert_int_eq(read_bytes(control.bytes, control.size), 0);
	ck_assert_str_eq(seen, "cn=a,dc=x user alice al 7\ncn=g,dc=x group -\n");
}
END_TEST

START_TEST(test_long_lengths)
{
	char dn[400] = "cn=";
	struct ber class = attribute("objectClass", LIST(0x31, text("posixGroup"))), control;

	memset(dn + 3, 'x', sizeof(dn) - 4);
	control = LIST(0x30, LIST(0x30, text("member"), text(dn), LIST(0xa0, class)));
	ck_assert_int_eq(read_bytes(control.bytes, control.size), 0);
	ck_assert_uint_eq(strlen(seen), strlen(dn) + strlen(" group -\n"));
}
END_TEST

START_TEST(test_nobody_is_told_and_no_error)
{
	struct ber none = LIST(0x30, LIST(0x30, text("member"), text("cn=gone")));

	ck_assert_int_eq(read_bytes("\x30\x00", 2), 0);
	ck_assert_int_eq(read_bytes(none.bytes, none.size), 0);
	ck_assert_str_eq(seen, "");
}
END_TEST

START_TEST(test_cut_anywhere_is_refused)
{
	struct ber control = whole();

	for (size_t size = 0; size < control.size; size++)
		ck_assert_int_eq(read_bytes(control.bytes, size), -EBADMSG);
}
END_TEST

START_TEST(test_other_elements_are_refused)
{
	static const struct {
		const char *bytes;
		size_t size;
	} bad[] = {
		{ "\x31\x00", 2 },                     /* not a sequence */
		{ "\x30\x80\x00\x00", 4 },             /* indefinite length */
		{ "\x30\x85\x00\x00\x00\x00\x00", 7 }, /* a length of five bytes */
		{ "\x30\x00\x00", 3 },                 /* something behind it */
		{ "\x30\x02\x04\x00", 4 },             /* a member that is a text */
		{ "\x30\x84\xff\xff\xff\xff", 6 },     /* more than there is */
	};

	ck_assert_int_eq(read_bytes(bad[_i].bytes, bad[_i].size), -EBADMSG);
}
END_TEST

/* ---- turns ---- */

#define MANY       3000
#define A_TURN     250
#define MESSAGE_ID 1 /* the message id of the first operation */

static struct tevent_context *ev;
static struct provider_host host;
static struct ldap_domain domain;
static struct conn *conn;
static int server; /* its end */
static struct tevent_req *req;
static unsigned n_told;
static int result;

/* In the place of link.c's: there is no link. */
struct conn *link_conn(struct link *link)
{
	(void)link;
	return conn;
}

static void lost(struct conn *which, const char *reason, void *data)
{
	(void)which;
	(void)reason;
	(void)data;
	conn = NULL;
}

static void count_member(const struct entry_values *member, bool user, bool group, void *data)
{
	(void)data;
	ck_assert_ptr_nonnull(member->dn);
	ck_assert(group && !user);
	n_told++;
}

static void ended(struct tevent_req *subreq)
{
	result = deref_recv(subreq);
	TALLOC_FREE(req);
}

static void begin_turns(void)
{
	int version = LDAP_VERSION3, ends[2];
	LDAP *ld;

	begin();
	signal(SIGPIPE, SIG_IGN);
	n_told = 0;
	result = 1;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	server = ends[0];
	ck_assert_int_eq(ldap_init_fd(ends[1], LDAP_PROTO_TCP, "ldap://x", &ld), LDAP_SUCCESS);
	ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	ev = tevent_context_init(NULL);
	ck_assert_int_eq(conn_new(ev, ev, ld, ends[1], lost, NULL, &conn), 0);

	host.ev = ev;
	domain.host = &host;
	domain.conf = conf;
	domain.conf.group_member = "member";
	domain.conf.search_timeout_s = 60;
	req = deref_send(ev, &domain, NULL, "cn=g,dc=x", count_member, NULL);
	ck_assert_ptr_nonnull(req);
	tevent_req_set_callback(req, ended, NULL);
}

static void end_turns(void)
{
	talloc_free(ev);
	close(server);
	end();
}

/* One turn of the loop: of so many members the callee is told at most. */
static void turn(void)
{
	unsigned before = n_told;

	ck_assert_int_eq(tevent_loop_once(ev), 0);
	ck_assert_uint_le(n_told - before, A_TURN);
}

static void say(struct ber message)
{
	while (message.size > 0) {
		ssize_t n = write(server, message.bytes, message.size);

		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			turn();
			continue;
		}
		message.bytes += n;
		message.size -= (size_t)n;
	}
}

static struct ber message(struct ber content, struct ber controls)
{
	uint8_t id = MESSAGE_ID;

	return LIST(0x30, element(0x02, &id, 1), content, controls);
}

/* The group (RFC 4511 section 4.5.2), with the control, whose last member may be none. */
static void say_entry(bool bad)
{
	struct ber class = attribute("objectClass", LIST(0x31, text("posixGroup")));
	struct ber member = LIST(0x30, text("member"), text("cn=a,dc=x"), LIST(0xa0, class));
	struct ber entry = LIST(0x64, text("cn=g,dc=x"), element(0x30, "", 0));
	struct ber *members = talloc_zero_array(mem, struct ber, MANY + 1), value;

	for (int i = 0; i < MANY; i++)
		members[i] = bad && i == MANY - 1 ? text("member") : member;
	value = list(0x30, members);
	value = element(0x04, value.bytes, value.size);
	say(message(entry, LIST(0xa0, LIST(0x30, text(LDAP_CONTROL_X_DEREF), value))));
}

static void say_done(uint8_t code)
{
	struct ber none = element(0x04, "", 0);

	say(message(LIST(0x65, element(0x0a, &code, 1), none, none), (struct ber){ 0 }));
}

START_TEST(test_many_members_take_many_turns)
{
	say_entry(false);
	say_done(LDAP_SUCCESS);
	while (result == 1)
		turn();
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(n_told, MANY);
}
END_TEST

START_TEST(test_end_of_the_search_may_come_last)
{
	say_entry(false);
	while (n_told < MANY)
		turn();
	ck_assert_int_eq(result, 1);
	say_done(LDAP_SUCCESS);
	while (result == 1)
		turn();
	ck_assert_int_eq(result, 0);
}
END_TEST

/* The last member is none; the search fails; the server goes; nobody asks any more. */
START_TEST(test_what_ends_between_two_turns)
{
	static const int results[] = { -ENOTSUP, -ENOTSUP, -E_DISCONNECTED, 1 };

	say_entry(_i == 0);
	while (n_told < A_TURN)
		turn();
	if (_i < 2)
		say_done(_i == 0 ? LDAP_SUCCESS : LDAP_BUSY);
	else if (_i == 2)
		ck_assert_int_eq(shutdown(server, SHUT_RDWR), 0);
	else
		TALLOC_FREE(req);
	for (int i = 0; i < 100 && req; i++)
		turn();
	ck_assert_int_eq(result, results[_i]);
	if (_i == 0)
		ck_assert_uint_eq(n_told, MANY - 1);
	else
		ck_assert_uint_lt(n_told, MANY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deref");
	TCase *tests = tcase_create("deref"), *turns = tcase_create("turns");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_members_that_exist_are_told);
	tcase_add_test(tests, test_long_lengths);
	tcase_add_test(tests, test_nobody_is_told_and_no_error);
	tcase_add_test(tests, test_cut_anywhere_is_refused);
	tcase_add_loop_test(tests, test_other_elements_are_refused, 0, 6);
	suite_add_tcase(suite, tests);

	tcase_add_checked_fixture(turns, begin_turns, end_turns);
	tcase_add_test(turns, test_many_members_take_many_turns);
	tcase_add_test(turns, test_end_of_the_search_may_come_last);
	tcase_add_loop_test(turns, test_what_ends_between_two_turns, 0, 4);
	suite_add_tcase(suite, turns);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
