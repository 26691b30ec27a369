/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - the credential caches of all users, in an LMDB environment of their own
 *
 *   key                                        value
 *   00                                         format: u32 | seed: u64, u64 | vault: u64
 *   'c' uid name                               cache: id, KDC offset, counts
 *   'd' uid                                    name of the default cache
 *   'l' uid                                    -    had a session while caches were kept
 *   'p' uid id                                 principal of the cache; none before INITIALIZE
 *   'r' uid id number                          end: u32 | renewal: u32 | credential
 *   's' uid id server client number            -    finds a credential by its names
 *   'u' uid id                                 name of the cache
 *   'w' due uid id number                      -    what is to be renewed next stands first
 *   'x' expiry uid id number                   -    what expires next stands first
 *
 * uid: u32; id: u64, drawn by lot when the cache is made; number: u64, counts the credentials of a
 * cache in the order they came; server, client: u64, hashes with the store's own seed of the
 * server's name without its realm, and of the rest; end, renewal: seconds of the KDC's clock, 0 =
 * it never expires, or is never to be renewed; expiry, due: u64, the same by the wall clock, so
 * that another offset moves these keys and not the ticket. All in network byte order, so that keys
 * ascend like their numbers. Every value begins with a sum over its key and itself, because LMDB
 * has none. Nothing is ever looked up without the caller's uid. With a vault (vault.h) the
 * credentials in the values of 'r' are encrypted, all of them, and the header says with which key.
 *
 * A credential therefore costs the same to store and to find whether its cache has one or
 * thousands.
 *
 * Only one process has the environment open (a lock on the state file), and only its main thread
 * uses it. What is committed is in the kernel at once, so that no kill loses it, and on the disk
 * within 5 s, by a thread that does nothing else. After a power cut the tickets of these seconds
 * may be gone; whether the rest is sound is checked by a child before anything is believed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "responders/kcm/cred.h"
#include "responders/kcm/vault.h"

#define CCACHE_NAME_MAX    255
#define CCACHE_PRINCIPAL   4096 /* bytes of its principal */
#define CCACHE_CREDENTIALS 2048 /* so that no single request takes much over 10 ms */

/* Of one credential, for the same reason. The largest tickets, with a PAC, have 64 KiB. */
#define CREDENTIAL_SIZE  (256u << 10)
#define CREDENTIAL_PARTS 512 /* credential_parts() */

#define PURGE_AT_ONCE 250 /* credentials and caches, so that it takes no more than 10 ms either */

struct kcm_store; /* a talloc object */

struct kcm_store_limits {
	uint32_t ccaches, uid_ccaches; /* 0 = none */
	uint64_t ccache_size;          /* bytes; 0 = none */
	uint64_t uid_size;             /* bytes of all caches of a user; 0 = none */
};

/* Opens DIR/kcm.mdb, or makes it. One that is damaged, or that a newer version wrote, or one with
 * another vault, is set aside and begun anew, and the log says so. One without is encrypted.
 * vault  borrowed, NULL: credentials are stored as they are
 * Errors: -EBUSY another process has it open; errno of open(2). */
int kcm_store_open(TALLOC_CTX *mem, const char *dir, struct vault *vault,
                   struct kcm_store **ret_store);

void kcm_store_set_limits(struct kcm_store *store, const struct kcm_store_limits *limits);

/* Everything below happens between these two; what was read points into the environment, and is
 * good until something is written or kcm_store_end(), a credential only until the next one is read.
 * kcm_store_end(r) commits if r is 0, else gives up, and returns r or what went wrong.
 * Errors: -E_CACHE_REPLACED the file is no longer at its path; -E_CACHE_DAMAGED it is marked, and
 * checked when it is opened next; -ENOSPC. */
int kcm_store_begin(struct kcm_store *store, bool writing);
int kcm_store_end(struct kcm_store *store, int r);

struct ccache {
	uid_t uid;
	const char *name; /* borrowed from who asked */
	uint64_t id;
	int32_t kdc_offset; /* seconds that the KDC's clock is ahead of ours */
	uint32_t n_credentials;
	uint32_t n_tickets;   /* of them, those that expire */
	uint64_t next_number; /* 1 at first: 0 is the cache itself */
	uint64_t size;        /* bytes of credentials */
	uint32_t last_end_s;  /* by the KDC's clock: no ticket in it ends later; without any,
	                       * when the cache goes, 0 = not known */
};

/* Errors: -ENOENT. */
int kcm_store_find(struct kcm_store *store, uid_t uid, const char *name, struct ccache *ret_ccache);

/* Writes the name, at most CCACHE_NAME_MAX bytes and a NUL. Errors: -ENOENT. */
int kcm_store_name(struct kcm_store *store, uid_t uid, uint64_t id,
                   char ret_name[CCACHE_NAME_MAX + 1]);

/* The next cache of uid in the order of names, after the one whose name is in name; "" = the first.
 * Its name is written there. Errors: -ENOENT there are no more. */
int kcm_store_next(struct kcm_store *store, uid_t uid, char name[CCACHE_NAME_MAX + 1],
                   struct ccache *ret_ccache);

/* The same among the caches of all users; ret_ccache says whose the last one was, and then whose
 * this one is. */
int kcm_store_next_of_all(struct kcm_store *store, char name[CCACHE_NAME_MAX + 1],
                          struct ccache *ret_ccache);

/* Makes a cache; none of that name may exist. Where a limit is reached, what is over by now_s goes
 * first: of that user, or for limit ccaches as kcm_store_purge() does it.
 * Errors: -EDQUOT limit uid_ccaches or uid_size; -ENFILE limit ccaches. */
int kcm_store_make(struct kcm_store *store, uid_t uid, const char *name, int64_t now_s,
                   struct ccache *ret_ccache);

/* Removes the cache and all that is in it; a default that it was is none any more. */
int kcm_store_destroy(struct kcm_store *store, struct ccache *ccache);

/* Removes all credentials. */
int kcm_store_empty(struct kcm_store *store, struct ccache *ccache);

/* Gives it another name; none of that name may exist. */
int kcm_store_rename(struct kcm_store *store, struct ccache *ccache, const char *name);

/* Errors: -ENOENT it has none yet. */
int kcm_store_principal(struct kcm_store *store, const struct ccache *ccache,
                        struct bytes *ret_principal);

/* Errors: -EFBIG it is longer than CCACHE_PRINCIPAL. */
int kcm_store_set_principal(struct kcm_store *store, const struct ccache *ccache,
                            struct bytes principal);

/* Sets the offset, and with it when the credentials expire by our clock. */
int kcm_store_set_offset(struct kcm_store *store, struct ccache *ccache, int32_t kdc_offset);

/* Removes caches of uid while *left is above 0, of which each costs one, and one for each of its
 * credentials. ret_n is how many there were, also with -EAGAIN: there may be more. */
int kcm_store_destroy_some(struct kcm_store *store, uid_t uid, unsigned *left, unsigned *ret_n);

/* What is remembered of uid: that it was seen to have a session. */
int kcm_store_is_seen(struct kcm_store *store, uid_t uid, bool *ret_seen);
int kcm_store_set_seen(struct kcm_store *store, uid_t uid, bool seen);

/* The next one that was seen, after uid; -1 = the first. Errors: -ENOENT there are no more. */
int kcm_store_next_seen(struct kcm_store *store, uid_t uid, uid_t *ret_uid);

/* Errors: -ENOENT there is none. */
int kcm_store_default(struct kcm_store *store, uid_t uid, char ret_name[CCACHE_NAME_MAX + 1]);
int kcm_store_set_default(struct kcm_store *store, const struct ccache *ccache);

/* Adds a credential; one with the same client and server goes. kcm_store_save() after the last one.
 * Errors: -EFBIG limit ccache_size, CCACHE_CREDENTIALS, or one of a credential; of
 * kcm_store_save(), -EDQUOT limit uid_size, which refuses no cache that did not grow. */
int kcm_store_add(struct kcm_store *store, struct ccache *ccache,
                  const struct credential *credential);
int kcm_store_save(struct kcm_store *store, const struct ccache *ccache);

/* -EFBIG, for more than CCACHE_CREDENTIALS in one cache, and the log says so. */
int kcm_store_refuse_more(uid_t uid);

struct stored {
	uint64_t number;
	uint32_t end_s, renewal_s; /* by the KDC's clock, 0 = never */
	int64_t expires_s, due_s;  /* by the wall clock, 0 = never */
	struct bytes credential;
};

/* Errors: -ENOENT. */
int kcm_store_get(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                  struct stored *ret_stored);

/* The next one after number, in the order they came. Errors: -ENOENT there are no more. */
int kcm_store_next_credential(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                              struct stored *ret_stored);

/* The same without the credential, of which nothing is read: no sum is asked for. */
int kcm_store_next_number(struct kcm_store *store, const struct ccache *ccache, uint64_t number,
                          struct stored *ret_stored);

/* Where a walk through a cache goes on, in another transaction; all zero: it begins. A cache that
 * is another one by then is walked from its beginning. */
#define WALK_KEY_MAX 47
struct ccache_walk {
	uint8_t at_size;
	uint8_t at[WALK_KEY_MAX];
	bool any; /* some were removed */
};

/* One that tag matches and that expires after now_s. Errors: -ENOENT; -EAGAIN this was enough for
 * once, and walk says where it goes on. */
int kcm_store_match(struct kcm_store *store, const struct ccache *ccache, const struct tag *tag,
                    uint32_t how, int64_t now_s, struct ccache_walk *walk,
                    struct stored *ret_stored);

int kcm_store_remove(struct kcm_store *store, struct ccache *ccache, uint64_t number);

/* Removes all that tag matches. *ret_more: this was enough for once, and walk says where it goes
 * on; what was removed so far is to be committed. Errors: -ENOENT there was none. */
int kcm_store_remove_matching(struct kcm_store *store, struct ccache *ccache, const struct tag *tag,
                              uint32_t how, struct ccache_walk *walk, bool *ret_more);

/* Does the cache hold a ticket that is good now? */
int kcm_store_is_usable(struct kcm_store *store, const struct ccache *ccache, int64_t now_s,
                        bool *ret_usable);

/* Have all its tickets expired? Of one without any, and without credentials that have no end: has
 * it been so for an hour? */
int kcm_store_is_over(struct kcm_store *store, const struct ccache *ccache, int64_t now_s,
                      bool *ret_over);

/* Removes credentials that expired by now_s, caches in which no ticket is left, and those that are
 * over without ever having had one, of which it looks at a part each time. Each cache and each
 * credential costs one: it ends with the cache with which they are max. ret_next_s is when the next
 * ticket expires, 0 = none does. */
int kcm_store_purge(struct kcm_store *store, int64_t now_s, unsigned max, int64_t *ret_next_s);

/* The next ticket in the order of when they are to be renewed, at due_s: a TGT of the cache's
 * principal and its own realm that can be renewed, after half its life. ret_ccache and ret_stored
 * say which was the last, whatever has become of it; both zero = there was none. Those of a user
 * who waits (NULL: nobody does) are passed over, as far as they are due by now_s. name and
 * ret_ccache as kcm_store_next_of_all() gives them. Errors: -ENOENT there are no more.
 */
typedef bool kcm_store_waits(uid_t uid, void *data);
int kcm_store_next_renewal(struct kcm_store *store, int64_t now_s, kcm_store_waits *waits,
                           void *data, char name[CCACHE_NAME_MAX + 1], struct ccache *ret_ccache,
                           struct stored *ret_stored);

/* Its next renewal is at due_s; none is if it will have expired by then. */
int kcm_store_put_off(struct kcm_store *store, const struct ccache *ccache,
                      const struct stored *stored, int64_t due_s);
