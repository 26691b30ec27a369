/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files - what lies beside the environment, and what can be told of it without mapping it
 *
 *   cache_DOMAIN.mdb             the environment; another schema has another name
 *   cache_DOMAIN.mdb-lock        LMDB's: reader table and the writer's mutex
 *   cache_DOMAIN.mdb-state       64 bytes, below; its one lock (F_OFD_SETLK) makes the one writer
 *   cache_DOMAIN.mdb-suspect     empty; while it is there nobody opens the environment unchecked
 *   cache_DOMAIN.mdb.new         an environment that is being made
 *   cache_DOMAIN.mdb.damaged-1   the last one that was set aside
 *   cache_DOMAIN.mdb-bereft      empty; there since then, until the servers were reached
 *   cache_DOMAIN.mdb-listed      the environment id, u64, in which all users and groups are stored
 *   cache_DOMAIN.mdb-touched     touched.h
 *
 * In DOMAIN letters, digits, '.' and '-' stand for themselves, any other byte is _xx.
 *
 * The state is a file of its own because it must be readable without LMDB, and written before the
 * first commit and after the last. The suspect mark is another because anybody may set it.
 *
 *   state   | magic: u64 | schema: u32 | clean: u32 | boot: u64 | inode: u64 | born: u64 |
 *           | zero: 16 bytes | sum: u64 |
 *
 * inode and born (nanoseconds of statx(2)'s stx_btime, 0 where the file system has none) tell which
 * file the state speaks of: one that was restored from a backup is another, and its bytes may have
 * been copied while somebody wrote.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "common/cache/cache.h"
#include "common/wire/reader.h"

struct cache_files {
	const char *dir;
	const char *domain;
	const char *data, *lock, *state, *suspect, *made, *made_lock, *damaged;
	const char *bereft, *listed, *touched; /* NULL of an environment that is no domain's */
};

/* Errors: -ENOMEM. */
int files_of(TALLOC_CTX *mem, const struct cache_options *options,
             struct cache_files **ret_files);

/* The same for DIR/NAME.mdb, an environment that no server can fill again: nothing is bereft.
 * Errors: -ENOMEM. */
int files_named(TALLOC_CTX *mem, const char *dir, const char *name, struct cache_files **ret_files);

/* Errors: -E_NETWORK_FS; errno of statfs(2). */
int files_on_network(const struct cache_files *files);

/* Which file is it? */
struct file_id {
	dev_t device;
	uint64_t inode;
	uint64_t born_ns;
};

/* Errors: errno of statx(2), -ENOENT among them. */
int file_id(const char *path, struct file_id *ret_id);
int file_id_open(int fd, struct file_id *ret_id);
bool file_id_equal(const struct file_id *a, const struct file_id *b);

/* ---- the state ---- */

#define STATE_SIZE 64
struct state {
	bool clean;    /* the last writer closed the environment in order */
	uint64_t boot; /* boot_id() when it opened it */
	struct file_id data; /* device is not stored: it may change from boot to boot */
};

/* Errors: -EBADMSG; -E_CACHE_VERSION. */
int state_parse(const void *bytes, size_t size, struct state *ret_state);
void state_build(const struct state *state, uint8_t bytes[STATE_SIZE]);

/* Opens the state, making it where there is none, and becomes the one writer for as long as the
 * descriptor is open. Errors: -EBUSY somebody else is; errno of open(2). */
int state_lock(const struct cache_files *files, int *ret_fd);

/* Does the descriptor still lock the file at the path? */
bool state_lock_holds(const struct cache_files *files, int fd);

/* Says whether the environment data was closed in order, and waits until that is on the disk. */
int state_write(int fd, const struct file_id *data, bool clean);

/* ---- the first pages ---- */

/* pgno_t, txnid_t and size_t of LMDB: as wide as a pointer. */
static inline uint64_t reader_word(struct reader *in)
{
	return sizeof(size_t) == sizeof(uint64_t) ? reader_u64(in) : reader_u32(in);
}

/* What LMDB says of the environment in its two meta pages, the newer of which holds. */
struct meta {
	uint32_t page_size;
	uint64_t last_page;
	uint64_t txn;
};

/* One meta page, cut where it likes to be. Errors: -E_CACHE_DAMAGED; -E_CACHE_VERSION. */
#define META_SIZE 152
int meta_parse(const void *bytes, size_t size, struct meta *ret_meta);

/* Reads both meta pages with pread(2) and gives the one that holds.
 * Errors: -E_CACHE_DAMAGED; -E_CACHE_VERSION; errno of open(2), -ENOENT among them. */
int files_meta(const struct cache_files *files, struct meta *ret_meta);

/* The same, and whether the file is as long as the meta page says: LMDB maps it, and a page beyond
 * its end is a SIGBUS. Errors: as files_meta(). */
int files_look(const struct cache_files *files);

/* Of a file that is sound what is missing at the end is free pages, whose bytes nobody reads: makes
 * it as long as its meta page says. */
int files_lengthen(const struct cache_files *files);

/* ---- damage ---- */

bool files_suspect(const struct cache_files *files);

/* cache_check_needed() and cache_set_aside() on files. */
bool files_need_check(const struct cache_files *files);
int files_set_aside(const struct cache_files *files);
