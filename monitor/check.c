/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check - read the configuration and judge it
 *
 *   conf_check ─▶ files ─▶ every section: its name, its options, their values
 *                     └─▶ [sssd]: services, domains ─▶ each enabled domain as a whole ─▶ verdict
 */
#include "monitor/check.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/conf/options.h"
#include "monitor/check_domain.h"
#include "monitor/check_names.h"

#define TEXT_MAX 1000

/* pac is named for drop-in's sake; kcm never is: it is activated by its socket alone. */
const struct known_service known_services[] = {
	{ "nss", true },  { "pam", false }, { "sudo", false }, { "autofs", false },
	{ "ssh", false }, { "pac", false }, { "ifp", false },  { NULL },
};

/* The order in which config-check tells. The last three are ours. */
static const struct {
	const char *kind, *rule;
} rules[] = {
	{ "", "allowed_sections" },
	{ "sssd", "allowed_sssd_options" },
	{ "nss", "allowed_nss_options" },
	{ "pam", "allowed_pam_options" },
	{ "sudo", "allowed_sudo_options" },
	{ "autofs", "allowed_autofs_options" },
	{ "ssh", "allowed_ssh_options" },
	{ "pac", "allowed_pac_options" },
	{ "ifp", "allowed_ifp_options" },
	{ "kcm", "allowed_kcm_options" },
	{ "session_recording", "allowed_session_recording_options" },
	{ "prompting/password", "allowed_prompting_password_options" },
	{ "prompting/2fa", "allowed_prompting_2fa_options" },
	{ "prompting/passkey", "allowed_prompting_passkey_options" },
	{ "prompting/oauth2", "allowed_prompting_oauth2_options" },
	{ "certmap", "allowed_certmap_options" },
	{ "domain", "allowed_domain_options" },
	{ "application", "allowed_domain_options" },
	{ "subdomain", "allowed_subdomain_options" },
	{ "", "sssd_checks" },
	{ "", "value" },
	{ "", "effect" },
	{ "", "not_implemented" },
};

static const char *rule_of(const char *kind)
{
	for (size_t i = 0; i < str_size(rules); i++)
		if (strcmp(rules[i].kind, kind) == 0)
			return rules[i].rule;
	return "allowed_sections";
}

/* ---- findings ---- */

/* Does section belong to the domain: [domain/NAME], [domain/NAME/TRUSTED], [application/NAME]? */
static bool is_of_domain(const char *section, const char *domain)
{
	const char *slash = strchr(section, '/');
	size_t size = strlen(domain);

	return slash &&
	       (strncasecmp(section, "domain/", 7) == 0 ||
	        strncasecmp(section, "application/", 12) == 0) &&
	       strncasecmp(slash + 1, domain, size) == 0 &&
	       (slash[1 + size] == '\0' || slash[1 + size] == '/');
}

static int keep(struct conf_report *report, const struct finding *finding)
{
	struct finding *more =
		talloc_realloc(report, report->findings, struct finding, report->n_findings + 1);

	if (!more)
		return -ENOMEM;
	report->findings = more;
	report->findings[report->n_findings++] = *finding;
	return 0;
}

/* An error keeps the domain of its section from starting; the first one is the reason told. */
static int refuse_domain(struct conf_report *report, const char *section,
                         const struct finding *finding)
{
	for (unsigned i = 0; i < report->n_domains; i++) {
		struct checked_domain *domain = &report->domains[i];

		if (!is_of_domain(section, domain->name) || domain->refused)
			continue;
		domain->refused = finding->file
		                          ? talloc_asprintf(report, "%s:%u: %s", finding->file,
		                                            finding->line, finding->text)
		                          : finding->text;
		if (!domain->refused)
			return -ENOMEM;
	}
	return 0;
}

/* It may go to a terminal, and a value that was quoted may be 64 KiB long. */
static void make_printable(char *text)
{
	if (strlen(text) > TEXT_MAX) {
		char *end = text + TEXT_MAX;

		while ((*end & 0xC0) == 0x80) /* not within a character */
			end--;
		*end = '\0';
	}
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int finding_add(struct conf_report *report, const char *rule, enum finding_severity severity,
                const char *section, const struct conf_value *where, const char *format, ...)
{
	struct finding finding = { .rule = rule, .severity = severity };
	va_list args;
	char *text;
	int r = 0;

	if (where) {
		finding.file = where->file;
		finding.line = where->line;
	}
	va_start(args, format);
	finding.text = text = talloc_vasprintf(report, format, args);
	va_end(args);
	if (!text)
		return -ENOMEM;
	make_printable(text);

	if (severity == FINDING_FATAL)
		report->status = CONF_STATUS_BAD;
	if (severity == FINDING_ERROR)
		r = refuse_domain(report, section, &finding);
	return r < 0 ? r : keep(report, &finding);
}

/* By rule; within one in the order in which they were found. */
static int sort_findings(struct conf_report *report)
{
	struct finding *sorted = talloc_array(report, struct finding, report->n_findings + 1);
	const char *previous = "";
	unsigned n = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t rule = 0; rule < str_size(rules); rule++) {
		if (strcmp(rules[rule].rule, previous) == 0)
			continue; /* two kinds share it */
		previous = rules[rule].rule;
		for (unsigned i = 0; i < report->n_findings; i++)
			if (strcmp(report->findings[i].rule, previous) == 0)
				sorted[n++] = report->findings[i];
	}

	assert(n == report->n_findings);
	talloc_free(report->findings);
	report->findings = sorted;
	return 0;
}

/* ---- every section ---- */

static int check_unknown(struct conf_report *report, const char *kind, const char *section,
                         const char *name, const struct conf_value *value)
{
	const struct opt *nearest = opt_nearest(section, name, 0), *access = NULL;
	bool of_domain = strcmp(kind, "domain") == 0 || strcmp(kind, "application") == 0 ||
	                 strcmp(kind, "subdomain") == 0;

	if (strcasecmp(name, "inherit_from") == 0 && strcmp(kind, "domain") == 0)
		return finding_add(report, "sssd_checks", FINDING_WARNING, section, value,
		                   "Attribute '%s' is not allowed in section '%s'.", name, section);

	/* Someone who meant to restrict access, or to demand TLS, must not get a domain that
	 * does neither. */
	if (of_domain)
		access = opt_nearest(section, name, OPT_ACCESS);
	if (access)
		return finding_add(report, rule_of(kind), FINDING_ERROR, section, value,
		                   "Attribute '%s' is not allowed in section '%s'. Check for "
		                   "typos. Did you mean '%s'? The domain does not start before "
		                   "this is clear.",
		                   name, section, access->name);
	return finding_add(report, rule_of(kind), FINDING_WARNING, section, value,
	                   "Attribute '%s' is not allowed in section '%s'. Check for typos.%s%s%s",
	                   name, section, nearest ? " Did you mean '" : "",
	                   nearest ? nearest->name : "", nearest ? "'?" : "");
}

static int check_value(struct conf_report *report, const struct opt *opt, const char *section,
                       const struct conf_value *value)
{
	auto_talloc char *reason = NULL;
	int r;

	r = opt_set(report, opt, value->text, NULL, &reason);
	if (r != -E_CONFIG)
		return r;
	return finding_add(report, "value", FINDING_ERROR, section, value,
	                   "Attribute '%s' in section '%s' has an invalid value: %s.", opt->name,
	                   section, reason);
}

static int check_option(struct conf_report *report, const char *kind, const char *section,
                        const char *name)
{
	const struct conf_value *value = conf_written(report->conf, section, name);
	const struct opt *opt = opt_find(section, name);
	int r = 0;

	if (!opt)
		return check_unknown(report, kind, section, name, value);
	if (strcmp(opt->name, name) != 0)
		r = finding_add(report, rule_of(kind), FINDING_WARNING, section, value,
		                "Attribute '%s' is not allowed in section '%s'. Check for typos. "
		                "It is taken as '%s'.",
		                name, section, opt->name);
	if (r == 0 && str_empty(value->text))
		return finding_add(report, "value", FINDING_NOTE, section, value,
		                   "Attribute '%s' in section '%s' is empty: it counts as not set.",
		                   name, section);

	if (r == 0 && opt->state == OPT_LATER)
		r = finding_add(report, "not_implemented", FINDING_WARNING, section, value,
		                "Attribute '%s' in section '%s' is not implemented: it has no "
		                "effect.",
		                name, section);
	if (r == 0 && opt->state == OPT_IGNORED && opt->help)
		r = finding_add(report, "effect", FINDING_NOTE, section, value,
		                "Attribute '%s' in section '%s' has no effect: %s.", name, section,
		                opt->help);
	else if (r == 0 && opt->state == OPT_IGNORED && opt->type == OPT_NONE)
		r = finding_add(report, "effect", FINDING_NOTE, section, value,
		                "Attribute '%s' in section '%s' is no longer needed: it has no "
		                "effect.",
		                name, section);
	return r < 0 ? r : check_value(report, opt, section, value);
}

/* The names are compared without case when the suite runs, but not here. */
static bool is_spelled_right(const char *section, const char *kind)
{
	static const char *const prefixes[] = { "domain/", "application/", "certmap/" };

	for (size_t i = 0; i < str_size(prefixes); i++)
		if (strncasecmp(section, prefixes[i], strlen(prefixes[i])) == 0)
			return strncmp(section, prefixes[i], strlen(prefixes[i])) == 0;
	return strncmp(section, kind, strlen(kind)) == 0;
}

static int check_section(struct conf_report *report, const char *section)
{
	const char *const *name = conf_names(report->conf, section);
	const struct conf_value *where = conf_written(report->conf, section, NULL);
	const char *kind = opt_kind(section);
	int r = 0;

	if (!where && *name) /* what stands before any heading */
		where = conf_written(report->conf, section, *name);
	if (!kind || !is_spelled_right(section, kind))
		r = finding_add(report, "allowed_sections", FINDING_WARNING, section, where,
		                "Section [%s] is not allowed. Check for typos.", section);

	for (; r == 0 && kind && *name; name++)
		r = check_option(report, kind, section, *name);
	return r;
}

/* ---- [sssd] ---- */

static int check_service(struct conf_report *report, const struct conf_value *value,
                         const char *name)
{
	const struct known_service *service = known_services;
	unsigned n = 0;

	while (service->name && strcasecmp(service->name, name) != 0)
		service++;
	if (!service->name)
		return finding_add(report, "value", FINDING_FATAL, "sssd", value,
		                   "Attribute 'services' in section 'sssd' has an invalid value: "
		                   "there is no service '%s'.",
		                   name);
	if (!service->built)
		return finding_add(report, "not_implemented", FINDING_WARNING, "sssd", value,
		                   "Service '%s' is not implemented: it is not started.", name);

	while (report->services[n])
		if (strcmp(report->services[n++], service->name) == 0)
			return 0;
	report->services[n] = service->name;
	return 0;
}

static int check_services(struct conf_report *report)
{
	const struct conf_value *value = conf_get(report->conf, "sssd", "services");
	auto_talloc char **names = NULL;
	int r;

	report->services = talloc_zero_array(report, const char *, str_size(known_services));
	if (!report->services)
		return -ENOMEM;
	r = str_split(report, value ? value->text : "", ',', &names);
	for (char **name = names; r == 0 && *name; name++)
		r = check_service(report, value, *name);
	return r;
}

/* What [domain/NAME] enabled says: 1, 0, or -1 when it says nothing that can be understood. */
static int enabled_option(struct conf_report *report, const char *name)
{
	auto_talloc char *section = talloc_asprintf(report, "domain/%s", name);
	const struct conf_value *value =
		section ? conf_get(report->conf, section, "enabled") : NULL;
	bool enabled;

	return value && str_to_bool(value->text, &enabled) == 0 ? enabled : -1;
}

static bool is_enabled(const struct conf_report *report, const char *name)
{
	for (unsigned i = 0; i < report->n_domains; i++)
		if (strcasecmp(report->domains[i].name, name) == 0)
			return true;
	return false;
}

static int enable(struct conf_report *report, const char *name)
{
	struct checked_domain *more;

	if (is_enabled(report, name))
		return 0;
	more = talloc_realloc(report, report->domains, struct checked_domain,
	                      report->n_domains + 1);
	if (!more)
		return -ENOMEM;
	report->domains = more;
	more[report->n_domains] = (struct checked_domain){ talloc_strdup(report, name), NULL };
	return more[report->n_domains++].name ? 0 : -ENOMEM;
}

/* Those of domains=, in its order, but for enabled = false; then those with enabled = true. */
static int list_domains(struct conf_report *report)
{
	const struct conf_value *value = conf_get(report->conf, "sssd", "domains");
	auto_talloc char **names = NULL;
	int r;

	r = str_split(report, value ? value->text : "", ',', &names);
	for (char **name = names; r == 0 && *name; name++) {
		if (is_enabled(report, *name))
			r = finding_add(report, "value", FINDING_WARNING, "sssd", value,
			                "Attribute 'domains' in section 'sssd' names '%s' more "
			                "than once: the first one counts.",
			                *name);
		else if (enabled_option(report, *name) != 0)
			r = enable(report, *name);
	}

	for (const char *const *section = conf_sections(report->conf); r == 0 && *section;
	     section++) {
		const char *kind = opt_kind(*section), *name = strchr(*section, '/');

		if (kind && strcmp(kind, "domain") == 0 && enabled_option(report, name + 1) == 1)
			r = enable(report, name + 1);
	}
	return r;
}

/* ---- the verdict ---- */

static int judge(struct conf_report *report)
{
	const struct conf_value *where = conf_written(report->conf, "sssd", "domains")
	                                         ?: conf_written(report->conf, "sssd", NULL);
	unsigned n_refused = 0;

	for (unsigned i = 0; i < report->n_domains; i++)
		n_refused += report->domains[i].refused != NULL;
	if (report->n_domains == 0)
		return finding_add(
			report, "sssd_checks", FINDING_FATAL, "sssd", where,
			"No domain is enabled: name one in 'domains' in section 'sssd' of %s.",
			report->files->main.path);
	if (n_refused == report->n_domains)
		return finding_add(report, "sssd_checks", FINDING_FATAL, "sssd", where,
		                   "No enabled domain can be used.");
	return 0;
}

/* A value that the domain itself does not use yet, and kcm cannot. */
static int check_inherited(struct conf_report *report, const struct opt *opt, const char *section)
{
	const struct conf_value *value = conf_get(report->conf, section, opt->name);
	auto_talloc char *reason = NULL;
	int r;

	if (strncmp(opt->name, "krb5_", 5) != 0 || !value ||
	    conf_get(report->conf, "kcm", opt->name))
		return 0;
	r = opt_set(report, opt, value->text, NULL, &reason);
	if (r != -E_CONFIG)
		return r;
	return finding_add(report, "value", FINDING_WARNING, "kcm", value,
	                   "Attribute '%s' in section '%s' has an invalid value, which section "
	                   "'kcm' does not inherit: %s.",
	                   opt->name, section, reason);
}

/* Upstream's table has a limit, and its daemon takes what is beyond for "off". */
static int check_nss(struct conf_report *report)
{
	const struct conf_value *value =
		conf_get(report->conf, "nss", "entry_cache_nowait_percentage");
	int64_t percent;

	if (!value || str_to_i64(value->text, &percent) < 0 || (percent >= 0 && percent <= 99) ||
	    percent < INT32_MIN || percent > UINT32_MAX) /* no number, which was told already */
		return 0;
	return finding_add(report, "value", FINDING_WARNING, "nss", value,
	                   "Attribute 'entry_cache_nowait_percentage' in section 'nss': '%s' is "
	                   "not within 0 to 99: nothing is refreshed before it expires.",
	                   value->text);
}

/* The domain it inherits from must be there, but need not be enabled. */
static int check_kcm(struct conf_report *report)
{
	const struct conf_value *value = conf_get(report->conf, "kcm", "tgt_renewal_inherit");
	auto_talloc char *section = NULL;
	int r = 0;

	if (!value)
		return 0;
	section = talloc_asprintf(report, "domain/%s", value->text);
	if (!section)
		return -ENOMEM;
	if (!conf_written(report->conf, section, NULL))
		return finding_add(report, "effect", FINDING_WARNING, "kcm", value,
		                   "Attribute 'tgt_renewal_inherit' in section 'kcm': there is no "
		                   "domain '%s'.",
		                   value->text);
	for (const struct opt *opt = kcm_opts; r == 0 && opt->name; opt++)
		r = check_inherited(report, opt, section);
	return r;
}

static int check_all(struct conf_report *report)
{
	int r;

	r = list_domains(report);
	for (const char *const *section = conf_sections(report->conf); r == 0 && *section;
	     section++)
		r = check_section(report, *section);
	if (r == 0)
		r = check_services(report);
	if (r == 0)
		r = check_names(report, "sssd");
	if (r == 0)
		r = check_domain_names(report, "default_domain_suffix");
	if (r == 0)
		r = check_domain_names(report, "domain_resolution_order");
	if (r == 0)
		r = check_nss(report);
	if (r == 0)
		r = check_kcm(report);
	for (unsigned i = 0; r == 0 && i < report->n_domains; i++)
		r = check_domain(report, report->domains[i].name);
	if (r == 0)
		r = check_ranges(report);
	if (r == 0)
		r = judge(report);

	return r < 0 ? r : sort_findings(report);
}

int conf_check(TALLOC_CTX *mem, const struct conf_paths *paths, struct conf_report **ret_report)
{
	auto_talloc struct conf_report *report = talloc_zero(mem, struct conf_report);
	int r;

	if (!report)
		return -ENOMEM;
	r = conf_files_read(report, paths, &report->files, &report->conf);
	if (r == -ENOENT || r == -E_CONFIG) {
		report->status = CONF_STATUS_UNREADABLE;
		r = 0;
	} else if (r == 0) {
		r = check_all(report);
	}
	if (r < 0)
		return r;

	*ret_report = take_ptr(report);
	return 0;
}

int conf_check_paths(TALLOC_CTX *mem, const char *root, const char *file,
                     struct conf_paths *ret_paths)
{
	auto_talloc char *passwd = talloc_asprintf(mem, "%s/etc/passwd", root);
	struct conf_paths paths = { 0 };

	if (!passwd)
		return -ENOMEM;
	if (account_find(passwd, ACCOUNT_SERVICE, &paths.uid, &paths.gid) < 0)
		paths.uid = paths.gid = 0; /* no such account: root's files only */

	paths.main = file ? talloc_strdup(mem, file) : talloc_asprintf(mem, "%s" CONF_MAIN, root);
	paths.snippets = talloc_asprintf(mem, "%s" CONF_SNIPPETS, root);
	paths.vendor = talloc_asprintf(mem, "%s" CONF_VENDOR, root);
	if (!paths.main || !paths.snippets || !paths.vendor)
		return -ENOMEM;
	if (file)
		paths.vendor = NULL;
	*ret_paths = paths;
	return 0;
}
