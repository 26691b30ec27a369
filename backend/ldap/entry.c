/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entry - see entry.h
 *
 * libldap decodes in place: ldap_get_attribute_ber(3) gives values inside the message and writes
 * a NUL behind each, over the next tag, which it has remembered. So an entry can be walked once.
 */
#include "backend/ldap/entry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"

struct entry_owner {
	struct entry_values values; /* first: what callers see */
	LDAPMessage *msg;
	struct berval *arrays[ATTRS_MAX]; /* owned; several places may share one */
	size_t n_arrays;
};

static int entry_destroy(struct entry_owner *owner)
{
	for (size_t i = 0; i < owner->n_arrays; i++)
		ber_memfree(owner->arrays[i]);
	ldap_msgfree(owner->msg);
	return 0;
}

/* Does any place read the attribute, and have no values yet? */
static bool is_wanted(const struct entry_owner *owner, const struct attrs *attrs, const char *name)
{
	for (size_t i = 0; i < attrs->count; i++)
		if (attrs->names[i] && strcasecmp(attrs->names[i], name) == 0 &&
		    !owner->values.values[i])
			return owner->n_arrays < ATTRS_MAX;
	return false;
}

/* Gives the array to every place that reads the attribute. */
static void place(struct entry_owner *owner, const struct attrs *attrs, const char *name,
                  struct berval *array)
{
	owner->arrays[owner->n_arrays++] = array;
	for (size_t i = 0; i < attrs->count; i++)
		if (attrs->names[i] && strcasecmp(attrs->names[i], name) == 0 &&
		    !owner->values.values[i])
			owner->values.values[i] = array;
}

#define DIGITS     "0123456789"
#define DIGITS_MAX 9

/* "0-1499" or "3000-*": *ret_next is the number of the first behind it, 0 = none. Errors: -EBADMSG,
 * also when it does not begin with first. */
static int read_range(const char *text, uint32_t first, uint32_t *ret_next)
{
	size_t size = strspn(text, DIGITS);
	const char *last = text + size + 1;
	uint32_t next;

	if (size == 0 || size > DIGITS_MAX || text[size] != '-' ||
	    strtoul(text, NULL, 10) != first)
		return -EBADMSG;
	*ret_next = 0;
	if (strcmp(last, "*") == 0)
		return 0;
	size = strspn(last, DIGITS);
	next = (uint32_t)strtoul(last, NULL, 10) + 1;
	if (size == 0 || size > DIGITS_MAX || last[size] || next <= first)
		return -EBADMSG;
	*ret_next = next;
	return 0;
}

/* Of what is read, the one of which name is a part, else name. Errors: -EBADMSG it is a part, and
 * not the one that was asked for: the first, or "member;range=1500-*". */
static int find_read(struct entry_values *values, const struct attrs *attrs, const char *name,
                     const char **ret_read)
{
	static const char range[] = ";range=";
	size_t size = strcspn(name, ";");

	*ret_read = name;
	if (strncasecmp(name + size, range, strlen(range)) != 0)
		return 0;
	for (size_t i = 0; i < attrs->count; i++) {
		const char *read = attrs->names[i];
		uint32_t first = 0, next;

		if (!read || strcspn(read, ";") != size || strncasecmp(read, name, size) != 0)
			continue;
		if (strncmp(read + size, range, strlen(range)) == 0)
			first = (uint32_t)strtoul(read + size + strlen(range), NULL, 10);
		else if (read[size])
			continue;
		*ret_read = read;
		if (read_range(name + size + strlen(range), first, &next) < 0)
			return -EBADMSG;
		if (next > values->cut)
			values->cut = next;
		return 0;
	}
	return 0;
}

/* As ldap_get_attribute_ber(3) does, but for those that nobody reads: a server may give a million
 * values that it was not asked for, and they are passed over at once. */
static int read_attributes(struct entry_owner *owner, BerElement *ber, const struct attrs *attrs)
{
	for (;;) {
		struct berval name = { 0 }, *array = NULL;
		const char *read;
		ber_len_t left = 0, size = sizeof(*array);

		if (ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &left) != LBER_OPT_SUCCESS)
			return -EBADMSG;
		if (left == 0)
			return 0;
		if (ber_scanf(ber, "{m", &name) == LBER_ERROR)
			return -EBADMSG;
		if (find_read(&owner->values, attrs, name.bv_val, &read) < 0)
			return -EBADMSG;
		if (!is_wanted(owner, attrs, read)) {
			if (ber_scanf(ber, "x}") == LBER_ERROR)
				return -EBADMSG;
			continue;
		}
		if (ber_scanf(ber, "M", &array, &size, (ber_len_t)0) == LBER_ERROR)
			return -EBADMSG;
		if (array && array[0].bv_val)
			place(owner, attrs, read, array);
		else
			ber_memfree(array);
		if (ber_scanf(ber, "}") == LBER_ERROR)
			return -EBADMSG;
	}
}

int entry_read(TALLOC_CTX *mem, LDAP *ld, LDAPMessage *msg, const struct attrs *attrs,
               struct entry_values **ret_values)
{
	struct entry_owner *owner = talloc_zero(mem, struct entry_owner);
	struct berval dn = { 0 };
	BerElement *ber = NULL;
	int r;

	if (!owner) {
		ldap_msgfree(msg);
		return -ENOMEM;
	}
	owner->msg = msg;
	talloc_set_destructor(owner, entry_destroy);

	r = ldap_get_dn_ber(ld, msg, &ber, &dn) == LDAP_SUCCESS && dn.bv_val ? 0 : -EBADMSG;
	if (r == 0) {
		owner->values.dn = dn.bv_val;
		r = read_attributes(owner, ber, attrs);
	}
	if (ber)
		ber_free(ber, 0);
	if (r < 0) {
		talloc_free(owner);
		return r;
	}
	*ret_values = &owner->values;
	return 0;
}

char *entry_text(const struct entry_values *values, size_t attr)
{
	return values->values[attr] ? values->values[attr][0].bv_val : NULL;
}

int entry_number(const struct entry_values *values, size_t attr, uint64_t *ret_number)
{
	const char *text = entry_text(values, attr);

	if (!text)
		return -ENOENT;
	if (!*text || strlen(text) != values->values[attr][0].bv_len ||
	    text[strspn(text, "0123456789")] != '\0' || str_to_u64(text, ret_number) < 0)
		return -EINVAL;
	return 0;
}

bool entry_has_value(const struct entry_values *values, size_t attr, const char *name)
{
	const struct berval *value = values->values[attr];

	for (; value && value->bv_val; value++)
		if (value->bv_len == strlen(name) &&
		    memcmp(value->bv_val, name, value->bv_len) == 0)
			return true;
	return false;
}

bool entry_has_class(const struct entry_values *values, size_t attr, const char *name)
{
	const struct berval *value = values->values[attr];

	for (; value && value->bv_val; value++)
		if (strcasecmp(value->bv_val, name) == 0)
			return true;
	return false;
}

char *entry_rdn_value(TALLOC_CTX *mem, const char *dn, const char *name)
{
	char *value = NULL;
	LDAPDN parsed = NULL;

	if (ldap_str2dn(dn, &parsed, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || !parsed)
		return NULL;
	for (LDAPAVA **ava = parsed[0]; ava && *ava && !value; ava++)
		if ((*ava)->la_attr.bv_len == strlen(name) &&
		    strncasecmp((*ava)->la_attr.bv_val, name, strlen(name)) == 0)
			value = talloc_strndup(mem, (*ava)->la_value.bv_val,
			                       (*ava)->la_value.bv_len);
	ldap_dnfree(parsed);
	return value;
}
