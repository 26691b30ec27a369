/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Callers - fairness between the users of this host (design §3, S14)
 *
 * Each uid but root's and our own may hold CALLER_CONNECTIONS connections and have CALLER_REQUESTS
 * requests under way; what is beyond waits, or is turned away, at that uid's own cost.
 *
 * Requests that are here are answered in rounds: one of each uid, however many connections it has.
 * Who comes first in its round is served at once. Others line up, and their uids take turns:
 *
 *   line    uid 5001  ─▶  uid 5002  ─▶  …      those that had no turn in this round stand first
 *   ready     A, B, C       D                  their clients
 *
 * The kernel tells of one ready connection after the other, never whether there are more, so a uid
 * whose second request is here cannot know whether it is in somebody's way. A round is over when
 * all connections that were ready have been looked at. That is known if one asks again that had its
 * answer since the round began, if nothing was to be done for a while, or else by a descriptor that
 * is always ready (client.c). And a uid that has been alone for long does not look so often.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "common/base/list.h"

#define CALLER_CONNECTIONS 256
#define CALLER_LEAVING     32 /* more that are on their way out */
#define CALLER_REQUESTS    64
#define CALLER_UNSENT      (8u << 20) /* one answer alone may be larger */
#define CALLER_TAKEN       (32u << 20)
#define CALLER_TURN_US     1000 /* of one that is alone; others may come meanwhile */

struct callers; /* a talloc object */

struct caller {
	struct list node;
	uid_t uid;
	bool exempt;
	unsigned connections, requests;
	size_t unsent;       /* bytes of answers it did not take yet, over all connections */
	size_t taken;        /* bytes of room for unfinished requests beyond the usual, likewise */
	unsigned idle;       /* connections without a request; counted only when one has to go */
	struct list waiting; /* of clients whose request waits until another of the uid has ended */

	struct list line;  /* in the line while any are ready */
	struct list ready; /* of struct turn */
	uint64_t round;    /* in which it had its last turn */
	uint64_t turn;     /* the number of that turn */
	int64_t used_us;   /* in that turn */
};

/* A client in line, or not. */
struct turn {
	struct list node;
	uint64_t number; /* the last one that began with this client */
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

/* The first of those that wait of a caller that may begin another request, or NULL; it is not taken
 * out. */
struct list *callers_next(struct callers *callers);

/* A request is here whose client is not in line: may it be answered at once? If not, it has to line
 * up.
 * arrived  it came just now, after the client had its last answer
 * now_us   of CLOCK_MONOTONIC */
bool caller_may_go(struct callers *callers, struct caller *caller, struct turn *turn, bool arrived,
                   int64_t now_us);
void caller_lines_up(struct callers *callers, struct caller *caller, struct turn *turn);

/* May be called of one that is not in line. */
void caller_leaves_line(struct caller *caller, struct turn *turn);

/* Takes the next one out of the line. NULL: there is none, or all had their turn in this round. */
struct turn *callers_turn(struct callers *callers);
void callers_begin_round(struct callers *callers);
bool callers_in_line(const struct callers *callers);

/* A request of this caller was worked on. */
void callers_served(struct callers *callers, struct caller *caller, int64_t began_us,
                    int64_t ended_us);

/* Descriptors ran out, and somebody has to pay: the uid with most idle connections, one that is
 * exempt only when nobody else has any; NULL when there are none. callers_count_idle() sets all
 * counts to 0, so that the caller can count. */
void callers_count_idle(struct callers *callers);
struct caller *callers_greediest(struct callers *callers);
