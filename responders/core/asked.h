/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Asked - a question as one domain understands it, and what is known of it without asking anybody
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/proto.h"
#include "responders/core/lookup.h"

#define ASKED_FOLDED_MAX (PROTO_NAME_MAX * 3 / 2) /* folding makes three bytes of two at most */

struct asked {
	const struct domain *domain;
	const char *text;    /* borrowed: as the client wrote it; NULL by id */
	struct query query;  /* for its backend */
	struct query cached; /* for its cache, where addresses are folded in any domain */
	char name[PROTO_NAME_MAX + 1], folded[ASKED_FOLDED_MAX + 1];
};

/* Root and our own user belong to the files, whatever a directory says. */
bool asked_is_local(const char *name);

/* Is the domain asked about this id? Not about ours, nor outside of its min_id and max_id. */
bool asked_id_is_possible(const struct setup *setup, const struct domain *domain, bool is_group,
                          uint32_t id);

/* Each domain has two turns: first all are asked by the name that the text is for them, then those
 * for which it may be an address as a whole. */
size_t asked_turns(const struct setup *setup);
bool asked_second_begins(const struct setup *setup, size_t turn);

/* What the domain of that turn is to be asked. False: it cannot know it, and is not asked. */
bool asked_of(const struct question *question, const struct setup *setup, size_t turn,
              struct asked *ret_asked);

/* Does the configuration hide the name that is asked for? */
bool asked_is_hidden(const struct lookups *lookups, const struct setup *setup,
                     const struct asked *asked);

/* ---- the negative cache ---- */

/* Is it known not to be in the domain? Local users and groups for whom it was asked count. */
bool asked_is_negative(const struct lookups *lookups, const struct asked *asked);

/* For how many more seconds; 0 for names but those of local users and groups. */
uint32_t asked_unknown_s(const struct lookups *lookups, const struct asked *asked);

/* The server does not have it, as was asked in this epoch of the cache. */
void asked_set_negative(struct lookups *lookups, const struct asked *asked, uint32_t epoch);

/* The domain has the entry, as has just been seen: it was asked for by query. */
void asked_clear_negative(struct lookups *lookups, const struct domain *domain,
                          const struct query *query, const struct entry *entry);
