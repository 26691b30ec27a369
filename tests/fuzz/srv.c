/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: what a name server answers to a question for SRV records. Whatever is taken for a server
 * has a name and a port, and the order is one of priorities.
 */
#include <assert.h>
#include <stdint.h>

#include "backend/core/srv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct srv *records;
	uint32_t ttl_s;
	size_t count;

	if (srv_parse(mem, data, size, &records, &count, &ttl_s) == 0) {
		assert(count >= 1 && count <= SRV_MAX && ttl_s <= 86400);
		srv_sort(records, count);
		for (size_t i = 0; i < count; i++) {
			assert(*records[i].host && records[i].port > 0);
			assert(i == 0 || records[i - 1].priority <= records[i].priority);
		}
	}
	talloc_free(mem);
	return 0;
}
