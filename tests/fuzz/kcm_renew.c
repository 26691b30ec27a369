/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both messages between sssd_kcm and kcm_renew; what is accepted is written back the same
 */
#include <string.h>

#include "responders/kcm/renew_proto.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	struct writer out = writer_new(RENEW_MESSAGE_MAX);
	struct renew_request request;
	struct renew_reply reply;

	if (size > RENEW_MESSAGE_MAX - FRAME_BE_SIZE)
		return 0;
	if (renew_read_request(&in, &request) == 0) {
		require(request.limit_s >= 1 && request.limit_s <= RENEW_LIMIT_MAX_S);
		renew_write_request(&out, &request);
		require_written(&out, data, size);
	}
	in = reader_over(data, size);
	if (renew_read_reply(&in, &reply) == 0) {
		require(strlen(reply.text) <= RENEW_TEXT_MAX);
		renew_write_reply(&out, &reply);
		require_written(&out, data, size);
	}
	writer_free(&out);
	return 0;
}
