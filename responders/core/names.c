/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names - see names.h
 */
#include "responders/core/names.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/wire/proto.h"

/* ---- what the options come to ---- */

static int set_pattern(TALLOC_CTX *mem, struct domain *domain, const char *expression)
{
	struct name_pattern *pattern = NULL;
	char *reason = NULL;
	int r;

	if (!expression)
		return 0;
	r = name_pattern_new(mem, expression, &pattern, &reason);
	if (r == -E_CONFIG) {
		log_error("domain %s: re_expression: %s: the default holds", domain->name, reason);
		return 0;
	}
	domain->naming.pattern = pattern;
	return r;
}

static const char *usable_format(const struct domain *domain, const char *format)
{
	const char *fault = name_format_fault(format);

	if (!fault)
		return format;
	log_error("domain %s: full_name_format: %s: the default holds", domain->name, fault);
	return NAME_FORMAT_DEFAULT;
}

int naming_of(TALLOC_CTX *mem, const struct sssd_conf *sssd, struct domain *domain)
{
	const struct domain_conf *conf = &domain->conf;
	char *const *order = sssd->domain_resolution_order;
	const char *suffix = sssd->default_domain_suffix;

	domain->naming.space = sssd->override_space;
	domain->naming.folds = conf->case_sensitive == CASE_FALSE;
	if (suffix)
		domain->naming.qualified_only = !domain_is_called(domain, suffix, strlen(suffix));
	else
		domain->naming.qualified_only = conf->use_fully_qualified_names &&
		                                !str_list_contains_nocase(order, domain->name);
	if (conf->use_fully_qualified_names || order)
		domain->naming.format =
			usable_format(domain, conf->full_name_format ?: sssd->full_name_format);
	return set_pattern(mem, domain, conf->re_expression ?: sssd->re_expression);
}

/* ---- reading ---- */

static bool take(const char *text, size_t size, char *ret_name)
{
	if (size > PROTO_NAME_MAX)
		return false;
	memcpy(ret_name, text, size);
	ret_name[size] = '\0';
	return true;
}

/* As in upstream: a name that has spaces is taken as it is. */
static void restore_spaces(char *name, char space)
{
	if (!space || strchr(name, ' '))
		return;
	for (; *name; name++)
		if (*name == space)
			*name = ' ';
}

/* Is it a name of the domain by what it says of domains? */
static bool is_for(const struct domain *domain, const struct name_parts *parts)
{
	if (!parts->domain)
		return !domain->naming.qualified_only;
	return domain_is_called(domain, parts->domain, parts->domain_size);
}

bool names_read(const struct domain *domain, const char *text, char *ret_name)
{
	struct name_parts parts;

	if (!name_split(domain->naming.pattern, text, &parts) || !is_for(domain, &parts) ||
	    !take(parts.name, parts.name_size, ret_name))
		return false;
	restore_spaces(ret_name, domain->naming.space);
	return true;
}

bool names_read_whole(const struct setup *setup, const struct domain *domain, const char *text,
                      bool even_own, char *ret_name)
{
	struct name_parts parts;
	const struct domain *named = NULL;

	if (!strchr(text, '@') || !name_split(domain->naming.pattern, text, &parts))
		return false;
	if (parts.domain)
		named = setup_domain(setup, parts.domain, parts.domain_size);
	if (named && !(even_own && named == domain))
		return false;
	if (is_for(domain, &parts) && parts.name_size == strlen(text))
		return false;
	return take(text, strlen(text), ret_name);
}

/* ---- writing ---- */

bool resp_names_are_plain(const struct domain *domain)
{
	return !domain->naming.format && !domain->naming.space && !domain->naming.folds;
}

const char *resp_short_name(TALLOC_CTX *mem, const struct domain *domain, const char *name)
{
	char *folded;

	return domain->naming.folds && str_fold(mem, name, &folded) == 0 ? folded : name;
}

/* As in upstream: a name that has the character already keeps its spaces. */
static void write_spaced(struct writer *out, const char *name, char space)
{
	if (!space || strchr(name, space)) {
		writer_bytes(out, name, strlen(name));
		return;
	}
	for (; *name; name++)
		writer_u8(out, (uint8_t)(*name == ' ' ? space : *name));
}

static void write_formatted(struct writer *out, const struct domain *domain, const char *name)
{
	struct name_format_walk walk = { domain->naming.format, 0 };
	struct name_piece piece;

	while (name_format_next(&walk, &piece)) {
		if (piece.argument == 0)
			writer_bytes(out, piece.text, piece.size);
		else if (piece.argument == 1)
			write_spaced(out, name, domain->naming.space);
		else /* none has a flat name yet: that is one of AD */
			writer_bytes(out, domain->name, strlen(domain->name));
	}
}

void resp_write_name(struct writer *out, const struct domain *domain, const char *name)
{
	auto_talloc TALLOC_CTX *mem = NULL;

	if (resp_names_are_plain(domain)) {
		writer_str(out, name);
		return;
	}
	if (domain->naming.folds)
		mem = talloc_new(NULL);
	name = resp_short_name(mem, domain, name);
	if (domain->naming.format)
		write_formatted(out, domain, name);
	else
		write_spaced(out, name, domain->naming.space);
	writer_u8(out, 0);
}
