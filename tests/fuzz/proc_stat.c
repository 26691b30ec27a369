/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /proc/PID/stat: the name in it is whatever a process calls itself
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/liveness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t ticks;
	char state;

	memcpy(text, data, size);
	text[size] = '\0';
	if (liveness_parse_stat(text, &state, &ticks) == 0 && !isalpha((unsigned char)state))
		abort();
	free(text);
	return 0;
}
