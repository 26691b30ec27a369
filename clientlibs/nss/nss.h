/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NSS - shared by the files of this folder, by nobody else
 */
#pragma once

#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clientlibs/core/client.h"
#include "clientlibs/nss/memcache.h"
#include "common/wire/reader.h"

/* What glibc looks up by name, with its own types. */
#pragma GCC visibility push(default)
NSS_DECLARE_MODULE_FUNCTIONS(sss)
#pragma GCC visibility pop

/* No text in a reply can be longer than the reply. */
#define NSS_TEXT_MAX PROTO_REPLY_MAX

/* Reads one entry from in to out (a struct passwd, a struct group), its texts to buffer: 1 done, 0
 * an entry that nobody may see. Nothing is written unless all fits.
 * Errors: -ERANGE size is too small; -EBADMSG the reply makes no sense. */
typedef int nss_read_fn(struct reader *in, void *out, char *buffer, size_t size);
int passwd_read(struct reader *in, void *out, char *buffer, size_t size);
int group_read(struct reader *in, void *out, char *buffer, size_t size);

/* Points list to the n texts that fill size bytes, each with its NUL. False: they do not. */
bool nss_split(char *text, size_t size, char **list, size_t n);

/* A map that is looked up by name and by id: the commands, and how an entry is read from a reply
 * and from the memory cache, whose take gets a struct nss_place; what the file "unknown" calls
 * them. */
struct nss_map {
	uint32_t by_name, by_id;
	nss_read_fn *read;
	struct memcache_kind memcache;
	enum memcache_unknown no_name, no_id;
};
extern const struct nss_map passwd_map, group_map;

struct nss_place {
	void *out;    /* a struct passwd, a struct group */
	char *buffer; /* for its texts; changed also where nothing is found */
	size_t size;
};

/* What take of initgroups_kind gets. It works like initgroups_read(), but leaves *start alone and
 * sets end to what it would be. */
struct nss_groups {
	gid_t skip;
	long *start, *size;
	gid_t **groups;
	long limit, end;
};
extern const struct memcache_kind initgroups_kind;

/* Reads a reply that holds at most one entry: 1, or 0 there is none. Errors: those of read. */
int nss_read_one(struct reader *in, nss_read_fn *read, void *out, char *buffer, size_t size);

/* Reads the answer to initgroups and appends it to *groups, which has room for *size and grows with
 * realloc(3), not beyond limit if that is positive. skip, the primary group, is left out, and so is
 * root's. *start counts what is there. 1, or 0 there is no such user.
 * Errors: -ENOMEM; -EBADMSG. */
int initgroups_read(struct reader *in, gid_t skip, long *start, long *size, gid_t **groups,
                    long limit);

/* Whether this process must not ask: our own daemons would wait for themselves (_SSS_LOOPS=NO), as
 * would those that PID 1 starts with SYSTEMD_NSS_DYNAMIC_BYPASS=1. */
bool nss_is_barred(void);

/* What r is to glibc: 1 found, 0 not found, or a negative code, which goes to *errnop. */
enum nss_status nss_status(int r, int *errnop);

/* Whether anybody can have that name: it may be NULL. */
bool nss_is_name(const char *name);

/* Whether name is root's or our own service user's, as user or group. They come from files, and PID
 * 1 asks for them before we can run. (Of the ids only 0 is known without looking anywhere.) */
bool nss_is_local(const char *name);

/* getXXnam_r and getXXid_r of a map. */
enum nss_status nss_get_by_name(const struct nss_map *map, const char *name, void *out,
                                char *buffer, size_t size, int *errnop);
enum nss_status nss_get_by_id(const struct nss_map *map, uint32_t id, void *out, char *buffer,
                              size_t size, int *errnop);

/* setXXent, endXXent and getXXent_r of a map; set and get are its commands. */
enum nss_status nss_rewind(enum client_map map);
enum nss_status nss_next(enum client_map map, uint32_t set, uint32_t get, nss_read_fn *read,
                         void *out, char *buffer, size_t size, int *errnop);
