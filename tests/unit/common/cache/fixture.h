/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fixture - a cache in a folder of its own, a loop, and a reader in another process
 *
 * The folder's sources are compiled once more for these tests with some of their callees replaced:
 * the moment that age is measured by, the boot, and whether a slice of work took too long.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <tevent.h>

#include "common/base/error.h"
#include "common/cache/impl.h"

struct fixture {
	char dir[64];
	struct tevent_context *ev;
	struct cache_options options; /* domain LDAP, folded names */
	struct cache_writer *writer;  /* NULL until fixture_open() */
};
extern struct fixture fixture;

extern int64_t fake_later_s;      /* how much later both clocks say it is */
extern int64_t fake_wall_later_s; /* the wall clock alone, beyond that */
extern uint64_t fake_boot;        /* not 0: the boot id */
extern bool fake_slow;            /* every slice has used up its time after one step */

void fixture_setup(void);
void fixture_teardown(void);

void fixture_open(void);
void fixture_close(void);

/* NAMES("al\0ali\0"): as many names as there are NULs written. */
#define NAMES(text) names_of(text, sizeof(text) - 1)
struct names names_of(const char *bytes, size_t size);

struct user some_user(const char *name, uint32_t uid);
struct group some_group(const char *name, uint32_t gid);
struct initgroups some_initgroups(const char *name, uint8_t complete, const uint32_t *gids,
                                  uint32_t n_gids);

struct cache_change *new_change(void);

/* Commits and waits. */
int commit(struct cache_change *change);
int put_user(const struct user *user);
int put_group(const struct group *group);
int put_initgroups(const struct initgroups *initgroups);
int sweep(int64_t keep_s, uint64_t *ret_removed);

/* By the writer's own handle. The texts are gone with the next commit. */
int find(enum query_kind kind, const char *name, uint32_t id, struct entry *ret_entry);
int find_age(enum query_kind kind, const char *name, uint32_t id); /* an enum entry_age, or error */

#define FIND_USER(name, entry)  find(QUERY_USER_BY_NAME, name, 0, entry)
#define FIND_UID(uid, entry)    find(QUERY_USER_BY_ID, NULL, uid, entry)
#define FIND_GROUP(name, entry) find(QUERY_GROUP_BY_NAME, name, 0, entry)
#define FIND_GID(gid, entry)    find(QUERY_GROUP_BY_ID, NULL, gid, entry)
#define FIND_LISTS(name, entry) find(QUERY_INITGROUPS, name, 0, entry)

struct cache_stats stats(void);

/* Paths of the fixture's files. */
const struct cache_files *paths(void);

/* Runs body in another process, which dies after 20 s: what it returns (0 to 99), or -signal. */
int in_child(int (*body)(void *data), void *data);

/* cache_check() in another process; the writer must be closed. 0 sound, 1 damaged or dead. */
int checked(void);

/* A responder: a process that opens the cache for reading. Start it before the writer is opened,
 * for a handle does not survive a fork(). */
struct other;
struct other *other_start(void);
void other_stop(struct other *other);
int other_open(struct other *other);
int other_close(struct other *other);
int other_find_user(struct other *other, const char *name); /* a uid, or error */
int other_still_there(struct other *other);
int other_begin(struct other *other); /* and keeps it */
void other_kill(struct other *other);

int run_suite(const char *name, const TTest *const *tests);
