/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Turn - see turn.h
 */
#include "backend/ldap/turn.h"

#include <errno.h>

#include "common/base/list.h"
#include "common/event/req.h"

struct turns {
	struct tevent_context *ev; /* borrowed */
	struct turn *held;         /* borrowed; NULL = by nobody */
	struct list waiting;       /* of struct turn_wait_state */
};

struct turn {
	struct turns *turns; /* borrowed */
	bool lent;
};

struct turn_wait_state {
	struct list node;
	struct tevent_req *req;
	struct turn *turn; /* owned, when it has come */
};

struct turns *turns_new(TALLOC_CTX *mem, struct tevent_context *ev)
{
	struct turns *turns = talloc_zero(mem, struct turns);

	if (!turns)
		return NULL;
	turns->ev = ev;
	list_init(&turns->waiting);
	return turns;
}

bool turns_are_free(const struct turns *turns)
{
	return !turns->held;
}

static void give_next(struct turns *turns);

static int turn_end(struct turn *turn)
{
	struct turns *turns = turn->turns;

	if (turns->held == turn) {
		turns->held = NULL;
		give_next(turns);
	}
	return 0;
}

static int give_to(struct turns *turns, struct turn_wait_state *state)
{
	state->turn = talloc_zero(state, struct turn);
	if (!state->turn)
		return -ENOMEM;
	state->turn->turns = turns;
	turns->held = state->turn;
	talloc_set_destructor(state->turn, turn_end);
	return 0;
}

static void give_next(struct turns *turns)
{
	while (!list_empty(&turns->waiting) && (!turns->held || turns->held->lent)) {
		struct turn_wait_state *state =
			list_item(turns->waiting.next, struct turn_wait_state, node);

		list_remove(&state->node);
		req_finish(state->req, give_to(turns, state));
	}
}

static void wait_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct turn_wait_state *state = tevent_req_data(req, struct turn_wait_state);

	(void)req_state;
	list_remove(&state->node);
}

struct tevent_req *turn_wait_send(TALLOC_CTX *mem, struct turns *turns)
{
	struct turn_wait_state *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct turn_wait_state);

	if (!req)
		return NULL;
	state->req = req;
	list_init(&state->node);
	list_append(&turns->waiting, &state->node);
	tevent_req_set_cleanup_fn(req, wait_cleanup);
	tevent_req_defer_callback(req, turns->ev);
	give_next(turns);
	return req;
}

int turn_wait_recv(struct tevent_req *req, TALLOC_CTX *mem, struct turn **ret_turn)
{
	struct turn_wait_state *state = tevent_req_data(req, struct turn_wait_state);
	int r = req_result(req);

	if (r == 0)
		*ret_turn = talloc_move(mem, &state->turn);
	tevent_req_received(req);
	return r;
}

void turn_lend(struct turn *turn)
{
	turn->lent = true;
	give_next(turn->turns);
}

bool turn_take_back(struct turn *turn)
{
	turn->lent = false;
	return turn->turns->held == turn;
}
