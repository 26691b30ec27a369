/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Dereference - who all the members of a group are, with one search
 *
 * The control 1.3.6.1.4.1.4203.666.5.16 (slapo-deref(5); 389 Directory Server has it, too). It only
 * helps: a server that says it can, and does not, is asked as if there was none.
 */
#pragma once

#include <lber.h>
#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"
#include "common/wire/reader.h"

/* A member the server told about: as which it is known, a user or a group. member has what
 * member_from() reads, until the callee returns. */
typedef void deref_member(const struct entry_values *member, bool user, bool group, void *data);

/* Does the server offer it, and may it be used? A filter in a search base forbids it: the server
 * would not apply it. */
bool deref_is_usable(const struct ldap_domain *domain);

/* Reads the group dn and calls member for each of its members that exists and may be seen. dn, id
 * are borrowed, data is handed to member. */
struct tevent_req *deref_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, const char *dn, deref_member *member,
                              void *data);

/* Errors: -ENOTSUP not in this way; -E_DISCONNECTED; -ETIMEDOUT. */
int deref_recv(struct tevent_req *req);

/* The value of the control in an answer, borrowed, as far as it was read. */
struct deref_reader {
	struct reader value, members;
};

struct deref_reader deref_reader_over(const struct berval *control);

/* Reads on, n_most members at the most. 1: there are more; 0: these were all.
 * Errors: -EBADMSG, maybe after some members. */
int deref_read(struct deref_reader *reader, unsigned n_most, const struct ldap_conf *conf,
               deref_member *member, void *data);
