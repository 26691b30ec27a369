/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: what getAccountInfo is asked. The first byte is the entry type, the rest the filter. What
 * parses is the same question when it is asked again.
 */
#include "common/ident/query.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_query(uint32_t entry_type, const char *filter)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct query query, again;

	if (query_parse(mem, entry_type, filter, &query) == 0) {
		assert(query_entry_type(&query) == entry_type);
		assert(query_parse(mem, entry_type, query_filter(mem, &query), &again) == 0);
		assert(again.kind == query.kind && again.id == query.id);
		if (query_is_by_id(&query) || query.kind == QUERY_ALL) {
			assert(!query.name && !again.name);
		} else {
			assert(strcmp(again.name, query.name) == 0);
			assert(strlen(query.name) - 1 < QUERY_NAME_MAX);
		}
		assert(query_text(mem, &query));
	}
	talloc_free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 1)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	try_query(data[0], text);
	free(text);
	return 0;
}
