/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guess - see guess.h
 *
 *   guess_send ─▶ (parents) ─▶ searched ─▶ (commit) ─▶ committed ─▶ guess_recv
 *                                                          └─▶ keep, for guess_take
 */
#include "backend/ldap/guess.h"

#include <errno.h>
#include <string.h>

#include "backend/ldap/ahead.h"
#include "backend/ldap/gather.h"
#include "backend/ldap/link.h"
#include "backend/ldap/parents.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/event/timer.h"

#define JUST_NOW_S 1    /* between the questions of id(1) */
#define KEPT_MS    1000 /* what was found is no older than that when it is used */
#define WRONG_S    60   /* after a wrong guess there is none for so long */
#define N_LEVELS   2    /* the groups of the user, with the second the primary one */

struct guess {
	char *dn; /* owned: of the user who was noted, NULL = nobody, or it was guessed already */
	uint32_t gid;
	struct boottime when;
	bool wrong;
	struct boottime wrong_when;

	struct parents *found; /* owned, or NULL */
	char *found_dn;        /* owned: whose */
	uint64_t generation;   /* of the connection */
	uint32_t epoch;        /* of the cache */
	struct timer *forget;
};

struct guess_state {
	struct ldap_domain *domain; /* borrowed */
	uint32_t gid;
	char *dn;
	uint64_t generation;
	uint32_t epoch;
	struct parents *parents;
	struct tevent_req *search; /* NULL when it has ended */
};

static void searched(struct tevent_req *subreq);
static void committed(struct tevent_req *subreq);

struct guess *guess_new(TALLOC_CTX *mem)
{
	return talloc_zero(mem, struct guess);
}

void guess_note(struct guess *guess, const struct user *user)
{
	talloc_free(guess->dn);
	guess->dn = talloc_strdup(guess, user->dn);
	guess->gid = user->gid;
	guess->when = boottime_now();
}

bool guess_expects(const struct ldap_domain *domain, uint32_t gid)
{
	const struct guess *guess = domain->guess;
	struct boottime now = boottime_now();

	return domain->group_attrs.names[GROUP_MEMBER_DN] && domain->conf.group_nesting_level > 0 &&
	       guess->dn && guess->gid == gid && now.s - guess->when.s <= JUST_NOW_S &&
	       !(guess->wrong && now.s - guess->wrong_when.s <= WRONG_S) &&
	       !ahead_is_slow(domain->ahead);
}

static void was_wrong(struct guess *guess)
{
	guess->wrong = true;
	guess->wrong_when = boottime_now();
}

static void drop(struct guess *guess)
{
	TALLOC_FREE(guess->found);
	TALLOC_FREE(guess->found_dn);
	TALLOC_FREE(guess->forget);
}

static void nobody_came(void *data)
{
	struct guess *guess = data;

	guess->forget = NULL;
	drop(guess);
	was_wrong(guess);
}

static int guess_destroy(struct guess_state *state)
{
	if (state->search)
		ahead_was_slow(state->domain->ahead); /* nobody waits for it any more */
	return 0;
}

struct tevent_req *guess_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, uint32_t gid)
{
	struct tevent_context *ev = domain->host->ev;
	struct guess_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct guess_state);
	if (!req)
		return NULL;
	state->domain = domain;
	state->gid = gid;
	state->dn = talloc_move(state, &domain->guess->dn);
	state->generation = link_generation(domain->link);
	state->epoch = cache_epoch(cache_writer_reader(domain->host->writer));
	state->parents = parents_new(state, domain, state->dn);
	if (!state->parents || parents_gather(state->parents, gid) < 0)
		return req_finish_now(req, ev, -ENOMEM);
	state->search = parents_send(state, state->parents, id, N_LEVELS);
	if (tevent_req_nomem(state->search, req))
		return tevent_req_post(req, ev);
	talloc_set_destructor(state, guess_destroy);
	tevent_req_set_callback(state->search, searched, req);
	r = req_set_deadline(state->search, ev, deadline_in_ms(AHEAD_MS));
	return r < 0 ? req_finish_now(req, ev, r) : req;
}

/* Whoever asks for the groups next has a search less to do. */
static void keep(struct guess_state *state)
{
	struct guess *guess = state->domain->guess;

	drop(guess);
	guess->forget = timer_once(guess, state->domain->host->ev, KEPT_MS, nobody_came, guess);
	if (!guess->forget)
		return;
	guess->found = talloc_move(guess, &state->parents);
	guess->found_dn = talloc_move(guess, &state->dn);
	guess->generation = state->generation;
	guess->epoch = state->epoch;
}

static void searched(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct guess_state *state = tevent_req_data(req, struct guess_state);
	int r = parents_recv(subreq);

	TALLOC_FREE(state->search);
	if (r == -E_SIZE_LIMIT)
		was_wrong(state->domain->guess); /* this server cannot give so much at once */
	if (r == -ETIMEDOUT)
		ahead_was_slow(state->domain->ahead);
	if (r < 0) {
		req_finish(req, r);
		return;
	}
	if (!parents_gathered(state->parents)) {
		keep(state);
		req_finish(req, -ENOENT);
		return;
	}
	subreq = gather_commit_send(state, parents_gathered(state->parents), false);
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, committed, req);
}

static void committed(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct guess_state *state = tevent_req_data(req, struct guess_state);
	bool told = gather_told(parents_gathered(state->parents), state->gid);
	int r = gather_commit_recv(subreq);

	TALLOC_FREE(subreq);
	if (r == 0)
		keep(state);
	req_finish(req, r < 0 ? r : told ? 0 : -ENOENT);
}

int guess_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

struct parents *guess_take(struct ldap_domain *domain, TALLOC_CTX *mem, const char *dn)
{
	struct guess *guess = domain->guess;
	struct parents *found = NULL;

	if (!guess->found || strcmp(guess->found_dn, dn) != 0)
		return NULL;
	if (guess->generation == link_generation(domain->link) && link_conn(domain->link) &&
	    guess->epoch == cache_epoch(cache_writer_reader(domain->host->writer)))
		found = talloc_move(mem, &guess->found);
	drop(guess);
	return found;
}

const char *guess_waits_for(struct tevent_req *req)
{
	struct guess_state *state = tevent_req_data(req, struct guess_state);

	return state->search ? parents_wait_for(state->search) : "the cache to be written";
}
