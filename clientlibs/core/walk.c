/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walk - all entries of a map, one after the other (setpwent, getpwent, endpwent)
 */
#include "clientlibs/core/walk.h"

#include <errno.h>

#include "common/wire/frame.h"
#include "common/wire/proto.h"

#define WALK_MS     65000 /* a first pass through the directory, and 5 s (design.md section 4) */
#define ENTRIES_MAX 256u  /* per reply; upstream's server sends as many as it likes */

struct walk walk_new(void)
{
	return (struct walk){ .conn = conn_new(), .request = writer_new(PROTO_REQUEST_MAX) };
}

void walk_free(struct walk *walk)
{
	conn_free(&walk->conn);
	writer_free(&walk->request);
	*walk = (struct walk){ .conn = walk->conn, .request = walk->request };
}

void walk_rewind(struct walk *walk)
{
	walk_free(walk); /* the responder forgets the place with the connection */
}

void walk_lose(struct walk *walk, int r)
{
	walk_free(walk);
	walk->lost = r;
}

void walk_adopt(struct walk *walk)
{
	conn_adopt(&walk->conn);
	if (walk->begun && !walk->finished)
		walk->lost = -ECONNRESET;
}

void walk_taken(struct walk *walk, const struct reader *entry)
{
	walk->entries = *entry;
	walk->left--;
}

/* | max: u32 |   or nothing, for max 0 */
static int ask(struct walk *walk, uint32_t command, uint32_t max, int64_t deadline,
               struct reader *ret_body)
{
	struct writer *request = &walk->request;
	int r;

	writer_reset(request);
	frame_begin(request, command, 0);
	if (max > 0)
		writer_u32(request, max);
	r = frame_finish(request);
	if (r == 0)
		r = conn_ask(&walk->conn, request, deadline, false);
	if (r == 0)
		r = conn_reply(&walk->conn, request, ret_body);
	return r;
}

/* | number: u32 | 0: u32 | entries … | */
static int fetch(struct walk *walk, uint32_t set, uint32_t get)
{
	int64_t deadline = conn_now_ms() + WALK_MS;
	struct reader body;
	uint32_t left;
	int r = 0;

	if (!walk->begun) {
		r = conn_open(&walk->conn, deadline);
		if (r == 0)
			r = ask(walk, set, 0, deadline, &body);
		walk->begun = true;
	} else if (!conn_is_open(&walk->conn)) {
		r = -ECONNRESET;
	}
	if (r == 0)
		r = ask(walk, get, ENTRIES_MAX, deadline, &body);
	if (r < 0)
		return r;

	left = reader_u32(&body);
	reader_u32(&body);
	if (body.err < 0)
		return body.err;
	walk->left = left;
	walk->entries = body;
	walk->finished = left == 0;
	return 0;
}

int walk_next(struct walk *walk, uint32_t set, uint32_t get, struct reader *ret_entry)
{
	int r;

	if (walk->lost == 0 && walk->left == 0 && !walk->finished) {
		r = fetch(walk, set, get);
		if (r < 0)
			walk_lose(walk, r);
	}
	if (walk->lost < 0)
		return walk->lost;
	if (walk->left == 0)
		return 0;
	*ret_entry = walk->entries;
	return 1;
}
