/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests - the four forms in which a client asks (common/wire/proto.h)
 */
#include <errno.h>

#include "common/base/str.h"
#include "common/wire/proto.h"
#include "responders/nss/nss.h"

static int finish(const struct reader *in, const struct question *question,
                  struct question *ret_question)
{
	uint32_t both = PROTO_EX_NO_CACHE | PROTO_EX_INVALIDATE_CACHE;
	int r = reader_end(in);

	if (r < 0)
		return r;
	if ((question->flags & both) == both)
		return -EINVAL;
	*ret_question = *question;
	return 0;
}

/* Longer than any name is not found, not refused: the client's own limit is 256. */
static const char *read_name(struct reader *in)
{
	size_t size;
	const char *name = reader_str(in, PROTO_REQUEST_MAX, &size);

	if (name && (size == 0 || !str_is_utf8(name, size)))
		reader_fail(in);
	return name;
}

int parse_name(struct reader *in, enum query_kind kind, struct question *ret_question)
{
	struct question question = { .kind = kind };

	question.text = read_name(in);
	return finish(in, &question, ret_question);
}

int parse_id(struct reader *in, enum query_kind kind, struct question *ret_question)
{
	struct question question = { .kind = kind };

	question.id = reader_u32(in);
	return finish(in, &question, ret_question);
}

int parse_name_ex(struct reader *in, enum query_kind kind, struct question *ret_question)
{
	struct question question = { .kind = kind };

	question.text = read_name(in);
	question.flags = reader_u32(in);
	return finish(in, &question, ret_question);
}

int parse_id_ex(struct reader *in, enum query_kind kind, struct question *ret_question)
{
	struct question question = { .kind = kind };

	question.id = reader_u32(in);
	question.flags = reader_u32(in);
	return finish(in, &question, ret_question);
}
