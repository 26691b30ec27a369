/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewal - what sssd_kcm asks its helper, kcm_renew, and what that answers
 *
 *   request  | length: u32 | limit: u32 s | offset: u32 s | validate: u8 | credential |
 *   reply    | length: u32 | code: u32 of libkrb5's, 0 = renewed | text \0 | credential, if so |
 *
 * Network byte order; a length does not count itself; the offset is what the KDC's clock is ahead
 * of ours. One request a connection, which ends with the reply, or without one when the limit has
 * passed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/kcm.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "responders/kcm/cred.h"

#define RENEW_MESSAGE_MAX (256u << 10) /* a TGT is far smaller */
#define RENEW_TEXT_MAX    1000
#define RENEW_LIMIT_MAX_S 120

struct renew_request {
	uint32_t limit_s;
	int32_t kdc_offset;
	bool validate;
	struct bytes credential;
};

struct renew_reply {
	int32_t code;
	const char *text; /* what libkrb5 says about code */
	struct bytes credential;
};

/* Whole messages; writer_end() tells whether one fits. */
void renew_write_request(struct writer *out, const struct renew_request *request);
void renew_write_reply(struct writer *out, const struct renew_reply *reply);

/* What stands behind the length. The credential is one, and that of a renewable TGT; in a reply, if
 * it was renewed. Errors: -EBADMSG. */
int renew_read_request(struct reader *in, struct renew_request *ret_request);
int renew_read_reply(struct reader *in, struct renew_reply *ret_reply);
