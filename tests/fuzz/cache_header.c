/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzzer - what the cache reads of a file before, or while, it trusts it: state, meta page, header,
 * record, keys
 *
 *   | which: u8 | bytes … |
 *
 * Records and the header carry a sum no mutation would ever hit, so there the sum is put right
 * first: what is behind it must stand on its own.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cache/impl.h"

static const struct key alice = { .size = 6, .bytes = "ualice" };
static const struct key header_key = { .size = 1, .bytes = { KEY_HEADER } };

static void put_sum_right(MDB_val key, uint8_t *bytes, size_t size)
{
	uint64_t sum;

	if (size < sizeof(sum))
		return;
	sum = checksum(checksum(0, key.mv_data, key.mv_size), bytes + sizeof(sum),
	               size - sizeof(sum));
	memcpy(bytes, &sum, sizeof(sum));
}

static void try_record(uint8_t *bytes, size_t size)
{
	struct record record;
	struct entry entry;
	MDB_val index = { 0 };
	size_t n = 0;

	put_sum_right(key_val(&alice), bytes, size);
	if (record_parse(key_val(&alice), (MDB_val){ size, bytes }, &record) < 0)
		return;
	while (record_next_index(&record, &index))
		n += index.mv_size + sizeof(uint16_t);
	if (n != record.indexes.mv_size)
		abort(); /* what was found whole must be walked whole */
	if (find_entry(KEY_USER, &record, &entry) == 0)
		entry_expiry(&entry);
}

static void try_header(uint8_t *bytes, size_t size)
{
	struct header header;

	put_sum_right(key_val(&header_key), bytes, size);
	if (header_parse((MDB_val){ size, bytes }, &header) == 0 && strlen(header.domain) >= size)
		abort();
}

static void try_keys(uint8_t *bytes, size_t size)
{
	MDB_val val = { size, bytes }, record;
	struct key key, again;
	int64_t wall_s;

	if (key_parse_expiry(val, &wall_s, &record) == 0) {
		key_of_expiry(&again, wall_s, record);
		if (!val_equal(key_val(&again), val))
			abort();
	}
	key_of_folded(&key, KEY_USER, val);
}

static void try_state(uint8_t *bytes, size_t size)
{
	size_t summed = STATE_SIZE - sizeof(uint64_t);
	uint8_t again[STATE_SIZE];
	struct state state;
	uint64_t sum;

	if (size == STATE_SIZE) {
		sum = checksum(0, bytes, summed);
		memcpy(bytes + summed, &sum, sizeof(sum));
	}
	if (state_parse(bytes, size, &state) == 0)
		state_build(&state, again);
}

static void try_meta(const uint8_t *bytes, size_t size)
{
	struct meta meta;

	if (meta_parse(bytes, size, &meta) == 0 &&
	    (meta.page_size == 0 || meta.last_page > UINT64_MAX / meta.page_size - 1))
		abort(); /* they will be multiplied */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;

	if (size == 0)
		return 0;
	bytes = malloc(size); /* at least 1, and exactly as large: for AddressSanitizer */
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	bytes = realloc(bytes, size > 1 ? size - 1 : 1);

	switch (data[0] % 5) {
	case 0:
		try_state(bytes, size - 1);
		break;
	case 1:
		try_meta(bytes, size - 1);
		break;
	case 2:
		try_header(bytes, size - 1);
		break;
	case 3:
		try_record(bytes, size - 1);
		break;
	default:
		try_keys(bytes, size - 1);
		break;
	}
	free(bytes);
	return 0;
}
