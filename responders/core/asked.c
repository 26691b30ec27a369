/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Asked - a question as one domain understands it, and what is known of it without asking anybody
 */
#include "responders/core/asked.h"

#include <errno.h>
#include <string.h>

#include "common/base/account.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/ident/accept.h"
#include "responders/core/names.h"

/* ---- which domains, and what to ask each ---- */

/* systemd asks for us by name while it starts our units, and must not wait for a server then
 * (spec/systemd-notes.md §1). */
bool asked_is_local(const char *name)
{
	return account_is_local_name(name);
}

bool asked_id_is_possible(const struct setup *setup, const struct domain *domain, bool is_group,
                          uint32_t id)
{
	return id != (is_group ? setup->own_gid : setup->own_uid) &&
	       accept_id(id, domain->conf.min_id, domain->conf.max_id) == ACCEPTED;
}

/* A user's name with an '@' is looked up as an address, too, in which no case counts. */
static bool fold_address(struct asked *asked)
{
	auto_talloc char *folded = NULL;

	if (!strchr(asked->name, '@'))
		return true;
	if (str_fold(NULL, asked->name, &folded) < 0 || strlen(folded) > ASKED_FOLDED_MAX)
		return false;
	memcpy(asked->folded, folded, strlen(folded) + 1);
	asked->cached.name = asked->folded;
	return true;
}

size_t asked_turns(const struct setup *setup)
{
	return setup->n_domains * 2;
}

bool asked_second_begins(const struct setup *setup, size_t turn)
{
	return turn == setup->n_domains;
}

bool asked_of(const struct question *question, const struct setup *setup, size_t turn,
              struct asked *ret_asked)
{
	bool first = turn < setup->n_domains;
	bool is_user = question->kind != QUERY_GROUP_BY_NAME; /* groups have no addresses */
	const struct domain *domain = &setup->domains[first ? turn : turn - setup->n_domains];

	ret_asked->domain = domain;
	ret_asked->text = question->text;
	ret_asked->query = (struct query){ .kind = question->kind, .id = question->id };
	ret_asked->cached = ret_asked->query;
	if (!question->text)
		return first &&
		       asked_id_is_possible(setup, domain, question->kind == QUERY_GROUP_BY_ID,
		                            question->id);
	if (!first && !strchr(question->text, '@'))
		return false;

	if (names_read(domain, question->text, ret_asked->name)) {
		if (asked_is_local(ret_asked->name))
			return false;
	} else if (first) {
		return false;
	}
	if (!first && !names_read_whole(setup, domain, question->text, is_user, ret_asked->name))
		return false;
	ret_asked->query.name = ret_asked->cached.name = ret_asked->name;
	return accept_name(ret_asked->name) == ACCEPTED && (!is_user || fold_address(ret_asked));
}

static enum entry_kind entry_kind_of(enum query_kind kind)
{
	switch (kind) {
	case QUERY_GROUP_BY_NAME:
	case QUERY_GROUP_BY_ID:
		return ENTRY_GROUP;
	case QUERY_INITGROUPS:
		return ENTRY_INITGROUPS;
	default:
		return ENTRY_USER;
	}
}

bool asked_is_hidden(const struct lookups *lookups, const struct setup *setup,
                     const struct asked *asked)
{
	return asked->query.name && lookups->resp->hides &&
	       lookups->resp->hides(setup->conf, asked->domain, entry_kind_of(asked->query.kind),
	                            asked->query.name);
}

/* ---- what is known not to be there ---- */

/* The negative cache compares bytes, so names are folded where the domain folds them; *ret_name is
 * then to be freed. */
static int negative_query(const struct domain *domain, const struct query *query,
                          struct query *ret_folded, char **ret_name)
{
	*ret_folded = *query;
	*ret_name = NULL;
	if (!query->name || domain->store->names != CACHE_CASE_FOLDED)
		return 0;
	if (str_fold(NULL, query->name, ret_name) < 0)
		return -EILSEQ;
	ret_folded->name = *ret_name;
	return 0;
}

/* For how many more seconds it is known not to be there, and *ret_local_s for one of this machine's
 * own. Nothing counts that was asked before it was touched. */
static uint32_t negative_s(const struct lookups *lookups, const struct asked *asked,
                           uint32_t *ret_local_s)
{
	const struct store *store = asked->domain->store;
	enum entry_kind kind = entry_kind_of(asked->query.kind);
	auto_talloc char *name = NULL;
	struct query folded;
	uint32_t since;

	*ret_local_s = 0;
	if (negative_is_empty(lookups->negative) ||
	    negative_query(asked->domain, &asked->cached, &folded, &name) < 0)
		return 0;
	since = store_touched(store, kind == ENTRY_GROUP ? kind : ENTRY_USER, folded.name);
	return negative_left_s(lookups->negative, store->key, &folded, since, ret_local_s);
}

/* Do the files of this machine have it? They know no domains: bob@corp is not the bob in them. */
static bool is_in_files(const struct lookups *lookups, const struct asked *asked)
{
	struct query query = asked->query;

	query.name = asked->text;
	return locals_have(lookups->locals, &query);
}

bool asked_is_negative(const struct lookups *lookups, const struct asked *asked)
{
	uint32_t local_s;

	return negative_s(lookups, asked, &local_s) > 0 ||
	       (local_s > 0 && is_in_files(lookups, asked));
}

uint32_t asked_unknown_s(const struct lookups *lookups, const struct asked *asked)
{
	uint32_t local_s, left_s = negative_s(lookups, asked, &local_s);

	if (local_s > left_s && is_in_files(lookups, asked))
		return local_s;
	return asked->query.name ? 0 : left_s;
}

/* The server does not have it. Nor will it soon have somebody of this machine's own, for whom it
 * would be asked again and again: programs want the groups of a user from all sources. */
void asked_set_negative(struct lookups *lookups, const struct asked *asked, uint32_t epoch)
{
	auto_talloc char *name = NULL;
	struct query folded;
	uint32_t local_s = lookups->local_negative_timeout_s;

	if (negative_query(asked->domain, &asked->cached, &folded, &name) < 0)
		return;
	if (local_s > 0 && !is_in_files(lookups, asked))
		local_s = 0;
	negative_add(lookups->negative, asked->domain->store->key, &folded, epoch,
	             lookups->negative_timeout_s, local_s);
}

/* Under what was asked for, and under its own name and id. */
void asked_clear_negative(struct lookups *lookups, const struct domain *domain,
                          const struct query *query, const struct entry *entry)
{
	bool is_group = entry->kind == ENTRY_GROUP;
	struct query named = { .kind = is_group ? QUERY_GROUP_BY_NAME : QUERY_USER_BY_NAME,
		               .name = entry_name(entry) };
	struct query numbered = { .kind = is_group ? QUERY_GROUP_BY_ID : QUERY_USER_BY_ID,
		                  .id = is_group ? entry->group.gid : entry->user.uid };
	const struct query *queries[] = { query, &named, &numbered };
	size_t n = entry->kind == ENTRY_INITGROUPS ? 2 : 3;

	if (negative_is_empty(lookups->negative))
		return;
	for (size_t i = 0; i < n; i++) {
		auto_talloc char *name = NULL;
		struct query folded;

		if (negative_query(domain, queries[i], &folded, &name) == 0)
			negative_remove(lookups->negative, domain->store->key, &folded);
	}
}
