/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Callers - fairness between the users of this host (design §3, S14)
 *
 * Each uid but root's and our own may hold CALLER_CONNECTIONS connections and have CALLER_REQUESTS
 * requests under way; what is beyond waits, or is turned away, at that uid's own cost.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>

#include "common/base/list.h"

#define CALLER_CONNECTIONS 256
#define CALLER_LEAVING     32 /* more that are on their way out */
#define CALLER_REQUESTS    64
#define CALLER_UNSENT      (8u << 20) /* one answer alone may be larger */
#define CALLER_TAKEN       (32u << 20)

struct callers; /* a talloc object */

struct caller {
	struct list node;
	uid_t uid;
	bool exempt;
	unsigned connections, requests;
	size_t unsent;       /* bytes of answers it did not take yet, over all connections */
	size_t taken;        /* bytes of room for unfinished requests beyond the usual, likewise */
	unsigned idle;       /* connections without a request; counted only when one has to go */
	struct list waiting; /* of clients whose request waits for its turn */
};

struct callers *callers_new(TALLOC_CTX *mem);

/* The caller of a new connection, counted; NULL when that uid has enough of them (or without
 * memory). callers_left() takes the connection back. */
struct caller *callers_came(struct callers *callers, uid_t uid);
void callers_left(struct callers *callers, struct caller *caller);

/* The same for one connection too many, when another of that uid is about to go. NULL when too many
 * of them are, which stay if they have something to wait for. */
struct caller *callers_came_over(struct callers *callers, uid_t uid);

/* May this caller have another request under way? Counted when true; caller_finished() takes it
 * back. What is answered from the cache is never under way. */
bool caller_begins(struct caller *caller);
void caller_finished(struct caller *caller);

/* The first in line of a caller that may begin another request, or NULL; it is not taken out. */
struct list *callers_next(struct callers *callers);

/* Descriptors ran out, and somebody has to pay: the uid with most idle connections, one that is
 * exempt only when nobody else has any; NULL when there are none. callers_count_idle() sets all
 * counts to 0, so that the caller can count. */
void callers_count_idle(struct callers *callers);
struct caller *callers_greediest(struct callers *callers);
