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

#include "backend/ldap/range.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define NAME_SHOWN 64 /* of an attribute's name, to people */

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

/* Which of those that are read has this part of its values, and with which of them it has to begin:
 * what was asked for is the first part, or "member;range=1500-*". */
static const char *find_part(const struct attrs *attrs, const char *type, size_t type_size,
                             uint32_t *ret_first)
{
	for (size_t i = 0; i < attrs->count; i++) {
		const char *read = attrs->names[i];
		struct range asked = { 0 };
		size_t size;

		if (!read)
			continue;
		size = strlen(read);
		range_parse(read, size, &size, &asked);
		if (size == type_size && strncasecmp(read, type, size) == 0) {
			*ret_first = asked.first;
			return read;
		}
	}
	return NULL;
}

static int set_cut(struct entry_owner *owner, const struct attrs *attrs, const char *read,
                   uint32_t next)
{
	uint32_t *cut = owner->values.cut;

	if (!cut)
		cut = owner->values.cut = talloc_zero_array(owner, uint32_t, ATTRS_MAX);
	if (!cut)
		return -ENOMEM;
	for (size_t i = 0; i < attrs->count; i++)
		if (attrs->names[i] && strcasecmp(attrs->names[i], read) == 0)
			cut[i] = next;
	return 0;
}

/* The values of one attribute, or nothing: as ldap_get_attribute_ber(3) does. */
static int take_values(BerElement *ber, struct berval **ret_array)
{
	struct berval *array = NULL;
	ber_len_t size = sizeof(*array);

	if (ber_scanf(ber, "M", &array, &size, (ber_len_t)0) == LBER_ERROR)
		return -EBADMSG;
	if (array && !array[0].bv_val) {
		ber_memfree(array);
		array = NULL;
	}
	*ret_array = array;
	return 0;
}

static int pass_over(BerElement *ber)
{
	return ber_scanf(ber, "x") == LBER_ERROR ? -EBADMSG : 0;
}

static int set_bad(struct entry_owner *owner, const struct berval *name)
{
	size_t size = name->bv_len < NAME_SHOWN ? name->bv_len : NAME_SHOWN;

	talloc_free(owner->values.bad);
	owner->values.bad = talloc_strndup(owner, name->bv_val, size);
	return owner->values.bad ? 0 : -ENOMEM;
}

/* A part of the values of read. */
static int take_part(struct entry_owner *owner, BerElement *ber, const struct attrs *attrs,
                     const struct berval *name, const char *read, const struct range *range)
{
	struct berval *array;
	int r = take_values(ber, &array);

	if (r < 0)
		return r;
	if (range->next && entry_count(array) != range->next - range->first)
		r = set_bad(owner, name);
	if (r == 0 && range->next)
		r = set_cut(owner, attrs, read, range->next);
	if (array)
		place(owner, attrs, read, array);
	return r;
}

static int take_whole(struct entry_owner *owner, BerElement *ber, const struct attrs *attrs,
                      const char *name)
{
	struct berval *array;
	int r;

	if (!is_wanted(owner, attrs, name))
		return pass_over(ber);
	r = take_values(ber, &array);
	if (r == 0 && array)
		place(owner, attrs, name, array);
	return r;
}

static int take_attribute(struct entry_owner *owner, BerElement *ber, const struct attrs *attrs,
                          const struct berval *name)
{
	const char *read = NULL;
	struct range range;
	uint32_t first = 0;
	size_t size = 0;
	int r = range_parse(name->bv_val, name->bv_len, &size, &range);

	if (r == -ENOENT)
		return take_whole(owner, ber, attrs, name->bv_val);
	if (!attrs->no_ranges)
		read = find_part(attrs, name->bv_val, size, &first);
	if (!read)
		return pass_over(ber);
	/* One after another, and none of them twice. */
	if (r == 0 && range.first == first && is_wanted(owner, attrs, read))
		return take_part(owner, ber, attrs, name, read, &range);
	r = set_bad(owner, name);
	return r == 0 ? pass_over(ber) : r;
}

/* What nobody reads is passed over at once: a server may give a million values that it was not
 * asked for. */
static int read_attributes(struct entry_owner *owner, BerElement *ber, const struct attrs *attrs)
{
	for (;;) {
		struct berval name = { 0 };
		ber_len_t left = 0;
		int r;

		if (ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &left) != LBER_OPT_SUCCESS)
			return -EBADMSG;
		if (left == 0)
			return 0;
		if (ber_scanf(ber, "{m", &name) == LBER_ERROR)
			return -EBADMSG;
		r = take_attribute(owner, ber, attrs, &name);
		if (r < 0)
			return r;
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

uint32_t entry_cut(const struct entry_values *values, size_t attr)
{
	return values->cut ? values->cut[attr] : 0;
}

size_t entry_count(const struct berval *array)
{
	size_t n = 0;

	while (array && array[n].bv_val)
		n++;
	return n;
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
