/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Settled time - when is a step of the wall clock believed?
 */
#include "responders/kcm/settled.h"

#include <stdlib.h>

struct settled settled_begin(struct walltime wall, struct boottime boot)
{
	return (struct settled){ .ahead_s = wall.s - boot.s };
}

/* Has it been the same for long? */
static bool has_lasted(struct settled *settled, int64_t ahead_s, struct boottime boot)
{
	if (!settled->doubted || llabs(ahead_s - settled->doubted_s) > SETTLED_SLACK_S) {
		settled->doubted = true;
		settled->doubted_s = ahead_s;
		settled->since_s = boot.s;
	}
	return boot.s - settled->since_s >= SETTLED_S;
}

int64_t settled_s(struct settled *settled, struct walltime wall, struct boottime boot)
{
	int64_t ahead_s = wall.s - boot.s;

	if (ahead_s - settled->ahead_s <= SETTLED_SLACK_S || has_lasted(settled, ahead_s, boot)) {
		settled->ahead_s = ahead_s;
		settled->doubted = false;
	}
	return boot.s + settled->ahead_s;
}

void settled_write(const struct settled *settled, struct writer *out)
{
	writer_u64(out, boot_id());
	writer_u64(out, (uint64_t)settled->ahead_s);
}

void settled_read(struct settled *settled, struct reader in)
{
	uint64_t boot = reader_u64(&in);
	int64_t ahead_s = (int64_t)reader_u64(&in);

	if (reader_end(&in) == 0 && boot != 0 && boot == boot_id() && ahead_s >= 0 &&
	    ahead_s < settled->ahead_s)
		settled->ahead_s = ahead_s;
}
