/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reader - arbitrary sequences of reads over arbitrary bytes
 *
 *   | steps: u8 | step: u8, argument: u8 … | the message |
 */
#include "common/wire/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/require.h"

/* What a read gave must lie inside the message, its NUL too. */
static void require_inside(const struct reader *before, const void *bytes, size_t size)
{
	const uint8_t *start = bytes;

	if (!bytes)
		return;
	require(start >= before->pos && start <= before->end);
	require(size <= (size_t)(before->end - start));
}

static void read_one(struct reader *in, uint8_t step, uint8_t argument)
{
	const struct reader before = *in;
	const void *found = NULL;
	uint64_t number = 0;
	size_t size = 0;

	switch (step % 13) {
	case 0:
		number = reader_u8(in);
		break;
	case 1:
		number = reader_u16(in);
		break;
	case 2:
		number = reader_u32(in);
		break;
	case 3:
		number = reader_u64(in);
		break;
	case 4:
		number = reader_be16(in);
		break;
	case 5:
		number = reader_be32(in);
		break;
	case 6:
		number = reader_be64(in);
		break;
	case 7:
		found = reader_bytes(in, argument);
		require_inside(&before, found, argument);
		break;
	case 8:
		found = reader_str(in, argument, &size);
		require_inside(&before, found, size + 1);
		require(!found || (size <= argument && strlen(found) == size));
		break;
	case 9:
		found = reader_text(in, argument);
		require_inside(&before, found, found ? strlen(found) + 1 : 0);
		require(!found || strlen(found) <= argument);
		break;
	case 10:
		/* From few to four billion. */
		found = reader_strs(in, argument < 200 ? argument : UINT32_MAX - argument, 255,
		                    &size);
		require_inside(&before, found, size);
		require(!found || size == 0 || ((const char *)found)[size - 1] == '\0');
		break;
	case 11:
		size = reader_left(in);
		require(size == 0 || reader_bytes(in, size) != NULL);
		require(size == 0 || reader_end(in) == 0);
		break;
	default:
		if (argument == 0)
			reader_fail(in);
	}

	require(in->pos >= before.pos && in->pos <= in->end && in->end == before.end);
	if (in->err < 0)
		require(in->err == -EBADMSG && !found && number == 0 && reader_left(in) == 0);
	if (before.err < 0)
		require(in->err < 0 && in->pos == before.pos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n_steps = size > 0 ? data[0] : 0;
	struct reader in;

	if (size < 1 + 2 * n_steps)
		return 0;

	in = reader_over(data + 1 + 2 * n_steps, size - 1 - 2 * n_steps);
	for (size_t i = 0; i < n_steps; i++)
		read_one(&in, data[1 + 2 * i], data[2 + 2 * i]);

	require(reader_end(&in) == (in.err == 0 && in.pos == in.end ? 0 : -EBADMSG));
	return 0;
}
