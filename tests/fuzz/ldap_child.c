/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both messages between a backend and ldap_child; what is accepted is written back the same
 */
#include <string.h>

#include "backend/ldap/child_proto.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	struct writer out = writer_new(CHILD_MESSAGE_MAX);
	struct child_request request;
	struct child_reply reply;

	if (size > CHILD_MESSAGE_MAX - FRAME_BE_SIZE)
		return 0;
	if (child_read_request(&in, &request) == 0) {
		require(request.limit_s >= 1 && request.limit_s <= CHILD_LIMIT_MAX_S);
		require(!strchr(request.domain, '/') && strcmp(request.domain, "..") != 0);
		child_write_request(&out, &request);
		require_written(&out, data, size);
	}
	in = reader_over(data, size);
	if (child_read_reply(&in, &reply) == 0) {
		require(strlen(reply.text) <= CHILD_TEXT_MAX);
		child_write_reply(&out, &reply);
		require_written(&out, data, size);
	}
	writer_free(&out);
	return 0;
}
