/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ping - asks whoever registered and is silent whether it is well
 */
#pragma once

#include "monitor/monitor.h"

struct ping; /* a talloc object */

struct ping *ping_new(TALLOC_CTX *mem, struct monitor *monitor);

/* A process registered: when it is due may be earlier than what we wait for. */
void ping_look(struct ping *ping);
