/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - an answer from the mapped files, or none and the responder is asked
 */
#include "clientlibs/nss/memcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ATTEMPTS_MAX 5
#define STEPS_MAX    1024 /* in a chain that a sound writer keeps to a few */
#define NEXT         0    /* r of a record that is another one's */

static uint32_t load(const uint8_t *bytes)
{
	return __atomic_load_n((const uint32_t *)(const void *)bytes, __ATOMIC_ACQUIRE);
}

int memcache_is_name(const struct reader *data, size_t place, const char *name)
{
	struct reader in = *data;
	size_t size = strlen(name) + 1;

	reader_bytes(&in, place);
	return reader_left(&in) >= size && memcmp(in.pos, name, size) == 0;
}

/* One attempt at the record in a slot. Sets *ret_next when the result is NEXT.
 * -EAGAIN it was changed meanwhile. */
static int try_record(const struct mapped *mapped, uint32_t slot, uint32_t hash,
                      const struct memcache_kind *kind, const struct memcache_key *key, int64_t now,
                      void *out, uint32_t *ret_next)
{
	size_t at = (size_t)slot * MEMCACHE_SLOT_SIZE;
	size_t left = mapped->header.data_size - at;
	const uint8_t *bytes = mapped->bytes + mapped->header.data_at + at;
	uint32_t barrier = load(bytes);
	struct memcache_head head = memcache_head_read(bytes);
	struct reader data;
	int r = -ENOENT;

	if (!memcache_barrier_is_valid(barrier))
		return -EAGAIN;
	if (head.length >= MEMCACHE_HEAD_SIZE + MEMCACHE_DATA_MIN && head.length <= left &&
	    (head.hash1 == hash || head.hash2 == hash)) {
		data = reader_over(bytes + MEMCACHE_HEAD_SIZE, head.length - MEMCACHE_HEAD_SIZE);
		*ret_next = head.hash1 == hash ? head.next1 : head.next2;
		if (!kind->is_it(data, key))
			r = NEXT;
		else if ((int64_t)head.expires >= now)
			r = kind->take(data, out);
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return load(bytes + MEMCACHE_B2_AT) == barrier ? r : -EAGAIN;
}

int memcache_find_in(const struct mapped *mapped, const struct memcache_kind *kind,
                     const struct memcache_key *key, int64_t now, void *out)
{
	const struct memcache_header *header = &mapped->header;
	uint32_t n_slots = header->data_size / MEMCACHE_SLOT_SIZE;
	char digits[MEMCACHE_ID_DIGITS_SIZE];
	const char *text = key->name ? key->name : digits;
	size_t size = key->name ? strlen(key->name) + 1 : memcache_id_key(key->id, digits);
	uint32_t hash = memcache_hash(text, size, header->seed) %
	                (header->table_size / (uint32_t)sizeof(uint32_t));
	uint32_t slot = load(mapped->bytes + header->table_at + hash * sizeof(uint32_t)), next = 0;
	int r;

	for (int steps = 0; slot < n_slots && steps < STEPS_MAX; steps++, slot = next) {
		r = -EAGAIN;
		for (int i = 0; i < ATTEMPTS_MAX && r == -EAGAIN; i++)
			r = try_record(mapped, slot, hash, kind, key, now, out, &next);
		if (r == -EAGAIN || r == -EBADMSG)
			return -ENOENT;
		if (r != NEXT)
			return r;
	}
	return -ENOENT;
}

/* In programs with more rights than their caller he has no say. */
static bool is_unwanted(void)
{
	const char *use = secure_getenv("SSS_NSS_USE_MEMCACHE");

	return use && strcasecmp(use, "NO") == 0;
}

int memcache_find(const struct memcache_kind *kind, const struct memcache_key *key, void *out)
{
	int64_t now = mapped_now();
	const struct mapped *mapped;
	int r;

	if (is_unwanted())
		return -ENOENT;
	mapped = mapped_enter(kind->file, now);
	if (!mapped)
		return -ENOENT;
	r = memcache_find_in(mapped, kind, key, now, out);
	mapped_leave(mapped);
	return r;
}

static int is_it(struct reader data, const struct memcache_key *key)
{
	return memcache_is_name(&data, MEMCACHE_TEXTS_AT, key->name);
}

static int take_nothing(struct reader data, void *out)
{
	(void)data;
	(void)out;
	return 1;
}

const struct memcache_kind unknown_kind = { MAPPED_UNKNOWN, is_it, take_nothing };

bool memcache_is_unknown(enum memcache_unknown what, const struct memcache_key *key)
{
	char text[MEMCACHE_UNKNOWN_SIZE];

	return memcache_unknown_key(what, key->name, key->id, text) &&
	       memcache_find(&unknown_kind, &(struct memcache_key){ .name = text }, NULL) > 0;
}
