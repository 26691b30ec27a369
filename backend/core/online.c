/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Online - see online.h
 */
#include "backend/core/online.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"

#define PROBE_MAX_MS  20000
#define JITTER_MAX_MS 5000
#define QUESTION_MS   5000
#define EVENT_TRIES   2 /* after the first, at once */
#define EVENT_WAIT_MS 1000

struct online {
	struct tevent_context *ev; /* borrowed */
	struct online_times times;
	struct online_hooks hooks;
	void *data;

	enum online_state state;
	char *text;
	struct timer *probe;   /* armed while offline; while forced off it ends that */
	int64_t wait_ms;       /* before the probe that is set next, without jitter */
	int64_t last_probe_us; /* of CLOCK_MONOTONIC, 0 = none yet */
	unsigned tries_left;   /* of the quick ones after an event */
	int64_t next_try_ms;
};

static void probe_due(void *data);

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct online_times online_times(uint32_t offline_timeout_s, uint32_t max_s,
                                 uint32_t random_offset_s)
{
	return (struct online_times){
		.probe_ms = smaller(offline_timeout_s ? (int64_t)offline_timeout_s * 1000 : 1000,
		                    PROBE_MAX_MS),
		.probe_max_ms = smaller((int64_t)max_s * 1000, PROBE_MAX_MS),
		.jitter_ms = smaller((int64_t)random_offset_s * 1000, JITTER_MAX_MS),
		.question_ms = QUESTION_MS,
		.forced_ms = offline_timeout_s ? (int64_t)offline_timeout_s * 1000 : 1000,
	};
}

struct online *online_new(TALLOC_CTX *mem, struct tevent_context *ev, struct online_times times,
                          const struct online_hooks *hooks, void *data)
{
	struct online *online = talloc_zero(mem, struct online);

	if (!online)
		return NULL;
	online->ev = ev;
	online->times = times;
	online->hooks = *hooks;
	online->data = data;
	online->text = talloc_strdup(online, "not connected yet");
	return online;
}

void online_set_times(struct online *online, struct online_times times)
{
	online->times = times;
}

enum online_state online_state(const struct online *online)
{
	return online->state;
}

const char *online_text(const struct online *online)
{
	return online->text ? online->text : "";
}

static bool offline(const struct online *online)
{
	return online->state == ONLINE_NO || online->state == ONLINE_FORCED_OFF;
}

/* Arms the one timer there is; tevent frees a timer that has fired. */
static void probe_after(struct online *online, int64_t ms)
{
	TALLOC_FREE(online->probe);
	online->probe = timer_once(online, online->ev, ms, probe_due, online);
}

/* The wait that is due now; the one after it is longer. */
static int64_t next_wait(struct online *online)
{
	const struct online_times *times = &online->times;
	int64_t ms = online->wait_ms;
	uint32_t random = 0;

	if (times->probe_max_ms)
		online->wait_ms = smaller(2 * ms, times->probe_max_ms);
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = 0;
	return ms + (times->jitter_ms ? (int64_t)(random % (uint32_t)(times->jitter_ms + 1)) : 0);
}

static void probe_now(struct online *online)
{
	online->last_probe_us = monotonic_us();
	online->hooks.probe(online->data);
}

static void probe_due(void *data)
{
	struct online *online = data;

	online->probe = NULL;
	if (online->state == ONLINE_FORCED_OFF)
		online->state = ONLINE_NO;

	if (online->tries_left > 0) {
		online->tries_left--;
		probe_after(online, online->next_try_ms);
		online->next_try_ms *= 2;
	} else {
		probe_after(online, next_wait(online));
	}
	probe_now(online);
}

static void become(struct online *online, enum online_state state, const char *format,
                   const char *detail)
{
	char clock[sizeof("YYYY-MM-DD HH:MM:SS")] = "";
	time_t now = (time_t)walltime_now().s;
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%F %T", &tm);

	if (state == ONLINE_YES ? online->state != ONLINE_YES : !offline(online))
		metrics_count(state == ONLINE_YES ? METRICS_WENT_ONLINE : METRICS_WENT_OFFLINE);
	online->state = state;
	talloc_free(online->text);
	online->text = talloc_asprintf(online, format, clock, detail);
	online->hooks.changed(online->data);
}

bool online_may_ask(struct online *online)
{
	if (!offline(online))
		return true;

	if (online->state == ONLINE_NO &&
	    monotonic_us() - online->last_probe_us >= online->times.question_ms * 1000)
		probe_now(online);
	return !offline(online);
}

void online_succeeded(struct online *online, const char *where)
{
	char *text;

	/* An attempt that began before USR1 does not end what the administrator wants. */
	if (online->state == ONLINE_FORCED_OFF)
		return;

	TALLOC_FREE(online->probe);
	online->tries_left = 0;

	/* The same server again: nothing changed, "since" stays. */
	text = online->state == ONLINE_YES && online->text ? strstr(online->text, ", ") : NULL;
	if (text && strcmp(text + 2, where) == 0)
		return;
	become(online, ONLINE_YES, "online since %s, %s", where);
}

void online_failed(struct online *online, const char *reason)
{
	char *text;

	if (online->state == ONLINE_FORCED_OFF)
		return;

	/* The first failure begins to count the time; later ones change the reason at most. */
	if (online->state == ONLINE_NO) {
		text = online->text ? strstr(online->text, ": ") : NULL;
		if (text && strcmp(text + 2, reason) != 0) {
			text = talloc_asprintf(online, "%.*s: %s", (int)(text - online->text),
			                       online->text, reason);
			if (text) {
				talloc_free(online->text);
				online->text = text;
				online->hooks.changed(online->data);
			}
		}
		return;
	}

	online->last_probe_us = monotonic_us();
	online->wait_ms = online->times.probe_ms;
	probe_after(online, next_wait(online));
	become(online, ONLINE_NO, "offline since %s: %s", reason);
}

void online_retry(struct online *online, bool also_forced)
{
	if (online->state == ONLINE_FORCED_OFF && also_forced)
		online->state = ONLINE_NO;
	if (online->state != ONLINE_NO)
		return;

	online->tries_left = EVENT_TRIES - 1;
	online->next_try_ms = 2 * EVENT_WAIT_MS;
	online->wait_ms = online->times.probe_ms;
	probe_after(online, EVENT_WAIT_MS);
	probe_now(online);
}

void online_force_off(struct online *online)
{
	become(online, ONLINE_FORCED_OFF, "offline since %s: %s", "goOffline was asked for");
	online->tries_left = 0;
	online->wait_ms = online->times.probe_ms;
	probe_after(online, online->times.forced_ms);
}
