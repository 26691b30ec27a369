/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: entries of a directory on their way to users and groups
 *   | attr: u8 | size: u8 | value: size bytes | …, what is left is the DN
 * Whatever is accepted keeps the promises of common/ident/accept.h.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ldap/records.h"
#include "common/ident/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct entry_values *values, size_t attr, const uint8_t *bytes, size_t size)
{
	struct berval *array = values->values[attr];
	unsigned n = 0;

	while (array && array[n].bv_val)
		n++;
	array = talloc_realloc(values, array, struct berval, n + 2);
	array[n].bv_val = talloc_size(values, size + 1);
	memcpy(array[n].bv_val, bytes, size);
	array[n].bv_val[size] = '\0';
	array[n].bv_len = size;
	array[n + 1] = (struct berval){ 0 };
	values->values[attr] = array;
}

static struct entry_values *make(TALLOC_CTX *mem, const uint8_t *data, size_t size)
{
	struct entry_values *values = talloc_zero(mem, struct entry_values);

	while (size >= 2 && data[0] < N_USER_ATTRS + 2 && data[1] <= size - 2) {
		add(values, data[0], data + 2, data[1]);
		size -= 2u + data[1];
		data += 2u + data[1];
	}
	values->dn = talloc_strndup(values, (const char *)data, size);
	return values;
}

static void check_names(const struct names *names)
{
	const char *name = NULL;
	uint32_t n = 0;

	while ((name = names_next(names, name))) {
		assert(accept_name(name) == ACCEPTED);
		n++;
	}
	assert(n == names->count);
}

static void check_attrs(const struct names *attrs)
{
	const char *text = NULL;
	uint32_t n = 0;

	while ((text = names_next(attrs, text))) {
		assert(n % 2 == 1 || strcmp(text, "one") == 0 || strcmp(text, "two") == 0);
		n++;
	}
	assert(n == attrs->count && n % 2 == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct id_range range = { 1, 0 };
	static const struct user_rules rules = { true, { "one", "two" }, 2 };
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *name;
	struct user user;
	struct group group;

	if (!user_from(mem, make(mem, data, size), "uid", "asked", &range, &rules, &user)) {
		assert(accept_name(user.name) == ACCEPTED);
		assert(accept_id(user.uid, 1, 0) == ACCEPTED &&
		       accept_id(user.gid, 1, 0) == ACCEPTED);
		assert(!strpbrk(user.gecos, ":\n") && !strpbrk(user.home, ":\n") &&
		       !strpbrk(user.shell, ":\n"));
		check_names(&user.aliases);
		check_attrs(&user.attrs);
	}
	if (!group_from(mem, make(mem, data, size), "cn", "asked", &range, &group)) {
		assert(accept_name(group.name) == ACCEPTED);
		assert(accept_id(group.gid, 1, 0) == ACCEPTED);
		check_names(&group.members);
		check_names(&group.aliases);
	}
	if (!member_from(mem, make(mem, data, size), "uid", &range, &name))
		assert(accept_name(name) == ACCEPTED);
	talloc_free(mem);
	return 0;
}
