/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewal - its two messages
 */
#include "responders/kcm/renew_proto.h"

#include <endian.h>
#include <errno.h>

static void write_length(struct writer *out)
{
	writer_patch_u32(out, 0, htobe32((uint32_t)(out->size - sizeof(uint32_t))));
}

void renew_write_request(struct writer *out, const struct renew_request *request)
{
	writer_be32(out, 0);
	writer_be32(out, request->limit_s);
	writer_be32(out, (uint32_t)request->kdc_offset);
	writer_u8(out, request->validate);
	writer_bytes(out, request->credential.at, request->credential.size);
	write_length(out);
}

void renew_write_reply(struct writer *out, const struct renew_reply *reply)
{
	writer_be32(out, 0);
	writer_be32(out, (uint32_t)reply->code);
	writer_str(out, reply->text);
	writer_bytes(out, reply->credential.at, reply->credential.size);
	write_length(out);
}

/* All that is left. */
static struct bytes read_tgt(struct reader *in)
{
	struct reader rest = *in;
	struct credential credential = read_credential(&rest);

	if (reader_end(&rest) < 0 || !is_tgt(&credential) || !(credential.flags & TICKET_RENEWABLE))
		reader_fail(in);
	reader_bytes(in, reader_left(in));
	return credential.all;
}

int renew_read_request(struct reader *in, struct renew_request *ret_request)
{
	struct renew_request request = { 0 };
	uint8_t validate;
	int r;

	request.limit_s = reader_be32(in);
	request.kdc_offset = (int32_t)reader_be32(in);
	validate = reader_u8(in);
	request.credential = read_tgt(in);
	if (request.limit_s < 1 || request.limit_s > RENEW_LIMIT_MAX_S || validate > 1)
		reader_fail(in);
	r = reader_end(in);
	if (r < 0)
		return r;
	request.validate = validate;
	*ret_request = request;
	return 0;
}

int renew_read_reply(struct reader *in, struct renew_reply *ret_reply)
{
	struct renew_reply reply = { 0 };
	int r;

	reply.code = (int32_t)reader_be32(in);
	reply.text = reader_str(in, RENEW_TEXT_MAX, NULL);
	if (reply.code == 0)
		reply.credential = read_tgt(in);
	r = reader_end(in);
	if (r == 0)
		*ret_reply = reply;
	return r;
}
