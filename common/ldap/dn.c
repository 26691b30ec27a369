/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * DN - see dn.h
 *
 *   key   attr=value,attr+attr=value, …   attr in lower case; of value: letters folded, blanks at
 *         its ends gone and those within one each, ESCAPED and control characters as
 *         \xx; what is not text (RFC 4514 section 2.4, or not UTF-8) as # and all bytes in hex
 */
#include "common/ldap/dn.h"

#include <ctype.h>
#include <errno.h>
#include <ldap.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/wire/writer.h"

#define KEY_MAX ((size_t)DN_MAX * 8) /* a folded byte may take three, and each an escape */
#define ESCAPED ",+=#\\\";<>"

static void put_hex(struct writer *out, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	writer_u8(out, (uint8_t)digits[byte >> 4]);
	writer_u8(out, (uint8_t)digits[byte & 15]);
}

static bool is_text(const LDAPAVA *ava)
{
	return !(ava->la_flags & LDAP_AVA_BINARY) &&
	       !memchr(ava->la_value.bv_val, '\0', ava->la_value.bv_len) &&
	       str_is_utf8(ava->la_value.bv_val, ava->la_value.bv_len);
}

static void put_text(struct writer *out, const char *text)
{
	bool began = false, blank = false;

	for (; *text; text++) {
		if (*text == ' ') {
			blank = began;
			continue;
		}
		if (blank)
			writer_u8(out, ' ');
		began = true;
		blank = false;
		if (strchr(ESCAPED, *text) || iscntrl((unsigned char)*text)) {
			writer_u8(out, '\\');
			put_hex(out, (uint8_t)*text);
		} else {
			writer_u8(out, (uint8_t)*text);
		}
	}
}

static int put_ava(struct writer *out, const LDAPAVA *ava)
{
	auto_talloc char *value = NULL, *folded = NULL;
	int r;

	for (size_t i = 0; i < ava->la_attr.bv_len; i++)
		writer_u8(out, (uint8_t)tolower((unsigned char)ava->la_attr.bv_val[i]));
	writer_u8(out, '=');
	if (!is_text(ava)) {
		writer_u8(out, '#');
		for (size_t i = 0; i < ava->la_value.bv_len; i++)
			put_hex(out, (uint8_t)ava->la_value.bv_val[i]);
		return 0;
	}
	value = talloc_strndup(NULL, ava->la_value.bv_val, ava->la_value.bv_len);
	if (!value)
		return -ENOMEM;
	r = str_fold(NULL, value, &folded);
	if (r == 0)
		put_text(out, folded);
	return r;
}

static int compare_texts(const void *a, const void *b)
{
	const char *x, *y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return strcmp(x, y);
}

/* Several values of one RDN have no order. */
static int put_rdn(struct writer *out, LDAPAVA *const *avas)
{
	auto_talloc const char **parts = NULL;
	unsigned n = 0;
	int r = 0;

	if (!avas[1])
		return put_ava(out, avas[0]);

	while (avas[n])
		n++;
	parts = talloc_zero_array(NULL, const char *, n);
	if (!parts)
		return -ENOMEM;
	for (unsigned i = 0; i < n && r == 0; i++) {
		struct writer part = writer_new(KEY_MAX);

		r = put_ava(&part, avas[i]);
		writer_str(&part, "");
		if (r == 0)
			r = writer_end(&part);
		parts[i] = r == 0 ? talloc_strdup(parts, (const char *)part.bytes) : NULL;
		if (r == 0 && !parts[i])
			r = -ENOMEM;
		writer_free(&part);
	}
	if (r < 0)
		return r;
	qsort(parts, n, sizeof(*parts), compare_texts);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			writer_u8(out, '+');
		writer_bytes(out, parts[i], strlen(parts[i]));
	}
	return 0;
}

static int make_key(TALLOC_CTX *mem, LDAPRDN *rdns, char **ret_key)
{
	struct writer out = writer_new(KEY_MAX);
	int r = 0;

	for (size_t i = 0; rdns && rdns[i] && r == 0; i++) {
		if (i > 0)
			writer_u8(&out, ',');
		r = put_rdn(&out, rdns[i]);
	}
	if (r == 0)
		r = writer_end(&out) == -EMSGSIZE ? -EINVAL : writer_end(&out);
	if (r == 0) {
		*ret_key = talloc_strndup(mem, out.bytes ? (const char *)out.bytes : "", out.size);
		if (!*ret_key)
			r = -ENOMEM;
	}
	writer_free(&out);
	return r;
}

int dn_parse(TALLOC_CTX *mem, const char *text, struct dn *ret_dn)
{
	struct dn dn = { 0 };
	LDAPDN rdns = NULL;
	int r;

	if (strlen(text) > DN_MAX || ldap_str2dn(text, &rdns, LDAP_DN_FORMAT_LDAPV3) != 0)
		return -EINVAL;

	r = make_key(mem, rdns, &dn.key);
	for (size_t i = 0; r == 0 && rdns && rdns[0] && rdns[0][i] && !dn.attr; i++) {
		const LDAPAVA *ava = rdns[0][i];

		if (!is_text(ava))
			continue;
		dn.single = i == 0 && !rdns[0][1];
		dn.attr = talloc_strndup(mem, ava->la_attr.bv_val, ava->la_attr.bv_len);
		dn.value = talloc_strndup(mem, ava->la_value.bv_val, ava->la_value.bv_len);
		if (!dn.attr || !dn.value)
			r = -ENOMEM;
	}
	ldap_dnfree(rdns);
	if (r < 0)
		return r;
	*ret_dn = dn;
	return 0;
}

bool dn_is_in_scope(const char *key, const char *base, int scope)
{
	size_t size = strlen(key), base_size = strlen(base);
	const char *parent = strchr(key, ',');

	switch (scope) {
	case LDAP_SCOPE_BASE:
		return strcmp(key, base) == 0;
	case LDAP_SCOPE_ONELEVEL:
		return *key && strcmp(parent ? parent + 1 : "", base) == 0;
	default:
		return base_size == 0 || strcmp(key, base) == 0 ||
		       (size > base_size && key[size - base_size - 1] == ',' &&
		        strcmp(key + size - base_size, base) == 0);
	}
}
