/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Negative - what the server said a moment ago it does not have
 *
 * Key: | domain: u32 | kind: u32 | id: u32 | name, without a NUL |
 */
#include "responders/core/negative.h"

#include <string.h>

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/time.h"
#include "common/wire/proto.h"

/* A folded name is at most three times as long as the one that was asked. */
#define KEY_MAX (3 * sizeof(uint32_t) + 3 * PROTO_NAME_MAX)

struct negative {
	struct map *map;
	struct list usual, local; /* of struct no, in order of arrival */
	size_t max_entries;
};

struct no {
	struct list node;
	struct boottime until, local_until; /* the latter is not before the former */
	uint32_t epoch;
	size_t key_size;
	uint8_t key[];
};

struct negative *negative_new(TALLOC_CTX *mem, size_t max_entries)
{
	struct negative *negative = talloc_zero(mem, struct negative);

	if (!negative)
		return NULL;
	negative->map = map_new(negative);
	if (!negative->map) {
		talloc_free(negative);
		return NULL;
	}
	list_init(&negative->usual);
	list_init(&negative->local);
	negative->max_entries = max_entries;
	return negative;
}

/* The size of the key in ret_key; 0 when the name is too long to be anybody's. */
static size_t make_key(uint8_t ret_key[KEY_MAX], uint32_t domain_key, const struct query *query)
{
	uint32_t numbers[3] = { domain_key, query->kind, query->id };
	size_t name_size = query->name ? strlen(query->name) : 0;

	if (sizeof(numbers) + name_size > KEY_MAX)
		return 0;
	memcpy(ret_key, numbers, sizeof(numbers));
	if (name_size)
		memcpy(ret_key + sizeof(numbers), query->name, name_size);
	return sizeof(numbers) + name_size;
}

static void forget(struct negative *negative, struct no *no)
{
	map_remove(negative->map, no->key, no->key_size);
	list_remove(&no->node);
	talloc_free(no);
}

bool negative_is_empty(const struct negative *negative)
{
	return list_empty(&negative->usual) && list_empty(&negative->local);
}

static uint32_t left_s(struct boottime until)
{
	int64_t left = until.s - boottime_now().s;

	return left > 0 ? (uint32_t)left : 0;
}

uint32_t negative_left_s(const struct negative *negative, uint32_t domain_key,
                         const struct query *query, uint32_t since, uint32_t *ret_local_s)
{
	uint8_t key[KEY_MAX];
	size_t size = make_key(key, domain_key, query);
	const struct no *no = size ? map_get(negative->map, key, size) : NULL;

	if (no && no->epoch < since)
		no = NULL;
	*ret_local_s = no ? left_s(no->local_until) : 0;
	return no ? left_s(no->until) : 0;
}

static void forget_oldest(struct negative *negative)
{
	struct list *list = list_empty(&negative->usual) ? &negative->local : &negative->usual;

	forget(negative, list_item(list->next, struct no, node));
}

void negative_add(struct negative *negative, uint32_t domain_key, const struct query *query,
                  uint32_t epoch, uint32_t timeout_s, uint32_t local_s)
{
	struct boottime now = boottime_now();
	uint8_t key[KEY_MAX];
	size_t size = make_key(key, domain_key, query);
	struct no *no;

	if (local_s < timeout_s)
		local_s = timeout_s;
	if (!size || local_s == 0)
		return;
	negative_remove(negative, domain_key, query);

	negative_expire(negative);
	if (map_count(negative->map) >= negative->max_entries)
		forget_oldest(negative);

	no = talloc_size(negative, sizeof(*no) + size);
	if (!no)
		return;
	list_init(&no->node);
	no->until.s = now.s + timeout_s;
	no->local_until.s = now.s + local_s;
	no->epoch = epoch;
	no->key_size = size;
	memcpy(no->key, key, size);
	if (map_set(negative->map, key, size, no) < 0) {
		talloc_free(no);
		return;
	}
	list_append(local_s > timeout_s ? &negative->local : &negative->usual, &no->node);
}

void negative_remove(struct negative *negative, uint32_t domain_key, const struct query *query)
{
	uint8_t key[KEY_MAX];
	size_t size = make_key(key, domain_key, query);
	struct no *no = size ? map_get(negative->map, key, size) : NULL;

	if (no)
		forget(negative, no);
}

static void expire(struct negative *negative, const struct list *list, struct boottime now)
{
	while (!list_empty(list)) {
		struct no *no = list_item(list->next, struct no, node);

		if (now.s < no->local_until.s)
			return;
		forget(negative, no);
	}
}

void negative_expire(struct negative *negative)
{
	struct boottime now = boottime_now();

	expire(negative, &negative->usual, now);
	expire(negative, &negative->local, now);
}

void negative_clear(struct negative *negative)
{
	while (!negative_is_empty(negative))
		forget_oldest(negative);
}
