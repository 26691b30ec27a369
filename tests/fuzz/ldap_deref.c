/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: the value of a dereference control in an answer, on its way to names of members.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "backend/ldap/deref.h"
#include "common/ident/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_member(const struct entry_values *member, bool user, bool group, void *data)
{
	static const struct id_range range = { 1, 0 };
	TALLOC_CTX *mem = talloc_new(data);
	const char *name;

	(void)user;
	(void)group;
	assert(member->dn);
	if (!member_from(mem, member, "uid", &range, &name))
		assert(accept_name(name) == ACCEPTED);
	talloc_free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ldap_conf conf = {
		.user_name = "uid",
		.user_uid_number = "uidNumber",
		.user_object_class = "posixAccount",
		.group_object_class = "posixGroup",
	};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct berval control = { .bv_val = talloc_memdup(mem, data, size), .bv_len = size };

	struct deref_reader reader = deref_reader_over(&control);

	while (deref_read(&reader, 2, &conf, take_member, mem) == 1)
		;
	talloc_free(mem);
	return 0;
}
