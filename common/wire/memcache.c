/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - what writer and readers of the files have in common
 */
#include "common/wire/memcache.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/wire/reader.h"

#define BARRIER_MARK  0xf0000000u
#define BARRIER_COUNT 0x00ffffffu
#define CLOCK_STEP_S  60

bool memcache_barrier_is_valid(uint32_t barrier)
{
	return (barrier & ~BARRIER_COUNT) == BARRIER_MARK;
}

uint32_t memcache_barrier_next(uint32_t barrier)
{
	return ((barrier + 1) & BARRIER_COUNT) | BARRIER_MARK;
}

static uint32_t rotate(uint32_t value, int bits)
{
	return value << bits | value >> (32 - bits);
}

static uint32_t scramble(uint32_t block)
{
	return rotate(block * 0xcc9e2d51u, 15) * 0x1b873593u;
}

uint32_t memcache_hash(const void *key, size_t size, uint32_t seed)
{
	const uint8_t *bytes = key;
	uint32_t hash = seed, block;
	size_t left = size;

	for (; left >= sizeof(block); left -= sizeof(block), bytes += sizeof(block)) {
		memcpy(&block, bytes, sizeof(block));
		hash = rotate(hash ^ scramble(le32toh(block)), 13) * 5 + 0xe6546b64u;
	}

	block = 0;
	while (left > 0)
		block = block << 8 | bytes[--left];
	hash ^= scramble(block);

	hash ^= (uint32_t)size;
	hash = (hash ^ hash >> 16) * 0x85ebca6bu;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
	return hash ^ hash >> 16;
}

size_t memcache_id_key(uint32_t id, char ret_digits[static MEMCACHE_ID_DIGITS_SIZE])
{
	char backwards[MEMCACHE_ID_DIGITS_SIZE];
	size_t n = 0, size = 0;

	do {
		backwards[n++] = (char)('0' + id % 10);
		id /= 10;
	} while (id > 0);
	while (n > 0)
		ret_digits[size++] = backwards[--n];
	ret_digits[size++] = '\0';
	return size;
}

bool memcache_unknown_key(enum memcache_unknown what, const char *name, uint32_t id,
                          char ret_key[static MEMCACHE_UNKNOWN_SIZE])
{
	size_t size = name ? strnlen(name, MEMCACHE_UNKNOWN_NAME_MAX + 1) : 0;

	ret_key[0] = (char)what;
	if (!name)
		memcache_id_key(id, ret_key + 1);
	else if (size <= MEMCACHE_UNKNOWN_NAME_MAX)
		memcpy(ret_key + 1, name, size + 1);
	return size <= MEMCACHE_UNKNOWN_NAME_MAX;
}

static bool lies_within(uint32_t at, uint32_t size, uint64_t file_size)
{
	return at >= MEMCACHE_HEADER_SIZE && at % sizeof(uint32_t) == 0 &&
	       (uint64_t)at + size <= file_size;
}

int memcache_header_read(const void *bytes, uint64_t file_size, struct memcache_header *ret_header)
{
	struct reader in = reader_over(
		bytes, file_size < MEMCACHE_HEADER_SIZE ? (size_t)file_size : MEMCACHE_HEADER_SIZE);
	struct memcache_header header;

	header.b1 = reader_u32(&in);
	header.major = reader_u32(&in);
	header.minor = reader_u32(&in);
	header.status = reader_u32(&in);
	header.seed = reader_u32(&in);
	header.data_size = reader_u32(&in);
	header.bits_size = reader_u32(&in);
	header.table_size = reader_u32(&in);
	header.data_at = reader_u32(&in);
	header.bits_at = reader_u32(&in);
	header.table_at = reader_u32(&in);
	reader_u32(&in);
	header.b2 = reader_u32(&in);

	if (in.err < 0)
		return in.err;
	if (header.b1 != header.b2 || !memcache_barrier_is_valid(header.b1))
		return -EAGAIN;
	if (header.major != MEMCACHE_MAJOR || header.minor != MEMCACHE_MINOR)
		return -EPROTONOSUPPORT;
	if (header.status != MEMCACHE_ALIVE)
		return -ESTALE;
	if (!lies_within(header.data_at, header.data_size, file_size) ||
	    !lies_within(header.bits_at, header.bits_size, file_size) ||
	    !lies_within(header.table_at, header.table_size, file_size) ||
	    header.data_size < MEMCACHE_SLOT_SIZE || header.table_size < sizeof(uint32_t))
		return -EBADMSG;
	*ret_header = header;
	return 0;
}

static int64_t seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec;
}

uint32_t memcache_booted_at(void)
{
	return (uint32_t)(seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME));
}

static uint32_t word_at(const void *bytes, size_t place)
{
	uint32_t word;

	memcpy(&word, (const uint8_t *)bytes + place, sizeof(word));
	return word;
}

bool memcache_is_closed(const void *bytes)
{
	return word_at(bytes, MEMCACHE_CLOSED_AT) != 0;
}

bool memcache_clock_is_right(const void *bytes)
{
	uint32_t booted_at = word_at(bytes, MEMCACHE_HEADER_SIZE);
	uint32_t closed_at = word_at(bytes, MEMCACHE_CLOSED_AT);
	int32_t step;

	if (closed_at != 0)
		return (int32_t)((uint32_t)seconds_of(CLOCK_REALTIME) - closed_at) >= 0;
	step = (int32_t)(memcache_booted_at() - booted_at);
	return booted_at == 0 || booted_at == UINT32_MAX ||
	       (step >= -CLOCK_STEP_S && step <= CLOCK_STEP_S);
}

struct memcache_head memcache_head_read(const void *bytes)
{
	struct reader in = reader_over(bytes, MEMCACHE_HEAD_SIZE);
	struct memcache_head head;

	head.b1 = reader_u32(&in);
	head.length = reader_u32(&in);
	head.expires = reader_u64(&in);
	head.next1 = reader_u32(&in);
	head.next2 = reader_u32(&in);
	head.hash1 = reader_u32(&in);
	head.hash2 = reader_u32(&in);
	reader_u32(&in);
	head.b2 = reader_u32(&in);
	return head;
}
