/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Credentials: what is read, what is refused, what matches
 */
#include "responders/kcm/cred.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/responders/kcm/build.h"

static struct writer out;

static void setup(void)
{
	out = writer_new(65536);
}

static void teardown(void)
{
	writer_free(&out);
}

static struct credential credential_of(const struct writer *from)
{
	struct reader in = reader_over(from->bytes, from->size);
	struct credential credential = read_credential(&in);

	ck_assert_int_eq(reader_end(&in), 0);
	return credential;
}

static bool is(struct bytes bytes, const char *text)
{
	return bytes.size == strlen(text) && memcmp(bytes.at, text, bytes.size) == 0;
}

START_TEST(test_every_field_is_read)
{
	struct credential credential;

	put_credential(&out, "alice", "www", 1234, "ticket");
	credential = credential_of(&out);
	ck_assert(is(credential.client.realm, "TEST"));
	ck_assert_uint_eq(credential.client.n_components, 1);
	ck_assert_uint_eq(credential.server.n_components, 2);
	ck_assert_uint_eq(credential.enctype, 18);
	ck_assert_uint_eq(credential.key.size, 32);
	ck_assert_uint_eq(credential.times[TIME_END], 1234);
	ck_assert_uint_eq(credential.flags, 0x40000000);
	ck_assert(is(credential.ticket, "ticket"));
	ck_assert_uint_eq(credential.second_ticket.size, 0);
	ck_assert_uint_eq(credential.all.size, out.size);
	ck_assert(!is_cache_config(&credential));
}
END_TEST

START_TEST(test_cut_anywhere_is_refused)
{
	put_credential(&out, "alice", "www", 1234, "ticket");
	for (size_t size = 0; size < out.size; size++) {
		uint8_t *copy = malloc(size ? size : 1); /* its own, so that ASan guards its end */
		struct reader in;

		memcpy(copy, out.bytes, size);
		in = reader_over(copy, size);
		read_credential(&in);
		ck_assert_int_eq(reader_end(&in), -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(test_counts_beyond_the_message_are_refused)
{
	struct reader in;

	writer_be32(&out, 1);
	writer_be32(&out, UINT32_MAX); /* components */
	put_data(&out, "TEST");
	in = reader_over(out.bytes, out.size);
	read_principal(&in);
	ck_assert_int_eq(reader_end(&in), -EBADMSG);
}
END_TEST

START_TEST(test_the_name_type_does_not_count)
{
	struct principal a, b;
	struct reader in;

	put_principal(&out, "TEST", "alice", NULL);
	put_principal(&out, "TEST", "alice", NULL);
	out.bytes[3] = 10;
	in = reader_over(out.bytes, out.size);
	a = read_principal(&in);
	b = read_principal(&in);
	ck_assert_uint_ne(a.type, b.type);
	ck_assert(principals_equal(&a, &b));
}
END_TEST

/* "a", "bc" and "ab", "c" have the same letters. */
START_TEST(test_components_do_not_run_together)
{
	struct principal a, b;
	struct reader in;

	put_principal(&out, "TEST", "a", "bc");
	put_principal(&out, "TEST", "ab", "c");
	in = reader_over(out.bytes, out.size);
	a = read_principal(&in);
	b = read_principal(&in);
	ck_assert(!principals_equal(&a, &b));
}
END_TEST

START_TEST(test_entries_about_the_cache_are_known)
{
	put_principal(&out, "TEST", "alice", NULL);
	put_principal(&out, "X-CACHECONF:", "krb5_ccache_conf_data", "fast_avail");
	put_rest(&out, 0, "yes");
	ck_assert(is_cache_config(&(struct credential){ .server = credential_of(&out).server }));
}
END_TEST

struct match_case {
	uint32_t how;
	const char *realm, *first, *second;
	uint16_t enctype;
	uint32_t endtime, renew_till, flags;
	uint8_t is_skey;
	bool matches;
};

/* Against host/www@TEST, enctype 18, endtime 1000, flags 0x40000000. */
static const struct match_case match_cases[] = {
	{ 0, "TEST", "host", "www", .matches = true },
	{ 0, "TEST", "host", "ftp", .matches = false },
	{ 0, "OTHER", "host", "www", .matches = false },
	{ DONT_MATCH_REALM, "OTHER", "host", "www", .matches = true },
	{ MATCH_SRV_NAMEONLY, "OTHER", "host", "www", .matches = true },
	{ MATCH_SRV_NAMEONLY, "OTHER", "host", "ftp", .matches = false },
	{ MATCH_TIMES, "TEST", "host", "www", .endtime = 1000, .matches = true },
	{ MATCH_TIMES, "TEST", "host", "www", .endtime = 1001, .matches = false },
	{ MATCH_TIMES, "TEST", "host", "www", .renew_till = 1, .matches = false },
	{ MATCH_TIMES_EXACT, "TEST", "host", "www", .endtime = 1000, .matches = false },
	{ MATCH_FLAGS, "TEST", "host", "www", .flags = 0x40000000, .matches = true },
	{ MATCH_FLAGS, "TEST", "host", "www", .flags = 0x40000001, .matches = false },
	{ MATCH_FLAGS_EXACT, "TEST", "host", "www", .flags = 0, .matches = false },
	{ MATCH_KEYTYPE, "TEST", "host", "www", .enctype = 18, .matches = true },
	{ MATCH_KEYTYPE, "TEST", "host", "www", .enctype = 17, .matches = false },
	{ MATCH_IS_SKEY, "TEST", "host", "www", .is_skey = 1, .matches = false },
	{ 0, "TEST", "host", "www", .is_skey = 1, .matches = true },
};

START_TEST(test_tags_match)
{
	const struct match_case *c = &match_cases[_i];
	struct writer wanted = writer_new(4096);
	struct credential credential;
	struct reader in;
	struct tag tag;

	put_credential(&out, "alice", "www", 1000, "ticket");
	credential = credential_of(&out);

	writer_be32(&wanted, 0x0006); /* server and key */
	put_principal(&wanted, c->realm, c->first, c->second);
	writer_be16(&wanted, c->enctype);
	put_data(&wanted, "");
	writer_be32(&wanted, 0);
	writer_be32(&wanted, 0);
	writer_be32(&wanted, c->endtime);
	writer_be32(&wanted, c->renew_till);
	writer_u8(&wanted, c->is_skey);
	writer_be32(&wanted, c->flags);
	in = reader_over(wanted.bytes, wanted.size);
	tag = read_tag(&in);
	ck_assert_int_eq(reader_end(&in), 0);
	ck_assert_int_eq(tag_matches(&tag, c->how, &credential), c->matches);
	writer_free(&wanted);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cred");
	TCase *tcase = tcase_create("cred");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_every_field_is_read);
	tcase_add_test(tcase, test_cut_anywhere_is_refused);
	tcase_add_test(tcase, test_counts_beyond_the_message_are_refused);
	tcase_add_test(tcase, test_the_name_type_does_not_count);
	tcase_add_test(tcase, test_components_do_not_run_together);
	tcase_add_test(tcase, test_entries_about_the_cache_are_known);
	tcase_add_loop_test(tcase, test_tags_match, 0,
	                    sizeof(match_cases) / sizeof(match_cases[0]));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
