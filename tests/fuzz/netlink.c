/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A datagram of rtnetlink(7): only the kernel's are read, and these, too, are walked with care
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* its own, so that ASan sees a step beyond */

	memcpy(copy, data, size);
	/* A change that is seen in the front part is seen in the whole, too. */
	if (network_is_change(copy, size / 2) && !network_is_change(copy, size))
		abort();
	free(copy);
	return 0;
}
