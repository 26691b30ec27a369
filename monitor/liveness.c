/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Liveness - is a silent process at work, waiting, or lost?
 */
#include "monitor/liveness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"

void liveness_heard(struct liveness *health)
{
	*health = (struct liveness){ .since_us = monotonic_us() };
}

void liveness_asked(struct liveness *health, uint64_t ticks)
{
	health->since_us = monotonic_us();
	health->asked = true;
	health->ticks = ticks;
}

enum liveness_verdict liveness_missed(struct liveness *health, char state, uint64_t ticks)
{
	bool stopped = state == 'T' || state == 't' || state == 'D';
	bool at_work = state == 'R' || ticks > health->ticks;
	bool first = !health->warned;

	health->since_us = monotonic_us();
	health->ticks = ticks;
	if (stopped)
		health->missed = 0; /* when it goes on, it has three intervals again */
	if (stopped || !at_work) {
		health->warned = true;
		return first ? LIVENESS_LEAVE : LIVENESS_WAIT;
	}
	health->missed++;
	return health->missed >= LIVENESS_MISSED_MAX ? LIVENESS_END : LIVENESS_WAIT;
}

/* ---- /proc/PID/stat ---- */

/* The blank-separated word number n (0 is the first) of text as a number. */
static int number_at(const char *text, unsigned n, uint64_t *ret_number)
{
	char word[24];
	size_t size;

	while (n-- > 0) {
		text = strchr(text, ' ');
		if (!text)
			return -EBADMSG;
		text++;
	}
	size = strcspn(text, " \n");
	if (size == 0 || size >= sizeof(word))
		return -EBADMSG;
	memcpy(word, text, size);
	word[size] = '\0';
	return str_to_u64(word, ret_number) < 0 ? -EBADMSG : 0;
}

int liveness_parse_stat(const char *text, char *ret_state, uint64_t *ret_ticks)
{
	/* "PID (comm) S …": comm is whatever the process calls itself, parentheses, blanks and line
	 * breaks included, but nothing behind it holds a parenthesis. */
	const char *rest = strrchr(text, ')');
	uint64_t user, system;
	int r;

	if (!rest || rest[1] != ' ' || (rest[2] | 0x20) < 'a' || (rest[2] | 0x20) > 'z' ||
	    rest[3] != ' ')
		return -EBADMSG;
	rest += 2;

	/* Field 3 of proc(5) is number 0 here. */
	r = number_at(rest, 14 - 3, &user);
	if (r == 0)
		r = number_at(rest, 15 - 3, &system);
	if (r < 0)
		return r;
	*ret_state = rest[0];
	*ret_ticks = user + system;
	return 0;
}

int liveness_read_stat(pid_t pid, char *ret_state, uint64_t *ret_ticks)
{
	auto_talloc char *text = NULL;
	char path[32];
	size_t size;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = fd_read_file(NULL, path, 4096, &text, &size);
	return r < 0 ? r : liveness_parse_stat(text, ret_state, ret_ticks);
}
