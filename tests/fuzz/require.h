/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Require - what must be true whatever the input was
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "common/wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(int truth)
{
	if (!truth)
		abort();
}

/* A message that was read from data is written as that again, its length in front (frame.h).
 * Empties out. */
static inline void require_written(struct writer *out, const uint8_t *data, size_t size)
{
	require(out->err == 0 && out->size == FRAME_BE_SIZE + size);
	require(memcmp(out->bytes + FRAME_BE_SIZE, data, size) == 0);
	writer_reset(out);
}
