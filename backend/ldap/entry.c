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

/* Is it a part of the values of one that is read? As AD gives those of a large group. */
static bool is_range(const struct attrs *attrs, const char *name)
{
	static const char range[] = ";range=";
	size_t size = strcspn(name, ";");

	if (strncasecmp(name + size, range, strlen(range)) != 0)
		return false;
	for (size_t i = 0; i < attrs->count; i++)
		if (attrs->names[i] && strlen(attrs->names[i]) == size &&
		    strncasecmp(attrs->names[i], name, size) == 0)
			return true;
	return false;
}

/* As ldap_get_attribute_ber(3) does, but for those that nobody reads: a server may give a million
 * values that it was not asked for, and they are passed over at once. */
static int read_attributes(struct entry_owner *owner, BerElement *ber, const struct attrs *attrs)
{
	for (;;) {
		struct berval name = { 0 }, *array = NULL;
		ber_len_t left = 0, size = sizeof(*array);

		if (ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &left) != LBER_OPT_SUCCESS)
			return -EBADMSG;
		if (left == 0)
			return 0;
		if (ber_scanf(ber, "{m", &name) == LBER_ERROR)
			return -EBADMSG;
		if (is_range(attrs, name.bv_val))
			owner->values.cut = true;
		if (!is_wanted(owner, attrs, name.bv_val)) {
			if (ber_scanf(ber, "x}") == LBER_ERROR)
				return -EBADMSG;
			continue;
		}
		if (ber_scanf(ber, "M", &array, &size, (ber_len_t)0) == LBER_ERROR)
			return -EBADMSG;
		if (array && array[0].bv_val)
			place(owner, attrs, name.bv_val, array);
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
