/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * static - a statically linked program that asks for users and groups
 *
 *   static ROUNDS USER UID GROUP MEMBERS GROUPS     as of guest.c
 *
 * Its C library loads the NSS modules all the same, and with them a second C library, of whose
 * threads, heap and environment the program knows nothing. Exit 0: each answer was right.
 */
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 4096

static void must(bool is, const char *what, long number)
{
	if (is)
		return;
	fprintf(stderr, "static: %s: %ld\n", what, number);
	_exit(1);
}

static void ask_for_user(const char *name, uid_t uid)
{
	struct passwd *entry = getpwnam(name);

	must(entry && entry->pw_uid == uid, "by name", entry ? (long)entry->pw_uid : -1);
	entry = getpwuid(uid);
	must(entry && strcmp(entry->pw_name, name) == 0, "by id", (long)uid);
}

static void ask_for_groups(const char *user, const char *name, int n_members, int n_groups)
{
	static gid_t gids[GROUPS_MAX];
	struct group *entry = getgrnam(name);
	int n = 0;

	while (entry && entry->gr_mem[n])
		n++;
	must(n == n_members, "members", n);
	n = GROUPS_MAX;
	must(getgrouplist(user, 4711, gids, &n) >= 0 && n == n_groups + 1, "groups", n);
}

int main(int argc, char *argv[])
{
	struct addrinfo *addresses;

	must(argc == 7, "arguments", argc);
	for (int round = atoi(argv[1]); round > 0; round--) {
		ask_for_user(argv[2], (uid_t)atoi(argv[3]));
		ask_for_groups(argv[2], argv[4], atoi(argv[5]), atoi(argv[6]));
		must(getaddrinfo("localhost", NULL, NULL, &addresses) == 0, "localhost", round);
		freeaddrinfo(addresses);
	}
	return 0;
}
