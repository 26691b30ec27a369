/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check - see check.h
 */
#include "common/ldap/check.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/ldap/attr.h"
#include "common/ldap/base.h"
#include "common/ldap/obfuscated.h"
#include "common/ldap/uri.h"

#define MECHANISM_MAX 20

struct check {
	const struct ldap_conf *conf;
	const char *section;
	ldap_fault_fn *tell;
	void *data;
	TALLOC_CTX *scratch;
};

static int found(const struct check *check, enum ldap_fault_kind kind, const char *option,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static int found(const struct check *check, enum ldap_fault_kind kind, const char *option,
                 const char *format, ...)
{
	struct ldap_fault fault = { .kind = kind, .option = option };
	auto_talloc char *text = NULL;
	va_list args;

	va_start(args, format);
	text = talloc_vasprintf(check->scratch, format, args);
	va_end(args);
	if (!text)
		return -ENOMEM;
	fault.text = text;
	return check->tell(&fault, check->data);
}

static int invalid(const struct check *check, const char *option, const char *value,
                   const char *why)
{
	return found(check, LDAP_FAULT_ERROR, option,
	             "Attribute '%s' in section '%s' has an invalid value: '%s' is not %s.", option,
	             check->section, value, why);
}

/* ---- servers ---- */

static int check_uri(const struct check *check, const char *option, const char *text, bool backup)
{
	struct uri uri;
	int r;

	if (uri_is_discovery(text) && !backup)
		return 0;
	if (uri_is_discovery(text))
		return found(check, LDAP_FAULT_WARNING, option,
		             "Attribute '%s' in section '%s': '_srv_' may only stand in "
		             "'ldap_uri': it is passed over.",
		             option, check->section);
	r = uri_parse(check->scratch, text, &uri);
	if (r != -EINVAL)
		return r;
	return invalid(check, option, text,
	               "ldap://HOST[:PORT], ldaps://HOST[:PORT] or ldapi://PATH, in which each "
	               "'/' of the path is %2F");
}

static int check_uris(const struct check *check)
{
	char *const *uri;
	int r = 0;

	for (uri = check->conf->uri; uri && *uri && r == 0; uri++)
		r = check_uri(check, "ldap_uri", *uri, false);
	for (uri = check->conf->backup_uri; uri && *uri && r == 0; uri++)
		r = check_uri(check, "ldap_backup_uri", *uri, true);
	return r;
}

/* ---- search bases ---- */

/* Active Directory's other ways to name an entry, "<GUID=…>", are the server's business. */
static bool may_name_an_entry(const struct base *base)
{
	return base->key || *base->dn == '<';
}

static int check_base(const struct check *check, const char *option, const char *text)
{
	struct bases bases;
	int r;

	if (!text)
		return 0;
	r = bases_parse(check->scratch, text, &bases);
	if (r == -EINVAL)
		return invalid(check, option, text,
		               "base[?scope?[filter]], or several of these joined by '?', with "
		               "scope base, onelevel or subtree");
	for (size_t i = 0; r == 0 && i < bases.count; i++)
		if (!may_name_an_entry(&bases.items[i]))
			r = invalid(check, option, bases.items[i].dn, "a DN");
	return r;
}

/* The filter of searches below base, which only one without "?" leaves to an option. */
static int check_filter(const struct check *check, const char *option, const char *filter,
                        const char *base)
{
	struct bases bases;
	int r;

	if (!base)
		base = check->conf->search_base;
	if (!filter || (base && strchr(base, '?')))
		return 0;
	r = bases_of_dn(check->scratch, "", &bases);
	if (r == 0)
		r = bases_narrow(&bases, bases.items[0].scope, filter);
	return r == -EINVAL ? invalid(check, option, filter, "a filter") : r;
}

static int check_bases(const struct check *check)
{
	const struct ldap_conf *conf = check->conf;
	int r;

	r = check_base(check, "ldap_search_base", conf->search_base);
	if (r == 0)
		r = check_base(check, "ldap_user_search_base", conf->user_search_base);
	if (r == 0)
		r = check_base(check, "ldap_group_search_base", conf->group_search_base);
	if (r == 0)
		r = check_filter(check, "ldap_user_search_filter", conf->user_search_filter,
		                 conf->user_search_base);
	if (r == 0)
		r = check_filter(check, "ldap_group_search_filter", conf->group_search_filter,
		                 conf->group_search_base);
	if (r == 0 && conf->read_rootdse == LDAP_ROOTDSE_NEVER && !conf->search_base &&
	    !(conf->user_search_base && conf->group_search_base))
		r = found(check, LDAP_FAULT_ERROR, "ldap_read_rootdse",
		          "Attribute 'ldap_read_rootdse' in section '%s' cannot be never while "
		          "'ldap_search_base' is not set: nobody else tells where to search.",
		          check->section);
	return r;
}

/* ---- the bind ---- */

/* RFC 4422 section 3.1 */
static bool is_mechanism(const char *name)
{
	size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return size > 0 && size <= MECHANISM_MAX && !name[size];
}

static int check_sasl(const struct check *check)
{
	const struct ldap_conf *conf = check->conf;
	int r = 0;

	if (conf->sasl_mech && !is_mechanism(conf->sasl_mech))
		r = invalid(check, "ldap_sasl_mech", conf->sasl_mech,
		            "the name of a SASL mechanism: up to 20 capital letters, digits, '-' "
		            "and '_'");
	if (r == 0 && conf->krb5_keytab && *conf->krb5_keytab != '/' &&
	    !strchr(conf->krb5_keytab, ':'))
		r = found(check, LDAP_FAULT_ERROR, "ldap_krb5_keytab",
		          "Attribute 'ldap_krb5_keytab' in section '%s' has an invalid value: "
		          "'%s' is neither an absolute path nor TYPE:NAME.",
		          check->section, conf->krb5_keytab);
	if (r == 0 && conf->sasl_maxssf >= 0 && conf->sasl_minssf > conf->sasl_maxssf)
		r = found(check, LDAP_FAULT_ERROR, "ldap_sasl_minssf",
		          "Attributes 'ldap_sasl_minssf' and 'ldap_sasl_maxssf' in section '%s': "
		          "%d is larger than %d.",
		          check->section, (int)conf->sasl_minssf, (int)conf->sasl_maxssf);
	return r;
}

static int check_password(const struct check *check)
{
	const struct ldap_conf *conf = check->conf;
	auto_talloc struct secret *password = NULL;
	int r;

	if (!conf->bind_password && conf->bind_dn && !conf->sasl_mech)
		return found(check, LDAP_FAULT_ERROR, "ldap_default_bind_dn",
		             "Attribute 'ldap_default_bind_dn' in section '%s' needs "
		             "'ldap_default_authtok': servers take a bind without a password for "
		             "an anonymous one.",
		             check->section);
	if (!conf->bind_password || conf->authtok_type != LDAP_AUTHTOK_OBFUSCATED)
		return 0;
	r = obfuscated_read(check->scratch, conf->bind_password, &password);
	if (r != -EBADMSG)
		return r;
	return found(check, LDAP_FAULT_ERROR, "ldap_default_authtok",
	             "Attribute 'ldap_default_authtok' in section '%s' has an invalid value: it is "
	             "not what sss_obfuscate writes, but 'ldap_default_authtok_type' is "
	             "obfuscated_password.",
	             check->section);
}

/* ---- the directory ---- */

/* They stand in filters as they are: only names may. */
static int check_attrs(const struct check *check)
{
	const struct ldap_conf *conf = check->conf;
	const struct {
		const char *option, *value;
		bool is_class;
	} attrs[] = {
		{ "ldap_user_object_class", conf->user_object_class, true },
		{ "ldap_user_name", conf->user_name },
		{ "ldap_user_uid_number", conf->user_uid_number },
		{ "ldap_user_gid_number", conf->user_gid_number },
		{ "ldap_user_gecos", conf->user_gecos },
		{ "ldap_user_home_directory", conf->user_home_directory },
		{ "ldap_user_shell", conf->user_shell },
		{ "ldap_user_principal", conf->user_principal },
		{ "ldap_user_fullname", conf->user_fullname },
		{ "ldap_user_email", conf->user_email },
		{ "ldap_group_object_class", conf->group_object_class, true },
		{ "ldap_group_object_class_alt", conf->group_object_class_alt, true },
		{ "ldap_group_name", conf->group_name },
		{ "ldap_group_gid_number", conf->group_gid_number },
		{ "ldap_group_member", conf->group_member },
	};
	int r = 0;

	for (size_t i = 0; i < str_size(attrs) && r == 0; i++)
		if (attrs[i].value && !attr_is_valid(attrs[i].value))
			r = invalid(check, attrs[i].option, attrs[i].value,
			            attrs[i].is_class ? "the name of an object class"
			                              : "the name of an attribute");
	return r;
}

static int check_extra(const struct check *check)
{
	char *const *item = check->conf->user_extra_attrs;
	const char *name, *attr;
	size_t n = 0;
	int r = 0;

	for (; item && *item && r == 0; item++, n++) {
		r = attr_split_extra(check->scratch, *item, &name, &attr);
		if (r == -EINVAL)
			r = invalid(check, "ldap_user_extra_attrs", *item,
			            "the name of an attribute, nor two with a colon");
	}
	if (r == 0 && n > EXTRA_ATTRS_MAX)
		r = found(check, LDAP_FAULT_ERROR, "ldap_user_extra_attrs",
		          "Attribute 'ldap_user_extra_attrs' in section '%s' has an invalid value: "
		          "these are more attributes than %d.",
		          check->section, EXTRA_ATTRS_MAX);
	return r;
}

int ldap_check(const struct ldap_conf *conf, const char *section, ldap_fault_fn *tell, void *data)
{
	static int (*const parts[])(const struct check *check) = {
		check_uris, check_bases, check_sasl, check_password, check_attrs, check_extra,
	};
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	const struct check check = { conf, section, tell, data, scratch };
	int r = scratch ? 0 : -ENOMEM;

	for (size_t i = 0; i < str_size(parts) && r == 0; i++)
		r = parts[i](&check);
	return r;
}
