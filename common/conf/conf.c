/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Configuration - one sorted array of (section, name) → value
 *
 * What was added later stands behind what was added earlier until conf_seal() sorts, keeps the
 * last of each and lists the names. A heading is an entry without a name, first of its section.
 */
#include "common/conf/conf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/conf/ini.h"

struct entry {
	const char *section, *name; /* borrowed from the bytes of the files */
	struct conf_value value;
	unsigned order; /* in which it was added */
};

struct section {
	const char *name;
	const char **names; /* NULL-terminated */
};

struct conf {
	struct entry *entries; /* owned; sorted when sealed */
	unsigned n_entries;
	struct section *sections; /* owned, sorted */
	unsigned n_sections;
	const char **section_names; /* owned */
	bool sealed;

	/* [compiled] */
	uint64_t generation;
	bool named;
	char **domains, **services;
};

static const char *const no_names[] = { NULL };
static char *const no_list[] = { NULL };

/* ---- making one ---- */

struct conf *conf_new(TALLOC_CTX *mem)
{
	return talloc_zero(mem, struct conf);
}

int conf_add(struct conf *conf, const char *file, struct ini *ini, char *bytes)
{
	struct entry *entries;
	char *copy;

	assert(!conf->sealed);
	entries = talloc_realloc(conf, conf->entries, struct entry, conf->n_entries + ini->n_items);
	if (!entries && conf->n_entries + ini->n_items > 0)
		return -ENOMEM;
	conf->entries = entries;
	copy = talloc_strdup(conf, file);
	if (!copy)
		return -ENOMEM;

	for (unsigned i = 0; i < ini->n_items; i++) {
		const struct ini_item *item = &ini->items[i];

		conf->entries[conf->n_entries] = (struct entry){
			.section = item->section,
			.name = item->name,
			.value = { item->value, copy, item->line },
			.order = conf->n_entries,
		};
		conf->n_entries++;
	}

	talloc_steal(conf, bytes);
	talloc_free(ini);
	return 0;
}

static int compare(const struct entry *a, const struct entry *b)
{
	int order = strcasecmp(a->section, b->section);

	if (order != 0)
		return order;
	if (!a->name || !b->name)
		return !!a->name - !!b->name;
	return strcasecmp(a->name, b->name);
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = compare(a, b);

	return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static bool begins_section(const struct conf *conf, unsigned i)
{
	return i == 0 || strcasecmp(conf->entries[i - 1].section, conf->entries[i].section) != 0;
}

/* What stands before the first heading has a section, too, but no heading: then the first option
 * tells where it is. */
static int list_names(struct conf *conf)
{
	unsigned n_names = 0, n = 0;
	const char **names;

	for (unsigned i = 0; i < conf->n_entries; i++) {
		conf->n_sections += begins_section(conf, i);
		n_names += conf->entries[i].name != NULL;
	}

	conf->sections = talloc_array(conf, struct section, conf->n_sections + 1);
	conf->section_names = talloc_zero_array(conf, const char *, conf->n_sections + 1);
	names = talloc_zero_array(conf, const char *, n_names + conf->n_sections + 1);
	if (!conf->sections || !conf->section_names || !names)
		return -ENOMEM;

	for (unsigned i = 0; i < conf->n_entries; i++) {
		const struct entry *entry = &conf->entries[i];

		if (begins_section(conf, i)) {
			if (i > 0)
				names++; /* over the NULL of the one before */
			conf->sections[n] = (struct section){ entry->section, names };
			conf->section_names[n++] = entry->section;
		}
		if (entry->name)
			*names++ = entry->name;
	}
	return 0;
}

int conf_seal(struct conf *conf)
{
	unsigned n = 0;

	assert(!conf->sealed);
	if (conf->n_entries > 0)
		qsort(conf->entries, conf->n_entries, sizeof(*conf->entries), compare_entries);
	for (unsigned i = 0; i < conf->n_entries; i++) {
		const struct entry *entry = &conf->entries[i];

		if (n > 0 && compare(&conf->entries[n - 1], entry) == 0) {
			/* Of headings the one with capitals stays: [NSS] is a slip that must be
			 * told, even if another file has [nss]. */
			if (!entry->name &&
			    strcmp(conf->entries[n - 1].section, entry->section) < 0)
				continue;
			n--;
		}
		conf->entries[n++] = *entry;
	}
	conf->n_entries = n;
	conf->sealed = true;
	return list_names(conf);
}

/* ---- reading it ---- */

static int compare_to_key(const void *key, const void *item)
{
	return compare(key, item);
}

const struct conf_value *conf_written(const struct conf *conf, const char *section,
                                      const char *name)
{
	const struct entry key = { .section = section, .name = name };
	const struct entry *entry;

	assert(conf->sealed);
	if (conf->n_entries == 0)
		return NULL;
	entry = bsearch(&key, conf->entries, conf->n_entries, sizeof(key), compare_to_key);
	return entry ? &entry->value : NULL;
}

const struct conf_value *conf_get(const struct conf *conf, const char *section, const char *name)
{
	const struct conf_value *value = conf_written(conf, section, name);

	return value && !str_empty(value->text) ? value : NULL;
}

const char *const *conf_sections(const struct conf *conf)
{
	assert(conf->sealed);
	return conf->section_names;
}

static int compare_to_name(const void *key, const void *item)
{
	const struct section *section = item;

	return strcasecmp(key, section->name);
}

const char *const *conf_names(const struct conf *conf, const char *section)
{
	const struct section *found = NULL;

	assert(conf->sealed);
	if (conf->n_sections > 0)
		found = bsearch(section, conf->sections, conf->n_sections, sizeof(*found),
		                compare_to_name);
	return found ? found->names : no_names;
}

/* -E_CONFIG: the value is bad, the field has the default, and ret_problem is set unless it was. */
static int read_option(const struct conf *conf, TALLOC_CTX *mem, const char *section,
                       const struct opt *opt, void *ret_struct, struct conf_problem *ret_problem)
{
	const struct conf_value *value = conf_get(conf, section, opt->name);
	auto_talloc char *reason = NULL, *unused = NULL;
	int r;

	if (value) {
		r = opt_set(mem, opt, value->text, ret_struct, &reason);
		if (r != -E_CONFIG)
			return r;
		if (!ret_problem->text)
			ret_problem->text =
				talloc_asprintf(mem, "%s:%u: [%s] %s: %s", value->file, value->line,
			                        section, opt->name, reason);
		if (!ret_problem->text)
			return -ENOMEM;
	}

	r = opt_set(mem, opt, opt->fallback, ret_struct, &unused);
	assert(r != -E_CONFIG); /* every default parses: test_opt.c */
	return r == 0 && value ? -E_CONFIG : r;
}

int conf_read(const struct conf *conf, TALLOC_CTX *mem, const char *section, const struct opt *opts,
              void *ret_struct, struct conf_problem *ret_problem)
{
	struct conf_problem problem = { NULL };

	for (const struct opt *opt = opts; opt->name; opt++) {
		int r;

		if (opt->state != OPT_BUILT)
			continue;
		r = read_option(conf, mem, section, opt, ret_struct, &problem);
		if (r < 0 && r != -E_CONFIG)
			return r;
	}

	if (!problem.text)
		return 0;
	*ret_problem = problem;
	return -E_CONFIG;
}

/* ---- the compiled file ---- */

uint64_t conf_generation(const struct conf *conf)
{
	return conf->generation;
}

char *const *conf_domains(const struct conf *conf)
{
	return conf->domains ? conf->domains : no_list;
}

char *const *conf_services(const struct conf *conf)
{
	return conf->services ? conf->services : no_list;
}

bool conf_named(const struct conf *conf)
{
	return conf->named;
}

static const char *compiled(const struct conf *conf, const char *name)
{
	const struct conf_value *value = conf_get(conf, "compiled", name);

	return value ? value->text : "";
}

/* Takes what [compiled] says; -E_CONFIG when it is not what process should have. */
static int read_heading(struct conf *conf, const char *process)
{
	uint32_t format;
	int r;

	if (str_to_u32(compiled(conf, "format"), &format) < 0 || format != CONF_FORMAT ||
	    strcmp(compiled(conf, "process"), process) != 0 ||
	    str_to_u64(compiled(conf, "generation"), &conf->generation) < 0)
		return -E_CONFIG;

	conf->named = strcmp(compiled(conf, "named"), "true") == 0;
	r = str_split(conf, compiled(conf, "domains"), ',', &conf->domains);
	if (r < 0)
		return r;
	return str_split(conf, compiled(conf, "services"), ',', &conf->services);
}

int conf_load(TALLOC_CTX *mem, const char *dir, const char *process, struct conf **ret_conf)
{
	auto_talloc struct conf *conf = conf_new(mem);
	struct ini_error error;
	struct ini *ini;
	char *path, *bytes;
	size_t size;
	int r;

	if (!conf)
		return -ENOMEM;
	path = talloc_asprintf(conf, "%s/%s/current", dir ? dir : CONF_COMPILED_DIR, process);
	if (!path)
		return -ENOMEM;

	r = fd_read_file(conf, path, CONF_COMPILED_MAX, &bytes, &size);
	if (r < 0)
		return r;
	r = ini_parse(conf, bytes, size, size, &ini, &error);
	if (r < 0)
		return r;
	r = conf_add(conf, path, ini, bytes);
	if (r < 0)
		return r;
	r = conf_seal(conf);
	if (r < 0)
		return r;
	r = read_heading(conf, process);
	if (r < 0)
		return r;

	*ret_conf = take_ptr(conf);
	return 0;
}
