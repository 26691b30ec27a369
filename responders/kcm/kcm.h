/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * KCM responder - shared by the files of this folder
 */
#pragma once

#include <stdint.h>
#include <talloc.h>

#include "common/base/fd.h"
#include "common/conf/options.h"
#include "common/wire/kcm.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "responders/core/resp.h"
#include "responders/kcm/store.h"

/* Statuses are these, or errno values where libkrb5 has no word: it prints them like errno. */
#define KCM_CC_BADNAME   (-1765328245)
#define KCM_CC_NOTFOUND  (-1765328243)
#define KCM_CC_END       (-1765328242)
#define KCM_CC_IO        (-1765328191)
#define KCM_FCC_NOFILE   (-1765328189)
#define KCM_FCC_INTERNAL (-1765328188)
#define KCM_CC_NOMEM     (-1765328186)

struct kcm_request {
	struct kcm_store *store;
	uid_t uid;
	int64_t now_s;     /* by the wall clock: what has expired by it is not found */
	int64_t settled_s; /* settled.h: what has expired by it may go */
	struct reader *in; /* the parameters */
	struct writer *out;
	struct ccache_walk *walk;
	bool more; /* what was done is to be committed, and the request goes on */
	char default_name[CCACHE_NAME_MAX + 1]; /* once it was asked for */
	int failed;                             /* why it could not be told; 0 = it could */
};

/* Answers one request: reads it, behind its length, and writes the whole reply; *ret_served as
 * far as it was understood. settled_s is as in settled.h. Errors, which the client was told: of
 * kcm_store_begin() and kcm_store_end(), those of the limits, -ENOENT, -EBADMSG, -ENOTSUP; and
 * without a reply, -EAGAIN: the same request is to go on with walk, which is all zero at first. */
int kcm_answer(struct kcm_store *store, uid_t uid, int64_t settled_s, struct reader *in,
               struct writer *out, struct ccache_walk *walk, struct resp_served *ret_served);

/* The reply that says r, whatever was written before. */
void kcm_refuse(struct writer *out, int r);

/* admin.c: what root may ask about others. */
int op_admin_list(struct kcm_request *request);
int op_admin_purge(struct kcm_request *request);
