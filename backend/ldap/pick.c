/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pick - see pick.h
 */
#include "backend/ldap/pick.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"

/* A name goes before another of somebody's names, and an address: of users who answer to one, a
 * principal goes before where somebody gets mail. upn NULL: it is a group. */
static int rank(const struct pick *pick, const char *name, const char *upn)
{
	if (!pick->asked || strcasecmp(name, pick->asked) == 0)
		return 0;
	return !upn || strcasecmp(upn, pick->asked) == 0 ? 1 : 2;
}

static int rank_of_taken(const struct pick *pick)
{
	return pick->kind == PICK_USER ? rank(pick, pick->user.name, pick->user.upn)
	                               : rank(pick, pick->group.name, NULL);
}

/* Does the new one, of that rank, come after the one that was taken already? */
static bool comes_after(const struct pick *pick, const struct entry_values *values, int new_rank)
{
	int before = new_rank - rank_of_taken(pick);

	return before > 0 || (before == 0 && strcasecmp(pick->values->dn, values->dn) < 0);
}

/* Is one of the values of attr the name that was asked for? folded is that, folded. */
static int is_called(const struct entry_values *values, size_t attr, const char *folded)
{
	const struct berval *value = values->values[attr];

	for (; value && value->bv_val; value++) {
		auto_talloc char *name = NULL;
		int r = str_fold(NULL, value->bv_val, &name);

		if (r == -ENOMEM)
			return r;
		if (r == 0 && strcmp(name, folded) == 0)
			return true;
	}
	return false;
}

/* Does the entry answer the question? By the rules of the cache, in which the answer is looked for:
 * what a server finds alike beyond these could not be found there. */
static int is_asked_for(const struct pick *pick, const struct entry_values *values, uint32_t number)
{
	static const size_t addresses[] = { USER_PRINCIPAL, USER_EMAIL };
	size_t attr = pick->kind == PICK_USER ? USER_NAME : GROUP_NAME;
	auto_talloc char *folded = NULL;
	int r;

	if (!pick->asked)
		return number == pick->number;
	if (entry_has_value(values, attr, pick->asked))
		return true;
	r = str_fold(NULL, pick->asked, &folded);
	if (r < 0)
		return r == -ENOMEM ? r : false;
	r = is_called(values, attr, folded);
	for (size_t i = 0; i < str_size(addresses) && r == 0; i++)
		if (pick->kind == PICK_USER && strchr(folded, '@'))
			r = is_called(values, addresses[i], folded);
	return r;
}

/* Takes values, with what is in them, or leaves them as they are: *ret_taken. */
static int consider(struct pick *pick, struct entry_values *values, bool *ret_taken)
{
	struct ldap_domain *domain = pick->domain;
	const struct ldap_conf *conf = &domain->conf;
	const char *reason;
	struct group group;
	struct user user;
	int r, new_rank;

	if (pick->values && strcasecmp(pick->values->dn, values->dn) == 0)
		return 0; /* the same entry: search bases may overlap */

	/* What the record needs besides its entry hangs below that. */
	if (pick->kind == PICK_USER)
		reason = user_from(values, values, conf->user_name, pick->asked, &domain->range,
		                   &domain->user_rules, &user);
	else
		reason = group_from(values, values, conf->group_name, pick->asked, &domain->range,
		                    &group);
	if (reason == records_no_memory)
		return -ENOMEM;
	if (reason) {
		refusals_report(domain->refusals, pick->id, values->dn, reason);
		return 0;
	}
	r = is_asked_for(pick, values, pick->kind == PICK_USER ? user.uid : group.gid);
	if (r < 0)
		return r;
	if (!r) {
		refusals_report(domain->refusals, pick->id, values->dn,
		                "the server gave it as the answer to another question");
		return 0;
	}
	new_rank = pick->kind == PICK_USER ? rank(pick, user.name, user.upn)
	                                   : rank(pick, group.name, NULL);
	if (pick->values && comes_after(pick, values, new_rank)) {
		refusals_report_twin(domain->refusals, pick->id, values->dn, pick->values->dn,
		                     pick->asked ? "name" : "number");
		return 0;
	}
	if (pick->values)
		refusals_report_twin(domain->refusals, pick->id, pick->values->dn, values->dn,
		                     pick->asked ? "name" : "number");

	talloc_free(pick->values);
	pick->values = talloc_steal(pick->mem, values);
	if (pick->kind == PICK_USER)
		pick->user = user;
	else
		pick->group = group;
	*ret_taken = true;
	return 0;
}

int pick_entry(struct entry_values *values, void *data)
{
	bool taken = false;
	int r = consider(data, values, &taken);

	if (!taken)
		talloc_free(values);
	return r;
}
