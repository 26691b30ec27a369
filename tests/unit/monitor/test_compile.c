/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/compile.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/str.h"
#include "common/conf/ini.h"
#include "common/conf/options.h"
#include "tests/unit/monitor/tree.h"

static const char two_domains[] =
	"[sssd]\nservices = nss\ndomains = A, B\ncore_dumpable = true\n"
	"[nss]\nfilter_users = root, bin\ndebug = 5\nentry_negative_timeout = abc\n"
	"[pam]\npam_verbosity = 1\ntimeout = 30\n"
	"[domain/A]\nid_provider = ldap\nldap_uri = ldap://a\nmin_id = 5\ntimeout = 40\n"
	"ldap_default_bind_dn = cn=a\nldap_default_authtok = secret-of-a\ncache_credentials = "
	"true\n"
	"[domain/B]\nid_provider = ldap\nldap_uri = ldap://b\n"
	"ldap_default_authtok = secret-of-b\n";

static TALLOC_CTX *mem;

static void setup(void)
{
	mem = talloc_new(NULL);
	tree_clear();
}

static void teardown(void)
{
	TALLOC_FREE(mem);
}

static int compile(const char *text, uint64_t *ret_generation)
{
	struct conf_report *report;

	tree_put("sssd.conf", text);
	report = tree_check(mem);
	ck_assert_int_eq(report->status, CONF_STATUS_GOOD);
	return conf_compile(report, tree_path(mem, "out"), getgid(), ret_generation);
}

static uint64_t compiled(const char *text)
{
	uint64_t generation;

	ck_assert_int_eq(compile(text, &generation), 0);
	return generation;
}

static struct conf *load(const char *process)
{
	struct conf *conf;

	ck_assert_int_eq(conf_load(mem, tree_path(mem, "out"), process, &conf), 0);
	return conf;
}

static uint64_t generation_of(const char *process)
{
	return conf_generation(load(process));
}

static const char *get(const struct conf *conf, const char *section, const char *name)
{
	const struct conf_value *value = conf_get(conf, section, name);

	return value ? value->text : NULL;
}

static ino_t inode(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(tree_path(mem, name), &st), 0);
	return st.st_ino;
}

static bool exists(const char *name)
{
	return access(tree_path(mem, name), F_OK) == 0;
}

/* ---- what each process is told ---- */

START_TEST(test_monitor_is_told_services_domains_and_intervals)
{
	struct conf *conf;

	compiled(two_domains);
	conf = load("sssd");
	ck_assert_str_eq(conf_services(conf)[0], "nss");
	ck_assert_ptr_null(conf_services(conf)[1]);
	ck_assert_str_eq(conf_domains(conf)[0], "A");
	ck_assert_str_eq(conf_domains(conf)[1], "B");
	ck_assert_pstr_eq(get(conf, "pam", "timeout"), "30");
	ck_assert_pstr_eq(get(conf, "domain/A", "timeout"), "40");
	ck_assert_pstr_eq(get(conf, "domain/A", "ldap_uri"), NULL);
	ck_assert_str_eq(get(conf, "compiled", "sources"), tree_path(mem, "sssd.conf"));
	ck_assert_pstr_eq(get(conf, "refused", "A"), NULL);
}
END_TEST

START_TEST(test_responder_is_told_its_options_and_those_of_domains)
{
	struct conf_problem problem;
	struct domain_conf domain;
	struct nss_conf nss;
	struct conf *conf;

	compiled(two_domains);
	conf = load("nss");
	ck_assert(conf_named(conf));
	ck_assert_str_eq(conf_domains(conf)[1], "B");
	ck_assert_pstr_eq(get(conf, "sssd", "core_dumpable"), "true");
	ck_assert_pstr_eq(get(conf, "sssd", "services"), NULL);
	ck_assert_pstr_eq(get(conf, "nss", "debug_level"), "5");
	ck_assert_pstr_eq(get(conf, "nss", "debug"), NULL);
	ck_assert_pstr_eq(get(conf, "pam", "timeout"), NULL);
	ck_assert_pstr_eq(get(conf, "domain/A", "min_id"), "5");
	ck_assert_pstr_eq(get(conf, "domain/A", "ldap_uri"), NULL);
	ck_assert_pstr_eq(get(conf, "domain/A", "cache_credentials"), NULL);

	/* The bad value is left out: the responder stays up with the default. */
	ck_assert_int_eq(conf_read(conf, mem, "nss", nss_opts, &nss, &problem), 0);
	ck_assert_uint_eq(nss.entry_negative_timeout_s, 15);
	ck_assert_str_eq(nss.filter_users[1], "bin");
	ck_assert_int_eq(conf_read(conf, mem, "domain/A", domain_opts, &domain, &problem), 0);
	ck_assert_uint_eq(domain.min_id, 5);
}
END_TEST

START_TEST(test_every_responder_has_a_file)
{
	static const char *const others[] = { "pam", "sudo", "autofs", "ssh", "ifp", "kcm" };

	compiled(two_domains);
	for (size_t i = 0; i < str_size(others); i++)
		ck_assert(!conf_named(load(others[i])));
	ck_assert_pstr_eq(get(load("pam"), "pam", "timeout"), "30");
}
END_TEST

START_TEST(test_backend_is_told_its_domain)
{
	struct conf_problem problem;
	struct ldap_conf ldap;
	struct conf *conf;

	compiled(two_domains);
	conf = load("be/A");
	ck_assert_int_eq(conf_read(conf, mem, "domain/A", ldap_opts, &ldap, &problem), 0);
	ck_assert_str_eq(ldap.uri[0], "ldap://a");
	ck_assert_str_eq(secret_bytes(ldap.bind_password), "secret-of-a");
	ck_assert_pstr_eq(get(conf, "domain/B", "ldap_uri"), NULL);
	ck_assert_pstr_eq(get(conf, "nss", "filter_users"), NULL);
}
END_TEST

START_TEST(test_password_is_in_its_backends_file_only)
{
	static const char *const processes[] = { "sssd", "nss", "pam", "sudo", "autofs",
		                                 "ssh",  "ifp", "kcm", "be/A", "be/B" };

	compiled(two_domains);
	for (size_t i = 0; i < str_size(processes); i++) {
		const char *text =
			tree_get(mem, talloc_asprintf(mem, "out/%s/current", processes[i]));

		ck_assert_ptr_nonnull(text);
		ck_assert_int_eq(strstr(text, "secret-of-a") != NULL,
		                 strcmp(processes[i], "be/A") == 0);
		ck_assert_int_eq(strstr(text, "secret-of-b") != NULL,
		                 strcmp(processes[i], "be/B") == 0);
	}
}
END_TEST

START_TEST(test_refused_domain)
{
	struct conf *conf;

	compiled(two_domains);
	compiled(talloc_asprintf(mem, "%smin_id = x\n", two_domains));
	conf = load("sssd");
	ck_assert_str_eq(conf_domains(conf)[0], "A");
	ck_assert_ptr_null(conf_domains(conf)[1]);
	ck_assert_ptr_nonnull(strstr(get(conf, "refused", "B"), "'x' is not a number"));
	ck_assert_str_eq(conf_names(conf, "refused")[0], "B");
	ck_assert_ptr_null(conf_domains(load("nss"))[1]);
	ck_assert_pstr_eq(get(load("nss"), "domain/B", "id_provider"), NULL);
	ck_assert(!exists("out/be/B/current"));
	ck_assert(exists("out/be/A/current"));
}
END_TEST

/* A name that is none is told, and nobody else is the worse for it. */
START_TEST(test_refused_name)
{
	static const char *const names[] = { "[B]", "=B", "#B", ";B", "B]", "b b" };
	char *text = talloc_asprintf(mem, "[sssd]\ndomains = A, %s\n%s", names[_i],
	                             strstr(two_domains, "[domain/A]"));
	const char *const *refused;

	compiled(text);
	ck_assert_str_eq(conf_domains(load("sssd"))[0], "A");
	refused = conf_names(load("sssd"), "refused");
	ck_assert_ptr_nonnull(strchr(refused[0], 'B') ?: strchr(refused[0], 'b'));
	ck_assert_ptr_nonnull(strstr(get(load("sssd"), "refused", refused[0]), names[_i]));
}
END_TEST

/* ---- generations ---- */

START_TEST(test_generation_stays_while_nothing_changes)
{
	uint64_t generation = compiled(two_domains);
	ino_t nss = inode("out/nss/current"), sssd = inode("out/sssd/current");

	ck_assert_uint_gt(generation, 0);
	ck_assert_uint_eq(compiled(two_domains), generation);
	/* Neither a comment nor another place for the same says anything new. */
	ck_assert_uint_eq(compiled(talloc_asprintf(mem, "# x\n%s[bogus]\n", two_domains)),
	                  generation);
	tree_put("conf.d/x.conf", "[nss]\nfilter_users = root, bin\n");
	ck_assert_uint_eq(compiled(two_domains), generation);
	ck_assert_uint_eq(inode("out/nss/current"), nss);
	ck_assert_uint_eq(inode("out/sssd/current"), sssd);
	ck_assert(!exists("out/nss/previous"));
}
END_TEST

START_TEST(test_only_what_changed_is_written)
{
	uint64_t generation = compiled(two_domains);
	ino_t pam = inode("out/pam/current"), be = inode("out/be/A/current");

	tree_put("conf.d/x.conf", "[nss]\nfilter_users = root\n");
	ck_assert_uint_eq(compiled(two_domains), generation + 1);
	ck_assert_uint_eq(generation_of("nss"), generation + 1);
	ck_assert_uint_eq(generation_of("sssd"), generation + 1); /* the suite's */
	ck_assert_uint_eq(generation_of("pam"), generation);
	ck_assert_uint_eq(inode("out/pam/current"), pam);
	ck_assert_uint_eq(inode("out/be/A/current"), be);
	ck_assert_ptr_nonnull(strstr(tree_get(mem, "out/nss/previous"), "root, bin"));
}
END_TEST

START_TEST(test_generation_is_never_used_twice)
{
	uint64_t first = compiled(two_domains), second;

	tree_put("conf.d/x.conf", "[domain/B]\nenabled = false\n");
	second = compiled(two_domains);
	ck_assert_uint_gt(second, first);
	ck_assert(!exists("out/be/B/current"));
	tree_put("conf.d/x.conf", "[domain/B]\nenabled = true\n");
	ck_assert_uint_gt(compiled(two_domains), second);
	ck_assert(exists("out/be/B/current"));
}
END_TEST

START_TEST(test_generation_grows_even_when_everything_was_removed)
{
	uint64_t generation = compiled(two_domains);

	tree_clear();
	ck_assert_uint_ge(compiled(two_domains), generation);
}
END_TEST

/* Killed after some files were written and before the monitor's. */
START_TEST(test_a_run_that_was_killed_is_made_up_for)
{
	uint64_t generation = compiled(two_domains);
	char *nss = tree_get(mem, "out/nss/current"), *number = strstr(nss, "generation = ");
	char *rest = strchr(number, '\n');

	*number = '\0';
	tree_put("out/nss/current", talloc_asprintf(mem, "%sgeneration = %llu%s", nss,
	                                            (unsigned long long)generation + 1, rest));

	ck_assert_uint_eq(compiled(two_domains), generation + 2);
	ck_assert_uint_eq(generation_of("nss"), generation + 1);
	ck_assert_uint_eq(compiled(two_domains), generation + 2);
}
END_TEST

START_TEST(test_a_damaged_file_is_written_anew)
{
	uint64_t generation = compiled(two_domains);

	tree_put("out/nss/current", "word\n");
	ck_assert_uint_eq(compiled(two_domains), generation + 1);
	ck_assert_pstr_eq(get(load("nss"), "nss", "filter_users"), "root, bin");
}
END_TEST

/* ---- the files themselves ---- */

START_TEST(test_modes)
{
	struct stat st;

	compiled(two_domains);
	ck_assert_int_eq(stat(tree_path(mem, "out"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 02750);
	ck_assert_int_eq(stat(tree_path(mem, "out/be/A"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 02750);
	ck_assert_int_eq(stat(tree_path(mem, "out/be/A/current"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
}
END_TEST

static unsigned count_files(const char *name)
{
	DIR *dir = opendir(tree_path(mem, name));
	const struct dirent *item;
	unsigned n = 0;

	while ((item = readdir(dir)) != NULL)
		n += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
	closedir(dir);
	return n;
}

/* A disk that takes no more bytes. */
START_TEST(test_failed_write_leaves_the_old_file_and_no_litter)
{
	struct rlimit none = { 0, RLIM_INFINITY }, old;
	uint64_t generation = compiled(two_domains);
	char *before = tree_get(mem, "out/nss/current");
	struct conf_report *report;

	tree_put("conf.d/x.conf", "[nss]\nfilter_users = root\n");
	report = tree_check(mem);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &none);
	ck_assert_int_lt(conf_compile(report, tree_path(mem, "out"), getgid(), &generation), 0);
	setrlimit(RLIMIT_FSIZE, &old);

	ck_assert_str_eq(tree_get(mem, "out/nss/current"), before);
	ck_assert_uint_eq(count_files("out/nss"), 2); /* current, previous */
	ck_assert_uint_eq(generation_of("sssd"), generation);
}
END_TEST

/* A line of the longest kind grows by the blanks around its "=". */
START_TEST(test_longest_value)
{
	static char value[INI_LINE_MAX - sizeof("pwfield=") + 2];

	memset(value, 'x', sizeof(value) - 1);
	compiled(talloc_asprintf(mem, "%s[nss]\npwfield=%s\n", two_domains, value));
	ck_assert_str_eq(get(load("nss"), "nss", "pwfield"), value);
}
END_TEST

/* A snippet's name may hold a line break; it must not begin a line of ours. */
START_TEST(test_strange_file_name)
{
	struct conf *conf;

	tree_put("conf.d/x\ndomains = EVIL\n.conf", "[nss]\npwfield = x\n");
	compiled(two_domains);
	conf = load("nss");
	ck_assert_str_eq(conf_domains(conf)[0], "A");
	ck_assert_pstr_eq(get(conf, "nss", "pwfield"), "x");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compile");
	TCase *tests = tcase_create("compile");
	SRunner *runner = srunner_create(suite);
	int failed;

	umask(0027);
	tree_make();
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_monitor_is_told_services_domains_and_intervals);
	tcase_add_test(tests, test_responder_is_told_its_options_and_those_of_domains);
	tcase_add_test(tests, test_every_responder_has_a_file);
	tcase_add_test(tests, test_backend_is_told_its_domain);
	tcase_add_test(tests, test_password_is_in_its_backends_file_only);
	tcase_add_test(tests, test_refused_domain);
	tcase_add_loop_test(tests, test_refused_name, 0, 6);
	tcase_add_test(tests, test_generation_stays_while_nothing_changes);
	tcase_add_test(tests, test_only_what_changed_is_written);
	tcase_add_test(tests, test_generation_is_never_used_twice);
	tcase_add_test(tests, test_generation_grows_even_when_everything_was_removed);
	tcase_add_test(tests, test_a_run_that_was_killed_is_made_up_for);
	tcase_add_test(tests, test_a_damaged_file_is_written_anew);
	tcase_add_test(tests, test_modes);
	tcase_add_test(tests, test_failed_write_leaves_the_old_file_and_no_litter);
	tcase_add_test(tests, test_longest_value);
	tcase_add_test(tests, test_strange_file_name);
	suite_add_tcase(suite, tests);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	tree_remove();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
