/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metrics as text - the files of all processes, for people and for what collects
 *
 * OpenMetrics 1.0, a text of lines that ends with "# EOF". A family's samples stand together, so
 * all files are read first. The names and meanings are those of sssctl(8).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/metrics/metrics.h"

struct metrics_file {
	const char *name; /* borrowed; the file's, any bytes but '/' and NUL */
	enum metrics_program program;
	uint64_t cells[METRICS_CELLS];
};

/* Reads what metrics.h draws, whoever wrote it; name is left alone. Errors: -EPROTONOSUPPORT of
 * another version; -EBADMSG. */
int metrics_read(const void *bytes, size_t size, struct metrics_file *ret_file);

/* Writes the text to out, whose own error tells whether that worked. */
void metrics_print(FILE *out, const struct metrics_file *files, size_t n_files);

/* The name of the family that counts cell for program, without its suffix; NULL: it does not. */
const char *metrics_family_of(unsigned cell, enum metrics_program program);
