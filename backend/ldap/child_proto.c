/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets - the two messages between a backend and ldap_child
 */
#include "backend/ldap/child_proto.h"

#include <endian.h>
#include <string.h>

static void write_length(struct writer *out)
{
	writer_patch_u32(out, 0, htobe32((uint32_t)(out->size - sizeof(uint32_t))));
}

void child_write_request(struct writer *out, const struct child_request *request)
{
	writer_be32(out, 0);
	writer_be32(out, request->limit_s);
	writer_str(out, request->domain);
	writer_str(out, request->host);
	write_length(out);
}

void child_write_reply(struct writer *out, const struct child_reply *reply)
{
	writer_be32(out, 0);
	writer_be32(out, reply->left_s);
	writer_str(out, reply->text);
	if (reply->left_s > 0) {
		writer_be32(out, (uint32_t)reply->base_size);
		writer_bytes(out, reply->base, reply->base_size);
		writer_bytes(out, reply->tickets, reply->tickets_size);
	}
	write_length(out);
}

int child_read_request(struct reader *in, struct child_request *ret_request)
{
	struct child_request request = { 0 };
	int r;

	request.limit_s = reader_be32(in);
	request.domain = reader_str(in, CHILD_NAME_MAX, NULL);
	request.host = reader_str(in, CHILD_NAME_MAX, NULL);
	if (request.limit_s < 1 || request.limit_s > CHILD_LIMIT_MAX_S)
		reader_fail(in);
	/* It becomes a part of a path. */
	if (request.domain && (!*request.domain || strcmp(request.domain, ".") == 0 ||
	                       strcmp(request.domain, "..") == 0 || strchr(request.domain, '/')))
		reader_fail(in);
	r = reader_end(in);
	if (r == 0)
		*ret_request = request;
	return r;
}

int child_read_reply(struct reader *in, struct child_reply *ret_reply)
{
	struct child_reply reply = { 0 };
	int r;

	reply.left_s = reader_be32(in);
	reply.text = reader_str(in, CHILD_TEXT_MAX, NULL);
	if (reply.left_s > 0) {
		reply.base_size = reader_be32(in);
		reply.base = reader_bytes(in, reply.base_size);
		reply.tickets_size = reader_left(in);
		reply.tickets = reader_bytes(in, reply.tickets_size);
		if (reply.base_size == 0)
			reader_fail(in);
	}
	r = reader_end(in);
	if (r == 0)
		*ret_reply = reply;
	return r;
}
