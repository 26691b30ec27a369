/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of domains that are known and not built
 *
 * A row leaves here for the table of its module on the day it is built. Types are given so that a
 * value can be judged before anybody reads it.
 */
#include "common/conf/options.h"

/* clang-format off */
static const char *const domain_types[] = { "posix", "application", NULL };
static const char *const auth_providers[] = { "ldap", "krb5", "ad", "ipa", "idp", "proxy", "none", NULL };
static const char *const access_providers[] = { "permit", "deny", "ldap", "simple", "krb5", "ad", "ipa", "proxy", NULL };
static const char *const chpass_providers[] = { "ldap", "krb5", "ad", "ipa", "proxy", "none", NULL };
static const char *const sudo_providers[] = { "ldap", "ad", "ipa", "none", NULL };
static const char *const autofs_providers[] = { "ldap", "ad", "ipa", "none", NULL };
static const char *const hostid_providers[] = { "ipa", "ldap", "none", NULL };
static const char *const resolver_providers[] = { "ldap", "ad", "proxy", "none", NULL };
static const char *const subdomains_providers[] = { "ad", "ipa", "none", NULL };
static const char *const selinux_providers[] = { "ipa", "none", NULL };
static const char *const session_providers[] = { "ipa", "none", NULL };
static const char *const private_groups[] = { "true", "false", "hybrid", NULL };
static const char *const pwd_policies[] = { "none", "shadow", "mit_kerberos", NULL };
static const char *const pwmodify_modes[] = { "exop", "ldap_modify", "exop_force", NULL };
static const char *const access_rules[] = { "filter", "lockout", "ppolicy", "expire", "pwd_expire_policy_reject", "pwd_expire_policy_warn", "pwd_expire_policy_renew", "authorized_service", "host", "rhost", NULL };
static const char *const expire_policies[] = { "shadow", "ad", "rhds", "ipa", "389ds", "nds", NULL };
static const char *const fast[] = { "never", "try", "demand", NULL };
static const char *const dyndns_auths[] = { "gss-tsig", "none", NULL };
static const char *const gpo_modes[] = { "disabled", "enforcing", "permissive", NULL };
static const char *const gpo_rights[] = { "interactive", "remote_interactive", "network", "batch", "service", "permit", "deny", NULL };
static const char *const ipa_access_rules[] = { "expire", "pwd_expire_policy_reject", "pwd_expire_policy_warn", "pwd_expire_policy_renew", NULL };

const struct opt later_domain_opts[] = {
	{ "domain_type", OPT_WORD, .state = OPT_LATER, .words = domain_types },
	{ "auth_provider", OPT_WORD, .state = OPT_LATER, .words = auth_providers, .flags = OPT_ACCESS },
	{ "access_provider", OPT_WORD, .state = OPT_LATER, .words = access_providers, .flags = OPT_ACCESS },
	{ "chpass_provider", OPT_WORD, .state = OPT_LATER, .words = chpass_providers },
	{ "sudo_provider", OPT_WORD, .state = OPT_LATER, .words = sudo_providers },
	{ "autofs_provider", OPT_WORD, .state = OPT_LATER, .words = autofs_providers },
	{ "hostid_provider", OPT_WORD, .state = OPT_LATER, .words = hostid_providers },
	{ "resolver_provider", OPT_WORD, .state = OPT_LATER, .words = resolver_providers },
	{ "subdomains_provider", OPT_WORD, .state = OPT_LATER, .words = subdomains_providers },
	{ "selinux_provider", OPT_WORD, .state = OPT_LATER, .words = selinux_providers },
	{ "session_provider", OPT_WORD, .state = OPT_LATER, .words = session_providers },
	{ "cache_credentials", OPT_BOOL, .state = OPT_LATER },
	{ "cache_credentials_minimal_first_factor_length", OPT_NUMBER, .state = OPT_LATER, .unit = "chars" },
	{ "cached_auth_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "account_cache_expiration", OPT_NUMBER, .state = OPT_LATER, .unit = "days" },
	{ "avoid_by_id_lookups", OPT_BOOL, .state = OPT_LATER },
	{ "entry_cache_netgroup_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "entry_cache_service_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "entry_cache_resolver_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "entry_cache_sudo_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "entry_cache_autofs_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "entry_cache_ssh_host_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "entry_cache_computer_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "pam_gssapi_services", OPT_LIST, .state = OPT_LATER },
	{ "pam_gssapi_check_upn", OPT_BOOL, .state = OPT_LATER },
	{ "pam_gssapi_indicators_map", OPT_LIST, .state = OPT_LATER },
	{ "pam_gssapi_indicators_apply", OPT_LIST, .state = OPT_LATER },
	{ "pwd_expiration_warning", OPT_NUMBER, .state = OPT_LATER, .unit = "days" },
	{ "local_auth_policy", OPT_TEXT, .state = OPT_LATER },
	{ "realmd_tags", OPT_TEXT, .state = OPT_LATER },
	{ "wildcard_limit", OPT_NUMBER, .state = OPT_LATER },
	{ "subdomain_inherit", OPT_LIST, .state = OPT_LATER },
	{ "subdomain_homedir", OPT_TEXT, .state = OPT_LATER },
	{ "subdomain_refresh_interval", OPT_NUMBER, .state = OPT_LATER, .unit = "s", .flags = OPT_HIDDEN },
	{ "subdomain_refresh_interval_offset", OPT_NUMBER, .state = OPT_LATER, .unit = "s", .flags = OPT_HIDDEN },
	{ "passwd_files", OPT_LIST, .state = OPT_LATER },
	{ "group_files", OPT_LIST, .state = OPT_LATER },
	{ "fallback_to_nss", OPT_BOOL, .state = OPT_LATER },
	{ "subdomain_enumerate", OPT_NONE, .state = OPT_IGNORED },
	OPT_END
};

const struct opt later_application_opts[] = {
	{ "inherit_from", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_subdomain_opts[] = {
	{ "ldap_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_user_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_group_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_netgroup_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_service_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_sasl_mech", OPT_TEXT, .state = OPT_LATER },
	{ "ad_server", OPT_LIST, .state = OPT_LATER },
	{ "ad_backup_server", OPT_LIST, .state = OPT_LATER },
	{ "ad_site", OPT_TEXT, .state = OPT_LATER },
	{ "use_fully_qualified_names", OPT_BOOL, .state = OPT_LATER },
	{ "auto_private_groups", OPT_WORD, .state = OPT_LATER, .words = private_groups },
	{ "pam_gssapi_services", OPT_LIST, .state = OPT_LATER },
	{ "pam_gssapi_check_upn", OPT_BOOL, .state = OPT_LATER },
	{ "pam_gssapi_indicators_map", OPT_LIST, .state = OPT_LATER },
	{ "pam_gssapi_indicators_apply", OPT_LIST, .state = OPT_LATER },
	{ "ldap_sasl_authid", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_krb5_keytab", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_keytab", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_ldap_opts[] = {
	{ "ldap_offline_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s", .flags = OPT_HIDDEN },
	/* A server does not tell members that cannot be read from those that are not there. */
	{ "ldap_ignore_unreadable_references", OPT_BOOL, .state = OPT_IGNORED,
	  .help = "members that cannot be read are left out, always" },
	{ "ldap_library_debug_level", OPT_SIGNED, .state = OPT_LATER },
	{ "ldap_netgroup_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_service_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_iphost_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_ipnetwork_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_host_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_sudo_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_autofs_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_subid_ranges_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_use_tokengroups", OPT_BOOL, .state = OPT_LATER },
	{ "ldap_min_id", OPT_NUMBER, .state = OPT_LATER, .unit = "id" },
	{ "ldap_max_id", OPT_NUMBER, .state = OPT_LATER, .unit = "id" },
	{ "ldap_id_mapping", OPT_BOOL, .state = OPT_LATER },
	{ "ldap_idmap_range_min", OPT_NUMBER, .state = OPT_LATER, .unit = "id" },
	{ "ldap_idmap_range_max", OPT_NUMBER, .state = OPT_LATER, .unit = "id" },
	{ "ldap_idmap_range_size", OPT_NUMBER, .state = OPT_LATER, .unit = "ids" },
	{ "ldap_idmap_default_domain", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_idmap_default_domain_sid", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_idmap_autorid_compat", OPT_BOOL, .state = OPT_LATER },
	{ "ldap_idmap_helper_table_size", OPT_NUMBER, .state = OPT_LATER },
	{ "ldap_pwd_policy", OPT_WORD, .state = OPT_LATER, .words = pwd_policies, .flags = OPT_ACCESS },
	{ "ldap_use_ppolicy", OPT_BOOL, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ldap_ppolicy_pwd_change_threshold", OPT_NUMBER, .state = OPT_LATER },
	{ "ldap_pwmodify_mode", OPT_WORD, .state = OPT_LATER, .words = pwmodify_modes },
	{ "ldap_chpass_uri", OPT_LIST, .state = OPT_LATER },
	{ "ldap_chpass_backup_uri", OPT_LIST, .state = OPT_LATER },
	{ "ldap_chpass_dns_service_name", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_chpass_update_last_change", OPT_BOOL, .state = OPT_LATER },
	{ "ldap_access_order", OPT_LIST, .state = OPT_LATER, .words = access_rules, .flags = OPT_ACCESS },
	{ "ldap_access_filter", OPT_TEXT, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ldap_account_expire_policy", OPT_WORD, .state = OPT_LATER, .words = expire_policies, .flags = OPT_ACCESS },
	{ "ldap_pwdlockout_dn", OPT_TEXT, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ldap_auth_disable_tls_never_use_in_production", OPT_BOOL, .state = OPT_LATER, .flags = OPT_ACCESS | OPT_HIDDEN },
	{ "ldap_sudo_full_refresh_interval", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "ldap_sudo_smart_refresh_interval", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "ldap_sudo_random_offset", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "ldap_sudo_use_host_filter", OPT_BOOL, .state = OPT_LATER },
	{ "ldap_sudo_hostnames", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_sudo_ip", OPT_TEXT, .state = OPT_LATER },
	{ "ldap_sudo_include_netgroups", OPT_BOOL, .state = OPT_LATER },
	{ "ldap_sudo_include_regexp", OPT_BOOL, .state = OPT_LATER },
	{ "ldap_autofs_map_master_name", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_krb5_opts[] = {
	{ "krb5_server", OPT_LIST, .state = OPT_LATER },
	{ "krb5_backup_server", OPT_LIST, .state = OPT_LATER },
	{ "krb5_kdcip", OPT_LIST, .state = OPT_LATER },
	{ "krb5_kpasswd", OPT_LIST, .state = OPT_LATER },
	{ "krb5_backup_kpasswd", OPT_LIST, .state = OPT_LATER },
	{ "krb5_ccname_template", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_ccachedir", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_keytab", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_validate", OPT_BOOL, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "krb5_auth_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "krb5_store_password_if_offline", OPT_BOOL, .state = OPT_LATER },
	{ "krb5_renewable_lifetime", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_lifetime", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_renew_interval", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_use_fast", OPT_WORD, .state = OPT_LATER, .words = fast },
	{ "krb5_fast_principal", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_fast_use_anonymous_pkinit", OPT_BOOL, .state = OPT_LATER },
	{ "krb5_canonicalize", OPT_BOOL, .state = OPT_LATER },
	{ "krb5_use_enterprise_principal", OPT_BOOL, .state = OPT_LATER },
	{ "krb5_use_subdomain_realm", OPT_BOOL, .state = OPT_LATER },
	{ "krb5_map_user", OPT_LIST, .state = OPT_LATER },
	{ "krb5_use_kdcinfo", OPT_BOOL, .state = OPT_LATER },
	{ "krb5_kdcinfo_lookahead", OPT_TEXT, .state = OPT_LATER },
	{ "krb5_confd_path", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_simple_opts[] = {
	{ "simple_allow_users", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "simple_allow_groups", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "simple_deny_users", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "simple_deny_groups", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	OPT_END
};

const struct opt later_proxy_opts[] = {
	{ "proxy_lib_name", OPT_TEXT, .state = OPT_LATER },
	{ "proxy_resolver_lib_name", OPT_TEXT, .state = OPT_LATER },
	{ "proxy_pam_target", OPT_TEXT, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "proxy_fast_alias", OPT_BOOL, .state = OPT_LATER },
	{ "proxy_max_children", OPT_NUMBER, .state = OPT_LATER, .min = 1, .max = UINT32_MAX },
	OPT_END
};

const struct opt later_dyndns_opts[] = {
	{ "dyndns_update", OPT_BOOL, .state = OPT_LATER },
	{ "dyndns_update_per_family", OPT_BOOL, .state = OPT_LATER },
	{ "dyndns_ttl", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "dyndns_iface", OPT_LIST, .state = OPT_LATER },
	{ "dyndns_address", OPT_LIST, .state = OPT_LATER },
	{ "dyndns_refresh_interval", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "dyndns_refresh_interval_offset", OPT_NUMBER, .state = OPT_LATER, .unit = "s", .flags = OPT_HIDDEN },
	{ "dyndns_update_ptr", OPT_BOOL, .state = OPT_LATER },
	{ "dyndns_force_tcp", OPT_BOOL, .state = OPT_LATER },
	{ "dyndns_auth", OPT_WORD, .state = OPT_LATER, .words = dyndns_auths },
	{ "dyndns_auth_ptr", OPT_WORD, .state = OPT_LATER, .words = dyndns_auths },
	{ "dyndns_server", OPT_TEXT, .state = OPT_LATER },
	{ "dyndns_dot_cacert", OPT_TEXT, .state = OPT_LATER },
	{ "dyndns_dot_cert", OPT_TEXT, .state = OPT_LATER },
	{ "dyndns_dot_key", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_ad_opts[] = {
	{ "ad_domain", OPT_TEXT, .state = OPT_LATER },
	{ "ad_enabled_domains", OPT_LIST, .state = OPT_LATER },
	{ "ad_server", OPT_LIST, .state = OPT_LATER },
	{ "ad_backup_server", OPT_LIST, .state = OPT_LATER },
	{ "ad_hostname", OPT_TEXT, .state = OPT_LATER },
	{ "ad_enable_dns_sites", OPT_BOOL, .state = OPT_LATER },
	{ "ad_site", OPT_TEXT, .state = OPT_LATER },
	{ "ad_enable_gc", OPT_BOOL, .state = OPT_LATER },
	{ "ad_access_filter", OPT_TEXT, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_access_control", OPT_WORD, .state = OPT_LATER, .words = gpo_modes, .flags = OPT_ACCESS },
	{ "ad_gpo_implicit_deny", OPT_BOOL, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_ignore_unreadable", OPT_BOOL, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_cache_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s", .flags = OPT_ACCESS },
	{ "ad_gpo_map_interactive", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_map_remote_interactive", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_map_network", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_map_batch", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_map_service", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_map_permit", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_map_deny", OPT_LIST, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_gpo_default_right", OPT_WORD, .state = OPT_LATER, .words = gpo_rights, .flags = OPT_ACCESS },
	{ "ad_maximum_machine_account_password_age", OPT_NUMBER, .state = OPT_LATER, .unit = "days" },
	{ "ad_machine_account_password_renewal_opts", OPT_TEXT, .state = OPT_LATER },
	{ "ad_update_samba_machine_account_password", OPT_BOOL, .state = OPT_LATER },
	{ "ad_use_ldaps", OPT_BOOL, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ad_allow_remote_domain_local_groups", OPT_BOOL, .state = OPT_LATER },
	OPT_END
};

const struct opt later_ipa_opts[] = {
	{ "ipa_domain", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_server", OPT_LIST, .state = OPT_LATER },
	{ "ipa_backup_server", OPT_LIST, .state = OPT_LATER },
	{ "ipa_hostname", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_automount_location", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_access_order", OPT_LIST, .state = OPT_LATER, .words = ipa_access_rules, .flags = OPT_ACCESS },
	{ "ipa_hbac_search_base", OPT_TEXT, .state = OPT_LATER, .flags = OPT_ACCESS },
	{ "ipa_hbac_refresh", OPT_NUMBER, .state = OPT_LATER, .unit = "s", .flags = OPT_ACCESS },
	{ "ipa_hbac_support_srchost", OPT_BOOL, .state = OPT_LATER, .flags = OPT_ACCESS | OPT_HIDDEN },
	{ "ipa_selinux_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_selinux_refresh", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "ipa_subdomains_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_master_domain_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_ranges_search_base", OPT_TEXT, .state = OPT_LATER, .flags = OPT_HIDDEN },
	{ "ipa_views_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_deskprofile_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_deskprofile_refresh", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "ipa_deskprofile_request_interval", OPT_NUMBER, .state = OPT_LATER, .unit = "min" },
	{ "ipa_subid_ranges_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_host_search_base", OPT_TEXT, .state = OPT_LATER },
	{ "ipa_server_mode", OPT_BOOL, .state = OPT_LATER },
	{ "ipa_dyndns_update", OPT_BOOL, .state = OPT_LATER },
	{ "ipa_dyndns_ttl", OPT_NUMBER, .state = OPT_LATER },
	{ "ipa_dyndns_iface", OPT_LIST, .state = OPT_LATER },
	{ "ipa_enable_dns_sites", OPT_NONE, .state = OPT_IGNORED },
	OPT_END
};

const struct opt later_idp_opts[] = {
	{ "idp_type", OPT_TEXT, .state = OPT_LATER },
	{ "idp_client_id", OPT_TEXT, .state = OPT_LATER },
	{ "idp_client_secret", OPT_TEXT, .state = OPT_LATER },
	{ "idp_token_endpoint", OPT_TEXT, .state = OPT_LATER },
	{ "idp_device_auth_endpoint", OPT_TEXT, .state = OPT_LATER },
	{ "idp_userinfo_endpoint", OPT_TEXT, .state = OPT_LATER },
	{ "idp_id_scope", OPT_TEXT, .state = OPT_LATER },
	{ "idp_auth_scope", OPT_TEXT, .state = OPT_LATER },
	{ "idp_request_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "idp_auto_refresh", OPT_BOOL, .state = OPT_LATER },
	{ "idmap_range_min", OPT_NUMBER, .state = OPT_LATER, .unit = "id" },
	{ "idmap_range_max", OPT_NUMBER, .state = OPT_LATER, .unit = "id" },
	{ "idmap_range_size", OPT_NUMBER, .state = OPT_LATER, .unit = "ids" },
	OPT_END
};
/* clang-format on */
