/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of [nss]
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct nss_conf, field)

/* clang-format off */
const struct opt nss_opts[] = {
	{ "entry_cache_nowait_percentage", OPT_NUMBER, AT(entry_cache_nowait_percentage), 0, 99, "50", .unit = "%",
	  .help = "After this part of its life an entry is answered at once and refreshed behind; 0 = off" },
	{ "entry_negative_timeout", OPT_NUMBER, AT(entry_negative_timeout_s), .fallback = "15", .unit = "s",
	  .help = "How long it is remembered that something is not there" },
	{ "filter_users", OPT_LIST, AT(filter_users), .fallback = "root",
	  .help = "Users that are never answered: names or name@domain" },
	{ "filter_groups", OPT_LIST, AT(filter_groups), .fallback = "root",
	  .help = "Groups that are never answered: names or name@domain" },
	{ "filter_users_in_groups", OPT_BOOL, AT(filter_users_in_groups), .fallback = "true",
	  .help = "Leave filtered users out of member lists, too" },
	{ "pwfield", OPT_TEXT, AT(pwfield), .fallback = "*",
	  .help = "The password field of answers" },
	OPT_END
};
/* clang-format on */
