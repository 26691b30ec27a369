/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records - see records.h
 */
#include "backend/ldap/records.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/account.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/ident/accept.h"

/* PATH_MAX for paths, and no person has a longer gecos: what is longer makes no sense. */
#define TEXT_MAX 4096

/* What the cache takes for one record is more; nobody has so many names. */
#define ALIASES_SIZE_MAX (1u << 20)

/* Nor has anybody so much to be known by. */
#define EXTRA_SIZE_MAX (64u << 10)

const char records_no_memory[] = "no memory";
static const char local_name[] = "the name belongs to this machine";
static const char too_many_names[] = "it has too many names";

/* ---- parts of an entry ---- */

static const char *number_from(const struct entry_values *values, size_t attr,
                               const struct id_range *range, const char *missing,
                               const char *not_a_number, uint32_t *ret_id)
{
	enum refusal refusal;
	uint64_t number;
	int r = entry_number(values, attr, &number);

	if (r < 0)
		return r == -ENOENT ? missing : not_a_number;
	refusal = accept_id(number, range->min, range->max);
	if (refusal != ACCEPTED)
		return accept_text(refusal);
	if (number == range->own_uid || number == range->own_gid)
		return "the id is SSSD's own";
	*ret_id = (uint32_t)number;
	return NULL;
}

/* The first value of attr, cleaned; "" when there is none. */
static const char *text_from(const struct entry_values *values, size_t attr, const char *too_long,
                             const char **ret_text)
{
	char *text = entry_text(values, attr);

	if (!text) {
		*ret_text = "";
		return NULL;
	}
	if (values->values[attr][0].bv_len > TEXT_MAX)
		return too_long;
	accept_clean(text);
	*ret_text = text;
	return NULL;
}

static bool value_is_whole(const struct berval *value)
{
	return strlen(value->bv_val) == value->bv_len;
}

/* Which of several names is the entry's own: the one in its RDN, else the one asked for, else the
 * first. NULL without any value. */
static const char *name_of(TALLOC_CTX *mem, const struct entry_values *values, size_t attr,
                           const char *name_attr, const char *asked)
{
	const struct berval *names = values->values[attr];
	const char *rdn;

	if (!names)
		return NULL;
	if (!names[1].bv_val)
		return value_is_whole(names) ? names->bv_val : "";

	rdn = entry_rdn_value(mem, values->dn, name_attr);
	if (rdn && entry_has_value(values, attr, rdn))
		return rdn;
	if (asked && entry_has_value(values, attr, asked))
		return asked;
	return value_is_whole(names) ? names->bv_val : "";
}

/* The values of attr that are names, without the one called except, as one run. */
static int names_from(TALLOC_CTX *mem, const struct entry_values *values, size_t attr,
                      const char *except, struct names *ret_names)
{
	const struct berval *value = values->values[attr];
	struct names names = { 0 };
	size_t room = 0;
	char *bytes;

	for (; value && value->bv_val; value++)
		room += value->bv_len + 1;
	if (room == 0) {
		*ret_names = names;
		return 0;
	}
	bytes = talloc_size(mem, room);
	if (!bytes)
		return -ENOMEM;

	for (value = values->values[attr]; value->bv_val; value++) {
		if (!value_is_whole(value) || accept_name(value->bv_val) != ACCEPTED ||
		    (except && strcmp(value->bv_val, except) == 0))
			continue;
		memcpy(bytes + names.size, value->bv_val, value->bv_len + 1);
		names.size += value->bv_len + 1;
		names.count++;
	}
	names.bytes = bytes;
	*ret_names = names;
	return 0;
}

/* ---- what a user is also called ---- */

static bool add_alias(struct writer *out, const struct user *user, const char *alias)
{
	if (accept_name(alias) != ACCEPTED || strcmp(alias, user->name) == 0)
		return false;
	writer_str(out, alias);
	return true;
}

/* The name, or a principal, or a mail address: in those no case counts, whatever the domain does,
 * so that the folded form leads here, too. */
static uint32_t add_called(struct writer *out, const struct user *user, const char *called)
{
	auto_talloc char *folded = NULL;
	uint32_t n = add_alias(out, user, called);

	if (strchr(called, '@') && str_fold(NULL, called, &folded) == 0 &&
	    strcmp(folded, called) != 0)
		n += add_alias(out, user, folded);
	return n;
}

/* addresses: what has no '@' is none, and must not lead from somebody else's name to this user. */
static uint32_t add_values(struct writer *out, const struct user *user, const struct berval *values,
                           bool addresses)
{
	uint32_t n = 0;

	for (; values && values->bv_val; values++)
		if (value_is_whole(values) && (!addresses || strchr(values->bv_val, '@')))
			n += add_called(out, user, values->bv_val);
	return n;
}

/* Further names, principals, mail addresses. */
static int aliases_from(TALLOC_CTX *mem, const struct entry_values *values, const struct user *user,
                        struct names *ret_aliases)
{
	struct writer out = writer_new(ALIASES_SIZE_MAX);
	struct names aliases = { 0 };
	int r;

	aliases.count = add_values(&out, user, values->values[USER_NAME], false) +
	                add_values(&out, user, values->values[USER_PRINCIPAL], true) +
	                add_values(&out, user, values->values[USER_EMAIL], true);
	aliases.size = out.size;
	r = writer_end(&out);
	if (r == 0 && aliases.count > 0) {
		aliases.bytes = talloc_memdup(mem, out.bytes, out.size);
		r = aliases.bytes ? 0 : -ENOMEM;
	}
	writer_free(&out);
	if (r == 0)
		*ret_aliases = aliases;
	return r;
}

/* ---- what the administrator wants to know besides ---- */

/* "alice@example.com" is "alice@EXAMPLE.COM" to a KDC. ASCII, as realms are. */
static void raise_realms(struct berval *principal)
{
	for (; principal && principal->bv_val; principal++) {
		char *at = memrchr(principal->bv_val, '@', principal->bv_len);

		for (; at && *at; at++)
			if (*at >= 'a' && *at <= 'z')
				*at = (char)(*at - 'a' + 'A');
	}
}

static uint32_t add_extra(struct writer *out, const char *name, const struct berval *values)
{
	uint32_t n = 0;

	for (; values && values->bv_val; values++) {
		if (!value_is_whole(values) || values->bv_len > TEXT_MAX ||
		    !str_is_utf8(values->bv_val, values->bv_len) ||
		    out->size + strlen(name) + values->bv_len + 2 > EXTRA_SIZE_MAX)
			continue;
		writer_str(out, name);
		writer_str(out, values->bv_val);
		n += 2;
	}
	return n;
}

static int extra_from(TALLOC_CTX *mem, const struct entry_values *values,
                      const struct user_rules *rules, struct names *ret_attrs)
{
	struct writer out = writer_new(EXTRA_SIZE_MAX);
	struct names attrs = { 0 };
	int r;

	for (size_t i = 0; i < rules->n_extra; i++)
		attrs.count +=
			add_extra(&out, rules->extra[i], values->values[N_USER_ATTRS + i]);
	attrs.size = out.size;
	r = writer_end(&out);
	if (r == 0 && attrs.count > 0) {
		attrs.bytes = talloc_memdup(mem, out.bytes, out.size);
		r = attrs.bytes ? 0 : -ENOMEM;
	}
	writer_free(&out);
	if (r == 0)
		*ret_attrs = attrs;
	return r;
}

/* ---- whole records ---- */

const char *member_from(TALLOC_CTX *mem, const struct entry_values *values, const char *name_attr,
                        const struct id_range *range, const char **ret_name)
{
	const char *name = name_of(mem, values, USER_NAME, name_attr, NULL);
	enum refusal refusal;
	uint32_t uid;

	if (!name)
		return "it has no name";
	refusal = accept_name(name);
	if (refusal != ACCEPTED)
		return accept_text(refusal);
	*ret_name = name;
	return number_from(values, USER_UID, range, "it has no uid", "its uid is not a number",
	                   &uid);
}

const char *user_from(TALLOC_CTX *mem, struct entry_values *values, const char *name_attr,
                      const char *asked, const struct id_range *range,
                      const struct user_rules *rules, struct user *ret_user)
{
	struct user user = { .dn = values->dn };
	enum refusal refusal;
	const char *reason;
	int r;

	user.name = name_of(mem, values, USER_NAME, name_attr, asked);
	if (!user.name)
		return "it has no name";
	refusal = accept_name(user.name);
	if (refusal != ACCEPTED)
		return accept_text(refusal);
	if (account_is_local_name(user.name))
		return local_name;

	reason = number_from(values, USER_UID, range, "it has no uid", "its uid is not a number",
	                     &user.uid);
	if (!reason)
		reason = number_from(values, USER_GID, range, "it has no gid",
		                     "its gid is not a number", &user.gid);
	if (reason && range->private_groups && user.uid != 0) {
		user.gid = user.uid;
		reason = NULL;
	}
	if (!reason)
		reason = text_from(values, USER_GECOS, "its gecos is too long", &user.gecos);
	if (!reason && !*user.gecos)
		reason = text_from(values, USER_FULLNAME, "its full name is too long", &user.gecos);
	if (!reason)
		reason = text_from(values, USER_HOME, "its home directory is too long", &user.home);
	if (!reason)
		reason = text_from(values, USER_SHELL, "its shell is too long", &user.shell);
	if (rules && rules->upper_case_realm)
		raise_realms(values->values[USER_PRINCIPAL]);
	if (!reason)
		reason = text_from(values, USER_PRINCIPAL, "its principal is too long", &user.upn);
	if (reason)
		return reason;

	r = aliases_from(mem, values, &user, &user.aliases);
	if (r < 0)
		return r == -ENOMEM ? records_no_memory : too_many_names;
	if (rules && extra_from(mem, values, rules, &user.attrs) < 0)
		return records_no_memory;
	*ret_user = user;
	return NULL;
}

const char *group_from(TALLOC_CTX *mem, struct entry_values *values, const char *name_attr,
                       const char *asked, const struct id_range *range, struct group *ret_group)
{
	struct group group = { .dn = values->dn };
	enum refusal refusal;
	const char *reason;

	group.name = name_of(mem, values, GROUP_NAME, name_attr, asked);
	if (!group.name)
		return "it has no name";
	refusal = accept_name(group.name);
	if (refusal != ACCEPTED)
		return accept_text(refusal);
	if (account_is_local_name(group.name))
		return local_name;
	reason = gid_from(values, range, &group.gid);
	if (reason)
		return reason;

	if ((values->values[GROUP_NAME][1].bv_val &&
	     names_from(mem, values, GROUP_NAME, group.name, &group.aliases) < 0) ||
	    names_from(mem, values, GROUP_MEMBER, NULL, &group.members) < 0)
		return records_no_memory;
	*ret_group = group;
	return NULL;
}

const char *gid_from(const struct entry_values *values, const struct id_range *range,
                     uint32_t *ret_gid)
{
	return number_from(values, GROUP_GID, range, "it has no gid", "its gid is not a number",
	                   ret_gid);
}
