/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * KCM - the protocol by which libkrb5 keeps credential caches in a daemon
 *
 *   request  | length: u32 | version: u8, u8 | opcode: u16 | parameters |
 *   reply    | length: u32 of what follows code | code: u32 | status: u32 | result |
 *
 * Network byte order. code is 0 when there is a status; we always say it there. Numbers are those
 * of MIT krb5 (include/kcm.h) and Heimdal, credentials in the form of cred.h. A name is text and a
 * NUL, "" that of the default cache. A uuid has 16 bytes:
 * | id: u64 of the cache | number: u64 of the credential, 0 = the cache itself |.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>

#include "common/base/fd.h"
#include "common/conf/options.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "responders/kcm/store.h"

#define KCM_MESSAGE_MAX   (10u << 20) /* behind the length, either way */
#define KCM_VERSION_MAJOR 2

enum kcm_opcode {
	KCM_NOOP = 0,
	KCM_GET_NAME = 1,
	KCM_RESOLVE = 2,
	KCM_GEN_NEW = 3,
	KCM_INITIALIZE = 4,
	KCM_DESTROY = 5,
	KCM_STORE = 6,
	KCM_RETRIEVE = 7,
	KCM_GET_PRINCIPAL = 8,
	KCM_GET_CRED_UUID_LIST = 9,
	KCM_GET_CRED_BY_UUID = 10,
	KCM_REMOVE_CRED = 11,
	KCM_SET_FLAGS = 12,
	KCM_CHOWN = 13,
	KCM_CHMOD = 14,
	KCM_MOVE_CACHE = 17,
	KCM_GET_CACHE_UUID_LIST = 18,
	KCM_GET_CACHE_BY_UUID = 19,
	KCM_GET_DEFAULT_CACHE = 20,
	KCM_SET_DEFAULT_CACHE = 21,
	KCM_GET_KDC_OFFSET = 22,
	KCM_SET_KDC_OFFSET = 23,
	KCM_GET_CRED_LIST = 13001,
	KCM_REPLACE = 13002,
};

/* Statuses are these, or errno values where libkrb5 has no word: it prints them like errno. */
#define KCM_CC_BADNAME   (-1765328245)
#define KCM_CC_NOTFOUND  (-1765328243)
#define KCM_CC_END       (-1765328242)
#define KCM_CC_IO        (-1765328191)
#define KCM_FCC_PERM     (-1765328190)
#define KCM_FCC_NOFILE   (-1765328189)
#define KCM_FCC_INTERNAL (-1765328188)
#define KCM_CC_NOMEM     (-1765328186)

struct kcm_request {
	struct store *store;
	uid_t uid;
	int64_t now_s;
	struct reader *in; /* the parameters */
	struct writer *out;
	char default_name[CCACHE_NAME_MAX + 1]; /* once it was asked for */
};

/* Answers one request: reads it, behind its length, and writes the whole reply. ret_what is what
 * was asked, for the log. Errors, which the client was told: of store_begin() and store_end(),
 * those of the limits, -ENOENT, -EBADMSG, -ENOTSUP. */
int kcm_answer(struct store *store, uid_t uid, struct reader *in, struct writer *out,
               const char **ret_what);

/* The reply that says r, whatever was written before. */
void kcm_refuse(struct writer *out, int r);
