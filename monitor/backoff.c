/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Back-off - when to start a child again, and whether its end was a crash
 */
#include "monitor/backoff.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/base/str.h"

#define GOOD_LIFE_US   (30 * 1000000ll)
#define TWO_CRASHES_US (60 * 1000000ll)
#define ORDERLY_LIFE_US (1 * 1000000ll)

void backoff_started(struct backoff *backoff, int64_t now_us)
{
	backoff->started_us = now_us;
}

int64_t backoff_ended(struct backoff *backoff, int64_t now_us)
{
	static const int64_t waits_ms[] = { 0, 100, 1000, 2000, 4000, 8000, 10000 };
	unsigned last = str_size(waits_ms) - 1;

	if (now_us - backoff->started_us >= GOOD_LIFE_US)
		backoff->failures = 0;
	if (backoff->failures < last)
		return waits_ms[backoff->failures++];
	return waits_ms[last];
}

void backoff_orderly(struct backoff *backoff, int64_t now_us)
{
	if (now_us - backoff->started_us >= ORDERLY_LIFE_US)
		backoff->failures = 0;
}

void backoff_forgive(struct backoff *backoff)
{
	backoff->failures = 0;
}

bool backoff_crashed(struct backoff *backoff, int64_t now_us)
{
	bool second = backoff->crashed_us != 0 && now_us - backoff->crashed_us <= TWO_CRASHES_US;

	backoff->crashed_us = now_us;
	return second;
}

bool backoff_is_kill(int status)
{
	return WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
}

bool backoff_is_crash(int status, bool we_ended_it)
{
	return WIFSIGNALED(status) && (we_ended_it || !backoff_is_kill(status));
}
