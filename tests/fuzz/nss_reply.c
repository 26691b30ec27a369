/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a responder may send to libnss_sss: the bodies of passwd, group and initgroups replies
 *
 *   | kind: u8 | size of the caller's buffer, or room for groups: u16 | body |
 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "clientlibs/nss/nss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool right)
{
	if (!right)
		abort();
}

/* text and its NUL lie in the buffer. */
static void expect_inside(const char *text, const char *buffer, size_t size)
{
	expect(text >= buffer && text < buffer + size);
	expect(memchr(text, '\0', size - (size_t)(text - buffer)) != NULL);
}

static void try_passwd(struct reader *in, char *buffer, size_t size)
{
	struct passwd user;

	if (nss_read_one(in, passwd_read, &user, buffer, size) <= 0)
		return;
	expect_inside(user.pw_name, buffer, size);
	expect_inside(user.pw_passwd, buffer, size);
	expect_inside(user.pw_gecos, buffer, size);
	expect_inside(user.pw_dir, buffer, size);
	expect_inside(user.pw_shell, buffer, size);
	expect(user.pw_uid != 0 && user.pw_gid != 0 && user.pw_name[0] != '\0');
}

static void try_group(struct reader *in, char *buffer, size_t size)
{
	struct group group;

	if (nss_read_one(in, group_read, &group, buffer, size) <= 0)
		return;
	expect_inside(group.gr_name, buffer, size);
	expect_inside(group.gr_passwd, buffer, size);
	expect((uintptr_t)group.gr_mem % alignof(char *) == 0);
	for (size_t i = 0; group.gr_mem[i]; i++)
		expect_inside(group.gr_mem[i], buffer, size);
	expect(group.gr_gid != 0 && group.gr_name[0] != '\0');
}

static void try_initgroups(struct reader *in, long room, long limit)
{
	gid_t *groups = calloc((size_t)room + 1, sizeof(*groups));
	long start = 0;

	if (initgroups_read(in, 5, &start, &room, &groups, limit) < 0)
		expect(start == 0);
	expect(start <= room);
	for (long i = 0; i < start; i++)
		expect(groups[i] != 0 && groups[i] != 5);
	free(groups);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	uint8_t kind = reader_u8(&in);
	uint16_t buffer_size = reader_u16(&in);
	/* An odd address, because the member list has to be aligned; the end is exact. */
	char *block = malloc((size_t)buffer_size + 1), *buffer = block + 1;

	switch (kind % 4) {
	case 0:
		try_passwd(&in, buffer, buffer_size);
		break;
	case 1:
		try_group(&in, buffer, buffer_size);
		break;
	case 2:
		try_initgroups(&in, buffer_size, -1);
		break;
	case 3:
		try_initgroups(&in, buffer_size % 8, 4);
		break;
	}
	free(block);
	return 0;
}
