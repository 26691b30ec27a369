/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Commit - see commit.h
 */
#include "backend/ldap/commit.h"

#include <errno.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

static bool is_cached(struct cache *cache, const struct query *query)
{
	struct entry entry;
	int r = cache_begin(cache);

	if (r < 0)
		return true;
	r = cache_peek(cache, query, &entry); /* the writer would not find it either */
	cache_end(cache);
	return r != -ENOENT; /* what cannot be read is better removed, too */
}

/* Addresses of users are kept folded, whatever the domain does: records.c. */
static const char *stored_name(TALLOC_CTX *mem, const struct query *query)
{
	char *folded;

	if (!query->name || query->kind == QUERY_GROUP_BY_NAME || !strchr(query->name, '@') ||
	    str_fold(mem, query->name, &folded) < 0)
		return query->name;
	return folded;
}

int commit_removal(TALLOC_CTX *mem, const struct ldap_domain *domain, const struct query *asked,
                   struct cache_change **ret_change)
{
	struct query stored = { asked->kind, stored_name(mem, asked), asked->id };
	const struct query *query = &stored;
	/* A user's list of groups goes with the user, and a list may be there without its user. */
	struct query user = { .kind = QUERY_USER_BY_NAME, .name = query->name };
	struct cache *cache = cache_writer_reader(domain->host->writer);
	struct cache_change *change;
	int r;

	if (!is_cached(cache, query) &&
	    (query->kind != QUERY_INITGROUPS || !is_cached(cache, &user))) {
		*ret_change = NULL;
		return 0;
	}

	change = cache_change_new(mem, 0); /* nothing is put */
	if (!change)
		return -ENOMEM;
	r = cache_remove(change, query);
	if (r == 0 && query->kind == QUERY_INITGROUPS)
		r = cache_remove(change, &user);
	if (r < 0) {
		talloc_free(change);
		return r;
	}
	*ret_change = change;
	return 0;
}

static bool is_anothers(struct cache *cache, const struct query *query, const struct user *user)
{
	struct entry entry;
	bool anothers;

	if (cache_begin(cache) < 0)
		return false;
	anothers =
		cache_peek(cache, query, &entry) == 0 && strcmp(entry.user.name, user->name) != 0;
	cache_end(cache);
	return anothers;
}

int commit_user(struct cache_change *change, const struct ldap_domain *domain, const char *asked,
                const struct user *user)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct query query = { .kind = QUERY_USER_BY_NAME, .name = asked };
	int r = 0;

	if (!scratch)
		return -ENOMEM;
	if (asked && strchr(asked, '@')) {
		query.name = stored_name(scratch, &query);
		if (is_anothers(cache_writer_reader(domain->host->writer), &query, user))
			r = cache_remove(change, &query);
	}
	return r < 0 ? r : cache_put_user(change, user, domain->user_lifetime_s);
}
