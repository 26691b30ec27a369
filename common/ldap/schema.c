/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Schema - see schema.h
 *
 * rfc2307 is RFC 2307, and its names are the defaults of options_ldap.c; rfc2307bis the draft that
 * came after it; IPA the 389 Directory Server of FreeIPA; AD the attributes for Unix in Active
 * Directory (MS-ADA1 to MS-ADA3, MS-ADSC).
 */
#include "common/ldap/schema.h"

#include "common/base/str.h"

#define AT(field) offsetof(struct ldap_conf, field)

/* Where a schema differs from rfc2307; NULL: it does not. */
struct difference {
	const char *option;
	size_t offset; /* of a const char * in struct ldap_conf */
	const char *bis, *ipa, *ad;
};

/* clang-format off */
static const struct difference differences[] = {
	/* option                        field                       rfc2307bis IPA             AD */
	{ "ldap_user_object_class",      AT(user_object_class),      NULL,      NULL,           "user" },
	{ "ldap_user_name",              AT(user_name),              NULL,      NULL,           "sAMAccountName" },
	{ "ldap_user_home_directory",    AT(user_home_directory),    NULL,      NULL,           "unixHomeDirectory" },
	{ "ldap_user_principal",         AT(user_principal),         NULL,      NULL,           "userPrincipalName" },
	{ "ldap_user_fullname",          AT(user_fullname),          NULL,      NULL,           "name" },
	{ "ldap_group_object_class",     AT(group_object_class),     NULL,      "ipaUserGroup", "group" },
	{ "ldap_group_object_class_alt", AT(group_object_class_alt), NULL,      "posixGroup",   NULL },
	{ "ldap_group_name",             AT(group_name),             NULL,      NULL,           "sAMAccountName" },
	{ "ldap_group_member",           AT(group_member),           "member",  "member",       "member" },
};
/* clang-format on */

static const char *name_in(const struct difference *difference, int schema)
{
	switch (schema) {
	case LDAP_SCHEMA_RFC2307BIS:
		return difference->bis;
	case LDAP_SCHEMA_IPA:
		return difference->ipa;
	case LDAP_SCHEMA_AD:
		return difference->ad;
	default:
		return NULL;
	}
}

void schema_set_defaults(const struct conf *conf, const char *section, struct ldap_conf *ret_ldap)
{
	for (size_t i = 0; i < str_size(differences); i++) {
		const char *name = name_in(&differences[i], ret_ldap->schema);
		void *field = (char *)ret_ldap + differences[i].offset;

		if (name && !conf_get(conf, section, differences[i].option))
			*(const char **)field = name;
	}
}

bool schema_lists_dns(const struct ldap_conf *ldap)
{
	return ldap->schema != LDAP_SCHEMA_RFC2307;
}
