/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Turn - searches in pages take turns
 *
 * Of such a search a server keeps the place it has come to (RFC 2696); slapd keeps one on each
 * connection, that of the search that began last. So there is one at a time, and whoever needs
 * long, with work of its own between two pages, lends its turn meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

struct turns; /* a talloc object */
struct turn;  /* so, too; to free it ends it */

struct turns *turns_new(TALLOC_CTX *mem, struct tevent_context *ev);

/* Does nobody have it, nor has lent it? */
bool turns_are_free(const struct turns *turns);

struct tevent_req *turn_wait_send(TALLOC_CTX *mem, struct turns *turns);

/* Errors: -ENOMEM. */
int turn_wait_recv(struct tevent_req *req, TALLOC_CTX *mem, struct turn **ret_turn);

/* From now on it goes to the first who waits for one. */
void turn_lend(struct turn *turn);

/* Returns whether it is still there; if not, so is the place, and the search must begin anew in
 * another turn. */
bool turn_take_back(struct turn *turn);
