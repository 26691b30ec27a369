/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of [domain/NAME] with id_provider = ldap
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct ldap_conf, field)

/* Each in the order of its enum in options.h. */
static const char *const schema_words[] = { "rfc2307", "rfc2307bis", "IPA", "AD", NULL };
static const char *const authtok_words[] = { "password", "obfuscated_password", NULL };
static const char *const start_tls_words[] = { "", "true", "false", NULL };
static const char *const reqcert_words[] = { "never", "allow", "try", "demand", "hard", NULL };
static const char *const deref_words[] = { "never", "searching", "finding", "always", NULL };
static const char *const rootdse_words[] = { "anonymous", "authenticated", "never", NULL };
static const char *const scope_words[] = { "sub", "subtree", "one", "onelevel", "base", NULL };

/* clang-format off */
const struct opt ldap_opts[] = {
	{ "ldap_uri", OPT_LIST, AT(uri),
	  .help = "Servers, in the order in which they are tried: ldap://, ldaps://, ldapi:// or _srv_; unset = _srv_" },
	{ "ldap_backup_uri", OPT_LIST, AT(backup_uri),
	  .help = "Servers that are used only while none of those works" },
	{ "ldap_dns_service_name", OPT_TEXT, AT(dns_service_name), .fallback = "ldap",
	  .help = "The name of the service for which DNS names servers" },
	{ "ldap_search_base", OPT_TEXT, AT(search_base),
	  .help = "Where to search: base[?scope?[filter]], several joined by ?; unset = the server says" },
	{ "ldap_read_rootdse", OPT_WORD, AT(read_rootdse), .fallback = "anonymous", .words = rootdse_words,
	  .help = "When the server is asked what it offers: before the bind, after it, or not at all" },
	{ "ldap_schema", OPT_WORD, AT(schema), .fallback = "rfc2307", .words = schema_words,
	  .help = "How the directory spells users and groups" },
	{ "ldap_default_bind_dn", OPT_TEXT, AT(bind_dn),
	  .help = "Whom to bind as; unset = anonymous" },
	{ "ldap_default_authtok_type", OPT_WORD, AT(authtok_type), .fallback = "password", .words = authtok_words,
	  .help = "What ldap_default_authtok is" },
	{ "ldap_default_authtok", OPT_SECRET, AT(bind_password),
	  .help = "The password for that" },
	{ "ldap_id_use_start_tls", OPT_WORD, AT(id_use_start_tls), .words = start_tls_words, .flags = OPT_ACCESS,
	  .help = "StartTLS on ldap:// connections; unset = true" },
	{ "ldap_tls_reqcert", OPT_WORD, AT(tls_reqcert), .fallback = "hard", .words = reqcert_words, .flags = OPT_ACCESS,
	  .help = "What to ask of the server's certificate" },
	{ "ldap_tls_cacert", OPT_TEXT, AT(tls_cacert), .flags = OPT_ACCESS,
	  .help = "File with the certificates of authorities" },
	{ "ldap_tls_cacertdir", OPT_TEXT, AT(tls_cacertdir), .flags = OPT_ACCESS,
	  .help = "Directory with the same, one file for each, named by hash" },
	{ "ldap_tls_cert", OPT_TEXT, AT(tls_cert), .flags = OPT_ACCESS,
	  .help = "File with our own certificate" },
	{ "ldap_tls_key", OPT_TEXT, AT(tls_key), .flags = OPT_ACCESS,
	  .help = "File with its key" },
	{ "ldap_tls_cipher_suite", OPT_TEXT, AT(tls_cipher_suite), .flags = OPT_ACCESS,
	  .help = "Acceptable ciphers, in the words of the TLS library" },
	{ "ldap_network_timeout", OPT_NUMBER, AT(network_timeout_s), .fallback = "6", .unit = "s",
	  .help = "How long connecting may take" },
	{ "ldap_opt_timeout", OPT_NUMBER, AT(opt_timeout_s), .fallback = "8", .unit = "s",
	  .help = "How long a bind or StartTLS may take" },
	{ "ldap_search_timeout", OPT_NUMBER, AT(search_timeout_s), .fallback = "6", .unit = "s",
	  .help = "How long a search may take" },
	{ "ldap_enumeration_search_timeout", OPT_NUMBER, AT(enumeration_search_timeout_s), .fallback = "60", .unit = "s",
	  .help = "How long a search for one page of an enumeration may take" },
	{ "ldap_enumeration_refresh_timeout", OPT_NUMBER, AT(enumeration_refresh_timeout_s), .fallback = "300", .min = 1, .max = 31536000, .unit = "s",
	  .help = "Time between the end of an enumeration and the next" },
	{ "ldap_enumeration_refresh_offset", OPT_NUMBER, AT(enumeration_refresh_offset_s), .fallback = "30", .unit = "s", .max = 31536000, .flags = OPT_HIDDEN,
	  .help = "A random time up to this is added" },
	{ "ldap_purge_cache_timeout", OPT_NUMBER, AT(purge_cache_timeout_s), .fallback = "0", .max = 31536000, .unit = "s",
	  .help = "How often what has expired is taken out of the cache; 0 = never" },
	{ "ldap_purge_cache_offset", OPT_NUMBER, AT(purge_cache_offset_s), .fallback = "0", .max = 31536000, .unit = "s", .flags = OPT_HIDDEN,
	  .help = "A random time up to this is added" },
	{ "ldap_page_size", OPT_NUMBER, AT(page_size), .fallback = "1000", .min = 1, .max = 100000,
	  .help = "How many entries an enumeration asks for at once" },
	{ "ldap_disable_paging", OPT_BOOL, AT(disable_paging), .fallback = "false",
	  .help = "Ask for all at once, for servers that do this badly" },
	{ "ldap_connection_expire_timeout", OPT_NUMBER, AT(connection_expire_timeout_s), .fallback = "900", .unit = "s",
	  .help = "A connection is replaced by a new one at this age" },
	{ "ldap_connection_expire_offset", OPT_NUMBER, AT(connection_expire_offset_s), .fallback = "0", .unit = "s",
	  .help = "A random time up to this is added" },
	{ "ldap_connection_idle_timeout", OPT_NUMBER, AT(connection_idle_timeout_s), .fallback = "900", .unit = "s",
	  .help = "A connection nobody uses is closed after this; 0 = never" },
	{ "ldap_referrals", OPT_BOOL, AT(referrals), .fallback = "true",
	  .help = "Follow referrals" },
	{ "ldap_deref", OPT_WORD, AT(deref), .fallback = "never", .words = deref_words,
	  .help = "When the server follows aliases" },

	{ "ldap_deref_threshold", OPT_NUMBER, AT(deref_threshold), .fallback = "10",
	  .help = "More members than this are looked up by dereference; 0 = never" },

	{ "ldap_user_search_base", OPT_TEXT, AT(user_search_base),
	  .help = "Where to search users; unset = ldap_search_base" },
	{ "ldap_group_search_base", OPT_TEXT, AT(group_search_base),
	  .help = "Where to search groups; unset = ldap_search_base" },

	{ "ldap_user_search_scope", OPT_WORD, AT(user_search_scope), .fallback = "sub", .words = scope_words,
	  .help = "The scope of a search base of users that is a DN alone" },
	{ "ldap_user_search_filter", OPT_TEXT, AT(user_search_filter),
	  .help = "The filter of such a one" },
	{ "ldap_group_search_scope", OPT_WORD, AT(group_search_scope), .fallback = "sub", .words = scope_words,
	  .help = "The same for groups" },
	{ "ldap_group_search_filter", OPT_TEXT, AT(group_search_filter),
	  .help = "The same for groups" },

	{ "ldap_user_extra_attrs", OPT_LIST, AT(user_extra_attrs),
	  .help = "More attributes of users that are kept, as ldapName or cacheName:ldapName" },
	{ "ldap_group_nesting_level", OPT_NUMBER, AT(group_nesting_level), .fallback = "2",
	  .help = "How many levels of groups in groups are followed; not in rfc2307" },

	{ "ldap_rfc2307_fallback_to_local_users", OPT_BOOL, AT(rfc2307_fallback_to_local_users), .fallback = "false",
	  .help = "Give users of /etc/passwd the groups of the directory that list them; only in rfc2307" },
	{ "ldap_force_upper_case_realm", OPT_BOOL, AT(force_upper_case_realm), .fallback = "false",
	  .help = "Write the realm of principals in capitals" },

	{ "ldap_user_object_class", OPT_TEXT, AT(user_object_class), .fallback = "posixAccount",
	  .help = "Object class of users" },
	{ "ldap_user_name", OPT_TEXT, AT(user_name), .fallback = "uid",
	  .help = "Attribute with the name of a user" },
	{ "ldap_user_uid_number", OPT_TEXT, AT(user_uid_number), .fallback = "uidNumber",
	  .help = "Attribute with the uid" },
	{ "ldap_user_gid_number", OPT_TEXT, AT(user_gid_number), .fallback = "gidNumber",
	  .help = "Attribute with the gid of the primary group" },
	{ "ldap_user_gecos", OPT_TEXT, AT(user_gecos), .fallback = "gecos",
	  .help = "Attribute with the gecos field" },
	{ "ldap_user_home_directory", OPT_TEXT, AT(user_home_directory), .fallback = "homeDirectory",
	  .help = "Attribute with the home directory" },
	{ "ldap_user_shell", OPT_TEXT, AT(user_shell), .fallback = "loginShell",
	  .help = "Attribute with the shell" },
	{ "ldap_user_principal", OPT_TEXT, AT(user_principal), .fallback = "krbPrincipalName",
	  .help = "Attribute with the Kerberos principal" },
	{ "ldap_user_fullname", OPT_TEXT, AT(user_fullname), .fallback = "cn",
	  .help = "Attribute with the full name" },
	{ "ldap_user_email", OPT_TEXT, AT(user_email), .fallback = "mail",
	  .help = "Attribute with mail addresses" },

	{ "ldap_group_object_class", OPT_TEXT, AT(group_object_class), .fallback = "posixGroup",
	  .help = "Object class of groups" },
	{ "ldap_group_object_class_alt", OPT_TEXT, AT(group_object_class_alt),
	  .help = "Another one that groups may have instead" },
	{ "ldap_group_name", OPT_TEXT, AT(group_name), .fallback = "cn",
	  .help = "Attribute with the name of a group" },
	{ "ldap_group_gid_number", OPT_TEXT, AT(group_gid_number), .fallback = "gidNumber",
	  .help = "Attribute with the gid" },
	{ "ldap_group_member", OPT_TEXT, AT(group_member),
	  .help = "Attribute with the members; unset = memberuid in rfc2307, member in rfc2307bis" },
	OPT_END
};
/* clang-format on */
