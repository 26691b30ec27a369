/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of [sssd]
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct sssd_conf, field)

/* clang-format off */
const struct opt sssd_opts[] = {
	{ "services", OPT_LIST, AT(services),
	  .help = "Responders that are kept running; others start on their first request" },
	{ "domains", OPT_LIST, AT(domains),
	  .help = "The domains in use, in the order in which they are asked" },
	{ "re_expression", OPT_TEXT, AT(re_expression),
	  .help = "Takes a name apart, by groups called name and domain; unset = at the last @" },
	{ "full_name_format", OPT_TEXT, AT(full_name_format), .fallback = "%1$s@%2$s",
	  .help = "How a name with its domain is written: 1 the name, 2 the domain" },
	{ "domain_resolution_order", OPT_LIST, AT(domain_resolution_order),
	  .help = "Domains that are asked first, also for short names; answers carry the domain" },
	{ "default_domain_suffix", OPT_TEXT, AT(default_domain_suffix),
	  .help = "The domain of names that name none; answers carry the domain" },
	{ "override_space", OPT_CHAR, AT(override_space),
	  .help = "A character in place of each space in names" },
	{ "monitor_resolv_conf", OPT_BOOL, AT(monitor_resolv_conf), .fallback = "true",
	  .help = "Watch resolv.conf and tell the backends when it changes" },
	{ "try_inotify", OPT_BOOL, AT(try_inotify), .fallback = "true",
	  .help = "Watch it with inotify; false = look at it every 5 s" },
	{ "disable_netlink", OPT_BOOL, AT(disable_netlink), .fallback = "false",
	  .help = "Do not try to go online when an address, a link or a route changes" },
	{ "core_dumpable", OPT_BOOL, AT(core_dumpable), .fallback = "false", .flags = OPT_RESTART,
	  .help = "Let processes that hold passwords leave core files" },
	OPT_END
};
/* clang-format on */
