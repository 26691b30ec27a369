/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Take back - see takeback.h
 */
#include "common/memcache/takeback.h"

#include <errno.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

struct of_kind {
	bool all;
	struct mcmap_key *keys; /* owned, their texts hang below it */
	unsigned n;
};

struct take_back {
	struct of_kind of[MCMAP_N_KINDS];
};

struct take_back *take_back_new(TALLOC_CTX *mem)
{
	return talloc_zero(mem, struct take_back);
}

void take_back_all(struct take_back *back, enum mcmap_kind kind)
{
	struct of_kind *of = &back->of[kind];

	TALLOC_FREE(of->keys);
	of->n = 0;
	of->all = true;
}

/* text NULL: without memory for it. */
static void add(struct take_back *back, enum mcmap_kind kind, enum mcmap_by by, const char *text)
{
	struct of_kind *of = &back->of[kind];
	struct mcmap_key *keys;

	if (of->all)
		return;
	keys = talloc_realloc(back, of->keys, struct mcmap_key, of->n + 1);
	if (keys) {
		of->keys = keys;
		keys[of->n].by = by;
		keys[of->n].text = text ? talloc_strdup(keys, text) : NULL;
	}
	if (!keys || !keys[of->n].text)
		take_back_all(back, kind);
	else
		of->n++;
}

static void add_id(struct take_back *back, enum mcmap_kind kind, uint32_t id)
{
	char digits[MEMCACHE_ID_DIGITS_SIZE];

	if (id == 0)
		return;
	memcache_id_key(id, digits);
	add(back, kind, MCMAP_BY_KEY2, digits);
}

void take_back_entry(struct take_back *back, const struct take_back_domain *domain,
                     enum mcmap_kind kind, uint32_t id, const char *name)
{
	add_id(back, kind, id);
	if (domain->has_plain_names)
		add(back, kind, MCMAP_BY_KEY1, name);
	else if (id == 0 || !domain->is_only)
		take_back_all(back, kind);
}

void take_back_groups(struct take_back *back, const struct take_back_domain *domain,
                      const char *name)
{
	auto_talloc char *folded = NULL, *canonical = NULL;

	if (domain->folds && str_fold(NULL, name, &folded) < 0) {
		take_back_all(back, MCMAP_INITGROUPS);
		return;
	}
	canonical = talloc_asprintf(NULL, "%s@%s", folded ? folded : name, domain->name);
	add(back, MCMAP_INITGROUPS, MCMAP_BY_KEY2, canonical);
}

void take_back_place(struct take_back *back, uint32_t id, const char *name)
{
	static const enum mcmap_kind kinds[] = { MCMAP_PASSWD, MCMAP_GROUP, MCMAP_INITGROUPS };
	auto_talloc char *folded = NULL;
	bool has_other = str_fold(NULL, name, &folded) == 0 && strcmp(folded, name) != 0;

	for (size_t i = 0; i < str_size(kinds); i++) {
		if (kinds[i] != MCMAP_INITGROUPS)
			add_id(back, kinds[i], id);
		add(back, kinds[i], MCMAP_BY_KEY1, name);
		if (has_other)
			add(back, kinds[i], MCMAP_BY_KEY1, folded);
	}
}

int take_back_run(struct take_back *back, const char *dir)
{
	int64_t wait_us = MCMAP_WAIT_US; /* for all: somebody waits for sss_cache */
	int result = 0, r = 0;

	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		struct of_kind *of = &back->of[kind];

		if (of->all)
			r = mcmap_recycle(dir, kind);
		else if (of->n > 0)
			r = mcmap_take_back(dir, kind, of->keys, of->n, &wait_us);
		result = r < 0 ? r : result;
		TALLOC_FREE(of->keys);
		*of = (struct of_kind){ 0 };
	}
	return result;
}
