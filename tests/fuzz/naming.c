/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzzer - re_expression and full_name_format: "EXPRESSION\nTEXT\nFORMAT"
 */
#include "common/conf/naming.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_within(const char *part, size_t size, const char *text)
{
	assert(!part || (part >= text && part + size <= text + strlen(text) && size > 0));
}

static void try_split(const struct name_pattern *pattern, const char *text)
{
	struct name_parts parts;

	if (!name_split(pattern, text, &parts))
		return;
	assert(parts.name);
	expect_within(parts.name, parts.name_size, text);
	expect_within(parts.domain, parts.domain_size, text);
}

static void try_format(const char *format)
{
	struct name_format_walk walk = { format, 0 };
	const char *fault = name_format_fault(format);
	struct name_piece piece;
	bool has_name = false;
	size_t size = 0;

	while (name_format_next(&walk, &piece)) {
		has_name = has_name || piece.argument == 1;
		assert(piece.argument <= 3 && piece.size > 0);
		size += piece.size;
	}
	assert(size <= strlen(format));
	assert((fault == NULL) == (has_name && !*walk.rest));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	char *rest = talloc_strndup(mem, (const char *)data, size);
	char *expression = strsep(&rest, "\n"), *text = strsep(&rest, "\n");
	struct name_pattern *pattern = NULL;
	char *reason;

	/* The daemon reads no other text. */
	if (text && str_is_utf8(text, strlen(text))) {
		try_split(NULL, text);
		if (name_pattern_new(mem, expression, &pattern, &reason) == 0)
			try_split(pattern, text);
	}
	if (rest)
		try_format(rest);
	return 0;
}
