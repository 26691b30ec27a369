/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records - from an entry of the directory to a user or group of ours, or the reason why not
 *
 * Attribute names are the ldap_user_* and ldap_group_* options; the meaning is RFC 2307 section 3.
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

#include "backend/ldap/entry.h"
#include "common/ident/group.h"
#include "common/ident/user.h"
#include "common/ldap/attr.h"

/* clang-format off */
enum user_attr {
	USER_NAME, USER_UID, USER_GID, USER_GECOS, USER_HOME, USER_SHELL, USER_PRINCIPAL,
	USER_FULLNAME, USER_EMAIL,
	N_USER_ATTRS,
};

enum group_attr {
	GROUP_NAME, GROUP_GID,
	GROUP_MEMBER,    /* names: schema rfc2307 */
	GROUP_MEMBER_DN, /* DNs: all others */
	GROUP_CLASS,     /* only where it is needed */
	N_GROUP_ATTRS,
};
/* clang-format on */

/* Whom the domain takes (common/ident/accept.h). */
struct id_range {
	uint32_t min, max;         /* max 0 = no limit */
	bool private_groups;       /* users need no primary group that makes sense */
	uint32_t own_uid, own_gid; /* of our daemons, refused: whoever had them could read all that
	                            * is ours; 0 = those of root, refused anyway */
};

/* What a domain does with users beyond RFC 2307. */
struct user_rules {
	bool upper_case_realm;              /* of principals: ldap_force_upper_case_realm */
	const char *extra[EXTRA_ATTRS_MAX]; /* ldap_user_extra_attrs: under which names their values
	                                     * are kept; they stand behind N_USER_ATTRS */
	size_t n_extra;
};

/* The reason that is not the entry's fault: whoever gets it must not go on without the entry. */
extern const char records_no_memory[];

/* Fills ret_user; its texts belong to values or hang below mem. asked is the name in the question,
 * NULL if it was by id; name_attr the attribute called USER_NAME; rules NULL: none. Texts that
 * would break a line of passwd(5) are cleaned in place. A value of an extra attribute that is no
 * text, or too long, is left out.
 * Returns NULL, or why the entry is refused, in words for the log. */
const char *user_from(TALLOC_CTX *mem, struct entry_values *values, const char *name_attr,
                      const char *asked, const struct id_range *range,
                      const struct user_rules *rules, struct user *ret_user);

/* The same for a group. */
const char *group_from(TALLOC_CTX *mem, struct entry_values *values, const char *name_attr,
                       const char *asked, const struct id_range *range, struct group *ret_group);

/* Only the name of a user, which is all that the members of a group need; the rest as above. */
const char *member_from(TALLOC_CTX *mem, const struct entry_values *values, const char *name_attr,
                        const struct id_range *range, const char **ret_name);

/* Only the number of a group, which is all that the groups of a user need. */
const char *gid_from(const struct entry_values *values, const struct id_range *range,
                     uint32_t *ret_gid);
