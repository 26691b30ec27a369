/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The control in an answer, as slapd makes it, and not.
 */
#include "backend/ldap/deref.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/writer.h"

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
	struct writer out = writer_new(65536);
	struct ber made;

	writer_u8(&out, tag);
	if (size < 128) {
		writer_u8(&out, (uint8_t)size);
	} else {
		writer_u8(&out, 0x82);
		writer_be16(&out, (uint16_t)size);
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
	struct writer out = writer_new(65536);
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
	int r;

	memcpy(copy, bytes, size);
	r = deref_read(&control, &conf, tell, &seen);
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

int main(void)
{
	Suite *suite = suite_create("deref");
	TCase *tests = tcase_create("deref");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_members_that_exist_are_told);
	tcase_add_test(tests, test_long_lengths);
	tcase_add_test(tests, test_nobody_is_told_and_no_error);
	tcase_add_test(tests, test_cut_anywhere_is_refused);
	tcase_add_loop_test(tests, test_other_elements_are_refused, 0, 6);
	suite_add_tcase(suite, tests);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
