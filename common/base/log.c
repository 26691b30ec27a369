/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log - journal, files or stderr
 *
 *   log_line ─ limited? ─▶ counted … 10 s later, with the next line of any site: reported
 *        └─▶ format, clean ─▶ journal_send(), or one writev(2) to the file or stderr
 *
 * What a thread needs of the state below is either fixed by log_start() or atomic. The lock guards
 * the counting only, never output: a thread that waits for the disk keeps no other one waiting.
 */
#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Its macros would name this file as the place in the code. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "common/base/error.h"
#include "common/base/journal.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"

#ifndef LOG_FOLDER /* the unit test has its own */
#define LOG_FOLDER "/var/log/sssd"
#endif

/* The folder belongs to the unprivileged user, and helpers of root write here too: no links are
 * followed, and a FIFO without a reader is refused instead of waited for. */
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

#define PATH_SIZE     (sizeof(LOG_FOLDER "/.log") + sizeof(state.name))
#define LINE_MAX_SIZE 4096
#define WINDOW_US     (10 * INT64_C(1000000))
#define WINDOW_LINES  20
#define LOOK_US       (10 * INT64_C(1000000))

_Atomic uint32_t log_mask_now = LOG_DEFAULT_MASK;

static struct {
	char name[64];
	enum log_target target;
	bool stderr_is_journal;
	_Atomic int file;        /* -1 while there is none: lines go to stderr */
	atomic_bool failing;     /* it cannot be opened, which was said once */
	_Atomic int64_t look_us; /* of CLOCK_MONOTONIC: when the file's path is looked at again */
	atomic_bool undated, microseconds;
	atomic_uint requests;
	atomic_int patience_ms;
} state = { .name = "sssd", .file = -1 };

static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_site *silenced; /* the sites that dropped a line since they were reported */

/* systemd.exec(5): $JOURNAL_STREAM is "device:inode" of the stream it gave us. */
static bool is_journal_stream(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[48];
	struct stat st;

	if (!stream || fstat(fd, &st) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

static void path_of_file(char *ret_path, size_t size)
{
	snprintf(ret_path, size, LOG_FOLDER "/%s.log", state.name);
}

static bool open_file(void)
{
	char path[PATH_SIZE];
	int number = -1, fd;

	path_of_file(path, sizeof(path));
	fd = open(path, OPEN_FLAGS, 0640);
	if (fd < 0) {
		if (!atomic_exchange(&state.failing, true))
			dprintf(STDERR_FILENO, "%s: cannot open %s: %s\n", state.name, path,
			        error_text(-errno));
		return false;
	}
	state.failing = false;

	/* Other threads may be writing: the number stays, what is behind it changes at once. */
	if (!atomic_compare_exchange_strong(&state.file, &number, fd)) {
		dup3(fd, number, O_CLOEXEC);
		close(fd);
	}
	return true;
}

/* Somebody tidied up, or put back what a backup had. A file that was only renamed is logrotate's,
 * who makes the new one and sends a HUP. Where there is no opening a new one, what was deleted is
 * let go all the same, and lines go to stderr. */
static void look_at_file(void)
{
	struct stat open_one = { .st_nlink = 1 }, named;
	char path[PATH_SIZE];
	int file = state.file;
	bool another;

	path_of_file(path, sizeof(path));
	if (file >= 0 && fstat(file, &open_one) < 0)
		return;
	another = lstat(path, &named) == 0 && S_ISREG(named.st_mode) &&
	          (named.st_ino != open_one.st_ino || named.st_dev != open_one.st_dev);
	if ((another || open_one.st_nlink == 0 || state.failing) && !open_file() &&
	    open_one.st_nlink == 0)
		dup3(STDERR_FILENO, file, O_CLOEXEC);
}

void log_look(void)
{
	int64_t now = monotonic_us(), due = state.look_us;

	if (state.target == LOG_TO_FILE && now >= due &&
	    atomic_compare_exchange_strong(&state.look_us, &due, now + LOOK_US))
		look_at_file();
}

void log_start(const char *name, enum log_target target)
{
	int before = atomic_exchange(&state.file, -1);

	if (before >= 0)
		close(before);
	snprintf(state.name, sizeof(state.name), "%s", name);
	state.target = target;
	state.stderr_is_journal = is_journal_stream(STDERR_FILENO);
	state.requests = (unsigned)monotonic_us(); /* pids come again */
	state.failing = false;
	state.look_us = monotonic_us() + LOOK_US;
	tzset();
	if (target == LOG_TO_FILE)
		open_file();
}

void log_reopen(void)
{
	if (state.target != LOG_TO_FILE)
		return;
	state.failing = false;
	open_file();
}

/* debug_level 0 is the first one, 1 the first two, … Level 9 brings two bits more, which old
 * masks have for failover and statistics. */
static const uint32_t levels[] = {
	LEVEL_FATAL, LEVEL_ERROR, LEVEL_WARN,  LEVEL_NOTICE, LEVEL_CONF,
	LEVEL_INFO,  LEVEL_DEBUG, LEVEL_INNER, LEVEL_VARS,   LEVEL_ALL | 0x8000 | 0x20000,
	LEVEL_STORE,
};

int log_mask_of(const char *debug_level, uint32_t *ret_mask)
{
	uint32_t number, mask = 0;

	if (str_to_u32(debug_level, &number) < 0)
		return -EINVAL;

	if (number != 0 && (number & 0xf) == 0)
		mask = number;
	else if (number < str_size(levels))
		for (uint32_t i = 0; i <= number; i++)
			mask |= levels[i];
	else
		return -EINVAL;

	*ret_mask = mask;
	return 0;
}

void log_set_mask(uint32_t mask)
{
	log_mask_now = mask;
}

void log_set_patience(int ms)
{
	state.patience_ms = ms;
}

void log_set_timestamps(bool on)
{
	state.undated = !on;
}

void log_set_microseconds(bool on)
{
	state.microseconds = on;
}

struct request_id request_id_new(void)
{
	struct request_id id;

	snprintf(id.text, sizeof(id.text), "%04x%06x%06x", (unsigned)boot_id() & 0xffff,
	         (unsigned)getpid() & 0xffffff, atomic_fetch_add(&state.requests, 1) & 0xffffff);
	return id;
}

static int priority_of(enum log_level level)
{
	switch (level) {
	case LEVEL_FATAL:
		return LOG_CRIT;
	case LEVEL_ERROR:
		return LOG_ERR;
	case LEVEL_WARN:
		return LOG_WARNING;
	case LEVEL_NOTICE:
		return LOG_NOTICE;
	case LEVEL_CONF:
	case LEVEL_INFO:
		return LOG_INFO;
	default:
		return LOG_DEBUG;
	}
}

/* message is "MESSAGE=…". journald(8) not running is no error: the line is gone. */
static void to_journal(char *message, enum log_level level, const struct request_id *id,
                       const char *file, int line)
{
	char priority[16], process[80], identifier[96], code_line[32];
	char request[16 + REQUEST_ID_SIZE];
	auto_free char *code_file = NULL;
	struct iovec fields[7];
	int n = 0;

#define FIELD(text) (fields[n++] = (struct iovec){ .iov_base = (text), .iov_len = strlen(text) })
	FIELD(message);
	snprintf(priority, sizeof(priority), "PRIORITY=%d", priority_of(level));
	FIELD(priority);
	snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", state.name);
	FIELD(identifier);
	snprintf(process, sizeof(process), "SSS_PROCESS=%s", state.name);
	FIELD(process);
	snprintf(code_line, sizeof(code_line), "CODE_LINE=%d", line);
	FIELD(code_line);
	if (asprintf(&code_file, "CODE_FILE=%s", file) >= 0)
		FIELD(code_file);
	else
		code_file = NULL; /* asprintf(3) leaves it undefined */
	if (id) {
		snprintf(request, sizeof(request), "SSS_REQUEST=%s", id->text);
		FIELD(request);
	}
#undef FIELD
	while (journal_send(JOURNAL_SOCKET, fields, (size_t)n) == -EAGAIN &&
	       state.patience_ms > 0) {
		state.patience_ms--;
		usleep(1000);
	}
}

/* "(2026-11-21 10:20:55): ", and ":123456" behind the seconds when asked for; or nothing. */
static void date(char *ret_text, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	*ret_text = '\0';
	if (state.undated)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(ret_text, size, "(%Y-%m-%d %H:%M:%S", &tm);
	if (state.microseconds)
		snprintf(ret_text + n, size - n, ":%06ld): ", now.tv_nsec / 1000);
	else
		snprintf(ret_text + n, size - n, "): ");
}

/* A file or stderr. One writev(2): lines of threads and processes do not mix. Behind stderr may be
 * the journal, which adds the date itself and takes "<4>" for the priority (sd-daemon(3)). */
static void to_fd(char *message, enum log_level level, const struct request_id *id)
{
	int file = state.target == LOG_TO_FILE ? state.file : -1;
	char head[192], when[64];
	struct iovec parts[3];

	if (file < 0 && state.stderr_is_journal)
		snprintf(when, sizeof(when), "<%d>", priority_of(level));
	else
		date(when, sizeof(when));
	snprintf(head, sizeof(head), "%s[%s] %s%s%s", when, state.name, id ? "[RID#" : "",
	         id ? id->text : "", id ? "] " : "");

	parts[0] = (struct iovec){ .iov_base = head, .iov_len = strlen(head) };
	parts[1] = (struct iovec){ .iov_base = message, .iov_len = strlen(message) };
	parts[2] = (struct iovec){ .iov_base = (void *)"\n", .iov_len = 1 };
	if (writev(file >= 0 ? file : STDERR_FILENO, parts, 3) < 0)
		return; /* a full disk: there is nobody to tell */
}

static void output(enum log_level level, const struct request_id *id, const char *file, int line,
                   const char *format, va_list args)
{
	static const char field[] = "MESSAGE=", cut[] = "...";
	char message[sizeof(field) - 1 + LINE_MAX_SIZE];
	char *text = message + sizeof(field) - 1;
	int n;

	memcpy(message, field, sizeof(field) - 1);
	n = vsnprintf(text, LINE_MAX_SIZE, format, args);
	if (n < 0)
		return;
	if (n >= LINE_MAX_SIZE)
		memcpy(text + LINE_MAX_SIZE - sizeof(cut), cut, sizeof(cut));
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '\x7f')
			*c = '?';

	if (state.target == LOG_TO_JOURNAL)
		to_journal(message, level, id, file, line);
	else
		to_fd(text, level, id);
}

__attribute__((format(printf, 4, 5))) static void output_as(enum log_level level, const char *file,
                                                            int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	output(level, NULL, file, line, format, args);
	va_end(args);
}

/* Takes the first silenced site whose window is over off the list and copies it. */
static bool take_silenced(int64_t now, struct log_site *ret_site)
{
	bool found = false;

	pthread_mutex_lock(&sites_lock);
	for (struct log_site **place = &silenced, *site; (site = *place); place = &site->next) {
		if (now - site->window_us < WINDOW_US)
			continue;
		*ret_site = *site;
		*place = site->next;
		*site = (struct log_site){ 0 };
		found = true;
		break;
	}
	pthread_mutex_unlock(&sites_lock);
	return found;
}

/* Counts a line of site. True when it is one too many. */
static bool is_limited(struct log_site *site, int64_t now, const char *file, int line)
{
	bool limited;

	pthread_mutex_lock(&sites_lock);
	if (site->dropped == 0 && now - site->window_us >= WINDOW_US)
		*site = (struct log_site){ .window_us = now, .file = file, .line = line };
	limited = site->lines >= WINDOW_LINES;
	if (!limited) {
		site->lines++;
	} else if (site->dropped++ == 0) {
		site->next = silenced;
		silenced = site;
	}
	pthread_mutex_unlock(&sites_lock);
	return limited;
}

void log_line(struct log_site *site, enum log_level level, const struct request_id *id,
              const char *file, int line, const char *format, ...)
{
	int64_t now = monotonic_us();
	struct log_site over;
	int before = errno;
	va_list args;

	log_look();
	while (take_silenced(now, &over))
		output_as(LEVEL_NOTICE, over.file, over.line,
		          "%u more lines of %s:%d were left out within 10 s", over.dropped,
		          over.file, over.line);

	if (!(level & LOG_DEFAULT_MASK) || !is_limited(site, now, file, line)) {
		va_start(args, format);
		output(level, id, file, line, format, args);
		va_end(args);
	}
	errno = before;
}
