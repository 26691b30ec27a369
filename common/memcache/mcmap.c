/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache map - the writing side of one file of the memory cache
 *
 *   put ─ the same? ─▶ a new time ──────────────────────────────────────────────┐
 *    └─▶ remove others of its keys ─▶ make room ─▶ write, unseen ─▶ live ─▶ link ─┴▶
 *
 * The seed of the hash stands for what a file belongs to: series of boots and generation. The
 * padding behind the header holds when the machine was booted, by the wall clock of whoever began
 * the file.
 */
#include "common/memcache/mcmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/memcache/boots.h"
#include "common/memcache/impl.h"
#include "common/metrics/metrics.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define SLOTS_PER_MIB 26214u
#define NEW_PART      8 /* this part of the file is for newcomers: a record fits in there */
#define STATUS_AT     12
#define GROUPS_AT     20 /* in the data of initgroups: how many, gid … */
#define SEED_AT       16
#define HEADER_B2_AT  48
#define KIND_OF_FILE  2 /* others: what an earlier writer has left otherwise is not taken over */
#define LOCK_ATTEMPTS 3 /* the one in the way may just have gone */
#define MODE          0644
#define MODE_ASIDE    0600

static const char *const names[] = { MCMAP_NAMES };

/* ---- bytes ---- */

int mcmap_read(const struct mcmap *map, uint64_t place, void *bytes, size_t size)
{
	uint8_t *to = bytes;
	ssize_t n;

	for (; size > 0; size -= (size_t)n, to += n, place += (uint64_t)n) {
		n = pread(map->fd, to, size, (off_t)place);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
		else if (n == 0)
			return -EBADMSG;
	}
	return 0;
}

/* What is written by one call stands in the file before what the next one writes. */
static int put(const struct mcmap *map, uint64_t place, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	ssize_t n;

	for (; size > 0; size -= (size_t)n, from += n, place += (uint64_t)n) {
		n = pwrite(map->fd, from, size, (off_t)place);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

/* Where there are blocks already: the disk cannot be too full for it. */
static int put_again(const struct mcmap *map, uint64_t place, const void *bytes, size_t size)
{
	int r = put(map, place, bytes, size);

	return r == -ENOSPC || r == -EDQUOT ? -EIO : r;
}

static int put_u32(const struct mcmap *map, uint64_t place, uint32_t value)
{
	return put_again(map, place, &value, sizeof(value));
}

static int get_u32(const struct mcmap *map, uint64_t place, uint32_t *ret_value)
{
	return mcmap_read(map, place, ret_value, sizeof(*ret_value));
}

/* A link: in the table, or in a record. */
static int get_slot(const struct mcmap *map, uint64_t place, uint32_t *ret_slot)
{
	int r = get_u32(map, place, ret_slot);

	if (r == 0 && *ret_slot == MEMCACHE_STOP)
		*ret_slot = MEMCACHE_NONE;
	return r;
}

/* ---- records ---- */

/* A text that ends within the data, at place. */
static const char *text_at(const void *data, size_t size, size_t place)
{
	struct reader in = reader_over(data, size);

	reader_bytes(&in, place);
	return reader_str(&in, size, NULL);
}

int mcmap_keys_read(enum mcmap_kind kind, const void *data, size_t size,
                    struct mcmap_keys *ret_keys)
{
	struct reader in = reader_over(data, size);
	uint32_t first = reader_u32(&in), second = reader_u32(&in);

	switch (kind) {
	case MCMAP_PASSWD:
	case MCMAP_GROUP:
		ret_keys->key1 =
			first == MEMCACHE_TEXTS_AT ? text_at(data, size, MEMCACHE_TEXTS_AT) : NULL;
		memcache_id_key(second, ret_keys->digits);
		ret_keys->key2 = ret_keys->digits;
		break;
	case MCMAP_INITGROUPS:
		ret_keys->key1 = text_at(data, size, second);
		ret_keys->key2 = text_at(data, size, first);
		break;
	case MCMAP_UNKNOWN:
		ret_keys->key1 = ret_keys->key2 = text_at(data, size, MEMCACHE_TEXTS_AT);
		break;
	default:
		return -EBADMSG;
	}
	return ret_keys->key1 && ret_keys->key2 ? 0 : -EBADMSG;
}

/* A record of the file, whole; bytes is on mem. Errors: -EBADMSG the file is damaged. */
struct record {
	uint32_t slot;
	struct memcache_head head;
	uint8_t *data;
	size_t size;
};

int mcmap_read_head(const struct mcmap *map, uint32_t slot, struct memcache_head *ret_head)
{
	uint8_t bytes[MEMCACHE_HEAD_SIZE];
	int r;

	if (slot >= map->n_slots)
		return -EBADMSG;
	r = mcmap_read(map, place_of_slot(map, slot), bytes, sizeof(bytes));
	if (r < 0)
		return r;
	*ret_head = memcache_head_read(bytes);
	if (ret_head->length < MEMCACHE_HEAD_SIZE + MEMCACHE_DATA_MIN ||
	    slots_of(ret_head->length) > map->n_slots - slot)
		return -EBADMSG;
	return 0;
}

/* Where hash's chain goes on behind the record in slot. -EBADMSG: that is in no such chain. */
static int link_of(const struct memcache_head *head, uint32_t hash, uint64_t place,
                   uint64_t *ret_link, uint32_t *ret_next)
{
	if (head->hash1 == hash) {
		*ret_link = place + 16;
		*ret_next = head->next1;
		return 0;
	}
	if (head->hash2 == hash) {
		*ret_link = place + 20;
		*ret_next = head->next2;
		return 0;
	}
	return -EBADMSG;
}

/* Finds the place of the link that leads to slot in hash's chain: 1, or 0 it is not in there. */
static int find_link(const struct mcmap *map, uint32_t hash, uint32_t slot, uint64_t *ret_link)
{
	uint64_t link = place_of_hash(map, hash);
	struct memcache_head head;
	uint32_t next = MEMCACHE_NONE;
	int r = get_slot(map, link, &next);

	for (uint32_t steps = 0; r == 0 && next != MEMCACHE_NONE; steps++) {
		if (next == slot) {
			*ret_link = link;
			return 1;
		}
		if (steps >= map->n_slots)
			return -EBADMSG;
		r = mcmap_read_head(map, next, &head);
		if (r == 0)
			r = link_of(&head, hash, place_of_slot(map, next), &link, &next);
	}
	return r;
}

static int mark_slots(struct mcmap *map, uint32_t slot, uint32_t n, bool value)
{
	uint32_t first = slot / 8, last = (slot + n - 1) / 8;
	int r;

	for (uint32_t i = slot; i < slot + n; i++)
		bit_set(map->used, i, value);
	/* Bits that were never set are holes. */
	r = (value ? put : put_again)(map, map->header.bits_at + first, map->used + first,
	                              last - first + 1);
	for (uint32_t i = slot; value && r < 0 && i < slot + n; i++)
		bit_set(map->used, i, false);
	if (r == 0)
		map->n_used = value ? map->n_used + n : map->n_used - n;
	return r;
}

static int unlink_record(const struct mcmap *map, uint32_t hash, uint32_t next, uint32_t slot)
{
	uint64_t link;
	int r = find_link(map, hash, slot, &link);

	return r > 0 ? put_u32(map, link, next) : r;
}

/* Dead, then out of its chains, then its slots are free. */
int mcmap_remove_record(struct mcmap *map, uint32_t slot, const struct memcache_head *head)
{
	uint64_t place = place_of_slot(map, slot);
	int r;

	r = put_u32(map, place + MEMCACHE_B2_AT, MEMCACHE_INVALID);
	if (r == 0)
		r = put_u32(map, place, MEMCACHE_INVALID);
	if (r == 0)
		r = unlink_record(map, head->hash1, head->next1, slot);
	if (r == 0 && head->hash2 != head->hash1)
		r = unlink_record(map, head->hash2, head->next2, slot);
	if (!map->used)
		return r; /* its writer comes by some day, and finds the slots free to be */
	if (r == 0)
		r = mark_slots(map, slot, slots_of(head->length), false);
	bit_set(map->in_use, slot, false);
	return r;
}

static int read_record(const struct mcmap *map, TALLOC_CTX *mem, uint32_t slot,
                       struct record *ret_record)
{
	struct record record = { .slot = slot };
	int r = mcmap_read_head(map, slot, &record.head);

	if (r < 0)
		return r;
	record.size = record.head.length - MEMCACHE_HEAD_SIZE;
	record.data = talloc_size(mem, record.size);
	if (!record.data)
		return -ENOMEM;
	r = mcmap_read(map, place_of_slot(map, slot) + MEMCACHE_HEAD_SIZE, record.data,
	               record.size);
	if (r == 0)
		*ret_record = record;
	return r;
}

static bool has_key(const char *key, const char *wanted)
{
	return !wanted || strcmp(key, wanted) == 0;
}

/* The first record in the chain of one of its keys that has both, NULL being any:
 * 1, or 0 there is none. */
static int find_record(const struct mcmap *map, TALLOC_CTX *mem, enum mcmap_by by, const char *key1,
                       const char *key2, struct record *ret_record)
{
	uint32_t hash = hash_of(map, by == MCMAP_BY_KEY1 ? key1 : key2), slot = MEMCACHE_NONE;
	struct mcmap_keys keys;
	struct record record;
	uint64_t link;
	int r = get_slot(map, place_of_hash(map, hash), &slot);

	for (uint32_t steps = 0; r == 0 && slot != MEMCACHE_NONE; steps++) {
		if (steps >= map->n_slots)
			return -EBADMSG;
		r = read_record(map, mem, slot, &record);
		if (r == 0)
			r = mcmap_keys_read(map->options.kind, record.data, record.size, &keys);
		if (r < 0)
			return r;
		if (has_key(keys.key1, key1) && has_key(keys.key2, key2)) {
			*ret_record = record;
			return 1;
		}
		TALLOC_FREE(record.data);
		r = link_of(&record.head, hash, place_of_slot(map, slot), &link, &slot);
	}
	return r;
}

/* Removes what find_record() finds. Returns how many. */
static int forget_all(struct mcmap *map, enum mcmap_by by, const char *key1, const char *key2)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct mcmap_keys keys;
	struct record record;
	int r, n = 0;

	while ((r = find_record(map, mem, by, key1, key2, &record)) > 0) {
		r = mcmap_remove_record(map, record.slot, &record.head);
		if (r < 0)
			return r;
		map->stats.forgotten++;
		metrics_count(METRICS_MEMORY_FORGOTTEN);
		n++;
		if (key1 && key2)
			continue;

		/* What was stored apart, to be found by the other key alone. */
		r = mcmap_keys_read(map->options.kind, record.data, record.size, &keys);
		if (r == 0)
			r = forget_all(map, MCMAP_BY_BOTH - by, keys.key1, keys.key2);
		if (r < 0)
			return r;
		n += r;
		TALLOC_FREE(record.data);
	}
	return r < 0 ? r : n;
}

static int forget_by(struct mcmap *map, enum mcmap_by by, const char *key)
{
	bool first = by == MCMAP_BY_KEY1;

	return forget_all(map, by, first ? key : NULL, first ? NULL : key);
}

int mcmap_forget(struct mcmap *map, enum mcmap_by by, const char *key)
{
	bool is_in = map->has_change_lock;
	uint32_t first = MEMCACHE_NONE;
	int r = map->fd < 0 ? -EBADF : get_slot(map, place_of_hash(map, hash_of(map, key)), &first);

	/* Others only remove: what is not there does not come while we look away. */
	if (r < 0 || first == MEMCACHE_NONE)
		return r;
	r = is_in ? 0 : mcmap_enter(map);
	if (r == 0)
		r = forget_by(map, by, key);
	if (!is_in)
		mcmap_leave(map);
	return r;
}

/* ---- changes ---- */

int mcmap_enter(struct mcmap *map)
{
	int r;

	if (map->fd < 0 || map->lock_fd < 0)
		return -EBADF;
	r = mcmap_lock_change(map);
	if (r == -EBUSY)
		mcmap_lock_abandon(map);
	return r;
}

void mcmap_leave(struct mcmap *map)
{
	if (map->has_change_lock)
		mcmap_unlock_change(map);
}

/* ---- storing ---- */

static int set_expiry(struct mcmap *map, uint32_t slot, uint64_t expires)
{
	uint64_t place = place_of_slot(map, slot);
	int r;

	map->barrier = memcache_barrier_next(map->barrier);
	r = put_u32(map, place + MEMCACHE_B2_AT, map->barrier);
	if (r == 0)
		r = put_again(map, place + 8, &expires, sizeof(expires));
	if (r == 0)
		r = put_u32(map, place, map->barrier);
	return r;
}

/* Where the table was not reserved, the disk may be too full for it. */
static int make_place_in_table(const struct mcmap *map, uint32_t hash)
{
	uint32_t none = MEMCACHE_NONE, first;
	int r = get_u32(map, place_of_hash(map, hash), &first);

	if (r == 0 && first == MEMCACHE_STOP)
		r = put(map, place_of_hash(map, hash), &none, sizeof(none));
	return r;
}

/* At the head of the chain: next is in place before anything leads here. */
static int link_record(struct mcmap *map, uint32_t hash, uint32_t slot, uint64_t next_at)
{
	uint32_t first;
	int r = get_slot(map, place_of_hash(map, hash), &first);

	if (r == 0)
		r = put_u32(map, place_of_slot(map, slot) + next_at, first);
	if (r == 0)
		r = put_u32(map, place_of_hash(map, hash), slot);
	return r;
}

/* A new record, which is in no chain yet. */
static int link_by(struct mcmap *map, uint32_t slot, const struct memcache_head *head,
                   enum mcmap_by by)
{
	int r = 0;

	if (by & MCMAP_BY_KEY1)
		r = link_record(map, head->hash1, slot, 16);
	if (r == 0 && by & MCMAP_BY_KEY2 && !(by & MCMAP_BY_KEY1 && head->hash1 == head->hash2))
		r = link_record(map, head->hash2, slot, 20);
	return r;
}

/* Nobody sees it before its first word is valid, and it is in no chain yet. */
static int write_record(const struct mcmap *map, uint32_t slot, const struct memcache_head *head,
                        const void *data, size_t size)
{
	struct writer out = writer_new(MEMCACHE_HEAD_SIZE + size);
	int r;

	writer_u32(&out, MEMCACHE_INVALID);
	writer_u32(&out, head->length);
	writer_u64(&out, head->expires);
	writer_u32(&out, MEMCACHE_NONE);
	writer_u32(&out, MEMCACHE_NONE);
	writer_u32(&out, head->hash1);
	writer_u32(&out, head->hash2);
	writer_u32(&out, 0);
	writer_u32(&out, head->b2);
	writer_bytes(&out, data, size);
	r = writer_end(&out);
	if (r == 0)
		r = put(map, place_of_slot(map, slot), out.bytes, out.size);
	if (r == 0)
		r = put_u32(map, place_of_slot(map, slot), head->b1);
	writer_free(&out);
	return r;
}

static int add_record(struct mcmap *map, const struct mcmap_keys *keys, const void *data,
                      size_t size, uint64_t expires, enum mcmap_by by)
{
	struct memcache_head head = {
		.length = (uint32_t)(MEMCACHE_HEAD_SIZE + size),
		.expires = expires,
		.hash1 = hash_of(map, keys->key1),
		.hash2 = hash_of(map, keys->key2),
	};
	uint32_t slot;
	int r = mcmap_make_room(map, &head, &slot);

	if (r == 0)
		r = make_place_in_table(map, head.hash1);
	if (r == 0)
		r = make_place_in_table(map, head.hash2);
	if (r < 0)
		return r;
	head.b1 = head.b2 = map->barrier = memcache_barrier_next(map->barrier);
	r = write_record(map, slot, &head, data, size);
	if (r == 0)
		r = mark_slots(map, slot, slots_of(head.length), true);
	if (r == 0)
		r = link_by(map, slot, &head, by);
	if (r == 0) {
		map->stats.stored++;
		metrics_count(METRICS_MEMORY_STORED);
	}
	return r;
}

/* Is it found by these keys, and no other? */
static int is_linked_by(const struct mcmap *map, const struct record *record, enum mcmap_by by)
{
	uint64_t link;
	int by1 = find_link(map, record->head.hash1, record->slot, &link);
	int by2 = find_link(map, record->head.hash2, record->slot, &link);

	if (by1 < 0 || by2 < 0)
		return by1 < 0 ? by1 : by2;
	return (by1 ? MCMAP_BY_KEY1 : 0u) + (by2 ? MCMAP_BY_KEY2 : 0u) == by;
}

/* Finds the record that holds just this data for just these keys: 1, or 0. There is one time for
 * all keys of a record, so another one's is none to be prolonged. */
static int find_same(const struct mcmap *map, TALLOC_CTX *mem, const struct mcmap_keys *keys,
                     const void *data, size_t size, enum mcmap_by by, struct record *ret_record)
{
	bool first = by & MCMAP_BY_KEY1;
	int r = find_record(map, mem, first ? MCMAP_BY_KEY1 : MCMAP_BY_KEY2,
	                    first ? keys->key1 : NULL, first ? NULL : keys->key2, ret_record);

	if (r <= 0)
		return r;
	if (ret_record->size != size || memcmp(ret_record->data, data, size) != 0)
		return 0;
	return is_linked_by(map, ret_record, by);
}

/* Several names lead to the groups of one user, and all of them to the same. */
static int forget_other_groups(struct mcmap *map, TALLOC_CTX *mem, const struct mcmap_keys *keys,
                               const uint8_t *data)
{
	size_t texts_at = (size_t)(keys->key2 - (const char *)data);
	struct record old;
	int r = find_record(map, mem, MCMAP_BY_KEY2, NULL, keys->key2, &old);

	if (r <= 0 || (texts_at >= MEMCACHE_GIDS_AT && texts_at <= old.size &&
	               memcmp(old.data + GROUPS_AT, data + GROUPS_AT, texts_at - GROUPS_AT) == 0))
		return r < 0 ? r : 0;
	return forget_all(map, MCMAP_BY_KEY2, NULL, keys->key2);
}

static int forget_replaced(struct mcmap *map, TALLOC_CTX *mem, const struct mcmap_keys *keys,
                           const uint8_t *data, enum mcmap_by by)
{
	int by1 = 0, by2 = 0;

	if (by & MCMAP_BY_KEY1)
		by1 = forget_all(map, MCMAP_BY_KEY1, keys->key1, NULL);
	if (by1 >= 0 && map->options.kind == MCMAP_INITGROUPS)
		by2 = forget_other_groups(map, mem, keys, data);
	else if (by1 >= 0 && by & MCMAP_BY_KEY2)
		by2 = forget_all(map, MCMAP_BY_KEY2, NULL, keys->key2);
	if (by1 < 0 || by2 < 0)
		return by1 < 0 ? by1 : by2;
	return by1 + by2 > 0;
}

static int put_record(struct mcmap *map, const void *data, size_t size, uint64_t expires,
                      enum mcmap_by by)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	uint64_t evicted = map->stats.evicted;
	struct mcmap_keys keys;
	struct record old;
	int r, replaced;

	if (map->fd < 0)
		return -EBADF;
	if (size > UINT32_MAX / NEW_PART)
		return -EMSGSIZE;
	r = mcmap_keys_read(map->options.kind, data, size, &keys);
	if (r < 0)
		return r;

	r = find_same(map, mem, &keys, data, size, by, &old);
	if (r < 0)
		return r;
	if (r > 0) {
		bit_set(map->in_use, old.slot, true);
		map->stats.renewed++;
		metrics_count(METRICS_MEMORY_RENEWED);
		return old.head.expires != expires ? set_expiry(map, old.slot, expires) : 0;
	}

	replaced = forget_replaced(map, mem, &keys, data, by);
	if (replaced < 0)
		return replaced;
	/* In the one chain of both it would be found by the wrong key, too. */
	if (by != MCMAP_BY_BOTH && hash_of(map, keys.key1) == hash_of(map, keys.key2))
		return replaced;
	r = add_record(map, &keys, data, size, expires, by);
	return r < 0 ? r : replaced || map->stats.evicted != evicted;
}

int mcmap_put(struct mcmap *map, const void *data, size_t size, uint64_t expires, enum mcmap_by by)
{
	bool is_in = map->has_change_lock;
	int r = is_in ? 0 : mcmap_enter(map);

	if (r == 0)
		r = put_record(map, data, size, expires, by);
	if (!is_in)
		mcmap_leave(map);
	return r;
}

/* ---- the file ---- */

static uint32_t seed_of(const char *dir, uint64_t generation)
{
	uint64_t what[] = { boots_series(dir), generation, KIND_OF_FILE };

	return memcache_hash(what, sizeof(what), 0);
}

static uint32_t round_up(uint32_t value)
{
	return (value + 7) & ~7u;
}

static struct memcache_header header_for(const struct mcmap_options *options)
{
	uint32_t n = round_up(options->size_mib * SLOTS_PER_MIB);
	uint32_t barrier = memcache_barrier_next(0);
	struct memcache_header header = {
		.b1 = barrier,
		.major = MEMCACHE_MAJOR,
		.minor = MEMCACHE_MINOR,
		.status = MEMCACHE_ALIVE,
		.seed = seed_of(options->dir, options->generation),
		.data_size = n * MEMCACHE_SLOT_SIZE,
		.bits_size = n / 8,
		.table_size = n * (uint32_t)sizeof(uint32_t),
		.data_at = MEMCACHE_DATA_AT,
		.b2 = barrier,
	};

	header.bits_at = header.data_at + header.data_size;
	header.table_at = round_up(header.bits_at + header.bits_size);
	return header;
}

static void write_header(struct writer *out, const struct memcache_header *header)
{
	writer_u32(out, header->b1);
	writer_u32(out, header->major);
	writer_u32(out, header->minor);
	writer_u32(out, header->status);
	writer_u32(out, header->seed);
	writer_u32(out, header->data_size);
	writer_u32(out, header->bits_size);
	writer_u32(out, header->table_size);
	writer_u32(out, header->data_at);
	writer_u32(out, header->bits_at);
	writer_u32(out, header->table_at);
	writer_u32(out, 0);
	writer_u32(out, header->b2);
	writer_u32(out, memcache_booted_at());
}

/* The lock that keeps another one of this type from the file; F_UNLCK: none. */
static short lock_in_the_way(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	return fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type : F_UNLCK;
}

/* The lock that other vendors' writers have. Ours know each other by another one (lock.c), and do
 * without where somebody who may read the file keeps all others from it.
 * -EBUSY: another process writes the file. */
static int lock_file(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	for (int i = 0; i < LOCK_ATTEMPTS; i++) {
		if (fcntl(fd, F_SETLK, &lock) == 0)
			return 0;
		if (errno != EACCES && errno != EAGAIN)
			return -errno;
		if (lock_in_the_way(fd, F_WRLCK) == F_RDLCK)
			return 0;
	}
	return -EBUSY;
}

/* Is what the file says in its first bytes what we would write there? Only the barriers may
 * differ. */
static bool is_ours(const struct mcmap *map)
{
	uint8_t found[MEMCACHE_DATA_AT];
	struct writer out = writer_new(sizeof(found));
	struct memcache_header header;
	bool is;

	if (mcmap_read(map, 0, found, sizeof(found)) < 0)
		return false;
	write_header(&out, &map->header);
	is = writer_end(&out) == 0 && memcache_header_read(found, map->size, &header) == 0 &&
	     memcmp(found + 4, out.bytes + 4, HEADER_B2_AT - 4) == 0;
	writer_free(&out);
	return is && memcache_clock_is_right(found);
}

static void close_file(struct mcmap *map)
{
	if (map->fd >= 0)
		close(map->fd);
	map->fd = -1;
}

static void use_file(struct mcmap *map, const struct stat *st)
{
	map->dev = st->st_dev;
	map->ino = st->st_ino;
	map->wanted.hand = map->wanted.first;
	map->newcomers.hand = map->newcomers.first;
	map->n_used = 0;
	TALLOC_FREE(map->gone);
	map->barrier = memcache_barrier_next(0);
	memset(map->used, 0, map->n_slots / 8);
	for (uint32_t i = MEMCACHE_STOP; i < map->wanted.first; i++)
		bit_set(map->used, i, true);
	memset(map->in_use, 0, map->n_slots / 8);
}

static int recycle_fd(int fd)
{
	struct mcmap map = { .fd = fd };
	uint32_t barrier;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)MEMCACHE_HEADER_SIZE)
		return 0; /* nobody reads that */
	r = get_u32(&map, 0, &barrier);
	barrier = memcache_barrier_next(barrier);
	if (r == 0)
		r = put_u32(&map, HEADER_B2_AT, barrier);
	if (r == 0)
		r = put_u32(&map, STATUS_AT, MEMCACHE_RECYCLED);
	if (r == 0)
		r = put_u32(&map, 0, barrier);
	return r;
}

/* Opens what is there for writing. -ENOENT: nothing, or nothing that is a file. */
static int open_path(const char *path, int *ret_fd)
{
	struct stat st;
	auto_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ? -ENOENT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Takes the file at the path over. -EBADMSG: it is none to go on with, and is given up. */
static int take_over(struct mcmap *map)
{
	struct stat st;
	int r = open_path(map->path, &map->fd);

	if (r < 0)
		return r;
	r = lock_file(map->fd);
	if (r == -EBUSY) {
		close_file(map);
		return r;
	}
	if (r == 0 && fstat(map->fd, &st) < 0)
		r = -errno;
	if (r == 0)
		use_file(map, &st);
	if (r == 0 && ((uint64_t)st.st_size != map->size || !is_ours(map)))
		r = -EBADMSG;
	if (r == 0)
		r = mcmap_check(map);
	if (r > 0)
		r = put_again(map, map->header.bits_at, map->used, map->n_slots / 8);
	if (r == 0)
		return 0;
	recycle_fd(map->fd);
	close_file(map);
	return -EBADMSG;
}

/* seed: of a file that is left alone; NULL = of none */
static int give_up(const char *dir, enum mcmap_kind kind, const uint32_t *seed, bool take_away)
{
	auto_talloc char *path = talloc_asprintf(NULL, "%s/%s", dir, names[kind]);
	auto_close int fd = -1;
	uint32_t found;
	int r;

	if (!path)
		return -ENOMEM;
	r = open_path(path, &fd);
	if (r == 0 && seed && pread(fd, &found, sizeof(found), SEED_AT) == sizeof(found) &&
	    found == *seed)
		return 0;
	if (r == 0)
		r = recycle_fd(fd);
	/* Looked at after that: see boots_close(). */
	if (r == 0 && boots_are_closed(dir) && fdatasync(fd) < 0)
		r = -errno;
	if (r == -ENOENT)
		r = 0;
	if (r < 0 || take_away)
		r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	return r;
}

/* Nobody takes a record back meanwhile. Whoever stands still in the middle of that is left alone
 * with the file. */
static int take_over_alone(struct mcmap *map)
{
	int r = mcmap_lock_change(map);

	if (r == 0)
		r = take_over(map);
	if (map->has_change_lock)
		mcmap_unlock_change(map);
	else if (r == -EBUSY) {
		mcmap_lock_abandon(map);
		give_up(map->options.dir, map->options.kind, NULL, false);
		r = mcmap_lock_open(map, true);
		return r < 0 ? r : -EBADMSG;
	}
	return r;
}

/* The record that is in no chain, and to which all places of the table lead that are unwritten. */
static int write_stop(const struct mcmap *map)
{
	static const uint8_t data[MEMCACHE_DATA_MIN];
	struct memcache_head head = {
		.length = MEMCACHE_HEAD_SIZE + sizeof(data),
		.hash1 = MEMCACHE_NONE,
		.hash2 = MEMCACHE_NONE,
		.b1 = map->barrier,
		.b2 = map->barrier,
	};

	return write_record(map, MEMCACHE_STOP, &head, data, sizeof(data));
}

/* Readers look at any of its pages, and in a file system in memory that takes room, too: where
 * there is none they get SIGBUS. A disk is not written for that. Where it cannot be done nothing of
 * this happens. */
static int reserve_table(const struct mcmap *map)
{
	if (fallocate(map->fd, 0, map->header.table_at, map->header.table_size) == 0)
		return 0;
	return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
}

/* All is unwritten until something comes there. */
static int write_empty(const struct mcmap *map)
{
	struct writer out = writer_new(MEMCACHE_DATA_AT);
	int r;

	if (ftruncate(map->fd, (off_t)map->size) < 0)
		return -errno;
	r = reserve_table(map);
	if (r == 0)
		r = write_stop(map);
	if (r == 0)
		r = put(map, map->header.bits_at, map->used, 1);
	write_header(&out, &map->header);
	if (r == 0)
		r = writer_end(&out);
	if (r == 0)
		r = put(map, 0, out.bytes, out.size);
	writer_free(&out);
	return r;
}

/* Two that begin a file at once have one lock to fight for, which nobody can hold who may only
 * read. Whoever has it looks whether the other was there before. */
static int lock_aside(const struct mcmap *map, const char *aside)
{
	auto_close int fd = -1;
	struct stat ours, there;
	int r = lock_file(map->fd);

	if (r < 0)
		return r;
	if (fstat(map->fd, &ours) < 0)
		return -errno;
	if (lstat(aside, &there) < 0 || there.st_dev != ours.st_dev || there.st_ino != ours.st_ino)
		return -EBUSY;
	if (open_path(map->path, &fd) == 0 && lock_in_the_way(fd, F_RDLCK) != F_UNLCK)
		return -EBUSY;
	return 0;
}

/* A new file takes the path when it is whole and locked. Whatever is there, a directory even, goes
 * away if it can, also when there is no new one: it was given up. */
static int begin_file(struct mcmap *map)
{
	auto_talloc char *aside = talloc_asprintf(NULL, "%s.new", map->path);
	struct stat st;
	int r;

	if (!aside)
		return -ENOMEM;
	if (boots_are_closed(map->options.dir))
		return -EROFS;
	map->fd = open(aside, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
	               MODE_ASIDE);
	r = map->fd < 0 ? -errno : lock_aside(map, aside);
	if (r == 0 && (ftruncate(map->fd, 0) < 0 || fstat(map->fd, &st) < 0))
		r = -errno;
	if (r == 0) {
		use_file(map, &st);
		r = write_empty(map);
	}
	if (r == 0)
		rmdir(map->path);
	if (r == 0 && (fchmod(map->fd, MODE) < 0 || rename(aside, map->path) < 0))
		r = -errno;
	if (r == 0)
		return 0;
	if (r != -EBUSY) {
		unlink(aside);
		unlink(map->path);
	}
	close_file(map);
	return r;
}

static int mcmap_gone(struct mcmap *map)
{
	close_file(map);
	mcmap_lock_close(map);
	return 0;
}

int mcmap_open(TALLOC_CTX *mem, const struct mcmap_options *options, struct mcmap **ret_map)
{
	auto_talloc struct mcmap *map = talloc_zero(mem, struct mcmap);
	int r;

	if (!map)
		return -ENOMEM;
	map->fd = map->lock_fd = -1;
	talloc_set_destructor(map, mcmap_gone);
	map->options = *options;
	map->header = header_for(options);
	map->n_slots = map->header.data_size / MEMCACHE_SLOT_SIZE;
	map->n_hashes = map->header.table_size / (uint32_t)sizeof(uint32_t);
	map->wanted.first = slots_of(MEMCACHE_HEAD_SIZE + MEMCACHE_DATA_MIN);
	map->newcomers.end = map->n_slots;
	map->newcomers.first = map->wanted.end = map->n_slots - map->n_slots / NEW_PART;
	map->size = (uint64_t)map->header.table_at + map->header.table_size;
	map->path = talloc_asprintf(map, "%s/%s", options->dir, names[options->kind]);
	map->used = talloc_zero_size(map, map->n_slots / 8);
	map->in_use = talloc_zero_size(map, map->n_slots / 8);
	if (!map->path || !map->used || !map->in_use)
		return -ENOMEM;

	if (boots_are_closed(options->dir))
		return -EROFS;
	r = mcmap_lock_open(map, true);
	if (r < 0)
		return r;
	r = take_over_alone(map);
	if (r == 0)
		map->stats.was_kept = true;
	else if (r != -EBUSY)
		r = begin_file(map);
	if (r < 0)
		return r;
	*ret_map = take_ptr(map);
	return 0;
}

bool mcmap_is_sound(const struct mcmap *map)
{
	struct stat ours, there;

	return map->fd >= 0 && stat(map->path, &there) == 0 && there.st_dev == map->dev &&
	       there.st_ino == map->ino && fstat(map->fd, &ours) == 0 &&
	       (uint64_t)ours.st_size == map->size && mcmap_lock_is_there(map) && is_ours(map);
}

int mcmap_clear(struct mcmap *map)
{
	int r;

	/* Where that cannot be written, it is still taken from its path, which readers look at. */
	if (map->fd >= 0)
		recycle_fd(map->fd);
	close_file(map);
	r = mcmap_lock_open(map, true);
	return r < 0 ? r : begin_file(map);
}

void mcmap_stats(const struct mcmap *map, struct mcmap_stats *ret_stats)
{
	*ret_stats = map->stats;
	ret_stats->slots = map->n_slots;
	ret_stats->used = map->n_used;
}

int mcmap_recycle(const char *dir, enum mcmap_kind kind)
{
	return give_up(dir, kind, NULL, false);
}

int mcmap_recycle_others(const char *dir, enum mcmap_kind kind, uint64_t generation)
{
	uint32_t seed = seed_of(dir, generation);

	return give_up(dir, kind, &seed, false);
}

int mcmap_remove(const char *dir, enum mcmap_kind kind)
{
	return give_up(dir, kind, NULL, true);
}

/* ---- single records, by those who do not write ---- */

/* Opens the file at the path as one whose records can be removed. The change lock is held, and
 * still is where others look for it, so it is the file that is written. Errors: -ENOENT there is
 * none that anybody reads; others: it cannot be told. */
static int open_as_guest(struct mcmap *map)
{
	uint8_t bytes[MEMCACHE_DATA_AT];
	struct stat st;
	int r = open_path(map->path, &map->fd);

	if (r < 0)
		return r;
	/* A writer of another vendor, or whose lock file was taken away, does not see our lock. */
	if (!mcmap_lock_is_there(map) ||
	    (lock_in_the_way(map->fd, F_RDLCK) != F_UNLCK && !mcmap_lock_has_writer(map)))
		return -EBUSY;
	if (fstat(map->fd, &st) < 0)
		return -errno;
	r = mcmap_read(map, 0, bytes, sizeof(bytes));
	if (r == 0)
		r = memcache_header_read(bytes, (uint64_t)st.st_size, &map->header);
	if (r < 0)
		return r == -ESTALE ? -ENOENT : r;
	map->n_slots = map->header.data_size / MEMCACHE_SLOT_SIZE;
	map->n_hashes = map->header.table_size / (uint32_t)sizeof(uint32_t);
	return 0;
}

static int take_back(struct mcmap *map, const struct mcmap_key *keys, size_t n_keys)
{
	int r;

	map->path = talloc_asprintf(map, "%s/%s", map->options.dir, names[map->options.kind]);
	if (!map->path)
		return -ENOMEM;
	if (access(map->path, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = mcmap_lock_open(map, false);
	if (r == 0)
		r = mcmap_lock_change(map);
	if (r == 0)
		r = open_as_guest(map);
	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; i < n_keys && r >= 0; i++)
		r = forget_by(map, keys[i].by, keys[i].text);
	return r;
}

int mcmap_take_back(const char *dir, enum mcmap_kind kind, const struct mcmap_key *keys,
                    size_t n_keys)
{
	auto_talloc struct mcmap *map = talloc_zero(NULL, struct mcmap);
	int r = map ? 0 : -ENOMEM;

	if (r == 0) {
		map->fd = map->lock_fd = -1;
		talloc_set_destructor(map, mcmap_gone);
		map->options = (struct mcmap_options){ .dir = dir, .kind = kind };
		r = take_back(map, keys, n_keys);
	}
	/* Looked at after that: see boots_close(). */
	return r < 0 || boots_are_closed(dir) ? mcmap_recycle(dir, kind) : 0;
}
