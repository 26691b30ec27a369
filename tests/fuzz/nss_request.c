/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every request form of the nss responder: the first byte chooses the form, the rest is the body
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "responders/nss/nss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const forms[])(struct reader *, enum query_kind, struct question *) = {
		parse_name, parse_id, parse_name_ex, parse_id_ex
	};
	struct question question = { 0 };
	struct reader in;
	uint8_t *body;

	if (size < 1)
		return 0;
	body = malloc(size); /* its own allocation, so that ASan sees a step beyond */
	memcpy(body, data + 1, size - 1);
	in = reader_over(body, size - 1);
	if (forms[data[0] % 4](&in, QUERY_USER_BY_NAME, &question) == 0) {
		assert((question.flags & 3) != 3);
		if (question.text) {
			assert(strlen(question.text) > 0);
			assert(str_is_utf8(question.text, strlen(question.text)));
		}
	}
	free(body);
	return 0;
}
