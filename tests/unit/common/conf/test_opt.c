/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/conf/opt.h"

#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/str.h"
#include "common/conf/options.h"

/* ---- every row of every table ---- */

static void each_option(void (*visit)(const struct opt_table *table, const struct opt *opt))
{
	for (const struct opt_table *table = opt_tables; table->section; table++)
		for (const struct opt *opt = table->opts; opt->name; opt++)
			visit(table, opt);
}

static size_t field_size(const struct opt *opt)
{
	switch (opt->type) {
	case OPT_BOOL:
	case OPT_CHAR:
		return 1;
	case OPT_NUMBER:
	case OPT_SIGNED:
	case OPT_WORD:
		return 4;
	default:
		return sizeof(void *);
	}
}

static void visit_row(const struct opt_table *table, const struct opt *opt)
{
	for (const char *c = opt->name; *c; c++)
		ck_assert_msg(isalnum((unsigned char)*c) || *c == '_', "%s", opt->name);
	ck_assert_msg(opt->state != OPT_BUILT || opt->help, "%s has no help", opt->name);
	ck_assert_msg(opt->state != OPT_BUILT || table->size > 0, "%s has no struct", opt->name);
	ck_assert_msg(opt->state == OPT_BUILT || table->size == 0, "%s in %s", opt->name,
	              table->section);
	ck_assert_msg(opt->type != OPT_WORD || opt->words, "%s has no words", opt->name);
	if (table->size > 0)
		ck_assert_msg(opt->offset + field_size(opt) <= table->size &&
		                      opt->offset % field_size(opt) == 0,
		              "%s", opt->name);
	ck_assert_int_le(opt->min, opt->max);
	if (opt->type == OPT_NUMBER && opt->state == OPT_BUILT && !opt->fallback)
		ck_assert_msg(opt->max > 0 && opt->max < OPT_UNSET, "%s may be as if it were unset",
		              opt->name);
}

START_TEST(test_rows_are_whole)
{
	each_option(visit_row);
}
END_TEST

static void visit_default(const struct opt_table *table, const struct opt *opt)
{
	auto_talloc char *mem = talloc_zero_size(NULL, table->size + 64);
	char *reason = NULL;

	ck_assert_msg(opt_set(mem, opt, opt->fallback, table->size ? mem : NULL, &reason) == 0,
	              "%s: %s", opt->name, reason);
}

START_TEST(test_defaults_parse)
{
	each_option(visit_default);
}
END_TEST

/* Values no option of the type may take; texts and lists take anything. */
static const char *const *bad_values(const struct opt *opt)
{
	static const char *const bools[] = { "yes", "1", "tru", "true false", NULL };
	static const char *const numbers[] = { "x", "-1", "1.5", "4294967296", "10s", "1 2", NULL };
	static const char *const any_numbers[] = { "x",   "-2147483649", "1.5", "4294967296",
		                                   "10s", "1 2",         NULL };
	static const char *const signeds[] = { "x", "2147483648", "-2147483649", "0x", NULL };
	static const char *const words[] = { "no such word", "0", "\xff", NULL };
	static const char *const levels[] = { "true", "x", "-1", "0x", NULL };
	static const char *const none[] = { NULL };

	switch (opt->type) {
	case OPT_BOOL:
		return bools;
	case OPT_NUMBER:
		return opt->min < 0 ? any_numbers : numbers;
	case OPT_SIGNED:
		return signeds;
	case OPT_WORD:
		return words;
	case OPT_LIST:
		return opt->words ? words : none;
	case OPT_LEVEL:
		return levels;
	default:
		return none;
	}
}

static void visit_bad(const struct opt_table *table, const struct opt *opt)
{
	(void)table;
	for (const char *const *text = bad_values(opt); *text; text++) {
		auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
		char field[64], untouched[64];
		struct opt here = *opt;
		char *reason = NULL;

		here.offset = 0;
		memset(field, 0xa5, sizeof(field));
		memcpy(untouched, field, sizeof(field));
		ck_assert_msg(opt_set(mem, &here, *text, field, &reason) == -E_CONFIG,
		              "%s = %s is taken", opt->name, *text);
		ck_assert_ptr_nonnull(reason);
		ck_assert_mem_eq(field, untouched, sizeof(field));
		ck_assert_int_eq(opt_set(mem, opt, *text, NULL, &reason), -E_CONFIG);
	}
}

START_TEST(test_bad_values_are_refused_and_leave_the_field)
{
	each_option(visit_bad);
}
END_TEST

/* Two rows of one section with the same name: the second would never be found. Only rows that are
 * not built may stand behind one of a narrower table. */
static void visit_reach(const struct opt_table *table, const struct opt *opt)
{
	static const struct {
		const char *kind, *section;
	} samples[] = {
		{ "service", "ssh" },
		{ "domain", "domain/A" },
		{ "application", "application/A" },
		{ "subdomain", "domain/A/B" },
		{ "certmap", "certmap/A/B" },
		{ "*", "sssd" },
	};
	const char *section = table->section;

	for (size_t i = 0; i < str_size(samples); i++)
		if (strcmp(samples[i].kind, section) == 0)
			section = samples[i].section;
	if (opt->state == OPT_BUILT)
		ck_assert_msg(opt_find(section, opt->name) == opt, "%s in %s", opt->name, section);
	else
		ck_assert_msg(opt_find(section, opt->name), "%s in %s", opt->name, section);
}

START_TEST(test_every_row_is_found)
{
	each_option(visit_reach);
}
END_TEST

/* ---- sections ---- */

/* clang-format off */
static const struct {
	const char *section, *kind;
} sections[] = {
	{ "sssd", "sssd" }, { "SSSD", "sssd" }, { "nss", "nss" }, { "pac", "pac" }, { "kcm", "kcm" },
	{ "session_recording", "session_recording" },
	{ "domain/LDAP", "domain" }, { "Domain/x", "domain" }, { "domain/a b", "domain" },
	{ "domain/A/B", "subdomain" }, { "application/A", "application" },
	{ "certmap/A/r", "certmap" },
	{ "prompting/password", "prompting/password" }, { "prompting/2fa/sshd", "prompting/2fa" },
	{ "prompting/passkey", "prompting/passkey" }, { "prompting/oauth2/x", "prompting/oauth2" },
	{ "default", NULL }, { "secrets", NULL }, { "domain", NULL }, { "domain/", NULL },
	{ "domain//x", NULL }, { "domain/x/", NULL }, { "domain/a@b", NULL }, { "domain/A/B/C", NULL },
	{ "application/A/B", NULL }, { "certmap/A", NULL }, { "certmap/A/B/C", NULL },
	{ "prompting", NULL }, { "prompting/", NULL }, { "prompting/fingers", NULL },
	{ "prompting/2fa/a/b", NULL }, { "prompting/2fax", NULL }, { "prompting/2fa/", NULL },
	{ "bogus", NULL }, { "", NULL }, { "nss ", NULL }, { "/", NULL },
};
/* clang-format on */

START_TEST(test_kind_of_section)
{
	const char *kind = opt_kind(sections[_i].section);

	if (sections[_i].kind)
		ck_assert_pstr_eq(kind, sections[_i].kind);
	else
		ck_assert_pstr_eq(kind, NULL);
}
END_TEST

START_TEST(test_names_are_found_without_case)
{
	ck_assert_ptr_nonnull(opt_find("nss", "Filter_Users"));
	ck_assert_ptr_eq(opt_find("NSS", "filter_users"), opt_find("nss", "filter_users"));
}
END_TEST

START_TEST(test_options_belong_to_their_section)
{
	ck_assert_ptr_null(opt_find("sssd", "min_id"));
	ck_assert_ptr_null(opt_find("nss", "ldap_uri"));
	ck_assert_ptr_null(opt_find("domain/A", "services"));
	ck_assert_ptr_null(opt_find("domain/A/B", "ldap_uri"));
	ck_assert_ptr_null(opt_find("domain/A", "inherit_from"));
	ck_assert_ptr_null(opt_find("session_recording", "debug_level"));
	ck_assert_ptr_null(opt_find("bogus", "debug_level"));
	ck_assert_ptr_nonnull(opt_find("application/A", "ldap_uri"));
	ck_assert_ptr_nonnull(opt_find("application/A", "inherit_from"));
	ck_assert_ptr_nonnull(opt_find("domain/A", "debug_level"));
	ck_assert_ptr_nonnull(opt_find("pac", "request_timeout"));
}
END_TEST

START_TEST(test_nearest_within_two_letters)
{
	ck_assert_str_eq(opt_nearest("nss", "filter_userz", 0)->name, "filter_users");
	ck_assert_str_eq(opt_nearest("domain/A", "LDAP_TLS_RECERT", OPT_ACCESS)->name,
	                 "ldap_tls_reqcert");
	ck_assert_str_eq(opt_nearest("domain/A", "acess_provder", OPT_ACCESS)->name,
	                 "access_provider");
	ck_assert_str_eq(opt_nearest("domain/A", "simple_alow_user", OPT_ACCESS)->name,
	                 "simple_allow_users");
	ck_assert_ptr_null(opt_nearest("domain/A", "acces_provdr_", OPT_ACCESS));
	ck_assert_ptr_null(opt_nearest("domain/A", "min_idd", OPT_ACCESS));
	ck_assert_ptr_null(opt_nearest("nss", "acess_provider", 0));
	ck_assert_ptr_null(opt_nearest("bogus", "debug_leve", 0));
}
END_TEST

START_TEST(test_a_very_long_name_is_near_nothing)
{
	char name[4096];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_ptr_null(opt_nearest("domain/A", name, 0));
	ck_assert_ptr_null(opt_find("domain/A", name));
}
END_TEST

/* ---- values ---- */

struct sample {
	bool truth;
	uint32_t number, percent, milli, span;
	int32_t sign;
	char character;
	const char *text, *home;
	char **list, **words_list;
	int word;
	struct secret *secret;
};

static const char *const word_list[] = { "", "one", "Two", NULL };

/* clang-format off */
static const struct opt sample_opts[] = {
	{ "truth", OPT_BOOL, offsetof(struct sample, truth) },
	{ "number", OPT_NUMBER, offsetof(struct sample, number) },
	{ "percent", OPT_NUMBER, offsetof(struct sample, percent), 1, 99 },
	{ "milli", OPT_NUMBER, offsetof(struct sample, milli), .flags = OPT_MILLI },
	{ "span", OPT_SPAN, offsetof(struct sample, span) },
	{ "sign", OPT_SIGNED, offsetof(struct sample, sign) },
	{ "text", OPT_TEXT, offsetof(struct sample, text) },
	{ "character", OPT_CHAR, offsetof(struct sample, character) },
	{ "home", OPT_TEXT, offsetof(struct sample, home), .letters = "ud" },
	{ "list", OPT_LIST, offsetof(struct sample, list) },
	{ "words_list", OPT_LIST, offsetof(struct sample, words_list), .words = word_list },
	{ "word", OPT_WORD, offsetof(struct sample, word), .words = word_list },
	{ "secret", OPT_SECRET, offsetof(struct sample, secret) },
	OPT_END
};
/* clang-format on */

static struct sample sample;
static TALLOC_CTX *mem;
static char *reason;

static void setup(void)
{
	mem = talloc_new(NULL);
	memset(&sample, 0xa5, sizeof(sample));
	reason = NULL;
}

static void teardown(void)
{
	TALLOC_FREE(mem);
}

static int set(const char *name, const char *text)
{
	const struct opt *opt = sample_opts;

	while (strcmp(opt->name, name) != 0)
		opt++;
	return opt_set(mem, opt, text, &sample, &reason);
}

START_TEST(test_values_fill_their_fields)
{
	ck_assert_int_eq(set("truth", "TRUE"), 0);
	ck_assert(sample.truth == true);
	ck_assert_int_eq(set("truth", "False"), 0);
	ck_assert(sample.truth == false);
	ck_assert_int_eq(set("number", "4294967295"), 0);
	ck_assert_uint_eq(sample.number, UINT32_MAX);
	ck_assert_int_eq(set("percent", "99"), 0);
	ck_assert_uint_eq(sample.percent, 99);
	ck_assert_int_eq(set("milli", "3"), 0);
	ck_assert_uint_eq(sample.milli, 3000);
	ck_assert_int_eq(set("span", "90"), 0);
	ck_assert_uint_eq(sample.span, 90);
	ck_assert_int_eq(set("span", "90s"), 0);
	ck_assert_uint_eq(sample.span, 90);
	ck_assert_int_eq(set("span", "15m"), 0);
	ck_assert_uint_eq(sample.span, 900);
	ck_assert_int_eq(set("span", "8h"), 0);
	ck_assert_uint_eq(sample.span, 28800);
	ck_assert_int_eq(set("span", "49710d"), 0);
	ck_assert_uint_eq(sample.span, 49710u * 86400);
	ck_assert_int_eq(set("sign", "-2147483648"), 0);
	ck_assert_int_eq(sample.sign, INT32_MIN);
	ck_assert_int_eq(set("text", "a b"), 0);
	ck_assert_str_eq(sample.text, "a b");
	ck_assert_int_eq(set("character", "_"), 0);
	ck_assert_int_eq(sample.character, '_');
	ck_assert_int_eq(set("home", "/home/%d/%u%%"), 0);
	ck_assert_str_eq(sample.home, "/home/%d/%u%%");
	ck_assert_int_eq(set("list", "a,, b c ,d"), 0);
	ck_assert_str_eq(sample.list[1], "b c");
	ck_assert_ptr_null(sample.list[3]);
	ck_assert_int_eq(set("words_list", "ONE, two"), 0);
	ck_assert_int_eq(set("word", "two"), 0);
	ck_assert_int_eq(sample.word, 2);
	ck_assert_int_eq(set("secret", "hush"), 0);
	ck_assert_str_eq(secret_bytes(sample.secret), "hush");
}
END_TEST

START_TEST(test_unset_is_zero)
{
	for (const struct opt *opt = sample_opts; opt->name; opt++)
		ck_assert_int_eq(set(opt->name, NULL), 0);
	ck_assert(!sample.truth && !sample.character && !sample.span && !sample.sign &&
	          !sample.text && !sample.list && !sample.word && !sample.secret);
}
END_TEST

START_TEST(test_an_unset_number_is_not_0)
{
	ck_assert_int_eq(set("number", NULL), 0);
	ck_assert_uint_eq(sample.number, OPT_UNSET);
	ck_assert_uint_eq(opt_number_or(sample.number, 5400), 5400);
	ck_assert_int_eq(set("number", "0"), 0);
	ck_assert_uint_eq(sample.number, 0);
	ck_assert_uint_eq(opt_number_or(sample.number, 5400), 0);
}
END_TEST

START_TEST(test_reasons_tell_what_was_expected)
{
	ck_assert_int_eq(set("truth", "maybe"), -E_CONFIG);
	ck_assert_str_eq(reason, "'maybe' is not true or false");
	ck_assert_int_eq(set("number", "abc"), -E_CONFIG);
	ck_assert_str_eq(reason, "'abc' is not a number");
	ck_assert_int_eq(set("percent", "100"), -E_CONFIG);
	ck_assert_str_eq(reason, "'100' is not within 1 to 99");
	for (const char *const *bad = (const char *const[]){ "ab", "/", ":", "@", "\t", "ä", NULL };
	     *bad; bad++)
		ck_assert_int_eq(set("character", *bad), -E_CONFIG);
	ck_assert_int_eq(set("home", "/x/%q"), -E_CONFIG);
	ck_assert_str_eq(reason, "'/x/%q' has a '%' that is followed by no letter with a meaning: "
	                         "%u, %d, or %%");
	ck_assert_int_eq(set("percent", "0"), -E_CONFIG);
	ck_assert_int_eq(set("milli", "4294968"), -E_CONFIG);
	ck_assert_str_eq(reason, "'4294968' is not within 0 to 4294967");
	for (const char *const *bad = (const char *const[]){ "h", "1h30m", "-1", "1 h", "8H",
	                                                     "49711d", "99999999999", NULL };
	     *bad; bad++)
		ck_assert_int_eq(set("span", *bad), -E_CONFIG);
	ck_assert_int_eq(set("word", "three"), -E_CONFIG);
	ck_assert_str_eq(reason, "'three' is not one or Two");
	ck_assert_int_eq(set("words_list", "one, x"), -E_CONFIG);
	ck_assert_str_eq(reason, "'x' is not one or Two");
	ck_assert_int_eq(set("number", "\x1b[2J"), -E_CONFIG);
	ck_assert_str_eq(reason, "'\\x1b[2J' is not a number");
}
END_TEST

START_TEST(test_nobody_can_write_the_unset_word)
{
	ck_assert_int_eq(set("word", ""), -E_CONFIG);
}
END_TEST

START_TEST(test_reason_never_holds_a_secret)
{
	char *text = talloc_size(mem, 70000);

	memset(text, 'x', 69999);
	text[69999] = '\0';
	ck_assert_int_eq(set("secret", text), -E_CONFIG);
	ck_assert_ptr_null(strchr(reason, 'x'));
}
END_TEST

START_TEST(test_list_has_nine_columns)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned lines = 0, tabs = 0;

	opt_list(out);
	fclose(out);
	for (const char *c = text; *c; c++) {
		tabs += *c == '\t';
		lines += *c == '\n';
	}
	ck_assert_uint_gt(lines, 500);
	ck_assert_uint_eq(tabs, 8 * lines);
	ck_assert_ptr_nonnull(
		strstr(text, "nss\tentry_negative_timeout\tnumber\ts\t15\tbuilt\t-\t"));
	ck_assert_ptr_nonnull(strstr(text, "\t0..4294967295\n"));
	ck_assert_ptr_nonnull(strstr(text, "\tnever,allow,try,demand,hard\n"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("opt");
	TCase *rows = tcase_create("rows"), *values = tcase_create("values");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(rows, test_rows_are_whole);
	tcase_add_test(rows, test_defaults_parse);
	tcase_add_test(rows, test_bad_values_are_refused_and_leave_the_field);
	tcase_add_test(rows, test_every_row_is_found);
	tcase_add_loop_test(rows, test_kind_of_section, 0, (int)str_size(sections));
	tcase_add_test(rows, test_names_are_found_without_case);
	tcase_add_test(rows, test_options_belong_to_their_section);
	tcase_add_test(rows, test_nearest_within_two_letters);
	tcase_add_test(rows, test_a_very_long_name_is_near_nothing);
	tcase_add_test(rows, test_list_has_nine_columns);
	suite_add_tcase(suite, rows);

	tcase_add_checked_fixture(values, setup, teardown);
	tcase_add_test(values, test_values_fill_their_fields);
	tcase_add_test(values, test_unset_is_zero);
	tcase_add_test(values, test_an_unset_number_is_not_0);
	tcase_add_test(values, test_reasons_tell_what_was_expected);
	tcase_add_test(values, test_nobody_can_write_the_unset_word);
	tcase_add_test(values, test_reason_never_holds_a_secret);
	suite_add_tcase(suite, values);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
