/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - what clients find by themselves must go even when no responder runs that could
 * take it back
 */
#pragma once

#include "monitor/monitor.h"

/* All answers. Errors are logged. */
void memcache_clear(const struct monitor *monitor);

/* Those that were given under another configuration of the nss responder than is compiled now. */
void memcache_settle(const struct monitor *monitor);
