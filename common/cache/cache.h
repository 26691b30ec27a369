/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cache - what the backend of a domain learnt, readable by every responder
 *
 * One LMDB environment for each domain, DIR/cache_DOMAIN.mdb (design §4). Its backend writes, all
 * responders read; readers never wait for a writer and survive kill -9 at any moment. LMDB has its
 * say here (lmdb.h, "Caveats"): readers too need write access to the lock file, a process opens a
 * file once and after its last fork(), a long read transaction makes the file grow.
 *
 * Bytes on disk are input like any other: a damaged record is -EBADMSG, no crash. A damaged page
 * is found by its records' sums as long as LMDB survives it; what it does not survive is for
 * cache_mark_suspect() and the check.
 *
 * Layout: key.h the keys, record.h the values, file.h the files beside the environment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/ident/entry.h"
#include "common/ident/query.h"

#define CACHE_DIR "/var/lib/sss/db"

struct cache; /* a talloc object: freeing it closes the environment */

/* How names compare: the domain's case_sensitive. */
enum cache_case {
	CACHE_CASE_SENSITIVE,
	CACHE_CASE_FOLDED,
};

struct cache_options {
	const char *dir; /* CACHE_DIR but for tests */
	const char *domain;
	enum cache_case names;
	uint64_t max_size; /* bytes, cache_max_size; 0 = 512 MiB. Writer only */
};

/* ---- reading ---- */

/* Opens for reading. The file is made by the backend: -ENOENT when there is none yet. Names compare
 * as the file was written, whatever options say.
 * Errors: -E_CACHE_NO_SLOT this process does not find itself in the reader table (a read-only
 * mount switches LMDB's locks off in silence); -E_CACHE_VERSION; -E_CACHE_DAMAGED the header
 * record is not ours, the file is shorter than it should be, or marked suspect and was not checked
 * yet; -E_CACHE_REPLACED it was exchanged at this very moment; -E_NETWORK_FS. */
int cache_open(TALLOC_CTX *mem, const struct cache_options *options, struct cache **ret_cache);

/* Are the file we hold and those beside it still the ones at their paths? Three statx(2) calls; 0,
 * or -E_CACHE_REPLACED: free the handle and open anew. Also to be called when a backend reports
 * another environment id. */
int cache_still_there(const struct cache *cache);

/* The random number written when the environment was made; never 0. */
uint64_t cache_environment_id(const struct cache *cache);

/* A read transaction; between begin and end what cache_find() gives stays valid. Never keep one
 * beyond the callback it was begun in. Costs no system call. Nesting is a mistake of ours.
 * Errors: -E_CACHE_REPLACED open anew; the writer's own handle has it while the file is
 * exchanged. */
int cache_begin(struct cache *cache);
void cache_end(struct cache *cache);

/* Was nothing committed since? Within cache_begin(). */
bool cache_is_latest(const struct cache *cache);

/* Finds the entry that query names, fresh or expired, by name or alias, within cache_begin(). Its
 * texts point into the map.
 * Errors: -ENOENT it is not there: the pages where it would be are sound; -EBADMSG the stored bytes
 * are damaged; others of LMDB. */
int cache_find(struct cache *cache, const struct query *query, struct entry *ret_entry);

/* The same for whoever does not rely on -ENOENT, above all because the server is asked next: that
 * is not proven, which is most of what a search for nothing costs. */
int cache_peek(struct cache *cache, const struct query *query, struct entry *ret_entry);

/* A place between entries; all zero is the one before the first. It stays good whatever is written,
 * and in the next transaction. */
struct cache_place {
	size_t size;
	uint8_t bytes[400];
};

/* Finds the user or group that follows place in the order of names and moves place behind it. Each
 * is met once, under its own name; what is written meanwhile may be met or not. Within
 * cache_begin(). Errors: -ENOENT there are no more; as cache_find(). */
int cache_next(struct cache *cache, enum entry_kind kind, struct cache_place *place,
               struct entry *ret_entry);

/* Was every user and group of the server stored once, in this environment? */
bool cache_is_listed(const struct cache *cache);

/* The domain's epoch, which each cache_touch() counts up. What a server says belongs to the one in
 * which it was asked. 0: not known, for now. */
uint32_t cache_epoch(const struct cache *cache);

/* Since which epoch what is known of the entry of that name counts; what is older is expired. name
 * NULL: at least since when. Costs no system call. */
uint32_t cache_touched(const struct cache *cache, enum entry_kind kind, const char *name);

/* ---- for anybody, whoever runs ---- */

/* From now on the entry of that name counts as expired, NULL: all of kind. It takes effect at once
 * in all processes, waits for none of them and for no disk, and is O(1). The entry is named as it
 * names itself; there need not be one. The caller has the rights of the service.
 * Errors: -ENOENT there is no cache; -ENOSPC; -E_CACHE_LOCKED somebody who does the same stands
 * still in the middle of it, which is waited for 5 ms; errno of open(2). */
int cache_touch(const struct cache_options *options, enum entry_kind kind, const char *name);

/* ---- writing: the backend only ---- */

/* A talloc object: freeing it finishes what waits, ends the thread, closes, sets the clean mark.
 * Requests that were under way finish from the loop, sweeps with -ECANCELED. */
struct cache_writer;

/* Opens for writing, making the file where there is none, and starts the writer thread. A file
 * whose names compare another way than options say is begun anew.
 * Errors: -EBUSY another writer has it; -E_CACHE_DAMAGED cache_check_needed(), and nobody did;
 * -ENOSPC; -E_NETWORK_FS; -EACCES. */
int cache_writer_open(TALLOC_CTX *mem, struct tevent_context *ev,
                      const struct cache_options *options, struct cache_writer **ret_writer);

/* The writer's own handle for reading, on the loop's thread. It follows when the file is replaced.
 * Never free the writer within its cache_begin(). */
struct cache *cache_writer_reader(struct cache_writer *writer);

/* What one question changed, collected, then committed as a whole or not at all, in the order it
 * was collected. A talloc object; nothing of it is shared with the writer thread before
 * cache_commit_send(). All texts are copied. */
struct cache_change;

/* epoch: cache_epoch() before the server was asked. */
struct cache_change *cache_change_new(TALLOC_CTX *mem, uint32_t epoch);

/* Replaces the record and its indexes: name, id, aliases (the first 64 lead to the record). A
 * record of another name that holds the same id is removed, with a user's groups: the server no
 * longer says so. An alias that another had leads here from now on, unless it is the other user's
 * principal and not this one's. What differs from the stored one in its times only is not written
 * again within a minute, sooner for a short life.
 * Errors: -ENAMETOOLONG a name that is empty or over 255 bytes; -EILSEQ; -EMSGSIZE; -ENOMEM. */
int cache_put_user(struct cache_change *change, const struct user *user, uint32_t lifetime_s);
int cache_put_group(struct cache_change *change, const struct group *group, uint32_t lifetime_s);

/* An incomplete list is dropped when a complete one is stored. Errors: as above. */
int cache_put_initgroups(struct cache_change *change, const struct initgroups *initgroups,
                         uint32_t lifetime_s);

/* Takes out what query names (a user with its groups list), if it is there. */
int cache_remove(struct cache_change *change, const struct query *query);

/* Of kind, change puts what was asked for; whoever asked stores it for the clients. That it has
 * another content, and the same id, is not told to cache_on_change(). */
void cache_change_is_answer(struct cache_change *change, enum entry_kind kind);

/* What a commit did to an entry, or to one of its names. */
struct cache_note {
	enum entry_kind kind;
	bool is_new; /* it was not there before; else it is not there any more, or says something
	              * else */
	uint32_t id; /* of the user or group; 0: of none, or not told */
	const char *name; /* as the entry has it; NULL: this stands for any of kind, because there
	                   * are too many */
};

/* Calls changed, from the loop and before the requests finish, when a commit stored a new entry,
 * removed one or one of its further names, or gave it another content. Sweeps do not count. */
typedef void cache_changed(const struct cache_note *notes, size_t n, void *data);
void cache_on_change(struct cache_writer *writer, cache_changed *changed, void *data);

/* What cache_is_listed() says from now on: that it is so, until a power cut may have taken some of
 * it. Errors: errno of writing a file. */
int cache_set_listed(struct cache_writer *writer, bool listed);

/* Hands change over (it is freed) and finishes after the commit of the group it was put in. All
 * that one turn of the loop sends is handed over at its end. Freeing the request takes nothing
 * back. A file that was removed or replaced under us is begun anew, and the group written there.
 * Errors: -ENOSPC the disk is full; -E_CACHE_QUOTA it holds a new record and the cache has its
 * full size; -E_CACHE_DAMAGED what it would replace cannot be read (cache_mark_suspect(), and open
 * anew); -EBUSY another writer took the place of a removed file; errno of making a new one;
 * -EIO. */
struct tevent_req *cache_commit_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                     struct cache_writer *writer, struct cache_change *change);
int cache_commit_recv(struct tevent_req *req);

/* Removes what expired more than keep_s ago, in slices that never hold the writer for more than
 * 10 ms. Errors: -ECANCELED the writer was freed; as cache_commit_send(). */
struct tevent_req *cache_sweep_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                    struct cache_writer *writer, int64_t keep_s);
int cache_sweep_recv(struct tevent_req *req, uint64_t *ret_removed);

struct cache_stats {
	uint64_t commits;    /* changes that were stored */
	uint64_t groups;     /* transactions they, and slices of sweeps, were put in */
	uint64_t records;    /* put */
	uint64_t unchanged;  /* of these: not written, only time stamps differed */
	uint64_t entries;    /* users, groups and lists of groups that are stored */
	uint64_t bytes_used; /* by them; known after the first transaction */
	uint64_t bytes_max;
};
void cache_writer_stats(struct cache_writer *writer, struct cache_stats *ret_stats);

/* ---- damage ---- */

/* Must the file be walked before it is used? True when the clean mark is missing and it was last
 * written in another boot, when it is marked suspect, when its first pages or its length make no
 * sense, and when it is not the file the mark speaks of (it was restored from a backup). Looks at
 * the bytes of the file with pread(2), never maps it. A file that is absent needs no check. */
bool cache_check_needed(const struct cache_options *options);

/* Walks every page and record. Meant for a child process (sssd_be --check): LMDB has no checksums,
 * a bad page may crash inside the library, and that is an answer too. Changes nothing.
 * 0 = sound. Errors: -E_CACHE_DAMAGED; -E_CACHE_VERSION written by another LMDB; -ENOENT; -EBUSY a
 * writer has it. */
int cache_check(const struct cache_options *options);

/* After a successful check, in the process that goes on: remember that, so that it is not asked
 * again for this boot. Errors: -EBUSY a writer has it; -ENOENT. */
int cache_mark_checked(const struct cache_options *options);

/* Called when a process crashed while it used the cache, or was told a record is damaged; the next
 * open has it checked. Anybody may; the backend looks for the mark before it answers a question. */
int cache_mark_suspect(const struct cache_options *options);
bool cache_is_suspect(const struct cache *cache);

/* From now on a fault (SIGSEGV, SIGBUS, SIGABRT) of this process while it works on a cache marks
 * the file suspect before it takes its course. */
void cache_watch_crashes(void);

/* Renames the file to .damaged-1 (one is kept) and removes the lock file; a new one is begun by the
 * next cache_writer_open(). */
int cache_set_aside(const struct cache_options *options);

/* Since a file was set aside nobody can say of a name that is not in the new one that it was never
 * seen; until the servers were reached again. It outlives processes. */
bool cache_is_bereft(const struct cache *cache);
void cache_end_bereft(const struct cache *cache);
