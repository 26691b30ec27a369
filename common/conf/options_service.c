/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of every responder's section
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct service_conf, field)

/* clang-format off */
const struct opt service_opts[] = {
	{ "responder_idle_timeout", OPT_NUMBER, AT(responder_idle_timeout_s), .fallback = "300", .unit = "s",
	  .help = "A responder that nobody asks for so long exits; 0 = never, 1 to 59 count as 60" },
	{ "client_idle_timeout", OPT_NUMBER, AT(client_idle_timeout_s), .fallback = "60", .unit = "s",
	  .help = "A connection without requests is closed after this; under 10 means 10" },
	{ "fd_limit", OPT_NUMBER, AT(fd_limit), .fallback = "8192", .flags = OPT_RESTART,
	  .help = "Soft limit of open files, within the hard one" },
	{ "request_timeout", OPT_NUMBER, AT(request_timeout_ms), .fallback = "0", .unit = "s", .flags = OPT_MILLI,
	  .help = "Time in which a request is answered, come what may; 0 = by the kind of request" },
	{ "cache_first", OPT_BOOL, AT(cache_first), .fallback = "true",
	  .help = "Search the caches of all domains before any server is asked" },
	OPT_END
};
/* clang-format on */
