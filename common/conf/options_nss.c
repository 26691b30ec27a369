/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of [nss]
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct nss_conf, field)
#define MEMCACHE_MIB_MAX 1024 /* common/memcache/mcmap.h */

/* clang-format off */
const struct opt nss_opts[] = {
	{ "entry_cache_nowait_percentage", OPT_NUMBER, AT(entry_cache_nowait_percentage), INT32_MIN, UINT32_MAX, "50", .unit = "%",
	  .help = "After this part of its life an entry is answered at once and refreshed behind; outside 1 to 99 = off" },
	{ "entry_negative_timeout", OPT_NUMBER, AT(entry_negative_timeout_s), .fallback = "15", .unit = "s",
	  .help = "How long it is remembered that something is not there" },
	{ "local_negative_timeout", OPT_NUMBER, AT(local_negative_timeout_s), .fallback = "14400", .unit = "s",
	  .help = "The same for users of /etc/passwd and groups of /etc/group, if that is longer" },
	{ "filter_users", OPT_LIST, AT(filter_users), .fallback = "root",
	  .help = "Users that are never answered: names or name@domain" },
	{ "filter_groups", OPT_LIST, AT(filter_groups), .fallback = "root",
	  .help = "Groups that are never answered: names or name@domain" },
	{ "filter_users_in_groups", OPT_BOOL, AT(filter_users_in_groups), .fallback = "true",
	  .help = "Leave filtered users out of member lists, too" },
	{ "pwfield", OPT_TEXT, AT(pwfield), .fallback = "*",
	  .help = "The password field of answers" },
	{ "override_homedir", OPT_TEXT, AT(override_homedir), .letters = HOME_LETTERS,
	  .help = "The home directory of every user, a template" },
	{ "fallback_homedir", OPT_TEXT, AT(fallback_homedir), .letters = HOME_LETTERS,
	  .help = "The home directory of users that have none, a template" },
	{ "homedir_substring", OPT_TEXT, AT(homedir_substring), .fallback = "/home",
	  .help = "What %H stands for" },
	{ "override_shell", OPT_TEXT, AT(override_shell),
	  .help = "The shell of every user, whatever the options below say" },
	{ "allowed_shells", OPT_LIST, AT(allowed_shells),
	  .help = "Shells that users may have besides those of /etc/shells; * = any" },
	{ "vetoed_shells", OPT_LIST, AT(vetoed_shells),
	  .help = "Shells in whose place shell_fallback is given" },
	{ "shell_fallback", OPT_TEXT, AT(shell_fallback), .fallback = "/bin/sh",
	  .help = "In place of a shell that is vetoed, or allowed and not installed" },
	{ "default_shell", OPT_TEXT, AT(default_shell),
	  .help = "The shell of users that have none" },
	{ "memcache_timeout", OPT_NUMBER, AT(memcache_timeout_s), .fallback = "300", .unit = "s",
	  .help = "How long an answer stays in the memory cache, at most as long as it is fresh; 0 = no such cache" },
	{ "memcache_size_passwd", OPT_NUMBER, AT(memcache_size_passwd_mib), 0, MEMCACHE_MIB_MAX, "8", .unit = "MiB",
	  .help = "Size of the memory cache of users; 0 = none" },
	{ "memcache_size_group", OPT_NUMBER, AT(memcache_size_group_mib), 0, MEMCACHE_MIB_MAX, "6", .unit = "MiB",
	  .help = "Size of the memory cache of groups; 0 = none" },
	{ "memcache_size_initgroups", OPT_NUMBER, AT(memcache_size_initgroups_mib), 0, MEMCACHE_MIB_MAX, "10", .unit = "MiB",
	  .help = "Size of the memory cache of the groups of users; 0 = none" },
	{ "memcache_size_sid", OPT_NUMBER, AT(memcache_size_sid_mib), 0, MEMCACHE_MIB_MAX, "6", .unit = "MiB",
	  .help = "Size of the memory cache of SIDs, which holds none yet; 0 = none" },
	OPT_END
};
/* clang-format on */
