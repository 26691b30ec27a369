/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/conf/conf.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/conf/ini.h"
#include "common/conf/options.h"

static TALLOC_CTX *mem;

static void setup(void)
{
	mem = talloc_new(NULL);
}

static void teardown(void)
{
	TALLOC_FREE(mem);
}

static void add(struct conf *conf, const char *file, const char *text)
{
	char *bytes = talloc_strdup(mem, text);
	struct ini_error error;
	struct ini *ini;

	ck_assert_int_eq(ini_parse(mem, bytes, strlen(bytes), INI_LINE_MAX, &ini, &error), 0);
	ck_assert_int_eq(conf_add(conf, file, ini, bytes), 0);
}

static struct conf *conf_of(const char *text)
{
	struct conf *conf = conf_new(mem);

	add(conf, "main", text);
	ck_assert_int_eq(conf_seal(conf), 0);
	return conf;
}

static const char *get(const struct conf *conf, const char *section, const char *name)
{
	const struct conf_value *value = conf_get(conf, section, name);

	return value ? value->text : NULL;
}

/* "a|b|c|" */
static const char *join(const char *const *names)
{
	char *text = talloc_strdup(mem, "");

	for (; *names; names++)
		text = talloc_asprintf_append(text, "%s|", *names);
	return text;
}

/* ---- a snapshot ---- */

START_TEST(test_later_wins_option_by_option)
{
	struct conf *conf = conf_new(mem);

	add(conf, "main", "[nss]\na = 1\nb = 1\na = 2\n[pam]\na = p\n[nss]\nc = 1\n");
	add(conf, "10.conf", "# \n[nss]\nb = 3\n[ssh]\nx = y\n");
	ck_assert_int_eq(conf_seal(conf), 0);

	ck_assert_pstr_eq(get(conf, "nss", "a"), "2");
	ck_assert_pstr_eq(get(conf, "nss", "b"), "3");
	ck_assert_pstr_eq(get(conf, "nss", "c"), "1");
	ck_assert_pstr_eq(get(conf, "pam", "a"), "p");
	ck_assert_pstr_eq(get(conf, "ssh", "x"), "y");
	ck_assert_pstr_eq(get(conf, "ssh", "a"), NULL);
	ck_assert_pstr_eq(get(conf, "sudo", "a"), NULL);
	ck_assert_str_eq(conf_get(conf, "nss", "b")->file, "10.conf");
	ck_assert_uint_eq(conf_get(conf, "nss", "b")->line, 3);
	ck_assert_uint_eq(conf_get(conf, "nss", "a")->line, 4);
}
END_TEST

START_TEST(test_names_have_no_case)
{
	struct conf *conf = conf_new(mem);

	add(conf, "main", "[SSSD]\nServices = nss\n[domain/LDAP]\nmin_id = 1\n");
	add(conf, "10.conf", "[sssd]\nSERVICES = pam\n[domain/ldap]\nmax_id = 2\n");
	ck_assert_int_eq(conf_seal(conf), 0);

	ck_assert_pstr_eq(get(conf, "sssd", "services"), "pam");
	ck_assert_pstr_eq(get(conf, "domain/Ldap", "min_id"), "1");
	ck_assert_pstr_eq(get(conf, "domain/LDAP", "MAX_ID"), "2");
	ck_assert_str_eq(join(conf_names(conf, "sssd")), "SERVICES|");
	ck_assert_str_eq(join(conf_sections(conf)), "domain/LDAP|SSSD|");
}
END_TEST

START_TEST(test_empty_counts_as_not_set)
{
	struct conf *conf = conf_of("[nss]\na = 1\na =\nb =\nb = 2\n");

	ck_assert_pstr_eq(get(conf, "nss", "a"), NULL);
	ck_assert_uint_eq(conf_written(conf, "nss", "a")->line, 3);
	ck_assert_pstr_eq(get(conf, "nss", "b"), "2");
}
END_TEST

START_TEST(test_lists_are_sorted_and_end)
{
	struct conf *conf = conf_of("[b]\nz = 1\na = 1\n[a]\n[c]\nm = 1\n");

	ck_assert_str_eq(join(conf_sections(conf)), "a|b|c|");
	ck_assert_str_eq(join(conf_names(conf, "b")), "a|z|");
	ck_assert_str_eq(join(conf_names(conf, "a")), "");
	ck_assert_str_eq(join(conf_names(conf, "c")), "m|");
	ck_assert_str_eq(join(conf_names(conf, "d")), "");
}
END_TEST

START_TEST(test_heading_has_a_place)
{
	struct conf *conf = conf_of("k = v\n\n[a]\nx = 1\n[a]\n");

	ck_assert_uint_eq(conf_written(conf, "a", NULL)->line, 5);
	ck_assert_ptr_null(conf_written(conf, "default", NULL));
	ck_assert_pstr_eq(get(conf, "default", "k"), "v");
	ck_assert_str_eq(join(conf_sections(conf)), "a|default|");
}
END_TEST

START_TEST(test_nothing_at_all)
{
	struct conf *conf = conf_of("");

	ck_assert_str_eq(join(conf_sections(conf)), "");
	ck_assert_str_eq(join(conf_names(conf, "a")), "");
	ck_assert_ptr_null(conf_get(conf, "a", "b"));
	ck_assert_ptr_null(conf_domains(conf)[0]);
	ck_assert_ptr_null(conf_services(conf)[0]);
	ck_assert_uint_eq(conf_generation(conf), 0);
	ck_assert(!conf_named(conf));
}
END_TEST

/* ---- structs ---- */

START_TEST(test_defaults_where_nothing_is_set)
{
	struct conf *conf = conf_of("[nss]\n[domain/A]\nid_provider = ldap\n");
	struct conf_problem problem;
	struct service_conf service;
	struct domain_conf domain;
	struct ldap_conf ldap;
	struct nss_conf nss;

	memset(&ldap, 0xa5, sizeof(ldap));
	ck_assert_int_eq(conf_read(conf, mem, "nss", nss_opts, &nss, &problem), 0);
	ck_assert_uint_eq(nss.entry_negative_timeout_s, 15);
	ck_assert_uint_eq(nss.entry_cache_nowait_percentage, 50);
	ck_assert_str_eq(nss.filter_users[0], "root");
	ck_assert_ptr_null(nss.filter_users[1]);
	ck_assert(nss.filter_users_in_groups);
	ck_assert_str_eq(nss.pwfield, "*");
	ck_assert_int_eq(conf_read(conf, mem, "nss", service_opts, &service, &problem), 0);
	ck_assert_uint_eq(service.responder_idle_timeout_s, 300);
	ck_assert_uint_eq(service.client_idle_timeout_s, 60);
	ck_assert_uint_eq(service.fd_limit, 8192);
	ck_assert_uint_eq(service.request_timeout_ms, 0);
	ck_assert(service.cache_first);
	ck_assert_int_eq(conf_read(conf, mem, "domain/A", domain_opts, &domain, &problem), 0);
	ck_assert_int_eq(domain.enabled, 0);
	ck_assert_uint_eq(domain.min_id, 1);
	ck_assert_uint_eq(domain.max_id, 0);
	ck_assert_int_eq(domain.case_sensitive, CASE_TRUE);
	ck_assert_uint_eq(domain.entry_cache_timeout_s, 5400);
	ck_assert_uint_eq(domain.entry_cache_user_timeout_s, OPT_UNSET);
	ck_assert_uint_eq(domain.cache_max_size_mib, 512);
	ck_assert_int_eq(conf_read(conf, mem, "domain/A", ldap_opts, &ldap, &problem), 0);
	ck_assert_ptr_null(ldap.uri);
	ck_assert_ptr_null(ldap.bind_password);
	ck_assert_int_eq(ldap.schema, LDAP_SCHEMA_RFC2307);
	ck_assert_int_eq(ldap.id_use_start_tls, START_TLS_UNSET);
	ck_assert_int_eq(ldap.tls_reqcert, LDAP_REQCERT_HARD);
	ck_assert_uint_eq(ldap.network_timeout_s, 6);
	ck_assert_str_eq(ldap.group_member, "memberuid");
}
END_TEST

START_TEST(test_values_where_they_are)
{
	struct conf *conf = conf_of("[nss]\nrequest_timeout = 7\n[domain/A]\n"
	                            "ldap_uri = ldap://a, ldap://b\nldap_default_authtok = hush\n"
	                            "ldap_id_use_start_tls = FALSE\nldap_tls_reqcert = Demand\n");
	struct conf_problem problem;
	struct service_conf service;
	struct ldap_conf ldap;

	ck_assert_int_eq(conf_read(conf, mem, "nss", service_opts, &service, &problem), 0);
	ck_assert_uint_eq(service.request_timeout_ms, 7000);
	ck_assert_int_eq(conf_read(conf, mem, "domain/A", ldap_opts, &ldap, &problem), 0);
	ck_assert_str_eq(ldap.uri[1], "ldap://b");
	ck_assert_str_eq(secret_bytes(ldap.bind_password), "hush");
	ck_assert_int_eq(ldap.id_use_start_tls, START_TLS_FALSE);
	ck_assert_int_eq(ldap.tls_reqcert, LDAP_REQCERT_DEMAND);
}
END_TEST

START_TEST(test_problem_tells_file_line_section_and_option)
{
	struct conf *conf = conf_of("[nss]\n\nentry_negative_timeout = abc\n"
	                            "pwfield = x\nfilter_users_in_groups = maybe\n");
	struct conf_problem problem;
	struct nss_conf nss;

	ck_assert_int_eq(conf_read(conf, mem, "nss", nss_opts, &nss, &problem), -E_CONFIG);
	ck_assert_str_eq(problem.text,
	                 "main:3: [nss] entry_negative_timeout: 'abc' is not a number");

	/* A responder stays up: the bad ones have their defaults, the others their values. */
	ck_assert_uint_eq(nss.entry_negative_timeout_s, 15);
	ck_assert(nss.filter_users_in_groups == true);
	ck_assert_str_eq(nss.pwfield, "x");
	ck_assert_str_eq(nss.filter_users[0], "root");
}
END_TEST

/* ---- compiled files ---- */

static char dir[] = "/tmp/test_conf_XXXXXX";

static int load(const char *text, struct conf **ret_conf)
{
	char *process_dir = talloc_asprintf(mem, "%s/nss", dir);
	char *path = talloc_asprintf(mem, "%s/current", process_dir);

	mkdir(process_dir, 0700);
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600), 0);
	return conf_load(mem, dir, "nss", ret_conf);
}

START_TEST(test_compiled_file)
{
	struct conf *conf;

	ck_assert_int_eq(load("# by\n[compiled]\nformat = 1\nprocess = nss\ngeneration = 7\n"
	                      "sources = /etc/x\ndomains = LDAP, B\nnamed = true\nservices = nss\n"
	                      "[nss]\npwfield = x\n",
	                      &conf),
	                 0);
	ck_assert_uint_eq(conf_generation(conf), 7);
	ck_assert_str_eq(conf_domains(conf)[0], "LDAP");
	ck_assert_str_eq(conf_domains(conf)[1], "B");
	ck_assert_ptr_null(conf_domains(conf)[2]);
	ck_assert_str_eq(conf_services(conf)[0], "nss");
	ck_assert(conf_named(conf));
	ck_assert_pstr_eq(get(conf, "nss", "pwfield"), "x");
}
END_TEST

START_TEST(test_what_is_no_compiled_file)
{
	static const char *const others[] = {
		"",
		"[nss]\nx = y\n",
		"[compiled]\nformat = 2\nprocess = nss\ngeneration = 7\n",
		"[compiled]\nformat = 1\nprocess = pam\ngeneration = 7\n",
		"[compiled]\nformat = 1\nprocess = nss\ngeneration = x\n",
		"[compiled]\nformat = 1\nprocess = nss\n",
		"[compiled]\nformat = 1\nprocess = nss\ngeneration = 7\nword\n",
	};
	struct conf *conf = NULL;

	ck_assert_int_eq(load(others[_i], &conf), -E_CONFIG);
	ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(test_nothing_compiled_yet)
{
	struct conf *conf = NULL;

	ck_assert_int_eq(conf_load(mem, dir, "pam", &conf), -ENOENT);
	ck_assert_ptr_null(conf);
}
END_TEST

/* An administrator's line may be 64 KiB; compiled it grows by the blanks around "=". */
START_TEST(test_compiled_lines_may_be_longer)
{
	char *text = talloc_strdup(mem, "[compiled]\nformat = 1\nprocess = nss\ngeneration = 7\n"
	                                "[nss]\npwfield = ");
	struct conf *conf;

	for (int i = 0; i < 100; i++)
		text = talloc_asprintf_append(text, "%01000d", 0);
	ck_assert_int_eq(load(text, &conf), 0);
	ck_assert_uint_eq(strlen(get(conf, "nss", "pwfield")), 100000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *conf = tcase_create("conf");
	SRunner *runner = srunner_create(suite);
	char path[64];
	int failed;

	if (!mkdtemp(dir))
		return EXIT_FAILURE;

	tcase_add_checked_fixture(conf, setup, teardown);
	tcase_add_test(conf, test_later_wins_option_by_option);
	tcase_add_test(conf, test_names_have_no_case);
	tcase_add_test(conf, test_empty_counts_as_not_set);
	tcase_add_test(conf, test_lists_are_sorted_and_end);
	tcase_add_test(conf, test_heading_has_a_place);
	tcase_add_test(conf, test_nothing_at_all);
	tcase_add_test(conf, test_defaults_where_nothing_is_set);
	tcase_add_test(conf, test_values_where_they_are);
	tcase_add_test(conf, test_problem_tells_file_line_section_and_option);
	tcase_add_test(conf, test_compiled_file);
	tcase_add_loop_test(conf, test_what_is_no_compiled_file, 0, 7);
	tcase_add_test(conf, test_nothing_compiled_yet);
	tcase_add_test(conf, test_compiled_lines_may_be_longer);
	suite_add_tcase(suite, conf);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	snprintf(path, sizeof(path), "%s/nss/current", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/nss", dir);
	rmdir(path);
	rmdir(dir);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
