/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log - journal, files or stderr; one request id through every process
 *
 * Levels are those of debug_level in sssd.conf(5): a number 0-10 counts up the list, a mask
 * picks from it. Above warn the default is silence: a healthy host logs a few lines a day.
 * Each call site of the levels fatal to notice is rate-limited: after 20 lines within 10 s the rest
 * is counted and reported in one line when the time is over. What somebody asked for by raising
 * debug_level is not: a trace with holes is no trace.
 *
 * Any thread may log. A line stays a line: control bytes in it become '?'.
 */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The value is the bit in debug_level's mask. */
enum log_level {
	LEVEL_FATAL = 0x0010,  /* 0 the process cannot go on */
	LEVEL_ERROR = 0x0020,  /* 1 something does not work any more */
	LEVEL_WARN = 0x0040,   /* 2 something did not work this time */
	LEVEL_NOTICE = 0x0080, /* 3 a state changed: online, offline, reloaded */
	LEVEL_CONF = 0x0100,   /* 4 configuration as it was understood */
	LEVEL_INFO = 0x0200,   /* 5 one line per request */
	LEVEL_DEBUG = 0x0400,  /* 6 steps of a request */
	LEVEL_INNER = 0x1000,  /* 7 inner workings */
	LEVEL_VARS = 0x2000,   /* 8 values of variables */
	LEVEL_ALL = 0x4000,    /* 9 everything */
	LEVEL_STORE = 0x10000, /* 10 every record read or written */
};

/* fatal to notice: what an administrator sees without asking for more. */
#define LOG_DEFAULT_MASK (LEVEL_FATAL | LEVEL_ERROR | LEVEL_WARN | LEVEL_NOTICE)

enum log_target {
	LOG_TO_STDERR,
	LOG_TO_JOURNAL,
	LOG_TO_FILE, /* /var/log/sssd/NAME.log */
};

/* Starts logging as name ("sssd_nss", "sssd_be", "sssd_LDAP": it is the file name too), before
 * there are threads; later again to change either. Until then lines go to stderr. A file that
 * cannot be opened is never fatal: one line on stderr names it, and lines go there until it can. */
void log_start(const char *name, enum log_target target);

/* The mask a debug_level text stands for: 0-10 cumulative, or a number whose low four bits are
 * zero as a mask (decimal or 0x). Errors: -EINVAL. */
int log_mask_of(const char *debug_level, uint32_t *ret_mask);
void log_set_mask(uint32_t mask);
/* Does a line in a file or on stderr begin with the date, and does that have microseconds? The
 * journal has a date of its own. At first: true, false. */
void log_set_timestamps(bool on);
void log_set_microseconds(bool on);

/* Lines wait for journald, which takes only so many at once, ms in all. At first 0: what does not
 * fit is lost, for a loop must not stand still. For programs without one. */
void log_set_patience(int ms);

/* Opens the file again after logrotate(8) moved it. */
void log_reopen(void);

/* Opens it again where it was deleted, or is another one now, or could not be opened before. It is
 * looked at every 10 s at most: each line does, and who may be silent for long calls this. */
void log_look(void);

/* A request's id: 16 hex digits, 4 of the boot id, 6 of the pid, 6 of a counter; sub-steps append
 * "-N". */
#define REQUEST_ID_SIZE 32
struct request_id {
	char text[REQUEST_ID_SIZE];
};
struct request_id request_id_new(void);

/* A line that nobody wants costs this one test. */
extern _Atomic uint32_t log_mask_now; /* log_set_mask() */
static inline bool log_wants(enum log_level level)
{
	return (atomic_load_explicit(&log_mask_now, memory_order_relaxed) & level) != 0;
}

/* One place in the source that logs. All static, all log.c's. */
struct log_site {
	int64_t window_us; /* of CLOCK_MONOTONIC: when the 10 s began that lines counts in */
	uint32_t lines, dropped;
	const char *file;
	int line;
	struct log_site *next; /* among those that dropped a line */
};

/* A line, shortened to 4 KiB; id may be NULL (no request) and becomes the journal field
 * SSS_REQUEST. Leaves errno alone. */
void log_line(struct log_site *site, enum log_level level, const struct request_id *id,
              const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

#define log_at(level, id, ...)                                                            \
	do {                                                                              \
		static struct log_site log_site_;                                         \
		if (log_wants(level))                                                     \
			log_line(&log_site_, level, id, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#define log_fatal(...)  log_at(LEVEL_FATAL, NULL, __VA_ARGS__)
#define log_error(...)  log_at(LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...)   log_at(LEVEL_WARN, NULL, __VA_ARGS__)
#define log_notice(...) log_at(LEVEL_NOTICE, NULL, __VA_ARGS__)
#define log_conf(...)   log_at(LEVEL_CONF, NULL, __VA_ARGS__)
#define log_info(...)   log_at(LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)  log_at(LEVEL_DEBUG, NULL, __VA_ARGS__)
