/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options as structs: what the tables in common/conf/options_*.c fill
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/conf/opt.h"

struct secret;

/* Any section: [sssd], [nss], …, [domain/NAME]. */
struct common_conf {
	const char *debug_level; /* NULL = LOG_DEFAULT_MASK; "debug" is another spelling, which
	                          * sssd_conf(8) turns into this one */
	bool debug_timestamps, debug_microseconds;
	uint32_t timeout_s; /* ping interval is max(timeout, 20) s */
};
extern const struct opt common_opts[];

/* [sssd] */
struct sssd_conf {
	char **services, **domains;
	const char *re_expression, *full_name_format; /* common/conf/naming.h */
	char **domain_resolution_order;
	const char *default_domain_suffix;
	char override_space;
	bool monitor_resolv_conf, try_inotify, disable_netlink;
	bool core_dumpable; /* every process is told; true must be written */
};
extern const struct opt sssd_opts[];

/* [nss], [pam], …: every responder. */
struct service_conf {
	uint32_t responder_idle_timeout_s; /* 0 = never; 1-59 mean 60, done by the reader */
	uint32_t client_idle_timeout_s;    /* under 10 means 10 */
	uint32_t fd_limit;
	uint32_t request_timeout_ms; /* ours; 0 = the budget of design §3 */
	bool cache_first;
};
extern const struct opt service_opts[];

/* [nss] */
struct nss_conf {
	uint32_t entry_negative_timeout_s, local_negative_timeout_s;
	uint32_t entry_cache_nowait_percentage;
	char **filter_users, **filter_groups;
	bool filter_users_in_groups;
	const char *pwfield;
	const char *override_homedir, *fallback_homedir; /* templates of HOME_LETTERS */
	const char *homedir_substring;
	const char *override_shell, *default_shell, *shell_fallback;
	char **allowed_shells, **vetoed_shells;
	uint32_t memcache_timeout_s;
	uint32_t memcache_size_passwd_mib, memcache_size_group_mib, memcache_size_initgroups_mib,
		memcache_size_sid_mib;
};
extern const struct opt nss_opts[];

/* User, uid, domain, user@domain, first letter, principal, original home, the same in lower case,
 * homedir_substring (sssd.conf(5)). */
#define HOME_LETTERS "uUdflPohH"

/* [kcm] */
struct kcm_conf {
	uint32_t max_ccaches, max_uid_ccaches; /* 0 = no limit */
	uint32_t max_ccache_size_kib;          /* likewise */
	bool tgt_renewal;
	const char *tgt_renewal_inherit; /* read by sssd_conf, which fills in what is not set */
	uint32_t krb5_renew_interval_s;  /* 0 = no renewals */
	bool krb5_validate;
	uint32_t krb5_auth_timeout_s;
	bool purge_at_logout; /* ours */
};
extern const struct opt kcm_opts[];
extern const struct opt kcm_service_opts[]; /* fills struct service_conf */
extern const struct opt kcm_ignored_opts[];

enum case_sensitive {
	CASE_TRUE,
	CASE_FALSE,
	CASE_PRESERVING,
};

enum private_groups {
	PRIVATE_GROUPS_FALSE,
	PRIVATE_GROUPS_TRUE,
	PRIVATE_GROUPS_HYBRID,
};

enum family_order {
	FAMILY_IPV4_FIRST,
	FAMILY_IPV4_ONLY,
	FAMILY_IPV6_FIRST,
	FAMILY_IPV6_ONLY,
};

/* [domain/NAME], whatever the provider */
struct domain_conf {
	int enabled; /* word: unset, true, false */
	const char *id_provider;
	uint32_t min_id, max_id; /* max_id 0 = no limit */
	bool use_fully_qualified_names;
	int case_sensitive; /* enum case_sensitive */
	uint32_t entry_cache_timeout_s;
	uint32_t entry_cache_user_timeout_s, entry_cache_group_timeout_s; /* OPT_UNSET = that */
	uint32_t refresh_expired_interval_s, refresh_expired_interval_offset_s; /* 0 = off */
	uint32_t offline_timeout_s, offline_timeout_max_s, offline_timeout_random_offset_s;
	uint32_t failover_primary_timeout_s;
	int lookup_family_order; /* enum family_order */
	const char *dns_discovery_domain;
	uint32_t dns_resolver_server_timeout_ms, dns_resolver_op_timeout_s, dns_resolver_timeout_s;
	bool dns_resolver_use_search_list;
	uint32_t cache_max_size_mib; /* ours, 512 */
	bool ignore_group_members;
	bool enumerate;
	uint32_t override_gid;                        /* 0 = none */
	int auto_private_groups;                      /* enum private_groups */
	const char *re_expression, *full_name_format; /* instead of what [sssd] says */
	/* Instead of, or for the filters besides, what [nss] says. */
	char **filter_users, **filter_groups;
	const char *pwfield, *override_homedir, *fallback_homedir, *homedir_substring,
		*override_shell, *default_shell;
};
extern const struct opt domain_opts[];

enum ldap_reqcert {
	LDAP_REQCERT_NEVER,
	LDAP_REQCERT_ALLOW,
	LDAP_REQCERT_TRY,
	LDAP_REQCERT_DEMAND,
	LDAP_REQCERT_HARD,
};

enum start_tls {
	START_TLS_UNSET, /* tried; a server that refuses: the domain says which line to write */
	START_TLS_TRUE,
	START_TLS_FALSE, /* obeyed, with a warning */
};

enum ldap_schema {
	LDAP_SCHEMA_RFC2307,
	LDAP_SCHEMA_RFC2307BIS,
	LDAP_SCHEMA_IPA,
	LDAP_SCHEMA_AD,
};

enum ldap_authtok_type {
	LDAP_AUTHTOK_PASSWORD,
	LDAP_AUTHTOK_OBFUSCATED, /* as sss_obfuscate(8) writes it */
};

enum ldap_rootdse {
	LDAP_ROOTDSE_ANONYMOUS, /* and once more after the bind when that tells too little */
	LDAP_ROOTDSE_AUTHENTICATED,
	LDAP_ROOTDSE_NEVER,
};

/* [domain/NAME] with id_provider = ldap */
struct ldap_conf {
	char **uri, **backup_uri;
	const char *dns_service_name;
	const char *search_base, *user_search_base, *group_search_base;
	const char *user_search_filter, *group_search_filter; /* of a base that is a DN alone */
	int user_search_scope, group_search_scope; /* words: sub, subtree, one, onelevel, base */
	int read_rootdse;                          /* enum ldap_rootdse */
	int schema;                                /* enum ldap_schema */
	const char *bind_dn;
	struct secret *bind_password;
	int authtok_type;                                 /* enum ldap_authtok_type */
	const char *sasl_mech, *sasl_authid, *sasl_realm; /* sasl_mech NULL: no SASL */
	bool sasl_canonicalize;
	int32_t sasl_minssf, sasl_maxssf; /* -1 = the library's */
	const char *krb5_keytab, *krb5_realm;
	bool krb5_init_creds;
	uint32_t krb5_ticket_lifetime_s;
	int id_use_start_tls; /* enum start_tls */
	int tls_reqcert;      /* enum ldap_reqcert */
	const char *tls_cacert, *tls_cacertdir, *tls_cert, *tls_key, *tls_cipher_suite;
	uint32_t network_timeout_s, opt_timeout_s, search_timeout_s; /* 0 = no limit */
	uint32_t connection_expire_timeout_s, connection_expire_offset_s, connection_idle_timeout_s;
	int deref; /* word: never, searching, finding, always; libldap's numbers */
	bool referrals;
	uint32_t group_nesting_level, deref_threshold;
	bool rfc2307_fallback_to_local_users, force_upper_case_realm;
	char **user_extra_attrs; /* "ldapName" or "cacheName:ldapName" */
	uint32_t page_size;
	bool disable_paging, disable_range_retrieval;
	uint32_t enumeration_search_timeout_s;                                /* 0 = no limit */
	uint32_t enumeration_refresh_timeout_s, enumeration_refresh_offset_s; /* 0 = once */
	uint32_t purge_cache_timeout_s, purge_cache_offset_s;                 /* 0 = never */
	/* attribute maps: conf_read() knows the defaults of rfc2307, common/ldap/schema.h all */
	const char *user_object_class, *user_name, *user_uid_number, *user_gid_number, *user_gecos,
		*user_home_directory, *user_shell, *user_principal, *user_fullname, *user_email;
	const char *group_object_class, *group_object_class_alt; /* the second one may be NULL */
	const char *group_name, *group_gid_number, *group_member;
};
extern const struct opt ldap_opts[];

/* What is known and not built, or taken without effect: names, and types where a value can be
 * judged. */
extern const struct opt later_any_opts[], later_sssd_opts[], later_service_opts[], later_nss_opts[],
	later_pam_opts[], later_sudo_opts[], later_autofs_opts[], later_ssh_opts[],
	later_pac_opts[], later_ifp_opts[], later_kcm_opts[], later_session_recording_opts[],
	later_certmap_opts[], later_prompting_password_opts[], later_prompting_2fa_opts[],
	later_prompting_passkey_opts[], later_prompting_oauth2_opts[];
extern const struct opt later_domain_opts[], later_application_opts[], later_subdomain_opts[],
	later_ldap_opts[], later_krb5_opts[], later_simple_opts[], later_proxy_opts[],
	later_dyndns_opts[], later_ad_opts[], later_ipa_opts[], later_idp_opts[];
extern const struct opt later_map_opts[], later_ipa_map_opts[];
