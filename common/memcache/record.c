/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Record - how the records of one file of the memory cache are stored, found and removed
 *
 *   put ─ the same? ─▶ a new time ──────────────────────────────────────────────┐
 *    └─▶ remove others of its keys ─▶ make room ─▶ write, unseen ─▶ live ─▶ link ─┴▶
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/memcache/impl.h"
#include "common/metrics/metrics.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define GROUPS_AT 20   /* in the data of initgroups: how many, gid … */
#define STEPS_MAX 1024 /* in a chain: as far as clients go. A few are usual. */

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

int mcmap_write(const struct mcmap *map, uint64_t place, const void *bytes, size_t size)
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

int mcmap_write_again(const struct mcmap *map, uint64_t place, const void *bytes, size_t size)
{
	int r = mcmap_write(map, place, bytes, size);

	return r == -ENOSPC || r == -EDQUOT ? -EIO : r;
}

int mcmap_write_u32(const struct mcmap *map, uint64_t place, uint32_t value)
{
	return mcmap_write_again(map, place, &value, sizeof(value));
}

int mcmap_read_u32(const struct mcmap *map, uint64_t place, uint32_t *ret_value)
{
	return mcmap_read(map, place, ret_value, sizeof(*ret_value));
}

/* A link: in the table, or in a record. */
static int get_slot(const struct mcmap *map, uint64_t place, uint32_t *ret_slot)
{
	int r = mcmap_read_u32(map, place, ret_slot);

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

/* A walk along the chain of a hash, by the heads of its records. Damage may have made a circle of
 * it: that is noticed within three rounds (Brent's algorithm). */
struct chain {
	uint32_t hash;
	uint32_t slot; /* where the walk is: the record there, and its head */
	struct memcache_head head;
	uint64_t link; /* the place of the link that leads there */
	uint32_t next;
	uint64_t next_link;
	uint32_t steps;
	uint32_t mark; /* a slot where it was; another one at each power of two steps */
};

static struct chain chain_of(const struct mcmap *map, uint32_t hash)
{
	return (struct chain){ .hash = hash, .next_link = place_of_hash(map, hash) };
}

/* Goes on to the next record: 1, or 0 there is none. -EBADMSG also for one that is not of this
 * chain: nothing would take it out of there. */
static int go_on(const struct mcmap *map, struct chain *chain)
{
	uint64_t place;
	int r = chain->steps > 0 ? 0 : get_slot(map, chain->next_link, &chain->next);

	if (r < 0 || chain->next == MEMCACHE_NONE)
		return r;
	if ((chain->steps > 0 && chain->next == chain->mark) || chain->steps >= STEPS_MAX)
		return -EBADMSG;
	chain->slot = chain->next;
	chain->link = chain->next_link;
	chain->steps++;
	if ((chain->steps & (chain->steps - 1)) == 0)
		chain->mark = chain->slot;
	r = mcmap_read_head(map, chain->slot, &chain->head);
	if (r < 0)
		return r;
	place = place_of_slot(map, chain->slot);
	if (chain->head.hash1 == chain->hash) {
		chain->next_link = place + 16;
		chain->next = chain->head.next1;
	} else if (chain->head.hash2 == chain->hash) {
		chain->next_link = place + 20;
		chain->next = chain->head.next2;
	} else
		return -EBADMSG;
	return 1;
}

/* Finds the place of the link that leads to slot in hash's chain: 1, or 0 it is not in there. */
static int find_link(const struct mcmap *map, uint32_t hash, uint32_t slot, uint64_t *ret_link)
{
	struct chain chain = chain_of(map, hash);
	int r;

	while ((r = go_on(map, &chain)) > 0)
		if (chain.slot == slot) {
			*ret_link = chain.link;
			return 1;
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
	r = (value ? mcmap_write : mcmap_write_again)(map, map->header.bits_at + first,
	                                              map->used + first, last - first + 1);
	for (uint32_t i = slot; value && r < 0 && i < slot + n; i++)
		bit_set(map->used, i, false);
	if (r == 0)
		map->n_used = value ? map->n_used + n : map->n_used - n;
	return r;
}

/* A chain that leads there once more is damaged: what is in it would be removed for ever. */
static int unlink_record(const struct mcmap *map, uint32_t hash, uint32_t next, uint32_t slot)
{
	uint64_t link;
	int r = find_link(map, hash, slot, &link);

	if (r <= 0)
		return r;
	r = mcmap_write_u32(map, link, next);
	if (r == 0 && next != MEMCACHE_NONE)
		r = find_link(map, hash, slot, &link);
	return r > 0 ? -EBADMSG : r;
}

/* Dead, then out of its chains, then its slots are free. */
int mcmap_remove_record(struct mcmap *map, uint32_t slot, const struct memcache_head *head)
{
	uint64_t place = place_of_slot(map, slot);
	int r;

	r = mcmap_write_u32(map, place + MEMCACHE_B2_AT, MEMCACHE_INVALID);
	if (r == 0)
		r = mcmap_write_u32(map, place, MEMCACHE_INVALID);
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

/* go_on() for who holds the lock of changes: a record that is dead and still in its chain was left
 * by somebody who was killed while he removed it. Readers end there, so it goes. */
static int go_on_mending(struct mcmap *map, struct chain *chain)
{
	int r;

	while ((r = go_on(map, chain)) > 0) {
		if (chain->head.b1 != MEMCACHE_INVALID && chain->head.b2 != MEMCACHE_INVALID)
			return 1;
		r = mcmap_remove_record(map, chain->slot, &chain->head);
		if (r < 0)
			return r;
	}
	return r;
}

/* The record whose head was read. */
static int read_record(const struct mcmap *map, TALLOC_CTX *mem, const struct chain *chain,
                       struct record *ret_record)
{
	struct record record = { .slot = chain->slot, .head = chain->head };
	int r;

	record.size = record.head.length - MEMCACHE_HEAD_SIZE;
	record.data = talloc_size(mem, record.size);
	if (!record.data)
		return -ENOMEM;
	r = mcmap_read(map, place_of_slot(map, chain->slot) + MEMCACHE_HEAD_SIZE, record.data,
	               record.size);
	if (r == 0)
		*ret_record = record;
	return r;
}

/* The hash is what the head says of it. */
static bool may_have_key(const struct mcmap *map, uint32_t hash, const char *wanted)
{
	return !wanted || hash == hash_of(map, wanted);
}

static bool has_key(const char *key, const char *wanted)
{
	return !wanted || strcmp(key, wanted) == 0;
}

/* The first record in the chain of one of its keys that has both, NULL being any: 1, or 0 there is
 * none. The lock of changes is held. */
static int find_record(struct mcmap *map, TALLOC_CTX *mem, enum mcmap_by by, const char *key1,
                       const char *key2, struct record *ret_record)
{
	struct chain chain = chain_of(map, hash_of(map, by == MCMAP_BY_KEY1 ? key1 : key2));
	struct mcmap_keys keys;
	struct record record;
	int r;

	while ((r = go_on_mending(map, &chain)) > 0) {
		if (!may_have_key(map, chain.head.hash1, key1) ||
		    !may_have_key(map, chain.head.hash2, key2))
			continue;
		r = read_record(map, mem, &chain, &record);
		if (r == 0)
			r = mcmap_keys_read(map->options.kind, record.data, record.size, &keys);
		if (r < 0)
			return r;
		if (has_key(keys.key1, key1) && has_key(keys.key2, key2)) {
			*ret_record = record;
			return 1;
		}
		TALLOC_FREE(record.data);
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

int mcmap_forget_by(struct mcmap *map, enum mcmap_by by, const char *key)
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
		r = mcmap_forget_by(map, by, key);
	if (!is_in)
		mcmap_leave(map);
	return r;
}

/* ---- changes ---- */

int mcmap_enter(struct mcmap *map)
{
	int64_t wait_us = MCMAP_WRITER_WAIT_US;
	int r;

	if (map->fd < 0 || map->lock_fd < 0)
		return -EBADF;
	r = mcmap_lock_change(map, &wait_us);
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
	r = mcmap_write_u32(map, place + MEMCACHE_B2_AT, map->barrier);
	if (r == 0)
		r = mcmap_write_again(map, place + 8, &expires, sizeof(expires));
	if (r == 0)
		r = mcmap_write_u32(map, place, map->barrier);
	return r;
}

/* Where the table was not reserved, the disk may be too full for it. */
static int make_place_in_table(const struct mcmap *map, uint32_t hash)
{
	uint32_t none = MEMCACHE_NONE, first;
	int r = mcmap_read_u32(map, place_of_hash(map, hash), &first);

	if (r == 0 && first == MEMCACHE_STOP)
		r = mcmap_write(map, place_of_hash(map, hash), &none, sizeof(none));
	return r;
}

/* At the head of the chain: next is in place before anything leads here. */
static int link_record(struct mcmap *map, uint32_t hash, uint32_t slot, uint64_t next_at)
{
	uint32_t first;
	int r = get_slot(map, place_of_hash(map, hash), &first);

	if (r == 0)
		r = mcmap_write_u32(map, place_of_slot(map, slot) + next_at, first);
	if (r == 0)
		r = mcmap_write_u32(map, place_of_hash(map, hash), slot);
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

int mcmap_write_record(const struct mcmap *map, uint32_t slot, const struct memcache_head *head,
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
		r = mcmap_write(map, place_of_slot(map, slot), out.bytes, out.size);
	if (r == 0)
		r = mcmap_write_u32(map, place_of_slot(map, slot), head->b1);
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
	r = mcmap_write_record(map, slot, &head, data, size);
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

/* Is the record in slot found by that hash? 1 or 0. */
static int is_found(struct mcmap *map, uint32_t hash, uint32_t slot)
{
	struct chain chain = chain_of(map, hash);
	int r;

	while ((r = go_on_mending(map, &chain)) > 0)
		if (chain.slot == slot)
			return 1;
	return r;
}

/* Is it found by these keys, and no other? */
static int is_linked_by(struct mcmap *map, const struct record *record, enum mcmap_by by)
{
	int by1 = is_found(map, record->head.hash1, record->slot);
	int by2 = by1 < 0 ? by1 : is_found(map, record->head.hash2, record->slot);

	if (by2 < 0)
		return by2;
	return (by1 ? MCMAP_BY_KEY1 : 0u) + (by2 ? MCMAP_BY_KEY2 : 0u) == by;
}

/* Finds the record that holds just this data for just these keys: 1, or 0. There is one time for
 * all keys of a record, so another one's is none to be prolonged. */
static int find_same(struct mcmap *map, TALLOC_CTX *mem, const struct mcmap_keys *keys,
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
	if (size > UINT32_MAX / MCMAP_NEW_PART)
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
