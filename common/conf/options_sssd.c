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
	{ "monitor_resolv_conf", OPT_BOOL, AT(monitor_resolv_conf), .fallback = "true",
	  .help = "Watch resolv.conf and tell the backends when it changes" },
	{ "disable_netlink", OPT_BOOL, AT(disable_netlink), .fallback = "false",
	  .help = "Do not try to go online when an address, a link or a route changes" },
	{ "core_dumpable", OPT_BOOL, AT(core_dumpable), .fallback = "false", .flags = OPT_RESTART,
	  .help = "Let processes that hold passwords leave core files" },
	OPT_END
};
/* clang-format on */
