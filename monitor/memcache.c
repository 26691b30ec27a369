/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - what clients find by themselves must go even when no responder runs that could
 * take it back
 */
#include "monitor/memcache.h"

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/memcache/mcmap.h"

static const char *const names[] = { MCMAP_NAMES };

static void gone(const struct monitor *monitor, enum mcmap_kind kind, int r)
{
	if (r < 0)
		log_error("%s/%s: %s", monitor->paths.mc_dir, names[kind], error_text(r));
}

void memcache_clear(const struct monitor *monitor)
{
	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++)
		gone(monitor, kind, mcmap_recycle(monitor->paths.mc_dir, kind));
}

void memcache_settle(const struct monitor *monitor)
{
	auto_talloc struct conf *conf = NULL;

	if (conf_load(NULL, monitor->paths.conf_dir, "nss", &conf) < 0) {
		memcache_clear(monitor);
		return;
	}
	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++)
		gone(monitor, kind,
		     mcmap_recycle_others(monitor->paths.mc_dir, kind, conf_generation(conf)));
}
