/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of every section, and the list of all tables
 *
 * A table that is for fewer sections stands before one that is for more: the first row with the
 * name counts.
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct common_conf, field)

/* clang-format off */
const struct opt common_opts[] = {
	{ "debug_level", OPT_LEVEL, AT(debug_level), .fallback = NULL,
	  .help = "What is logged: 0 to 10, each with all below it, or a mask like 0x0270" },
	{ "debug_timestamps", OPT_BOOL, AT(debug_timestamps), .fallback = "true",
	  .help = "Begin each line in a log file with the time" },
	{ "debug_microseconds", OPT_BOOL, AT(debug_microseconds), .fallback = "false",
	  .help = "Log the time to the microsecond" },
	{ "timeout", OPT_NUMBER, AT(timeout_s), .fallback = "10", .unit = "s",
	  .help = "How often the monitor asks whether the process is alive; under 20 means 20" },
	OPT_END
};

const struct opt_table opt_tables[] = {
	{ "sssd",    NULL,   sssd_opts,    sizeof(struct sssd_conf) },
	{ "nss",     NULL,   nss_opts,     sizeof(struct nss_conf) },
	{ "kcm",     NULL,   kcm_opts,     sizeof(struct kcm_conf) },
	{ "kcm",     NULL,   kcm_service_opts, sizeof(struct service_conf) },
	{ "kcm",     NULL,   kcm_ignored_opts },
	{ "service", NULL,   service_opts, sizeof(struct service_conf) },
	{ "domain",  NULL,   domain_opts,  sizeof(struct domain_conf) },
	{ "domain",  "ldap", ldap_opts,    sizeof(struct ldap_conf) },
	{ "*",       NULL,   common_opts,  sizeof(struct common_conf) },

	{ "sssd",               NULL,     later_sssd_opts },
	{ "nss",                NULL,     later_nss_opts },
	{ "pam",                NULL,     later_pam_opts },
	{ "sudo",               NULL,     later_sudo_opts },
	{ "autofs",             NULL,     later_autofs_opts },
	{ "ssh",                NULL,     later_ssh_opts },
	{ "pac",                NULL,     later_pac_opts },
	{ "ifp",                NULL,     later_ifp_opts },
	{ "kcm",                NULL,     later_kcm_opts },
	{ "session_recording",  NULL,     later_session_recording_opts },
	{ "certmap",            NULL,     later_certmap_opts },
	{ "prompting/password", NULL,     later_prompting_password_opts },
	{ "prompting/2fa",      NULL,     later_prompting_2fa_opts },
	{ "prompting/passkey",  NULL,     later_prompting_passkey_opts },
	{ "prompting/oauth2",   NULL,     later_prompting_oauth2_opts },
	{ "service",            NULL,     later_service_opts },
	{ "domain",             NULL,     later_domain_opts },
	{ "application",        NULL,     later_application_opts },
	{ "subdomain",          NULL,     later_subdomain_opts },
	{ "domain",             "ldap",   later_ldap_opts },
	{ "domain",             "ldap",   later_map_opts },
	{ "domain",             "krb5",   later_krb5_opts },
	{ "domain",             "simple", later_simple_opts },
	{ "domain",             "proxy",  later_proxy_opts },
	{ "domain",             "ad",     later_ad_opts },
	{ "domain",             "ipa",    later_ipa_opts },
	{ "domain",             "ipa",    later_ipa_map_opts },
	{ "domain",             "idp",    later_idp_opts },
	{ "domain",             NULL,     later_dyndns_opts },
	{ "*",                  NULL,     later_any_opts },
	{ NULL }
};
/* clang-format on */
