/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of [domain/NAME] that every provider has
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct domain_conf, field)

static const char *const unset_true_false[] = { "", "true", "false", NULL };

/* enum case_sensitive */
static const char *const case_words[] = { "true", "false", "preserving", NULL };

/* enum private_groups */
static const char *const private_words[] = { "false", "true", "hybrid", NULL };

/* enum family_order */
static const char *const family_words[] = { "ipv4_first", "ipv4_only", "ipv6_first", "ipv6_only",
	                                    NULL };

/* clang-format off */
const struct opt domain_opts[] = {
	{ "enabled", OPT_WORD, AT(enabled), .words = unset_true_false,
	  .help = "Use the domain, or not, whatever domains= in [sssd] says" },
	{ "id_provider", OPT_TEXT, AT(id_provider), .flags = OPT_RESTART,
	  .help = "Where users and groups come from: ldap" },
	{ "min_id", OPT_NUMBER, AT(min_id), .fallback = "1", .unit = "id",
	  .help = "The smallest uid or gid that is taken from the server" },
	{ "max_id", OPT_NUMBER, AT(max_id), .fallback = "0", .unit = "id",
	  .help = "The largest one; 0 = no limit" },
	{ "enumerate", OPT_BOOL, AT(enumerate), .fallback = "false",
	  .help = "List all users and groups when a program asks for all" },
	{ "ignore_group_members", OPT_BOOL, AT(ignore_group_members), .fallback = "false",
	  .help = "Answer groups without their members" },
	{ "override_gid", OPT_NUMBER, AT(override_gid), 0, 4294967294, "0", .unit = "id",
	  .help = "The primary group of every user; 0 = as the server says" },
	{ "auto_private_groups", OPT_WORD, AT(auto_private_groups), .fallback = "false", .words = private_words,
	  .help = "Make up a group for each user, with the uid as its number" },
	{ "filter_users", OPT_LIST, AT(filter_users),
	  .help = "Users of this domain that are never answered, besides those of [nss]" },
	{ "filter_groups", OPT_LIST, AT(filter_groups),
	  .help = "Groups of this domain that are never answered, besides those of [nss]" },
	{ "pwfield", OPT_TEXT, AT(pwfield),
	  .help = "In this domain, instead of the option of [nss]" },
	{ "override_homedir", OPT_TEXT, AT(override_homedir), .letters = HOME_LETTERS,
	  .help = "In this domain, instead of the option of [nss]" },
	{ "fallback_homedir", OPT_TEXT, AT(fallback_homedir), .letters = HOME_LETTERS,
	  .help = "In this domain, instead of the option of [nss]" },
	{ "homedir_substring", OPT_TEXT, AT(homedir_substring),
	  .help = "In this domain, instead of the option of [nss]" },
	{ "override_shell", OPT_TEXT, AT(override_shell),
	  .help = "In this domain, instead of the option of [nss]" },
	{ "default_shell", OPT_TEXT, AT(default_shell),
	  .help = "In this domain, instead of the option of [nss]" },
	{ "use_fully_qualified_names", OPT_BOOL, AT(use_fully_qualified_names), .fallback = "false",
	  .help = "Names are name@domain, in questions and in answers" },
	{ "re_expression", OPT_TEXT, AT(re_expression),
	  .help = "In this domain, instead of the option of [sssd]" },
	{ "full_name_format", OPT_TEXT, AT(full_name_format),
	  .help = "In this domain, instead of the option of [sssd]" },
	{ "case_sensitive", OPT_WORD, AT(case_sensitive), .fallback = "true", .words = case_words, .flags = OPT_RESTART,
	  .help = "Does case count in names; preserving: it does not, and answers keep it" },
	{ "entry_cache_timeout", OPT_NUMBER, AT(entry_cache_timeout_s), .fallback = "5400", .unit = "s",
	  .help = "How long an entry holds before the server is asked again; 0 = it is asked each time" },
	{ "entry_cache_user_timeout", OPT_NUMBER, AT(entry_cache_user_timeout_s), .max = OPT_UNSET - 1, .unit = "s",
	  .help = "The same for users; unset = entry_cache_timeout" },
	{ "entry_cache_group_timeout", OPT_NUMBER, AT(entry_cache_group_timeout_s), .max = OPT_UNSET - 1, .unit = "s",
	  .help = "The same for groups; unset = entry_cache_timeout" },
	{ "refresh_expired_interval", OPT_NUMBER, AT(refresh_expired_interval_s), .fallback = "0", .max = 31536000, .unit = "s",
	  .help = "How often what is about to expire is refreshed in the background; 0 = never" },
	{ "refresh_expired_interval_offset", OPT_NUMBER, AT(refresh_expired_interval_offset_s), .fallback = "0", .max = 31536000, .unit = "s", .flags = OPT_HIDDEN,
	  .help = "A random time up to this is added" },
	{ "cache_max_size", OPT_NUMBER, AT(cache_max_size_mib), 1, 4096, "512", .unit = "MiB",
	  .help = "The cache of the domain grows no larger; who expired makes room for others" },
	{ "offline_timeout", OPT_NUMBER, AT(offline_timeout_s), .fallback = "60", .unit = "s",
	  .help = "The wait before an unreachable server is tried again; at most 20 s are taken" },
	{ "offline_timeout_max", OPT_NUMBER, AT(offline_timeout_max_s), .fallback = "3600", .unit = "s",
	  .help = "That wait doubles each time, up to this; 0 = it does not grow; at most 20 s are taken" },
	{ "offline_timeout_random_offset", OPT_NUMBER, AT(offline_timeout_random_offset_s), .fallback = "30", .unit = "s",
	  .help = "A random time up to this is added to each; at most 5 s are taken" },
	{ "failover_primary_timeout", OPT_NUMBER, AT(failover_primary_timeout_s), .fallback = "31", .max = 31536000, .unit = "s",
	  .help = "While a backup server is in use, a primary one is tried this often, but at least 31 s apart" },
	{ "lookup_family_order", OPT_WORD, AT(lookup_family_order), .fallback = "ipv4_first", .words = family_words,
	  .help = "Which addresses of a server are used, and which first" },
	{ "dns_discovery_domain", OPT_TEXT, AT(dns_discovery_domain),
	  .help = "Where DNS is asked for servers; unset = the domain of the host name, then the domain's own" },
	{ "dns_resolver_server_timeout", OPT_NUMBER, AT(dns_resolver_server_timeout_ms), 1, 600000, "1000", .unit = "ms",
	  .help = "How long one name server is waited for before the next is asked" },
	{ "dns_resolver_op_timeout", OPT_NUMBER, AT(dns_resolver_op_timeout_s), 1, 3600, "3", .unit = "s",
	  .help = "How long one question to DNS may take" },
	{ "dns_resolver_timeout", OPT_NUMBER, AT(dns_resolver_timeout_s), 1, 3600, "6", .unit = "s",
	  .help = "How long finding servers may take, and then the addresses of one" },
	{ "dns_resolver_use_search_list", OPT_BOOL, AT(dns_resolver_use_search_list), .fallback = "true",
	  .help = "Complete short names with the search list of resolv.conf" },
	OPT_END
};
/* clang-format on */
