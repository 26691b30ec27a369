/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lookup - answer one question from the cache, asking a backend only when it must
 */
#pragma once

#include <tevent.h>

#include "responders/core/locals.h"
#include "responders/core/negative.h"
#include "responders/core/resp.h"
#include "responders/core/setup.h"

/* What every lookup of the process shares. */
struct lookups {
	struct tevent_context *ev;
	const struct resp *resp;
	struct negative *negative;
	struct locals *locals;
	uint32_t negative_timeout_s, local_negative_timeout_s;
	uint32_t nowait_percent;
	struct entry current; /* what an answer points to; there is never more than one */
};

/* Most requests are answered without ever being named: their id is made when somebody else hears
 * of them. */
static inline void request_id_ensure(struct request_id *id)
{
	if (id->text[0] == '\0')
		*id = request_id_new();
}

/* Is it one that the configuration hides: by its own name, or by the principal of the user? The
 * domain's cache is being read. */
bool lookup_hides(const struct lookups *lookups, const struct setup *setup,
                  const struct domain *domain, const struct entry *entry);

/* Tries to answer without asking anybody. id is made when it is needed and empty.
 *
 * 0        ret_answer is valid until lookup_release(); the cache's read transaction is open
 * -ENOENT  known not to exist
 * -ESTALE  somebody must be asked: lookup_send() */
int lookup_cached(struct lookups *lookups, struct setup *setup, const struct question *question,
                  struct request_id *id, struct answer *ret_answer);
void lookup_release(const struct answer *answer);

/* For how many more seconds everybody may be told that it does not exist: no server that may know
 * it does. 0 for names but those of local users and groups: what somebody typed for a name may be a
 * password. */
uint32_t lookup_unknown_s(struct lookups *lookups, const struct setup *setup,
                          const struct question *question);

/* Where lookup_send() looked, and found it. */
struct found {
	struct setup *setup; /* pinned for the caller, who unpins it */
	size_t turn;
	bool unsure; /* a domain before it was silent or could not tell */
};

/* Asks the backends of the domains. question is borrowed until the request is freed, setup is
 * pinned.
 *
 * Each domain has a short head start before the next is asked as well, but their order decides:
 * what one of them has is the answer once all before it said that they do not have it or that they
 * cannot tell; a domain that is silent for longer than its share of time (backend_share_ms())
 * counts as one that cannot tell. One that has an old record of its own, or the user whose groups
 * are asked for, is not overtaken: whose name it is, is known. Only when every domain spoke is it
 * known not to be there.
 *
 * 0 from recv: the record is in a cache, to be had with lookup_found(). An old
 * record is the answer while its server cannot be asked. Errors: -ENOENT no source knows it, or
 * nobody can be reached and it was never seen; -ETIMEDOUT, -EIO it cannot be told. ret_found->setup
 * is set in any case. */
struct tevent_req *lookup_send(TALLOC_CTX *mem, struct lookups *lookups, struct setup *setup,
                               const struct question *question, const struct request_id *id);
int lookup_recv(struct tevent_req *req, struct found *ret_found);

/* Reads what lookup_send() found; like lookup_cached(), whatever its age. */
int lookup_found(struct lookups *lookups, const struct found *found,
                 const struct question *question, struct answer *ret_answer);
