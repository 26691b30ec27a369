/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Online - can the domain's servers be reached, since when, and why not
 *
 *             succeeded               failed
 *   unknown ───────────▶ online ────────────▶ offline ─┐ probe: every 20 s at most, on events,
 *      │                    ▲                  ▲  │ ▲  │ and when somebody asks
 *      │                    └──── succeeded ───┼──┘ └──┘
 *      └───────────────── failed ──────────────┘
 *
 * The state is derived from what providers report, never set by a request that failed for reasons
 * of its own (field-report R1, D9). Offline is never sticky: a probe runs at least every 25 s, at
 * once on an event, and when a question arrives, at most every 5 s. Online and idle, no timer runs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

enum online_state {
	ONLINE_UNKNOWN, /* nothing was tried yet: questions go through */
	ONLINE_YES,
	ONLINE_NO,
	ONLINE_FORCED_OFF, /* the administrator said so (USR1) */
};

struct online_times {
	int64_t probe_ms, jitter_ms; /* between probes while offline */
	int64_t probe_max_ms;        /* each wait is twice the last one, up to this; 0 = as long */
	int64_t question_ms;         /* a question starts a probe, but not more often than this */
	int64_t forced_ms;           /* how long USR1 holds */
};

/* What the options mean: offline_timeout, how far it grows and its random part, capped so that the
 * domain is back within 30 s of its server whatever they say. */
struct online_times online_times(uint32_t offline_timeout_s, uint32_t max_s,
                                 uint32_t random_offset_s);

struct online_hooks {
	void (*probe)(void *data);   /* reach for a server now */
	void (*changed)(void *data); /* state or text are others than before */
};

struct online; /* a talloc object */

struct online *online_new(TALLOC_CTX *mem, struct tevent_context *ev, struct online_times times,
                          const struct online_hooks *hooks, void *data);

/* For the waits that begin from now on. */
void online_set_times(struct online *online, struct online_times times);

enum online_state online_state(const struct online *online);

/* May a question go to the provider? False: answer -E_OFFLINE at once; a probe may have been
 * started on its behalf. */
bool online_may_ask(struct online *online);

/* A provider met a server that works; where is its address for people ("ldap://a"). */
void online_succeeded(struct online *online, const char *where);

/* A provider tried what it has and reached none. */
void online_failed(struct online *online, const char *reason);

/* Something happened that may have brought the server back: probe now, and again after 1 s and
 * 3 s, because an event often comes before the network works. Without effect while online, or
 * forced off unless also_forced. */
void online_retry(struct online *online, bool also_forced);

/* Pretend to be offline. */
void online_force_off(struct online *online);

/* "online since 2026-11-21 10:27:42, ldap://a" or "offline since 2026-11-21 10:27:42: connection
 * refused": local time. Borrowed. */
const char *online_text(const struct online *online);
