/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: a stored record. What decodes can be walked to its last byte, and encodes to the bytes it
 * came from.
 */
#include "common/ident/entry.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t walked; /* so that no walk is left out */

static void walk_text(const char *text)
{
	assert(text);
	walked += strlen(text);
}

static void walk_names(const struct names *names)
{
	uint32_t count = 0;

	for (const char *name = NULL; (name = names_next(names, name)) != NULL; count++)
		walked += strlen(name);
	assert(count == names->count);
}

static void walk_user(const struct user *user)
{
	walk_text(user->name);
	walk_text(user->gecos);
	walk_text(user->home);
	walk_text(user->shell);
	walk_text(user->upn);
	walk_text(user->dn);
	walk_names(&user->aliases);
	walk_names(&user->attrs);
	assert(user->attrs.count % 2 == 0);
}

static void walk_group(const struct group *group)
{
	walk_text(group->name);
	walk_text(group->dn);
	walk_names(&group->aliases);
	walk_names(&group->members);
}

static void walk_initgroups(const struct initgroups *initgroups)
{
	walk_text(initgroups->name);
	for (uint32_t i = 0; i < initgroups->n_gids; i++)
		walked += initgroups_gid(initgroups, i);
	assert(initgroups->complete <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct entry_now now = { { 1700000000 }, { 5000 }, 1 };
	struct writer out;
	struct entry entry;

	if (entry_decode(data, size, &entry) < 0)
		return 0;

	switch (entry.kind) {
	case ENTRY_USER:
		walk_user(&entry.user);
		break;
	case ENTRY_GROUP:
		walk_group(&entry.group);
		break;
	case ENTRY_INITGROUPS:
		walk_initgroups(&entry.initgroups);
		break;
	}
	walked += entry_age(&entry, &now, 50, 1);

	out = writer_new(SIZE_MAX);
	entry_encode(&out, &entry);
	assert(writer_end(&out) == 0);
	assert(out.size == size && memcmp(out.bytes, data, size) == 0);
	writer_free(&out);
	return 0;
}
