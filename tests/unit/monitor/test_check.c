/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor/check.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/conf/opt.h"
#include "tests/unit/monitor/tree.h"

#define GOOD_DOMAIN "[domain/A]\nid_provider = ldap\nldap_uri = ldap://localhost\n"
#define GOOD        "[sssd]\ndomains = A\n" GOOD_DOMAIN

#define INVALID(option, value) \
	"Attribute '" option "' in section 'domain/A' has an invalid value: '" value "' is not "
#define A_URI                                                                                     \
	"ldap://HOST[:PORT], ldaps://HOST[:PORT] or ldapi://PATH, in which each '/' of the path " \
	"is %2F"
#define A_BASE                                                                                    \
	"base[?scope?[filter]], or several of these joined by '?', with scope base, onelevel or " \
	"subtree"

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

/* Everything found: "E value 7 text|", with N, W, E, F for the severity; but not that the domains
 * overlap, as most here do. */
static const char *findings(const struct conf_report *report)
{
	char *text = talloc_strdup(mem, "");

	for (unsigned i = 0; i < report->n_findings; i++) {
		const struct finding *finding = &report->findings[i];

		if (strstr(finding->text, " overlap in "))
			continue;
		text = talloc_asprintf_append(text, "%c %s %u %s|", "NWEF"[finding->severity],
		                              finding -> rule, finding -> line, finding -> text);
	}
	return text;
}

/* ---- a configuration and what is said about it ---- */

/* clang-format off */
static const struct {
	const char *text;      /* behind GOOD, whose lines are 1 to 5 */
	const char *findings;
	bool refused;          /* domain A */
} cases[] = {
	{ "", "", false },
	{ "debug_level = 0x0270\ndescription = x y\ncase_sensitive = preserving\n", "", false },
	{ "[sssd]\nconfig_file_version = 2\n", "", false },
	{ "[sssd]\nuser = root\n", "", false },

	/* unknown: one warning, the suite runs */
	{ "[bogus]\nx = y\n", "W allowed_sections 6 Section [bogus] is not allowed. Check for typos.|", false },
	{ "[nss]\nqqqqqqqq = y\n",
	  "W allowed_nss_options 7 Attribute 'qqqqqqqq' is not allowed in section 'nss'. Check for typos.|", false },
	{ "[nss]\nfilter_userz = y\n",
	  "W allowed_nss_options 7 Attribute 'filter_userz' is not allowed in section 'nss'. Check for typos. "
	  "Did you mean 'filter_users'?|", false },
	{ "min_idd = 5\n",
	  "W allowed_domain_options 6 Attribute 'min_idd' is not allowed in section 'domain/A'. Check for typos. "
	  "Did you mean 'min_id'?|", false },
	{ "inherit_from = B\n",
	  "W sssd_checks 6 Attribute 'inherit_from' is not allowed in section 'domain/A'.|", false },
	{ "[domain/A/trusted]\nldap_uri = x\n",
	  "W allowed_subdomain_options 7 Attribute 'ldap_uri' is not allowed in section 'domain/A/trusted'. "
	  "Check for typos.|", false },

	/* … but for what was meant to restrict access or to demand TLS */
	{ "ldap_tls_recert = demand\n",
	  "E allowed_domain_options 6 Attribute 'ldap_tls_recert' is not allowed in section 'domain/A'. "
	  "Check for typos. Did you mean 'ldap_tls_reqcert'? The domain does not start before this is clear.|", true },
	{ "acess_provder = deny\n",
	  "E allowed_domain_options 6 Attribute 'acess_provder' is not allowed in section 'domain/A'. "
	  "Check for typos. Did you mean 'access_provider'? The domain does not start before this is clear.|", true },
	{ "SIMPLE_ALLOW_USER = x\n",
	  "E allowed_domain_options 6 Attribute 'SIMPLE_ALLOW_USER' is not allowed in section 'domain/A'. "
	  "Check for typos. Did you mean 'simple_allow_users'? The domain does not start before this is clear.|", true },

	/* case: lenient when it runs, strict here */
	{ "[SSSD]\nServices = nss\n",
	  "W allowed_sections 6 Section [SSSD] is not allowed. Check for typos.|"
	  "W allowed_sssd_options 7 Attribute 'Services' is not allowed in section 'SSSD'. Check for typos. "
	  "It is taken as 'services'.|", false },

	/* known, not built; known, not needed; empty */
	{ "cache_credentials = true\n",
	  "W not_implemented 6 Attribute 'cache_credentials' in section 'domain/A' is not implemented: "
	  "it has no effect.|", false },
	{ "reconnection_retries = 3\n",
	  "N effect 6 Attribute 'reconnection_retries' in section 'domain/A' is no longer needed: "
	  "it has no effect.|", false },
	{ "[nss]\nenum_cache_timeout = 60\n",
	  "N effect 7 Attribute 'enum_cache_timeout' in section 'nss' has no effect: a list is read from the cache "
	  "of the moment, none is kept that could be too old.|", false },
	{ "ldap_ignore_unreadable_references = perhaps\n",
	  "E value 6 Attribute 'ldap_ignore_unreadable_references' in section 'domain/A' has an invalid value: "
	  "'perhaps' is not true or false.|"
	  "N effect 6 Attribute 'ldap_ignore_unreadable_references' in section 'domain/A' has no effect: "
	  "members that cannot be read are left out, always.|", true },
	{ "min_id =\n", "N value 6 Attribute 'min_id' in section 'domain/A' is empty: it counts as not set.|", false },

	/* bad values */
	{ "min_id = x\n",
	  "E value 6 Attribute 'min_id' in section 'domain/A' has an invalid value: 'x' is not a number.|", true },
	{ "case_sensitive = maybe\n",
	  "E value 6 Attribute 'case_sensitive' in section 'domain/A' has an invalid value: "
	  "'maybe' is not true, false or preserving.|", true },
	{ "enabled = maybe\n",
	  "E value 6 Attribute 'enabled' in section 'domain/A' has an invalid value: 'maybe' is not true or false.|", true },
	{ "debug_level = true\n",
	  "E value 6 Attribute 'debug_level' in section 'domain/A' has an invalid value: "
	  "'true' is not a debug level: 0 to 10, or a mask like 0x0270.|", true },
	{ "min_id = 5\nmax_id = 4\n",
	  "E value 7 Attributes 'min_id' and 'max_id' in section 'domain/A': 5 is larger than 4.|", true },
	{ "min_id = 5\nmax_id = 0\n", "", false },
	{ "max_id = 5\nmin_id = 5\n", "", false },
	{ "[nss]\nentry_negative_timeout = x\n",
	  "E value 7 Attribute 'entry_negative_timeout' in section 'nss' has an invalid value: 'x' is not a number.|",
	  false },
	{ "[nss]\nentry_cache_nowait_percentage = 100\n",
	  "W value 7 Attribute 'entry_cache_nowait_percentage' in section 'nss': '100' is not within 0 to 99: "
	  "nothing is refreshed before it expires.|", false },
	{ "[nss]\nentry_cache_nowait_percentage = -1\n",
	  "W value 7 Attribute 'entry_cache_nowait_percentage' in section 'nss': '-1' is not within 0 to 99: "
	  "nothing is refreshed before it expires.|", false },
	{ "[nss]\nentry_cache_nowait_percentage = 99\n", "", false },
	{ "[nss]\nentry_cache_nowait_percentage = 9999999999\n",
	  "E value 7 Attribute 'entry_cache_nowait_percentage' in section 'nss' has an invalid value: "
	  "'9999999999' is not within -2147483648 to 4294967295.|", false },
	{ "ldap_access_order = filter, hosts\n",
	  "E value 6 Attribute 'ldap_access_order' in section 'domain/A' has an invalid value: 'hosts' is not filter, "
	  "lockout, ppolicy, expire, pwd_expire_policy_reject, pwd_expire_policy_warn, pwd_expire_policy_renew, "
	  "authorized_service, host or rhost.|"
	  "W not_implemented 6 Attribute 'ldap_access_order' in section 'domain/A' is not implemented: "
	  "it has no effect.|", true },
	{ "[sssd]\nconfig_file_version = 3\n",
	  "E value 7 Attribute 'config_file_version' in section 'sssd' has an invalid value: "
	  "'3' is not within 2 to 2.|", false },
	{ "use_fully_qualified_names = false\n[sssd]\ndefault_domain_suffix = A\n",
	  "E value 6 Attribute 'use_fully_qualified_names' in section 'domain/A' cannot be false while "
	  "'default_domain_suffix' in section 'sssd' is set.|", true },
	{ "use_fully_qualified_names = true\n[sssd]\ndefault_domain_suffix = a\ndomain_resolution_order = A, NOWHERE\n",
	  "W effect 9 Attribute 'domain_resolution_order' in section 'sssd': there is no domain 'NOWHERE'.|", false },
	{ "re_expression = (\n",
	  "E value 6 Attribute 're_expression' in section 'domain/A' has an invalid value: "
	  "'(': missing closing parenthesis, at byte 2.|", true },
	{ "re_expression = ^(?P<domain>.*)$\n[sssd]\nre_expression = ^.*$\n",
	  "E value 8 Attribute 're_expression' in section 'sssd' has an invalid value: "
	  "'^.*$': it has no group (?P<name>…).|"
	  "E value 6 Attribute 're_expression' in section 'domain/A' has an invalid value: "
	  "'^(?P<domain>.*)$': it has no group (?P<name>…).|", true },
	{ "[sssd]\nfull_name_format = %2$s\n",
	  "E value 7 Attribute 'full_name_format' in section 'sssd' has an invalid value: "
	  "'%2$s': it does not hold the name, %1$s.|", false },

	/* words we know and cannot do */
	{ "id_provider = ad\n",
	  "E not_implemented 6 Attribute 'id_provider' in section 'domain/A': 'ad' is not implemented: "
	  "the domain does not start.|", true },
	{ "id_provider = local\n",
	  "E sssd_checks 6 Attribute 'id_provider' in section 'domain/A' has an invalid value: local|", true },
	{ "id_provider =\n",
	  "E sssd_checks 3 Attribute 'id_provider' is missing in section 'domain/A'.|"
	  "N value 6 Attribute 'id_provider' in section 'domain/A' is empty: it counts as not set.|", true },
	{ "ldap_schema = ipa\n", "", false },
	{ "ldap_schema = AD\n", "", false },
	{ "ldap_schema = rfc2307\n", "", false },
	{ "ldap_schema = RFC2307BIS\n", "", false },
	{ "ldap_default_authtok_type = obfuscated_password\n", "", false },

	/* servers and bases */
	{ "ldap_uri = http://x\n",
	  "E value 6 Attribute 'ldap_uri' in section 'domain/A' has an invalid value: 'http://x' is not " A_URI ".|", true },
	{ "ldap_uri = _srv_, ldaps://x\n", "", false },
	{ "ldap_uri =\n",
	  "N value 6 Attribute 'ldap_uri' in section 'domain/A' is empty: it counts as not set.|", false },
	{ "ldap_backup_uri = ldap://a, http://x\n",
	  "E value 6 Attribute 'ldap_backup_uri' in section 'domain/A' has an invalid value: 'http://x' is not " A_URI ".|", true },
	{ "ldap_backup_uri = _SRV_, ldap://a\n",
	  "W value 6 Attribute 'ldap_backup_uri' in section 'domain/A': '_srv_' may only stand in 'ldap_uri': "
	  "it is passed over.|", false },
	{ "ldap_search_base = dc=a\n", "", false },
	{ "ldap_search_base = dc=a?sub?(x=y)?dc=b?onelevel?\n", "", false },
	{ "ldap_search_base = <GUID=0123>\n", "", false },
	{ "ldap_uri = ldaps://h:70000\n", "E value 6 " INVALID("ldap_uri", "ldaps://h:70000") A_URI ".|", true },
	{ "ldap_uri = ldap://a ldap://b\n", "E value 6 " INVALID("ldap_uri", "ldap://a ldap://b") A_URI ".|", true },
	{ "ldap_backup_uri = ldaps://h:70000\n",
	  "E value 6 " INVALID("ldap_backup_uri", "ldaps://h:70000") A_URI ".|", true },
	{ "ldap_search_base = what is this\n",
	  "E value 6 " INVALID("ldap_search_base", "what is this") "a DN.|", true },
	{ "ldap_group_search_base = dc=a?sub??b?sub?\n",
	  "E value 6 " INVALID("ldap_group_search_base", "b") "a DN.|", true },
	{ "ldap_search_base = dc=a?sub?(x=y\n",
	  "E value 6 " INVALID("ldap_search_base", "dc=a?sub?(x=y") A_BASE ".|", true },
	{ "ldap_search_base = dc=a?sub??dc=b\n",
	  "E value 6 " INVALID("ldap_search_base", "dc=a?sub??dc=b") A_BASE ".|", true },
	{ "ldap_user_search_filter = (a=b\n",
	  "E value 6 " INVALID("ldap_user_search_filter", "(a=b") "a filter.|", true },
	{ "ldap_group_search_filter = (a=b)(c=d)\n",
	  "E value 6 " INVALID("ldap_group_search_filter", "(a=b)(c=d)") "a filter.|", true },
	{ "ldap_read_rootdse = never\n",
	  "E value 6 Attribute 'ldap_read_rootdse' in section 'domain/A' cannot be never while 'ldap_search_base' "
	  "is not set: nobody else tells where to search.|", true },
	{ "ldap_read_rootdse = never\nldap_search_base = dc=a\n", "", false },
	{ "ldap_user_search_base = dc=a?all?\n",
	  "E value 6 Attribute 'ldap_user_search_base' in section 'domain/A' has an invalid value: 'dc=a?all?' is not "
	  "base[?scope?[filter]], or several of these joined by '?', with scope base, onelevel or subtree.|", true },
	{ "ldap_group_search_base = dc=a?sub\n",
	  "E value 6 Attribute 'ldap_group_search_base' in section 'domain/A' has an invalid value: 'dc=a?sub' is not "
	  "base[?scope?[filter]], or several of these joined by '?', with scope base, onelevel or subtree.|", true },

	/* the bind */
	{ "ldap_default_bind_dn = cn=reader\n",
	  "E value 6 Attribute 'ldap_default_bind_dn' in section 'domain/A' needs 'ldap_default_authtok': servers "
	  "take a bind without a password for an anonymous one.|", true },
	{ "ldap_default_bind_dn = cn=reader\nldap_default_authtok = secret\n", "", false },
	{ "ldap_default_bind_dn = cn=reader\nldap_sasl_mech = EXTERNAL\n", "", false },
	{ "ldap_default_authtok_type = obfuscated_password\nldap_default_authtok = secret\n",
	  "E value 7 Attribute 'ldap_default_authtok' in section 'domain/A' has an invalid value: it is not what "
	  "sss_obfuscate writes, but 'ldap_default_authtok_type' is obfuscated_password.|", true },
	{ "ldap_sasl_mech = gssapi\n",
	  "E value 6 " INVALID("ldap_sasl_mech", "gssapi") "the name of a SASL mechanism: up to 20 capital letters, "
	  "digits, '-' and '_'.|", true },
	{ "ldap_krb5_keytab = keytab\n",
	  "E value 6 Attribute 'ldap_krb5_keytab' in section 'domain/A' has an invalid value: 'keytab' is neither an "
	  "absolute path nor TYPE:NAME.|", true },
	{ "ldap_sasl_minssf = 56\nldap_sasl_maxssf = 1\n",
	  "E value 6 Attributes 'ldap_sasl_minssf' and 'ldap_sasl_maxssf' in section 'domain/A': 56 is larger than 1.|",
	  true },
	{ "ldap_sasl_minssf = 56\nldap_sasl_maxssf = -1\n", "", false },

	/* attributes and classes */
	{ "ldap_user_name = u id\n", "E value 6 " INVALID("ldap_user_name", "u id") "the name of an attribute.|", true },
	{ "ldap_group_member = (x)\n",
	  "E value 6 " INVALID("ldap_group_member", "(x)") "the name of an attribute.|", true },
	{ "ldap_user_object_class = a)(b\n",
	  "E value 6 " INVALID("ldap_user_object_class", "a)(b") "the name of an object class.|", true },
	{ "ldap_user_extra_attrs = mail, a)(b\n",
	  "E value 6 " INVALID("ldap_user_extra_attrs", "a)(b") "the name of an attribute, nor two with a colon.|", true },
	{ "ldap_user_extra_attrs = mail, cell:mobile\n", "", false },

	/* a terminal must not be told what to do */
	{ "[nss]\n\x1b[2J = x\n",
	  "W allowed_nss_options 7 Attribute '?[2J' is not allowed in section 'nss'. Check for typos.|", false },
};
/* clang-format on */

/* A domain B that is always good keeps the configuration as a whole in force. */
START_TEST(test_findings_and_what_follows)
{
	static const char other[] = "[sssd]\ndomains = A, B\n[domain/B]\nid_provider = ldap\n"
				    "ldap_uri = ldapi:///\n";
	struct conf_report *report;

	tree_put("sssd.conf", talloc_asprintf(mem, GOOD "%s", cases[_i].text));
	tree_put("conf.d/b.conf", other);
	report = tree_check(mem);

	ck_assert_str_eq(findings(report), cases[_i].findings);
	ck_assert_int_eq(report->status, CONF_STATUS_GOOD);
	ck_assert_uint_eq(report->n_domains, 2);
	ck_assert_int_eq(report->domains[0].refused != NULL, cases[_i].refused);
	ck_assert_ptr_null(report->domains[1].refused);
}
END_TEST

/* What is said of domain B with range b, in line 7, beside A with range a, in line 4. */
static const struct {
	const char *a, *b;
	enum finding_severity severity;
	unsigned line;
	const char *ids; /* NULL: nothing is said */
} ranges[] = {
	{ "", "", FINDING_NOTE, 2, "1 to 4294967295" },
	{ "max_id = 4999\n", "min_id = 5000\n", 0, 0, NULL },
	{ "min_id = 5000\n", "max_id = 4999\n", 0, 0, NULL },
	{ "max_id = 5000\n", "min_id = 5000\n", FINDING_WARNING, 7, "5000 to 5000" },
	{ "min_id = 5000\n", "max_id = 6000\n", FINDING_WARNING, 7, "5000 to 6000" },
	{ "min_id = 5000\n", "", FINDING_WARNING, 4, "5000 to 4294967295" },
	{ "max_id = 9\n", "max_id = 0\n", FINDING_WARNING, 7, "1 to 9" },
};

START_TEST(test_ranges_that_overlap_are_named)
{
	static const char format[] = "[sssd]\ndomains = A, B\n[domain/A]\n%sid_provider = "
				     "ldap\n[domain/B]\n%sid_provider = ldap\n";
	const char *a = str_empty(ranges[_i].a) ? "\n" : ranges[_i].a;
	struct conf_report *report;
	const struct finding *finding;

	tree_put("sssd.conf", talloc_asprintf(mem, format, a, ranges[_i].b));
	report = tree_check(mem);
	ck_assert_uint_eq(report->n_findings, ranges[_i].ids != NULL);
	if (!ranges[_i].ids)
		return;
	finding = &report->findings[0];
	ck_assert_int_eq(finding->severity, ranges[_i].severity);
	ck_assert_uint_eq(finding->line, ranges[_i].line);
	ck_assert_str_eq(finding->text,
	                 talloc_asprintf(mem,
	                                 "Domains 'A' and 'B' overlap in the ids %s: 'A' answers "
	                                 "for those of both. Attributes 'min_id' and 'max_id' tell "
	                                 "them apart.",
	                                 ranges[_i].ids));
}
END_TEST

START_TEST(test_reason_of_a_refusal_has_file_and_line)
{
	struct conf_report *report;

	tree_put("sssd.conf", GOOD "min_id = x\n");
	report = tree_check(mem);
	ck_assert_str_eq(report->domains[0].refused,
	                 talloc_asprintf(mem,
	                                 "%s:6: Attribute 'min_id' in section 'domain/A' has "
	                                 "an invalid value: 'x' is not a number.",
	                                 tree_path(mem, "sssd.conf")));
	ck_assert_int_eq(report->status, CONF_STATUS_BAD);
}
END_TEST

/* ---- as a whole ---- */

/* clang-format off */
static const struct {
	const char *text;
	enum conf_status status;
	const char *domains; /* "A|-B|": - = refused */
	const char *services;
} wholes[] = {
	{ GOOD, CONF_STATUS_GOOD, "A|", "" },
	{ GOOD "[sssd]\nservices = NSS\n", CONF_STATUS_GOOD, "A|", "nss|" },
	{ GOOD "[sssd]\nservices = nss, pam, nss\n", CONF_STATUS_GOOD, "A|", "nss|" },
	{ GOOD "[sssd]\nservices = nss1\n", CONF_STATUS_BAD, "A|", "" },
	{ GOOD "[sssd]\nservices = nss, kcm\n", CONF_STATUS_BAD, "A|", "nss|" },
	{ GOOD "enabled = false\n", CONF_STATUS_BAD, "", "" },
	{ GOOD "[sssd]\ndomains =\n", CONF_STATUS_BAD, "", "" },
	{ GOOD_DOMAIN "enabled = true\n", CONF_STATUS_GOOD, "A|", "" },
	{ GOOD_DOMAIN, CONF_STATUS_BAD, "", "" },
	{ "", CONF_STATUS_BAD, "", "" },
	{ GOOD "[domain/Z]\nid_provider = ldap\nldap_uri = ldapi:///\nenabled = true\n", CONF_STATUS_GOOD, "A|Z|", "" },
	{ GOOD "[sssd]\ndomains = Z, A, a, Z\n", CONF_STATUS_GOOD, "-Z|A|", "" },
	{ GOOD "[sssd]\ndomains = a\n", CONF_STATUS_GOOD, "a|", "" },
	{ GOOD "[sssd]\ndomains = x/y, A\n", CONF_STATUS_GOOD, "-x/y|A|", "" },
	{ GOOD "[sssd]\ndomains = ../../x, A\n", CONF_STATUS_GOOD, "-../../x|A|", "" },
	{ GOOD "[application/B]\nid_provider = ldap\n[sssd]\ndomains = A, B\n", CONF_STATUS_GOOD, "A|-B|", "" },
	{ "[sssd]\ndomains = A\n[domain/A]\n", CONF_STATUS_BAD, "-A|", "" },
	{ "word\n", CONF_STATUS_UNREADABLE, "", "" },
};
/* clang-format on */

START_TEST(test_verdict_on_the_whole)
{
	struct conf_report *report;
	char *domains = talloc_strdup(mem, ""), *services = talloc_strdup(mem, "");
	bool told = false;

	tree_put("sssd.conf", wholes[_i].text);
	report = tree_check(mem);

	ck_assert_int_eq(report->status, wholes[_i].status);
	for (unsigned i = 0; i < report->n_domains; i++)
		domains = talloc_asprintf_append(domains, "%s%s|",
		                                 report->domains[i].refused ? "-" : "",
		                                 report->domains[i].name);
	for (const char **service = report->services; service && *service; service++)
		services = talloc_asprintf_append(services, "%s|", *service);
	ck_assert_str_eq(domains, wholes[_i].domains);
	ck_assert_str_eq(services, wholes[_i].services);

	for (unsigned i = 0; i < report->n_findings; i++)
		told = told || report->findings[i].severity == FINDING_FATAL;
	ck_assert_int_eq(told, report->status == CONF_STATUS_BAD);
}
END_TEST

START_TEST(test_domain_named_twice_is_told_and_there_once)
{
	struct conf_report *report;

	tree_put("sssd.conf", "[sssd]\ndomains = A, a\n" GOOD_DOMAIN "enabled = true\n");
	report = tree_check(mem);
	ck_assert_str_eq(
		findings(report),
		"W value 2 Attribute 'domains' in section 'sssd' names 'a' more than once: "
		"the first one counts.|");
	ck_assert_uint_eq(report->n_domains, 1);

	tree_put("sssd.conf", "[sssd]\ndomains = A\n" GOOD_DOMAIN "enabled = true\n");
	ck_assert_str_eq(findings(tree_check(mem)), "");
}
END_TEST

START_TEST(test_nothing_configured_is_unreadable)
{
	struct conf_report *report = tree_check(mem);

	ck_assert_int_eq(report->status, CONF_STATUS_UNREADABLE);
	ck_assert_int_eq(report->files->main.state, CONF_FILE_MISSING);
}
END_TEST

START_TEST(test_long_value_does_not_flood)
{
	struct conf_report *report;
	char *value = talloc_size(mem, 60000);

	memset(value, '?', 59999);
	value[59999] = '\0';
	tree_put("sssd.conf", talloc_asprintf(mem, GOOD "ldap_search_base = %s\n", value));
	report = tree_check(mem);
	ck_assert_ptr_nonnull(report->domains[0].refused);
	ck_assert_uint_lt(strlen(report->domains[0].refused), 1200);
}
END_TEST

/* Every known service is a section that upstream knows. */
START_TEST(test_services_are_sections)
{
	for (const struct known_service *service = known_services; service->name; service++)
		ck_assert_pstr_eq(opt_kind(service->name), service->name);
}
END_TEST

/* ---- config-check ---- */

static int status;

static const char *print(void)
{
	char *text = NULL, *copy;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	status = conf_check_print(out, tree_path(mem, "sssd.conf"), NULL);
	fclose(out);
	copy = talloc_strdup(mem, text);
	free(text);
	return copy;
}

START_TEST(test_print_good)
{
	tree_put("sssd.conf", GOOD);
	ck_assert_str_eq(print(), "Issues identified by validators: 0\n"
	                          "\n"
	                          "Messages generated during configuration merging: 0\n"
	                          "\n"
	                          "Used configuration snippet files: 0\n");
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_print_is_silent_about_what_is_ignored)
{
	tree_put("sssd.conf", GOOD "reconnection_retries = 3\nmin_id =\n");
	ck_assert_ptr_nonnull(strstr(print(), "validators: 0\n"));
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_print_three_blocks)
{
	tree_put("sssd.conf", GOOD "[bogus]\n[nss]\nfilter_userz = a\n");
	tree_put("conf.d/01_a.conf", "[nss]\n");
	tree_put("conf.d/02_b.conf", "[nss]\n");
	tree_put("conf.d/03.conf", "word\n");
	ck_assert_int_eq(chmod(tree_path(mem, "conf.d/02_b.conf"), 0644), 0);

	ck_assert_str_eq(
		print(),
		talloc_asprintf(
			mem,
			"Issues identified by validators: 2\n"
			"[rule/allowed_sections]: Section [bogus] is not allowed. Check for typos. "
			"(%1$s/sssd.conf:6)\n"
			"[rule/allowed_nss_options]: Attribute 'filter_userz' is not allowed in "
			"section 'nss'. "
			"Check for typos. Did you mean 'filter_users'? (%1$s/sssd.conf:8)\n"
			"\n"
			"Messages generated during configuration merging: 4\n"
			"File %1$s/conf.d/02_b.conf did not pass access check. Skipping. (it has "
			"mode 0644 and owner "
			"%2$u:%3$u; expected is 0600 root:root, or 0640 root:sssd)\n"
			"Errors detected while parsing: %1$s/conf.d/03.conf.\n"
			"Error (5) on line 1: Equal sign is missing.\n"
			"Due to errors file %1$s/conf.d/03.conf is not considered. Skipping.\n"
			"\n"
			"Used configuration snippet files: 1\n"
			"%1$s/conf.d/01_a.conf\n",
			tree_path(mem, ""), (unsigned)getuid(), (unsigned)getgid()));
	ck_assert_int_eq(status, 1);
}
END_TEST

START_TEST(test_print_missing_directory_is_no_fault)
{
	tree_put("sssd.conf", GOOD);
	ck_assert_int_eq(rmdir(tree_path(mem, "conf.d")), 0);
	ck_assert_ptr_nonnull(strstr(print(), "configuration merging: 1\nDirectory "));
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_print_missing_file)
{
	ck_assert_str_eq(print(), talloc_asprintf(mem,
	                                          "File %s does not exist.\n"
	                                          "There is no configuration.\n",
	                                          tree_path(mem, "sssd.conf")));
	ck_assert_int_eq(status, 1);
}
END_TEST

START_TEST(test_print_bad_mode)
{
	tree_put("sssd.conf", GOOD);
	ck_assert_int_eq(chmod(tree_path(mem, "sssd.conf"), 0644), 0);
	ck_assert_ptr_nonnull(strstr(print(), "File ownership and permissions check failed. "
	                                      "Expected root:root and 0600.\n"));
	ck_assert_int_eq(status, 1);
}
END_TEST

START_TEST(test_print_bad_syntax)
{
	tree_put("sssd.conf", "[sssd\n");
	ck_assert_str_eq(print(), talloc_asprintf(mem,
	                                          "Error (2) on line 1: No closing bracket.\n"
	                                          "Failed to load configuration from %s.\n",
	                                          tree_path(mem, "sssd.conf")));
	ck_assert_int_eq(status, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tests = tcase_create("check");
	SRunner *runner = srunner_create(suite);
	int failed;

	tree_make();
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, test_findings_and_what_follows, 0, (int)str_size(cases));
	tcase_add_loop_test(tests, test_ranges_that_overlap_are_named, 0, (int)str_size(ranges));
	tcase_add_test(tests, test_reason_of_a_refusal_has_file_and_line);
	tcase_add_loop_test(tests, test_verdict_on_the_whole, 0, (int)str_size(wholes));
	tcase_add_test(tests, test_domain_named_twice_is_told_and_there_once);
	tcase_add_test(tests, test_nothing_configured_is_unreadable);
	tcase_add_test(tests, test_long_value_does_not_flood);
	tcase_add_test(tests, test_services_are_sections);
	tcase_add_test(tests, test_print_good);
	tcase_add_test(tests, test_print_is_silent_about_what_is_ignored);
	tcase_add_test(tests, test_print_three_blocks);
	tcase_add_test(tests, test_print_missing_directory_is_no_fault);
	tcase_add_test(tests, test_print_missing_file);
	tcase_add_test(tests, test_print_bad_mode);
	tcase_add_test(tests, test_print_bad_syntax);
	suite_add_tcase(suite, tests);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	tree_remove();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
