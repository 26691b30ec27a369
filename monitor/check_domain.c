/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check of one domain - what no single option tells (spec/options.md §3.4)
 */
#include "monitor/check_domain.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/conf/options.h"
#include "common/ldap/check.h"
#include "monitor/check_names.h"

/* The bus of a domain has its name in the path, and sun_path holds 108 bytes (unix(7)). */
#define DOMAIN_NAME_MAX 80

static bool is_word(const char *text, const char *const *words)
{
	while (*words && strcasecmp(*words, text) != 0)
		words++;
	return *words != NULL;
}

/* ---- its name and provider ---- */

/* It becomes a part of paths and of the names of buses. */
static bool is_good_name(const char *name)
{
	if (strlen(name) > DOMAIN_NAME_MAX || strpbrk(name, "/@="))
		return false;
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			return false;
	return true;
}

static int check_name(struct conf_report *report, const char *section, const char *domain,
                      bool *ret_exists)
{
	const struct conf_value *where = conf_written(report->conf, "sssd", "domains");
	auto_talloc char *application = talloc_asprintf(report, "application/%s", domain);

	if (!application)
		return -ENOMEM;
	*ret_exists = false;
	if (!is_good_name(domain))
		return finding_add(report, "sssd_checks", FINDING_ERROR, section, where,
		                   "'%s' cannot be the name of a domain: at most %d bytes, none of "
		                   "them '/', '@', '=' or a control byte.",
		                   domain, DOMAIN_NAME_MAX);
	if (conf_written(report->conf, section, NULL)) {
		*ret_exists = true;
		return 0;
	}

	if (conf_written(report->conf, application, NULL))
		return finding_add(report, "not_implemented", FINDING_ERROR, section,
		                   conf_written(report->conf, application, NULL),
		                   "Section [%s]: application domains are not implemented: the "
		                   "domain does not start.",
		                   application);
	return finding_add(report, "sssd_checks", FINDING_ERROR, section, where,
	                   "Domain '%s' is enabled, but there is no section [%s].", domain,
	                   section);
}

static int check_provider(struct conf_report *report, const char *section)
{
	static const char *const later[] = { "ad", "ipa", "proxy", "idp", "files", NULL };
	const struct conf_value *value = conf_get(report->conf, section, "id_provider");

	if (!value)
		return finding_add(report, "sssd_checks", FINDING_ERROR, section,
		                   conf_written(report->conf, section, NULL),
		                   "Attribute 'id_provider' is missing in section '%s'.", section);
	if (is_word(value->text, later))
		return finding_add(report, "not_implemented", FINDING_ERROR, section, value,
		                   "Attribute 'id_provider' in section '%s': '%s' is not "
		                   "implemented: the domain does not start.",
		                   section, value->text);
	if (strcasecmp(value->text, "ldap") != 0)
		return finding_add(
			report, "sssd_checks", FINDING_ERROR, section, value,
			"Attribute 'id_provider' in section '%s' has an invalid value: %s", section,
			value->text);
	return 0;
}

static int check_type(struct conf_report *report, const char *section)
{
	const struct conf_value *value = conf_get(report->conf, section, "domain_type");

	if (!value || strcasecmp(value->text, "application") != 0)
		return 0;
	return finding_add(report, "not_implemented", FINDING_ERROR, section, value,
	                   "Attribute 'domain_type' in section '%s': '%s' is not implemented: the "
	                   "domain does not start.",
	                   section, value->text);
}

/* ---- options that contradict each other ---- */

static uint32_t number(const struct conf *conf, const char *section, const char *name,
                       uint32_t unset)
{
	const struct conf_value *value = conf_get(conf, section, name);
	uint32_t result = unset;

	if (value && str_to_u32(value->text, &result) < 0)
		result = unset; /* that was told already */
	return result;
}

static int check_pairs(struct conf_report *report, const char *section)
{
	uint32_t min_id = number(report->conf, section, "min_id", 1);
	uint32_t max_id = number(report->conf, section, "max_id", 0);
	const struct conf_value *where = conf_get(report->conf, section, "max_id");
	const struct conf_value *qualified =
		conf_get(report->conf, section, "use_fully_qualified_names");
	int r = 0;

	if (max_id != 0 && min_id > max_id)
		r = finding_add(report, "value", FINDING_ERROR, section, where,
		                "Attributes 'min_id' and 'max_id' in section '%s': %u is larger "
		                "than %u.",
		                section, min_id, max_id);
	if (r == 0 && qualified && strcasecmp(qualified->text, "false") == 0 &&
	    conf_get(report->conf, "sssd", "default_domain_suffix"))
		r = finding_add(report, "value", FINDING_ERROR, section, qualified,
		                "Attribute 'use_fully_qualified_names' in section '%s' cannot be "
		                "false while 'default_domain_suffix' in section 'sssd' is set.",
		                section);
	return r;
}

/* ---- ldap ---- */

struct ldap_checked {
	struct conf_report *report; /* borrowed */
	const char *section;        /* borrowed */
};

static int tell_ldap(const struct ldap_fault *fault, void *data)
{
	struct ldap_checked *checked = data;
	struct conf_report *report = checked->report;
	const struct conf_value *where = conf_get(report->conf, checked->section, fault->option);
	enum finding_severity severity =
		fault->kind == LDAP_FAULT_WARNING ? FINDING_WARNING : FINDING_ERROR;

	if (!where)
		where = conf_written(report->conf, checked->section, NULL);
	return finding_add(report, "value", severity, checked->section, where, "%s", fault->text);
}

static int check_ldap(struct conf_report *report, const char *section)
{
	struct ldap_checked checked = { report, section };
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct conf_problem told = { 0 }; /* with its line, when its section was looked at */
	struct ldap_conf conf = { 0 };
	int r;

	if (!scratch)
		return -ENOMEM;
	r = conf_read(report->conf, scratch, section, ldap_opts, &conf, &told);
	if (r < 0 && r != -E_CONFIG)
		return r;
	return ldap_check(&conf, section, tell_ldap, &checked);
}

int check_domain(struct conf_report *report, const char *domain)
{
	auto_talloc char *section = talloc_asprintf(report, "domain/%s", domain);
	const struct conf_value *provider;
	bool exists;
	int r;

	if (!section)
		return -ENOMEM;
	r = check_name(report, section, domain, &exists);
	if (r < 0 || !exists)
		return r;

	r = check_provider(report, section);
	if (r == 0)
		r = check_type(report, section);
	if (r == 0)
		r = check_pairs(report, section);
	if (r == 0)
		r = check_names(report, section);
	provider = conf_get(report->conf, section, "id_provider");
	if (r == 0 && provider && strcasecmp(provider->text, "ldap") == 0)
		r = check_ldap(report, section);
	return r;
}

/* ---- two domains ---- */

struct range {
	uint32_t min, max;
	const struct conf_value *written; /* NULL: nobody said so */
};

static int range_of(struct conf_report *report, const char *domain, struct range *ret_range)
{
	auto_talloc char *section = talloc_asprintf(report, "domain/%s", domain);
	const struct conf_value *min, *max;

	if (!section)
		return -ENOMEM;
	min = conf_get(report->conf, section, "min_id");
	max = conf_get(report->conf, section, "max_id");
	*ret_range = (struct range){
		.min = number(report->conf, section, "min_id", 1),
		.max = number(report->conf, section, "max_id", 0),
		.written = max ? max : min,
	};
	if (ret_range->max == 0)
		ret_range->max = UINT32_MAX;
	return 0;
}

static int compare_ranges(struct conf_report *report, const struct checked_domain *first,
                          const struct checked_domain *second)
{
	const struct conf_value *where;
	struct range a = { 0 }, b = { 0 };
	int r;

	if (first->refused || second->refused)
		return 0;
	r = range_of(report, first->name, &a);
	if (r == 0)
		r = range_of(report, second->name, &b);
	if (r < 0 || a.min > b.max || b.min > a.max)
		return r;

	where = b.written ? b.written : a.written;
	return finding_add(report, "effect", where ? FINDING_WARNING : FINDING_NOTE, "sssd",
	                   where ? where : conf_written(report->conf, "sssd", "domains"),
	                   "Domains '%s' and '%s' overlap in the ids %u to %u: '%s' answers for "
	                   "those of both. Attributes 'min_id' and 'max_id' tell them apart.",
	                   first->name, second->name, a.min > b.min ? a.min : b.min,
	                   a.max < b.max ? a.max : b.max, first->name);
}

int check_ranges(struct conf_report *report)
{
	int r = 0;

	for (unsigned i = 0; i < report->n_domains; i++)
		for (unsigned j = i + 1; r == 0 && j < report->n_domains; j++)
			r = compare_ranges(report, &report->domains[i], &report->domains[j]);
	return r;
}
