/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache - see memcache.h
 *
 * Who is new here may have a name, or an id, that somebody of another domain has, too, and for whom
 * clients have an answer. If that domain is asked after this one, the answer is not true any more;
 * which is asked first only responders know, so it is taken back unless ours is the last.
 */
#include "backend/core/memcache.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/naming.h"
#include "common/memcache/takeback.h"

struct memcache {
	const char *dir; /* borrowed */
	struct take_back_domain domain;
	bool is_in_order;     /* domains are asked as they stand in the configuration */
	char *const *domains; /* borrowed from conf: all, NULL-terminated */
	bool is_last;         /* no other domain is asked after this one */
	char space;           /* answered in the place of each space; 0: spaces are */
};

void memcache_set_domains(struct memcache *memcache, const struct conf *conf)
{
	char *const *domains = conf_domains(conf);
	const char *last = memcache->domain.name;

	memcache->domains = domains;
	memcache->domain.is_only = !domains[0] || !domains[1];
	for (; *domains; domains++)
		last = *domains;
	memcache->is_last = memcache->is_in_order && strcmp(last, memcache->domain.name) == 0;
}

int memcache_new(TALLOC_CTX *mem, const char *dir, const char *domain, const struct conf *conf,
                 const struct domain_conf *options, struct memcache **ret_memcache)
{
	auto_talloc struct memcache *memcache = talloc_zero(mem, struct memcache);
	struct conf_problem problem = { 0 };
	struct sssd_conf sssd;
	int r;

	if (!memcache)
		return -ENOMEM;
	r = conf_read(conf, memcache, "sssd", sssd_opts, &sssd, &problem);
	if (r < 0 && r != -E_CONFIG) /* then the default of that option holds, here as elsewhere */
		return r;
	memcache->dir = dir;
	memcache->domain = (struct take_back_domain){
		.name = domain,
		.folds = options->case_sensitive != CASE_TRUE,
		.has_plain_names = naming_is_plain(&sssd, options),
	};
	memcache->is_in_order = !sssd.domain_resolution_order;
	memcache->space = sssd.override_space;
	memcache_set_domains(memcache, conf);
	*ret_memcache = take_ptr(memcache);
	return 0;
}

static void take_back_any(struct take_back *back, const struct cache_note *note)
{
	if (note->kind == ENTRY_USER || note->is_new)
		take_back_all(back, MCMAP_PASSWD);
	if (note->kind == ENTRY_GROUP || note->is_new)
		take_back_all(back, MCMAP_GROUP);
	if (note->kind == ENTRY_INITGROUPS || note->is_new)
		take_back_all(back, MCMAP_INITGROUPS);
}

static void take_spaced_back(const struct memcache *memcache, struct take_back *back,
                             const struct cache_note *note)
{
	auto_talloc char *spaced = talloc_strdup(NULL, note->name);

	if (!spaced) {
		take_back_any(back, note);
		return;
	}
	for (char *c = spaced; *c; c++)
		if (*c == ' ')
			*c = memcache->space;
	take_back_place(back, 0, spaced);
}

/* Clients may know somebody of another domain under that name, in any spelling of it. */
static void take_others_back(const struct memcache *memcache, struct take_back *back,
                             const struct cache_note *note)
{
	take_back_place(back, note->id, note->name);
	if (memcache->space && strchr(note->name, ' '))
		take_spaced_back(memcache, back, note);
	for (char *const *other = memcache->domains; note->kind == ENTRY_USER && *other; other++) {
		struct take_back_domain domain = { .name = *other };

		if (strcmp(*other, memcache->domain.name) == 0)
			continue;
		take_back_groups(back, &domain, note->name);
		domain.folds = true;
		take_back_groups(back, &domain, note->name);
	}
}

static void take_one_back(const struct memcache *memcache, struct take_back *back,
                          const struct cache_note *note)
{
	if (note->is_new && memcache->is_last)
		return;
	if (!note->name)
		take_back_any(back, note);
	else if (note->is_new)
		take_others_back(memcache, back, note);
	else if (note->kind == ENTRY_INITGROUPS)
		take_back_groups(back, &memcache->domain, note->name);
	else
		take_back_entry(back, &memcache->domain,
		                note->kind == ENTRY_GROUP ? MCMAP_GROUP : MCMAP_PASSWD, note->id,
		                note->name);
}

void memcache_changed(const struct cache_note *notes, size_t n, void *data)
{
	const struct memcache *memcache = data;
	auto_talloc struct take_back *back = take_back_new(NULL);
	int r = back ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && back; i++)
		take_one_back(memcache, back, &notes[i]);
	if (back)
		r = take_back_run(back, memcache->dir);
	if (r < 0)
		log_error("%s: %s: clients may find old answers", memcache->dir, error_text(r));
}
