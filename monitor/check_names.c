/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check of the options about names, in [sssd] and in a domain
 */
#include "monitor/check_names.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/conf/naming.h"

static int invalid(struct conf_report *report, const char *section, const char *name,
                   const struct conf_value *value, const char *reason)
{
	return finding_add(report, "value", FINDING_ERROR, section, value,
	                   "Attribute '%s' in section '%s' has an invalid value: '%s': %s.", name,
	                   section, value->text, reason);
}

static int check_expression(struct conf_report *report, const char *section)
{
	const struct conf_value *value = conf_get(report->conf, section, "re_expression");
	auto_talloc struct name_pattern *pattern = NULL;
	auto_talloc char *reason = NULL;
	int r;

	if (!value)
		return 0;
	r = name_pattern_new(report, value->text, &pattern, &reason);
	return r == -E_CONFIG ? invalid(report, section, "re_expression", value, reason) : r;
}

static int check_format(struct conf_report *report, const char *section)
{
	const struct conf_value *value = conf_get(report->conf, section, "full_name_format");
	const char *fault = value ? name_format_fault(value->text) : NULL;

	return fault ? invalid(report, section, "full_name_format", value, fault) : 0;
}

int check_names(struct conf_report *report, const char *section)
{
	int r = check_expression(report, section);

	return r < 0 ? r : check_format(report, section);
}

/* Names that belong to nobody are surely not what was meant. */
int check_domain_names(struct conf_report *report, const char *option)
{
	const struct conf_value *value = conf_get(report->conf, "sssd", option);
	auto_talloc char **names = NULL;
	int r;

	r = str_split(report, value ? value->text : "", ',', &names);
	for (char **name = names; r == 0 && *name; name++) {
		bool known = false;

		for (unsigned i = 0; i < report->n_domains; i++)
			known = known || strcasecmp(report->domains[i].name, *name) == 0;
		if (!known)
			r = finding_add(
				report, "effect", FINDING_WARNING, "sssd", value,
				"Attribute '%s' in section 'sssd': there is no domain '%s'.",
				option, *name);
	}
	return r;
}
