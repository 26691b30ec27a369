/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entry - the header of a stored record, and what its times mean
 */
#include "common/ident/entry.h"

#include <errno.h>
#include <string.h>

#define HEADER_SIZE 36
#define FLAGS_AT    2

/* sssd.conf(5): a refresh behind the answer comes no sooner, however short the life. */
#define NOWAIT_MIN_S 10

struct entry_now entry_now(void)
{
	return (struct entry_now){ walltime_now(), boottime_now(), boot_id() };
}

/* In seconds; negative when it cannot be known any more. */
static int64_t age_s(const struct entry_times *times, const struct entry_now *now)
{
	/* A boot id of 0 could not be read: two of them need not be the same boot. */
	if (now->boot_id != 0 && now->boot_id == times->boot)
		return now->boot.s - times->stored_boot.s;
	return now->wall.s - times->stored_wall.s;
}

/* The age at which it begins to be ageing, or expired. */
static int64_t fresh_until_s(const struct entry_times *times, uint32_t nowait_percent)
{
	int64_t nowait;

	if (nowait_percent == 0 || nowait_percent > 99)
		return times->lifetime_s;
	nowait = (int64_t)times->lifetime_s * nowait_percent / 100;
	if (nowait < NOWAIT_MIN_S)
		nowait = NOWAIT_MIN_S;
	return nowait < times->lifetime_s ? nowait : times->lifetime_s;
}

enum entry_age entry_age(const struct entry *entry, const struct entry_now *now,
                         uint32_t nowait_percent, uint32_t epoch)
{
	const struct entry_times *times = &entry->times;
	int64_t age = age_s(times, now);

	if (times->epoch < epoch || age < 0 || age >= times->lifetime_s)
		return ENTRY_EXPIRED;
	return age < fresh_until_s(times, nowait_percent) ? ENTRY_FRESH : ENTRY_AGEING;
}

int64_t entry_fresh_s(const struct entry *entry, const struct entry_now *now,
                      uint32_t nowait_percent, uint32_t epoch)
{
	if (entry_age(entry, now, nowait_percent, epoch) != ENTRY_FRESH)
		return 0;
	/* The second that has begun is not whole. */
	return fresh_until_s(&entry->times, nowait_percent) - age_s(&entry->times, now) - 1;
}

void entry_encode(struct writer *out, const struct entry *entry)
{
	writer_u8(out, ENTRY_FORMAT);
	writer_u8(out, (uint8_t)entry->kind);
	writer_u16(out, entry->times.created.s > 0 ? ENTRY_CREATED : 0);
	writer_u32(out, entry->times.epoch);
	writer_u64(out, entry->times.boot);
	writer_u64(out, (uint64_t)entry->times.stored_wall.s);
	writer_u64(out, (uint64_t)entry->times.stored_boot.s);
	writer_u32(out, entry->times.lifetime_s);
	if (entry->times.created.s > 0)
		writer_u64(out, (uint64_t)entry->times.created.s);

	switch (entry->kind) {
	case ENTRY_USER:
		user_encode(out, &entry->user);
		break;
	case ENTRY_GROUP:
		group_encode(out, &entry->group);
		break;
	case ENTRY_INITGROUPS:
		initgroups_encode(out, &entry->initgroups);
		break;
	}
}

/* A time that is not negative, so that ages never overflow. */
static int64_t read_seconds(struct reader *in)
{
	uint64_t s = reader_u64(in);

	if (s > INT64_MAX)
		reader_fail(in);
	return s > INT64_MAX ? 0 : (int64_t)s;
}

size_t entry_body_at(const void *bytes)
{
	uint16_t flags;

	memcpy(&flags, (const uint8_t *)bytes + FLAGS_AT, sizeof(flags));
	return HEADER_SIZE + (flags & ENTRY_CREATED ? sizeof(uint64_t) : 0);
}

int entry_decode(const void *bytes, size_t size, struct entry *ret_entry)
{
	struct reader in = reader_over(bytes, size);
	uint8_t format = reader_u8(&in);
	uint8_t kind = reader_u8(&in);
	uint16_t flags = reader_u16(&in);
	struct entry entry;

	entry.kind = kind;
	entry.times.epoch = reader_u32(&in);
	entry.times.boot = reader_u64(&in);
	entry.times.stored_wall.s = read_seconds(&in);
	entry.times.stored_boot.s = read_seconds(&in);
	entry.times.lifetime_s = reader_u32(&in);
	entry.times.created.s = flags & ENTRY_CREATED ? read_seconds(&in) : 0;

	if (format != ENTRY_FORMAT || (flags & ~ENTRY_CREATED) != 0 ||
	    (flags & ENTRY_CREATED && entry.times.created.s == 0))
		return -EBADMSG;
	switch (kind) {
	case ENTRY_USER:
		user_decode(&in, &entry.user);
		break;
	case ENTRY_GROUP:
		group_decode(&in, &entry.group);
		break;
	case ENTRY_INITGROUPS:
		initgroups_decode(&in, &entry.initgroups);
		break;
	default:
		return -EBADMSG;
	}
	if (reader_end(&in) < 0)
		return -EBADMSG;

	*ret_entry = entry;
	return 0;
}
