/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is stored is found, by each of its names, and only as the last change says; what a sequence
 * of changes leaves behind passes the check.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/str.h"
#include "tests/unit/common/cache/fixture.h"

START_TEST(test_user_comes_back_whole)
{
	struct user user = some_user("Alice", 1000);
	struct entry entry;

	user.aliases = NAMES("al\0ALLY\0");
	user.attrs = NAMES("mail\0a@example\0");
	user.upn = "alice@EXAMPLE";
	fixture_open();
	ck_assert_int_eq(put_user(&user), 0);

	ck_assert_int_eq(FIND_UID(1000, &entry), 0);
	ck_assert_int_eq(entry.kind, ENTRY_USER);
	ck_assert_str_eq(entry.user.name, "Alice");
	ck_assert_uint_eq(entry.user.uid, 1000);
	ck_assert_uint_eq(entry.user.gid, 100);
	ck_assert_str_eq(entry.user.gecos, "Some Body");
	ck_assert_str_eq(entry.user.home, "/home/x");
	ck_assert_str_eq(entry.user.shell, "/bin/sh");
	ck_assert_str_eq(entry.user.upn, "alice@EXAMPLE");
	ck_assert_str_eq(entry.user.dn, "uid=x,dc=example");
	ck_assert_uint_eq(entry.user.aliases.count, 2);
	ck_assert_uint_eq(entry.user.attrs.count, 2);
	ck_assert_uint_eq(entry.times.lifetime_s, 600);
	ck_assert_uint_eq(entry.times.epoch, cache_epoch(cache_writer_reader(fixture.writer)));
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);
	ck_assert_int_eq(FIND_USER("ALI", &entry), -ENOENT);
	ck_assert_int_eq(FIND_GID(1000, &entry), -ENOENT);
	ck_assert_int_eq(FIND_GROUP("alice", &entry), -ENOENT);
}
END_TEST

START_TEST(test_group_and_groups_come_back_whole)
{
	struct group group = some_group("staff", 50);
	uint32_t gids[] = { 50, 51, 4000000000 };
	struct initgroups initgroups = some_initgroups("alice", 1, gids, 3);
	struct entry entry;
	uint32_t read[3];

	group.members = NAMES("alice\0bob\0");
	group.aliases = NAMES("crew\0");
	fixture_open();
	ck_assert_int_eq(put_group(&group), 0);
	ck_assert_int_eq(put_initgroups(&initgroups), 0);

	ck_assert_int_eq(FIND_GROUP("Crew", &entry), 0);
	ck_assert_str_eq(entry.group.name, "staff");
	ck_assert_uint_eq(entry.group.members.count, 2);
	ck_assert_int_eq(FIND_GID(50, &entry), 0);
	ck_assert_int_eq(FIND_LISTS("ALICE", &entry), 0);
	ck_assert_uint_eq(entry.initgroups.primary_gid, 100);
	ck_assert_uint_eq(entry.initgroups.n_gids, 3);
	memcpy(read, entry.initgroups.gids, sizeof(read));
	ck_assert_mem_eq(read, gids, sizeof(gids));
}
END_TEST

START_TEST(test_names_compare_as_the_domain_says)
{
	struct user user = some_user("Jörg", 1000);
	struct entry entry;

	fixture_open();
	ck_assert_int_eq(put_user(&user), 0);
	ck_assert_int_eq(FIND_USER("jÖRG", &entry), 0);
	ck_assert_str_eq(entry.user.name, "Jörg");
	ck_assert_int_eq(FIND_USER("jorg", &entry), -ENOENT);
	fixture_close();

	/* Another comparison means other keys: an empty cache. */
	fixture.options.names = CACHE_CASE_SENSITIVE;
	fixture_open();
	ck_assert_int_eq(FIND_USER("Jörg", &entry), -ENOENT);
	ck_assert_int_eq(put_user(&user), 0);
	ck_assert_int_eq(FIND_USER("Jörg", &entry), 0);
	ck_assert_int_eq(FIND_USER("jörg", &entry), -ENOENT);
}
END_TEST

START_TEST(test_names_nobody_has_are_not_there)
{
	char name[1000] = "";
	struct entry entry;
	struct user user = some_user(name, 1000);

	memset(name, 'a', sizeof(name) - 1);
	fixture_open();
	ck_assert_int_eq(FIND_USER(name, &entry), -ENOENT);
	ck_assert_int_eq(FIND_USER("", &entry), -ENOENT);
	ck_assert_int_eq(FIND_USER("\xff", &entry), -ENOENT);
	ck_assert_int_eq(cache_put_user(new_change(), &user, 1), -ENAMETOOLONG);
	user.name = "";
	ck_assert_int_eq(cache_put_user(new_change(), &user, 1), -ENAMETOOLONG);
	user.name = "\xff";
	ck_assert_int_eq(cache_put_user(new_change(), &user, 1), -EILSEQ);
}
END_TEST

/* In this mode the kernel ends a process that calls it for anything but read, write and exit. */
static int find_under_seccomp(void *data)
{
	struct query queries[] = {
		{ QUERY_USER_BY_NAME, "Alice", 0 }, { QUERY_USER_BY_ID, NULL, 1000 },
		{ QUERY_USER_BY_NAME, "AL", 0 },    { QUERY_USER_BY_NAME, "nobody", 0 },
	};
	struct cache *cache;
	struct entry entry;
	int found = 0;

	(void)data;
	if (cache_open(NULL, &fixture.options, &cache) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		return 1;
	for (size_t i = 0; i < str_size(queries); i++) {
		if (cache_begin(cache) < 0)
			continue;
		found += cache_find(cache, &queries[i], &entry) == 0;
		found += cache_touched(cache, ENTRY_USER, "alice") > 0;
		cache_end(cache);
	}
	syscall(SYS_exit, found);
	return 0;
}

START_TEST(test_a_find_makes_no_system_call)
{
	struct user alice = some_user("alice", 1000);

	alice.aliases = NAMES("al\0");
	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	fixture_close();
	ck_assert_int_eq(in_child(find_under_seccomp, NULL), 3 + 4);
}
END_TEST

/* ---- replacing ---- */

struct put {
	const char *name;
	uint32_t uid;
	const char *aliases; /* separated by blanks */
	const char *upn;
};

static int put_row(const struct put *put)
{
	struct user user = some_user(put->name, put->uid);
	char aliases[64] = "";
	size_t size = put->aliases ? strlen(put->aliases) + 1 : 0;

	if (size)
		memcpy(aliases, put->aliases, size);
	for (char *c = aliases; *c || c < aliases + size; c++)
		if (*c == ' ')
			*c = '\0';
	user.aliases = names_of(aliases, size);
	user.upn = put->upn ? put->upn : "";
	return put_user(&user);
}

/* clang-format off */
static const struct {
	struct put puts[3];
	struct put finds[6];   /* name (or NULL: by uid) → uid, 0 = not there */
	int64_t entries;
} replacings[] = {
	{ { { "alice", 1 }, { "alice", 2 } },                 /* another uid: the old one is gone */
	  { { "alice", 2 }, { NULL, 2 } }, 1 },
	{ { { "alice", 1 }, { "bob", 1 } },                   /* another name for the uid */
	  { { "bob", 1 }, { "alice", 0 }, { NULL, 1 } }, 1 },
	{ { { "alice", 1, "al" }, { "bob", 1 } },             /* … takes the other's aliases along */
	  { { "bob", 1 }, { "al", 0 }, { "alice", 0 } }, 1 },
	{ { { "alice", 1 }, { "ALICE", 1 } },                 /* the same name, spelt anew */
	  { { "alice", 1 } }, 1 },
	{ { { "alice", 1, "al ally" }, { "alice", 1, "al" } }, /* an alias goes */
	  { { "al", 1 }, { "ally", 0 } }, 1 },
	{ { { "alice", 1, "al" }, { "bob", 2, "al" } },       /* an alias is taken over … */
	  { { "al", 2 }, { "alice", 1 }, { "bob", 2 } }, 2 },
	{ { { "alice", 1, "al" }, { "bob", 2, "al" }, { "bob", 2 } }, /* … and not given back */
	  { { "al", 0 }, { "alice", 1 }, { "bob", 2 } }, 2 },
	{ { { "alice", 1, "al" }, { "bob", 2, "al" }, { "alice", 1, "al" } },
	  { { "al", 1 }, { "alice", 1 }, { "bob", 2 } }, 2 },
	{ { { "alice", 1, "bob" }, { "bob", 2 } },            /* a name goes before an alias */
	  { { "bob", 2 }, { "alice", 1 } }, 2 },
	{ { { "alice", 1, "ALICE al AL" } },                  /* the same more than once */
	  { { "al", 1 }, { "alice", 1 } }, 1 },
	{ { { "alice", 1, "A@Ä al", "a@ä" }, { "bob", 2, "a@ä al" } }, /* a principal stays … */
	  { { "a@ä", 1 }, { "al", 2 }, { "bob", 2 } }, 2 },
	{ { { "bob", 2, "a@x" }, { "alice", 1, "a@x", "A@x" }, { "bob", 2, "a@x" } }, /* … or comes */
	  { { "a@x", 1 }, { "bob", 2 } }, 2 },
	{ { { "alice", 1, "a@x", "a@x" }, { "bob", 2, "a@x", "a@x" } }, /* the last word counts */
	  { { "a@x", 2 } }, 2 },
	{ { { "alice", 1, "a@x", "a@x" }, { "alice", 1 }, { "bob", 2, "a@x" } },
	  { { "a@x", 2 } }, 2 },
	{ { { "alice", 1 }, { "bob", 2 }, { "bob", 1 } },
	  { { "alice", 0 }, { "bob", 1 } }, 1 },
};
/* clang-format on */

START_TEST(test_what_replaces_what)
{
	struct entry entry;

	for (size_t i = 0; i < str_size(replacings); i++) {
		fixture_open();
		for (const struct put *put = replacings[i].puts;
		     put < replacings[i].puts + 3 && put->name; put++)
			ck_assert_int_eq(put_row(put), 0);
		for (const struct put *want = replacings[i].finds;
		     want < replacings[i].finds + 6 && (want->name || want->uid); want++) {
			int r = want->name ? FIND_USER(want->name, &entry)
			                   : FIND_UID(want->uid, &entry);

			ck_assert_msg(r == (want->uid ? 0 : -ENOENT) &&
			              (r < 0 || entry.user.uid == want->uid),
			              "case %zu: %s", i, want->name ? want->name : "uid");
		}
		ck_assert_int_eq((int64_t)stats().entries, replacings[i].entries);
		fixture_close();
		ck_assert_msg(checked() == 0, "case %zu", i);
		ck_assert_int_eq(cache_set_aside(&fixture.options), 0);
	}
}
END_TEST

START_TEST(test_many_aliases_are_kept_and_64_lead_to_the_record)
{
	struct user user = some_user("alice", 1);
	char aliases[100 * 4];
	struct entry entry;

	for (int i = 0; i < 100; i++)
		snprintf(aliases + 4 * i, 4, "a%02d", i);
	user.aliases = names_of(aliases, sizeof(aliases));
	fixture_open();
	ck_assert_int_eq(put_user(&user), 0);
	ck_assert_int_eq(FIND_USER("a63", &entry), 0);
	ck_assert_uint_eq(entry.user.aliases.count, 100);
	ck_assert_int_eq(FIND_USER("a64", &entry), -ENOENT);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

/* ---- groups of a user ---- */

START_TEST(test_incomplete_groups_never_replace_complete_ones)
{
	uint32_t gids[] = { 1, 2, 3 };
	struct initgroups all = some_initgroups("alice", 1, gids, 3);
	struct initgroups some = some_initgroups("alice", 0, gids, 1);
	struct entry entry;

	fixture_open();
	ck_assert_int_eq(put_initgroups(&some), 0);
	ck_assert_int_eq(FIND_LISTS("alice", &entry), 0);
	ck_assert_uint_eq(entry.initgroups.complete, 0);
	ck_assert_int_eq(put_initgroups(&all), 0);
	ck_assert_int_eq(put_initgroups(&some), 0);
	ck_assert_int_eq(FIND_LISTS("alice", &entry), 0);
	ck_assert_uint_eq(entry.initgroups.n_gids, 3);
	all.n_gids = 2;
	ck_assert_int_eq(put_initgroups(&all), 0);
	ck_assert_int_eq(FIND_LISTS("alice", &entry), 0);
	ck_assert_uint_eq(entry.initgroups.n_gids, 2);
}
END_TEST

static int remove_query(enum query_kind kind, const char *name, uint32_t id)
{
	struct cache_change *change = new_change();

	ck_assert_int_eq(cache_remove(change, &(struct query){ kind, name, id }), 0);
	return commit(change);
}

START_TEST(test_a_user_goes_with_its_groups)
{
	static const struct {
		enum query_kind kind;
		const char *name;
		uint32_t id;
	} ways[] = {
		{ QUERY_USER_BY_NAME, "ALICE", 0 },
		{ QUERY_USER_BY_NAME, "al", 0 },
		{ QUERY_USER_BY_ID, NULL, 1 },
	};
	struct user alice = some_user("alice", 1);
	struct initgroups groups = some_initgroups("alice", 1, NULL, 0);
	struct entry entry;

	alice.aliases = NAMES("al\0");
	fixture_open();
	for (size_t i = 0; i < str_size(ways); i++) {
		ck_assert_int_eq(put_user(&alice), 0);
		ck_assert_int_eq(put_initgroups(&groups), 0);
		ck_assert_int_eq(FIND_LISTS("al", &entry), 0);
		ck_assert_int_eq(remove_query(ways[i].kind, ways[i].name, ways[i].id), 0);
		ck_assert_int_eq(FIND_USER("alice", &entry), -ENOENT);
		ck_assert_int_eq(FIND_LISTS("alice", &entry), -ENOENT);
		ck_assert_int_eq(FIND_LISTS("al", &entry), -ENOENT);
		ck_assert_uint_eq(stats().entries, 0);
	}

	/* Groups alone, whose user never came, or which alone are meant. */
	ck_assert_int_eq(put_initgroups(&groups), 0);
	ck_assert_int_eq(remove_query(QUERY_USER_BY_NAME, "alice", 0), 0);
	ck_assert_int_eq(FIND_LISTS("alice", &entry), -ENOENT);
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_int_eq(put_initgroups(&groups), 0);
	ck_assert_int_eq(remove_query(QUERY_INITGROUPS, "alice", 0), 0);
	ck_assert_int_eq(FIND_LISTS("alice", &entry), -ENOENT);
	ck_assert_int_eq(FIND_USER("alice", &entry), 0);
	ck_assert_int_eq(remove_query(QUERY_GROUP_BY_ID, NULL, 7), 0);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

/* ---- expiry ---- */

static void touch(enum entry_kind kind, const char *name)
{
	ck_assert_int_eq(cache_touch(&fixture.options, kind, name), 0);
}

START_TEST(test_touched_is_expired_and_still_there)
{
	struct user alice = some_user("alice", 1), bob = some_user("bob", 2);
	struct initgroups groups = some_initgroups("alice", 1, NULL, 0);

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_int_eq(put_user(&bob), 0);
	ck_assert_int_eq(put_initgroups(&groups), 0);
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);

	touch(ENTRY_USER, "Alice");
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
	ck_assert_int_eq(find_age(QUERY_INITGROUPS, "alice", 0), ENTRY_FRESH);
	touch(ENTRY_INITGROUPS, "alice");
	ck_assert_int_eq(find_age(QUERY_INITGROUPS, "alice", 0), ENTRY_EXPIRED);
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "bob", 0), ENTRY_FRESH);
	ck_assert_int_eq(put_user(&alice), 0); /* the same again: not "unchanged" */
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
	touch(ENTRY_USER, "nobody");
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

START_TEST(test_all_of_a_kind_are_touched)
{
	struct user alice = some_user("alice", 1), bob = some_user("bob", 2);
	struct group staff = some_group("staff", 50);

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_int_eq(put_group(&staff), 0);
	touch(ENTRY_USER, NULL);
	ck_assert_int_eq(put_user(&bob), 0);
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "bob", 0), ENTRY_FRESH);
	ck_assert_int_eq(find_age(QUERY_GROUP_BY_NAME, "staff", 0), ENTRY_FRESH);

	/* It lasts. */
	fixture_close();
	fixture_open();
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
}
END_TEST

START_TEST(test_what_was_asked_before_is_expired_when_it_comes)
{
	struct user alice = some_user("alice", 1);
	struct cache_change *change;

	fixture_open();
	change = new_change();
	touch(ENTRY_USER, "alice");
	ck_assert_int_eq(cache_put_user(change, &alice, 600), 0);
	ck_assert_int_eq(commit(change), 0);
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
}
END_TEST

/* Names share slots, so a few of many may be met: a thousandth is plenty. */
START_TEST(test_other_names_are_left_alone)
{
	struct cache_change *change;
	unsigned n_expired = 0;
	char name[16];

	fixture_open();
	change = new_change();
	for (uint32_t i = 1; i <= 3000; i++) {
		struct user user = some_user(name, i);

		snprintf(name, sizeof(name), "user%u", i);
		ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	}
	ck_assert_int_eq(commit(change), 0);
	touch(ENTRY_USER, "user7");
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "user7", 0), ENTRY_EXPIRED);
	for (uint32_t i = 1; i <= 3000; i++)
		n_expired += find_age(QUERY_USER_BY_ID, NULL, i) == ENTRY_EXPIRED;
	ck_assert_uint_le(n_expired, 4);
}
END_TEST

START_TEST(test_nothing_is_touched_where_nothing_is)
{
	ck_assert_int_eq(cache_touch(&fixture.options, ENTRY_USER, NULL), -ENOENT);
	ck_assert_int_eq(rmdir(fixture.dir), 0);
	ck_assert_int_eq(cache_touch(&fixture.options, ENTRY_USER, "alice"), -ENOENT);
	ck_assert_int_eq(mkdir(fixture.dir, 0700), 0);
}
END_TEST

/* Somebody who was stopped in the middle. */
START_TEST(test_a_lock_is_not_waited_for_without_end)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct user alice = some_user("alice", 1);
	struct deadline deadline;
	int fd;

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	fd = open(paths()->touched, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	deadline = deadline_in_ms(1000);
	ck_assert_int_eq(cache_touch(&fixture.options, ENTRY_USER, "alice"), -E_CACHE_LOCKED);
	ck_assert_int_eq(touched_make(paths(), 0), -E_CACHE_LOCKED);
	ck_assert(!deadline_passed(deadline));
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);

	close(fd);
	touch(ENTRY_USER, "alice");
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
}
END_TEST

START_TEST(test_without_the_file_all_is_touched)
{
	static const char *const spoils[] = { NULL, "", "short" };
	struct user alice = some_user("alice", 1), bob = some_user("bob", 2);
	const char *path = paths()->touched;
	struct touched none;
	struct cache *cache;

	for (size_t i = 0; i < str_size(spoils); i++) {
		fixture_open();
		ck_assert_int_eq(put_user(&alice), 0);
		ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
		fixture_close();

		ck_assert_int_eq(unlink(path), 0);
		if (spoils[i]) {
			FILE *file = fopen(path, "w");

			fputs(spoils[i], file);
			fclose(file);
		}
		ck_assert_int_eq(cache_open(NULL, &fixture.options, &cache), 0);
		ck_assert_uint_eq(cache_epoch(cache), 0);
		ck_assert_uint_eq(cache_touched(cache, ENTRY_USER, "alice"), UINT32_MAX);
		ck_assert_int_eq(cache_still_there(cache), 0);
		touch(ENTRY_GROUP, NULL);
		ck_assert_int_eq(cache_still_there(cache), 0);
		talloc_free(cache);
		touched_open(&none, paths());
		fixture_open();
		ck_assert(!touched_still_there(&none, paths()));

		ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
		ck_assert_int_eq(put_user(&bob), 0);
		ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "bob", 0), ENTRY_FRESH);

		/* Under the writer's hands. */
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(put_user(&alice), 0);
		ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
		ck_assert_int_eq(put_user(&alice), 0);
		ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
		ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "bob", 0), ENTRY_EXPIRED);
		fixture_close();
	}
}
END_TEST

START_TEST(test_clocks_that_jump)
{
	struct user alice = some_user("alice", 1);

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	fake_wall_later_s = 100000000; /* in the same boot only BOOTTIME counts */
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
	fake_wall_later_s = -100000000;
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
	fake_boot = 4711; /* after a reboot an earlier wall clock means expired, not eternal */
	ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_EXPIRED);
}
END_TEST

START_TEST(test_same_again_is_not_written)
{
	struct user alice = some_user("alice", 1);

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_uint_eq(stats().unchanged, 1);

	/* With 600 s to live it is never ageing in the first 10: then it is written. */
	fake_later_s = 9;
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_uint_eq(stats().unchanged, 2);
	fake_later_s = 11;
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_uint_eq(stats().unchanged, 2);

	alice.gecos = "Other";
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_uint_eq(stats().unchanged, 2);
	fake_boot = 4711;
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_uint_eq(stats().unchanged, 2);
	ck_assert_uint_eq(stats().records, 6);

	/* What is about to expire is written, however short its life. */
	for (int i = 0; i < 2; i++, fake_later_s += 6) {
		struct cache_change *change = new_change();

		ck_assert_int_eq(cache_put_user(change, &alice, 5), 0);
		ck_assert_int_eq(commit(change), 0);
		ck_assert_int_eq(find_age(QUERY_USER_BY_NAME, "alice", 0), ENTRY_FRESH);
	}
}
END_TEST

/* ---- a model ---- */

#define N_NAMES 12
#define N_IDS   9
#define N_EDITS 10000
#define LIFE_S  100000 /* nothing expires of itself */

static const char *const model_names[N_NAMES] = { "a", "b", "c", "d", "e", "f",
	                                          "gg", "hh", "Ä", "Ö", "Ü", "Ⱥ" };

/* The same cache, as simple as it can be: an alias has one owner. */
struct model_record {
	bool there, expired;
	uint32_t id;
	bool alias[N_NAMES];
	uint32_t gids, complete;
};
static struct model_record model_users[N_NAMES], model_groups[N_NAMES], model_lists[N_NAMES];

static unsigned random_below(unsigned n)
{
	return (unsigned)random() % n;
}

static void model_remove_user(int n)
{
	model_users[n].there = false;
	memset(model_users[n].alias, 0, sizeof(model_users[n].alias));
	model_lists[n].there = false;
}

static void model_put(struct model_record *records, int n, uint32_t id, const bool alias[N_NAMES])
{
	for (int i = 0; i < N_NAMES; i++) {
		if (i != n && records[i].there && records[i].id == id) {
			if (records == model_users)
				model_remove_user(i);
			records[i] = (struct model_record){ 0 };
		}
		for (int a = 0; a < N_NAMES; a++)
			if (alias[a] && a != n)
				records[i].alias[a] = false;
	}
	records[n].there = true;
	records[n].expired = false;
	records[n].id = id;
	for (int a = 0; a < N_NAMES; a++)
		records[n].alias[a] = alias[a] && a != n;
}

static int model_owner(const struct model_record *records, int name)
{
	if (records[name].there)
		return name;
	for (int i = 0; i < N_NAMES; i++)
		if (records[i].there && records[i].alias[name])
			return i;
	return -1;
}

static struct names some_aliases(char *bytes, bool alias[N_NAMES])
{
	size_t size = 0;

	for (int a = 0; a < N_NAMES; a++) {
		alias[a] = random_below(10) == 0;
		if (alias[a]) {
			strcpy(bytes + size, model_names[a]);
			size += strlen(model_names[a]) + 1;
		}
	}
	return names_of(bytes, size);
}

static void edit_put(struct cache_change *change, bool is_user)
{
	int n = (int)random_below(N_NAMES);
	uint32_t id = 1 + random_below(N_IDS);
	char bytes[N_NAMES * 8];
	bool alias[N_NAMES];
	struct names aliases = some_aliases(bytes, alias);

	if (is_user) {
		struct user user = some_user(model_names[n], id);

		user.aliases = aliases;
		ck_assert_int_eq(cache_put_user(change, &user, LIFE_S), 0);
		model_put(model_users, n, id, alias);
	} else {
		struct group group = some_group(model_names[n], id);

		group.aliases = aliases;
		ck_assert_int_eq(cache_put_group(change, &group, LIFE_S), 0);
		model_put(model_groups, n, id, alias);
	}
}

static void edit_lists(struct cache_change *change)
{
	/* Often many: overflow pages come and go. */
	static uint32_t gids[5000];
	int n = (int)random_below(N_NAMES);
	uint8_t complete = random_below(3) > 0;
	uint32_t n_gids = random_below(2) ? random_below(5000) : random_below(10);
	struct initgroups lists = some_initgroups(model_names[n], complete, gids, n_gids);

	ck_assert_int_eq(cache_put_initgroups(change, &lists, LIFE_S), 0);
	if (model_lists[n].there && model_lists[n].complete && !complete)
		return;
	model_lists[n] = (struct model_record){ true, false, .gids = n_gids, .complete = complete };
}

static void edit_remove(struct cache_change *change)
{
	int name = (int)random_below(N_NAMES), n;
	struct query query = { .name = model_names[name] };

	if (random_below(2)) {
		query.kind = QUERY_USER_BY_NAME;
		n = model_owner(model_users, name);
		model_remove_user(n < 0 ? name : n);
	} else {
		query.kind = QUERY_GROUP_BY_NAME;
		n = model_owner(model_groups, name);
		if (n >= 0)
			model_groups[n] = (struct model_record){ 0 };
	}
	ck_assert_int_eq(cache_remove(change, &query), 0);
}

/* What was edited before belongs to another epoch. */
static void edit_touch(struct cache_change **change)
{
	int n = (int)random_below(N_NAMES);

	ck_assert_int_eq(commit(*change), 0);
	if (random_below(20) == 0) {
		touch(ENTRY_GROUP, NULL);
		for (int i = 0; i < N_NAMES; i++)
			model_groups[i].expired = true;
	} else {
		touch(ENTRY_USER, model_names[n]);
		touch(ENTRY_INITGROUPS, model_names[n]);
		model_users[n].expired = model_lists[n].expired = true;
	}
	*change = new_change();
}

static void compare_record(enum query_kind kind, int name, uint32_t id,
                           const struct model_record *want)
{
	const char *text = name < 0 ? NULL : model_names[name];
	struct entry entry;
	int r = find(kind, text, id, &entry);

	if (!want || !want->there) {
		ck_assert_int_eq(r, -ENOENT);
		return;
	}
	ck_assert_msg(r == 0, "kind %d %s %u: %s", (int)kind, text ? text : "", id, error_text(r));
	ck_assert_int_eq(find_age(kind, text, id), want->expired ? ENTRY_EXPIRED : ENTRY_FRESH);
	if (entry.kind == ENTRY_USER)
		ck_assert_uint_eq(entry.user.uid, want->id);
	else if (entry.kind == ENTRY_GROUP)
		ck_assert_uint_eq(entry.group.gid, want->id);
	else
		ck_assert(entry.initgroups.n_gids == want->gids &&
		          entry.initgroups.complete == want->complete);
}

static const struct model_record *by_name(const struct model_record *records, int name)
{
	int n = model_owner(records, name);

	return n < 0 ? NULL : &records[n];
}

static const struct model_record *by_id(const struct model_record *records, uint32_t id)
{
	for (int i = 0; i < N_NAMES; i++)
		if (records[i].there && records[i].id == id)
			return &records[i];
	return NULL;
}

static const struct model_record *lists_by_name(int name)
{
	if (model_lists[name].there || model_users[name].there)
		return &model_lists[name];
	for (int i = 0; i < N_NAMES; i++)
		if (model_users[i].there && model_users[i].alias[name])
			return &model_lists[i];
	return NULL;
}

static void compare_all(void)
{
	for (int n = 0; n < N_NAMES; n++) {
		compare_record(QUERY_USER_BY_NAME, n, 0, by_name(model_users, n));
		compare_record(QUERY_GROUP_BY_NAME, n, 0, by_name(model_groups, n));
		compare_record(QUERY_INITGROUPS, n, 0, lists_by_name(n));
	}
	for (uint32_t id = 1; id <= N_IDS; id++) {
		compare_record(QUERY_USER_BY_ID, -1, id, by_id(model_users, id));
		compare_record(QUERY_GROUP_BY_ID, -1, id, by_id(model_groups, id));
	}
}

static uint64_t model_entries(void)
{
	uint64_t n = 0;

	for (int i = 0; i < N_NAMES; i++)
		n += (uint64_t)model_users[i].there + model_groups[i].there + model_lists[i].there;
	return n;
}

START_TEST(test_ten_thousand_edits_agree_with_a_model)
{
	struct cache_change *change;
	int edits = 0, rounds = 0;

	srandom(20240501);
	fixture_open();
	while (edits < N_EDITS) {
		change = new_change();
		for (unsigned n = 1 + random_below(40); n > 0; n--, edits++)
			switch (random_below(10)) {
			case 0 ... 3:
				edit_put(change, true);
				break;
			case 4 ... 5:
				edit_put(change, false);
				break;
			case 6 ... 7:
				edit_lists(change);
				break;
			case 8:
				edit_remove(change);
				break;
			default:
				edit_touch(&change);
				break;
			}
		ck_assert_int_eq(commit(change), 0);
		fake_later_s += random_below(30); /* the same again is written only after 60 s */
		compare_all();
		ck_assert_uint_eq(stats().entries, model_entries());

		if (++rounds % 50 == 0) {
			fixture_close();
			ck_assert_int_eq(checked(), 0);
			fixture_open();
		}
	}
	fixture_close();
	ck_assert_int_eq(checked(), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_user_comes_back_whole,
		test_group_and_groups_come_back_whole,
		test_names_compare_as_the_domain_says,
		test_names_nobody_has_are_not_there,
		test_a_find_makes_no_system_call,
		test_what_replaces_what,
		test_many_aliases_are_kept_and_64_lead_to_the_record,
		test_incomplete_groups_never_replace_complete_ones,
		test_a_user_goes_with_its_groups,
		test_touched_is_expired_and_still_there,
		test_all_of_a_kind_are_touched,
		test_what_was_asked_before_is_expired_when_it_comes,
		test_other_names_are_left_alone,
		test_nothing_is_touched_where_nothing_is,
		test_a_lock_is_not_waited_for_without_end,
		test_without_the_file_all_is_touched,
		test_clocks_that_jump,
		test_same_again_is_not_written,
		test_ten_thousand_edits_agree_with_a_model,
		NULL,
	};

	return run_suite("cache_store", tests);
}
