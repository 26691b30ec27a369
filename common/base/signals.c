/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Signals - see signals.h
 */
#include "common/base/signals.h"

#include <signal.h>

void signals_calm(void)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}
