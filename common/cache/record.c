/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records - build and take apart
 */
#include "common/cache/record.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/wire/reader.h"

/* Each step is one-to-one in sum and in word, so a change of one word can never cancel out. The
 * odd factor is 2^64 / golden ratio: its bits look random, which is all it has to do. */
static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ^ sum >> 32;
}

uint64_t checksum(uint64_t sum, const void *bytes, size_t size)
{
	const uint8_t *in = bytes;
	uint64_t word;

	sum = mix(sum, size + 1); /* all zero bytes are not all right */
	for (; size >= sizeof(word); size -= sizeof(word), in += sizeof(word)) {
		memcpy(&word, in, sizeof(word));
		sum = mix(sum, word);
	}
	word = 0;
	memcpy(&word, in, size);
	return mix(sum, word);
}

static uint64_t sum_of(MDB_val key, const void *bytes, size_t size)
{
	return checksum(checksum(0, key.mv_data, key.mv_size), bytes, size);
}

/* Starts reading value, once its sum is found right. */
static int open_value(MDB_val key, MDB_val value, struct reader *ret_in)
{
	struct reader in = reader_over(value.mv_data, value.mv_size);
	uint64_t sum = reader_u64(&in);

	if (in.err < 0)
		return in.err;
	if (sum != sum_of(key, in.pos, reader_left(&in)))
		return -EBADMSG;

	*ret_in = in;
	return 0;
}

/* Fills in the sum of what was appended to out since start. */
static void close_value(struct writer *out, size_t start, MDB_val key)
{
	size_t begin = start + sizeof(uint64_t);
	uint64_t sum;

	if (writer_end(out) < 0)
		return;
	sum = sum_of(key, out->bytes + begin, out->size - begin);
	memcpy(out->bytes + start, &sum, sizeof(sum));
}

static bool indexes_are_whole(MDB_val indexes)
{
	struct reader in = reader_over(indexes.mv_data, indexes.mv_size);
	const uint8_t *key;
	uint16_t size;

	while (reader_left(&in) > 0) {
		size = reader_u16(&in);
		key = reader_bytes(&in, size);
		if (!key || size < 2 || size > KEY_MAX || !key_target(*key))
			return false;
	}
	return reader_end(&in) == 0;
}

int record_parse(MDB_val key, MDB_val value, struct record *ret_record)
{
	struct record record;
	struct reader in;
	int r;

	r = open_value(key, value, &in);
	if (r < 0)
		return r;

	record.indexes.mv_size = reader_u32(&in);
	record.indexes.mv_data = (void *)reader_bytes(&in, record.indexes.mv_size);
	record.entry.mv_size = reader_left(&in);
	record.entry.mv_data = (void *)reader_bytes(&in, record.entry.mv_size);
	r = reader_end(&in);
	if (r < 0)
		return r;
	if (!indexes_are_whole(record.indexes))
		return -EBADMSG;

	*ret_record = record;
	return 0;
}

bool record_next_index(const struct record *record, MDB_val *index)
{
	struct reader in = reader_over(record->indexes.mv_data, record->indexes.mv_size);

	if (index->mv_data) /* go on behind it; both lie in the same bytes */
		in.pos = (const uint8_t *)index->mv_data + index->mv_size;
	index->mv_size = reader_u16(&in);
	index->mv_data = (void *)reader_bytes(&in, index->mv_size);
	return index->mv_data && in.err == 0;
}

bool record_has_index(const struct record *record, MDB_val index)
{
	MDB_val has = { 0 };

	while (record_next_index(record, &has))
		if (val_equal(has, index))
			return true;
	return false;
}

void record_add_index(struct writer *indexes, MDB_val index)
{
	writer_u16(indexes, (uint16_t)index.mv_size);
	writer_bytes(indexes, index.mv_data, index.mv_size);
}

void record_build(struct writer *out, MDB_val key, MDB_val indexes, const struct entry *entry)
{
	size_t start = out->size;

	writer_u64(out, 0); /* the sum */
	writer_u32(out, (uint32_t)indexes.mv_size);
	writer_bytes(out, indexes.mv_data, indexes.mv_size);
	entry_encode(out, entry);
	close_value(out, start, key);
}

static const struct key header_key = { .size = 1, .bytes = { KEY_HEADER } };

int header_parse(MDB_val value, struct header *ret_header)
{
	struct header header = { 0 };
	uint32_t schema, names;
	struct reader in;
	int r;

	r = open_value(key_val(&header_key), value, &in);
	if (r < 0)
		return r;

	schema = reader_u32(&in);
	if (in.err == 0 && schema != CACHE_SCHEMA)
		return -E_CACHE_VERSION;
	names = reader_u32(&in);
	header.environment_id = reader_u64(&in);
	header.made.s = (int64_t)reader_u64(&in);
	for (unsigned i = 0; i < EPOCHS; i++)
		header.epochs[i] = reader_u32(&in);
	header.domain = reader_str(&in, NAME_SIZE_MAX, NULL);
	r = reader_end(&in);
	if (r < 0)
		return r;
	if (names != CACHE_CASE_SENSITIVE && names != CACHE_CASE_FOLDED)
		return -EBADMSG;

	header.names = names;
	*ret_header = header;
	return 0;
}

void header_build(struct writer *out, const struct header *header)
{
	size_t start = out->size;

	writer_u64(out, 0); /* the sum */
	writer_u32(out, CACHE_SCHEMA);
	writer_u32(out, header->names);
	writer_u64(out, header->environment_id);
	writer_u64(out, (uint64_t)header->made.s);
	for (unsigned i = 0; i < EPOCHS; i++)
		writer_u32(out, header->epochs[i]);
	writer_str(out, header->domain);
	close_value(out, start, key_val(&header_key));
}

int64_t entry_expiry(const struct entry *entry)
{
	int64_t expiry;

	if (__builtin_add_overflow(entry->times.stored_wall.s, (int64_t)entry->times.lifetime_s,
	                           &expiry))
		return INT64_MAX;
	return expiry;
}
