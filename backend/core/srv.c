/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SRV - see srv.h
 *
 * c-ares understands the records, but keeps their TTL to itself; so the message is walked once
 * more for that alone.
 *
 *   | id, flags, questions, answers, two more counts: 6 × u16 | questions … | answers … | …
 *   a question   | name | type u16 | class u16 |
 *   an answer    | name | type u16 | class u16 | TTL u32 | size u16 | size bytes |
 */
#include "backend/core/srv.h"

#include <ares.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/wire/reader.h"

#define TTL_MAX_S 86400

/* Labels, then an empty one or a pointer to the rest (RFC 1035 section 4.1.4). */
static void skip_name(struct reader *in)
{
	for (;;) {
		uint8_t size = reader_u8(in); /* 0 after a failure, too */

		if (size == 0)
			return;
		if ((size & 0xc0) == 0xc0) {
			reader_u8(in);
			return;
		}
		if (size & 0xc0)
			reader_fail(in);
		reader_bytes(in, size);
	}
}

/* How long all the answers hold, those on the way to the records included. */
static int read_ttl(const void *bytes, size_t size, uint32_t *ret_ttl_s)
{
	struct reader in = reader_over(bytes, size);
	uint32_t ttl_s = TTL_MAX_S, one;
	unsigned questions, answers;

	reader_be32(&in);
	questions = reader_be16(&in);
	answers = reader_be16(&in);
	reader_be32(&in);
	for (unsigned i = 0; i < questions && reader_left(&in) > 0; i++) {
		skip_name(&in);
		reader_be32(&in);
	}
	for (unsigned i = 0; i < answers && reader_left(&in) > 0; i++) {
		skip_name(&in);
		reader_be32(&in);
		one = reader_be32(&in);
		if (one > INT32_MAX) /* RFC 2181 section 8 */
			one = 0;
		if (one < ttl_s)
			ttl_s = one;
		reader_bytes(&in, reader_be16(&in));
	}
	reader_bytes(&in, reader_left(&in));
	if (reader_end(&in) < 0)
		return -EBADMSG;
	*ret_ttl_s = ttl_s;
	return 0;
}

static int take(TALLOC_CTX *mem, const struct ares_srv_reply *reply, struct srv **ret_records,
                size_t *ret_count)
{
	struct srv *records = talloc_zero_array(mem, struct srv, SRV_MAX);
	size_t n = 0;

	if (!records)
		return -ENOMEM;
	for (; reply && n < SRV_MAX; reply = reply->next) {
		if (!*reply->host || strcmp(reply->host, ".") == 0 || reply->port == 0)
			continue;
		records[n] = (struct srv){
			.host = talloc_strdup(records, reply->host),
			.port = reply->port,
			.priority = reply->priority,
			.weight = reply->weight,
		};
		if (!records[n++].host) {
			talloc_free(records);
			return -ENOMEM;
		}
	}
	if (n == 0) {
		talloc_free(records);
		return -ENOENT;
	}
	*ret_records = records;
	*ret_count = n;
	return 0;
}

int srv_parse(TALLOC_CTX *mem, const void *bytes, size_t size, struct srv **ret_records,
              size_t *ret_count, uint32_t *ret_ttl_s)
{
	struct ares_srv_reply *reply = NULL;
	int r;

	if (size > UINT16_MAX)
		return -EBADMSG;
	r = read_ttl(bytes, size, ret_ttl_s);
	if (r < 0)
		return r;
	switch (ares_parse_srv_reply(bytes, (int)size, &reply)) {
	case ARES_SUCCESS:
		break;
	case ARES_ENODATA:
		return -ENOENT;
	case ARES_ENOMEM:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
	r = take(mem, reply, ret_records, ret_count);
	ares_free_data(reply);
	return r;
}

/* 0 to most. */
static uint32_t lot(uint32_t most)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = 0;
	return random % (most + 1);
}

static void swap(struct srv *a, struct srv *b)
{
	struct srv kept = *a;

	*a = *b;
	*b = kept;
}

/* Which of these comes first. One without a weight has a small chance beside those with one: it is
 * looked at before them, and the lot may be 0. */
static size_t draw(const struct srv *records, size_t count)
{
	uint32_t sum = 0, drawn;
	size_t zero = count;

	for (size_t i = 0; i < count; i++) {
		sum += records[i].weight;
		if (records[i].weight == 0)
			zero = i;
	}
	if (sum == 0)
		return lot((uint32_t)count - 1);
	drawn = lot(sum);
	if (drawn == 0 && zero < count)
		return zero;
	sum = 0;
	for (size_t i = 0; i < count; i++) {
		sum += records[i].weight;
		if (records[i].weight > 0 && sum >= drawn)
			return i;
	}
	return 0;
}

void srv_sort(struct srv *records, size_t count)
{
	for (size_t begin = 0; begin < count;) {
		size_t end = begin;
		uint16_t priority = UINT16_MAX;

		for (size_t i = begin; i < count; i++)
			if (records[i].priority < priority)
				priority = records[i].priority;
		for (size_t i = begin; i < count; i++)
			if (records[i].priority == priority)
				swap(&records[i], &records[end++]);
		for (; begin < end; begin++)
			swap(&records[begin], &records[begin + draw(&records[begin], end - begin)]);
	}
}
