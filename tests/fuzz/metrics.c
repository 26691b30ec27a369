/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file of metrics, and the text that is made of it.
 *
 *   | name \0 | the file |     what is behind the fuzzer's bytes is filled up with zeros
 */
#include <stdlib.h>
#include <string.h>

#include "common/metrics/text.h"
#include "common/wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every line is a comment, or a sample of at most this. */
#define VALUE_MAX (64 * METRICS_CELL_MAX)

static void check_text(char *text)
{
	char *end = NULL;

	for (char *line = strtok_r(text, "\n", &end); line; line = strtok_r(NULL, "\n", &end)) {
		char *value = strrchr(line, ' ');

		if (line[0] == '#')
			continue;
		if (strncmp(line, "sssd_", 5) != 0 || !value || value[-1] != '}' ||
		    strtoull(value, NULL, 10) > VALUE_MAX)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	struct metrics_file file = { .name = reader_str(&in, 255, NULL) };
	size_t left = reader_left(&in), room = left < METRICS_FILE ? METRICS_FILE : left, text_size;
	uint8_t *bytes;
	char *text = NULL;
	FILE *out;

	if (!file.name)
		return 0;
	bytes = calloc(1, room); /* its own, so that ASan guards its end */
	memcpy(bytes, in.pos, left);
	if (metrics_read(bytes, room, &file) == 0) {
		out = open_memstream(&text, &text_size);
		metrics_print(out, &file, 1);
		fclose(out);
		check_text(text);
		free(text);
	}
	free(bytes);
	return 0;
}
