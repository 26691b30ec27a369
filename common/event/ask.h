/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ask - the other side of a conversation with a helper (helper.h): one message there, one back
 *
 * Both begin with their length (frame.h, frame_be_length()). The answer may hold keys and tickets,
 * and is wiped when it has been used; so is the message, if its writer is secretive.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/wire/reader.h"
#include "common/wire/writer.h"

/* fd       connected, non-blocking; it is closed with the request
 * message  its bytes are taken over, and it is empty then
 * max      bytes of an answer
 * limit_ms until when the answer must be there; the helper's own limit should be less. */
struct tevent_req *ask_send(TALLOC_CTX *mem, struct tevent_context *ev, int fd,
                            struct writer *message, uint32_t max, int64_t limit_ms);

/* ret_body is what stands behind the length: it lies in req, and has to be used before that is
 * freed. Errors: -E_DISCONNECTED the helper ended without an answer; -ETIMEDOUT; -EBADMSG and
 * -EMSGSIZE the answer is none. */
int ask_recv(struct tevent_req *req, struct reader *ret_body);
