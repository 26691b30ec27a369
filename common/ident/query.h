/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Query - what is asked: a kind of thing, and which one
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define QUERY_NAME_MAX 255 /* bytes */

enum query_kind {
	QUERY_USER_BY_NAME = 1,
	QUERY_USER_BY_ID,
	QUERY_GROUP_BY_NAME,
	QUERY_GROUP_BY_ID,
	QUERY_INITGROUPS, /* by name of the user */
	QUERY_ALL,        /* every user and group there is */
};

/* Asked of one domain. name is without the domain, as the client wrote it (not folded);
 * it is borrowed. */
struct query {
	enum query_kind kind;
	const char *name; /* NULL for the kinds by id, and for all */
	uint32_t id;      /* 0 for the kinds by name */
	bool unasked;     /* nobody waits for the answer: it is refreshed in the background */
};

static inline bool query_is_by_id(const struct query *query)
{
	return query->kind == QUERY_USER_BY_ID || query->kind == QUERY_GROUP_BY_ID;
}

/* The numbers and texts of sbus method getAccountInfo: entry type 1 user, 2 group, 3 initgroups;
 * filter "name=alice", "idnumber=1000" or "all", on mem. */
uint32_t query_entry_type(const struct query *query);
char *query_filter(TALLOC_CTX *mem, const struct query *query);

/* The way back; name is on mem. Errors: -EINVAL not understood, or a name that is empty, longer
 * than QUERY_NAME_MAX or not UTF-8; -ENOTSUP an entry type or filter that is not built yet. */
int query_parse(TALLOC_CTX *mem, uint32_t entry_type, const char *filter, struct query *ret_query);

/* "user alice", "uid 1000", "group staff", "gid 1000", "groups of alice": for log lines. On mem;
 * foreign text made printable. */
char *query_text(TALLOC_CTX *mem, const struct query *query);
