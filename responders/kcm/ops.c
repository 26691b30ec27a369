/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations - what each opcode reads, does and answers
 *
 * One returns 0, a negative error of ours, or a status of libkrb5's, which is negative, too, and
 * far away (status_of()). What it wrote counts only with 0. All that a request names stands below
 * the caller's uid, so nobody needs to be refused anything.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "common/metrics/metrics.h"
#include "common/wire/frame.h"
#include "responders/kcm/kcm.h"

#define NAME_NUMBERS     99999 /* upstream's names end with a number below */
#define NAME_TRIES       16
#define STATUS_AT        8 /* in a reply */
#define KRB5_CODES_BELOW (-1000000000)

/* ---- what requests and replies are made of ---- */

static int pick_default(struct kcm_request *request, char name[CCACHE_NAME_MAX + 1]);

/* Heimdal's library says "" when it is told "KCM:" and means the default. */
static const char *read_name(struct kcm_request *request)
{
	const char *name = reader_str(request->in, CCACHE_NAME_MAX, NULL);
	int r;

	if (!name || name[0] != '\0')
		return name;
	r = pick_default(request, request->default_name);
	if (r < 0)
		request->failed = r;
	return request->default_name;
}

/* Nothing that was read so far was wrong. */
static int is_read(const struct kcm_request *request)
{
	return request->failed < 0 ? request->failed : request->in->err;
}

/* Read all, ask once. */
static int all_read(struct kcm_request *request)
{
	int r = is_read(request);

	return r < 0 ? r : reader_end(request->in);
}

static void write_uuid(struct writer *out, uint64_t id, uint64_t number)
{
	writer_be64(out, id);
	writer_be64(out, number);
}

static void write_sized(struct writer *out, struct bytes bytes)
{
	writer_be32(out, (uint32_t)bytes.size);
	writer_bytes(out, bytes.at, bytes.size);
}

/* An error whose word depends on the operation. */
static int in_words(int r, int not_there)
{
	return r == -ENOENT ? not_there : r;
}

/* Reads a name, the only parameter, and finds its cache. */
static int find_named(struct kcm_request *request, int not_there, struct ccache *ret_ccache)
{
	const char *name = read_name(request);
	int r = all_read(request);

	if (r == 0)
		r = kcm_store_find(request->store, request->uid, name, ret_ccache);
	return in_words(r, not_there);
}

/* ---- names ---- */

/* UID and anything, as upstream has it. Names are each user's own: 40010:x of uid 4001 is in
 * nobody's way. */
static bool is_own_name(uid_t uid, const char *name)
{
	char prefix[16];
	int size = snprintf(prefix, sizeof(prefix), "%u", (unsigned)uid);

	return strncmp(name, prefix, (size_t)size) == 0;
}

static int make(struct kcm_request *request, const char *name, struct ccache *ret_ccache)
{
	if (!is_own_name(request->uid, name))
		return KCM_CC_BADNAME;
	return kcm_store_make(request->store, request->uid, name, request->settled_s, ret_ccache);
}

static int op_gen_new(struct kcm_request *request)
{
	struct ccache ccache;
	char name[32];
	uint32_t lot;
	int r;

	r = all_read(request);
	for (int i = 0; i < NAME_TRIES && r == 0; i++) {
		if (getrandom(&lot, sizeof(lot), 0) != sizeof(lot))
			return -errno;
		snprintf(name, sizeof(name), "%u:%" PRIu32, (unsigned)request->uid,
		         lot % NAME_NUMBERS);
		r = kcm_store_find(request->store, request->uid, name, &ccache);
	}
	if (r != -ENOENT)
		return r == 0 ? KCM_FCC_INTERNAL : r;
	writer_str(request->out, name);
	return 0;
}

static int op_get_name(struct kcm_request *request)
{
	struct ccache ccache;
	int r = find_named(request, KCM_FCC_NOFILE, &ccache);

	if (r == 0)
		writer_str(request->out, ccache.name);
	return r;
}

/* ---- caches ---- */

/* An empty cache of that name with that principal. One that was there becomes another one, with
 * another uuid, unless it had no principal so far. */
static int make_anew(struct kcm_request *request, const char *name,
                     const struct principal *principal, struct ccache *ret_ccache)
{
	struct kcm_store *store = request->store;
	char other[CCACHE_NAME_MAX + 1];
	struct bytes old;
	int r;

	r = kcm_store_find(store, request->uid, name, ret_ccache);
	if (r == 0) {
		r = kcm_store_principal(store, ret_ccache, &old);
		if (r == -ENOENT) {
			r = kcm_store_empty(store, ret_ccache);
		} else if (r == 0) {
			r = kcm_store_destroy(store, ret_ccache);
			if (r == 0)
				r = -ENOENT;
		}
	}
	if (r == -ENOENT)
		r = make(request, name, ret_ccache);
	if (r == 0)
		r = kcm_store_set_principal(store, ret_ccache, principal->all);
	if (r != 0)
		return r;
	r = kcm_store_default(store, request->uid, other);
	return r == -ENOENT ? kcm_store_set_default(store, ret_ccache) : r;
}

static int op_initialize(struct kcm_request *request)
{
	const char *name = read_name(request);
	struct principal principal = read_principal(request->in);
	struct ccache ccache;
	int r = all_read(request);

	return r < 0 ? r : make_anew(request, name, &principal, &ccache);
}

/* All or nothing: the transaction is given up when any of it fails. */
static int op_replace(struct kcm_request *request)
{
	const char *name = read_name(request);
	int32_t kdc_offset = (int32_t)reader_be32(request->in);
	struct principal principal = read_principal(request->in);
	uint32_t count = reader_be32(request->in);
	struct ccache ccache;
	int r = is_read(request);

	/* They are work even where each takes the place of the one before. */
	if (r == 0 && count > CCACHE_CREDENTIALS)
		r = kcm_store_refuse_more(request->uid);
	if (r == 0)
		r = make_anew(request, name, &principal, &ccache);
	if (r == 0)
		r = kcm_store_set_offset(request->store, &ccache, kdc_offset);
	for (uint32_t i = 0; i < count && r == 0; i++) {
		struct reader one = reader_part(request->in, reader_be32(request->in));
		struct credential credential = read_credential(&one);

		r = request->in->err < 0 ? request->in->err : reader_end(&one);
		if (r == 0)
			r = kcm_store_add(request->store, &ccache, &credential);
	}
	if (r == 0)
		r = all_read(request);
	return r != 0 ? r : kcm_store_save(request->store, &ccache);
}

static int op_destroy(struct kcm_request *request)
{
	struct ccache ccache;
	int r = find_named(request, KCM_FCC_NOFILE, &ccache);

	return r != 0 ? r : kcm_store_destroy(request->store, &ccache);
}

static int op_get_principal(struct kcm_request *request)
{
	struct ccache ccache;
	struct bytes principal;
	int r = find_named(request, KCM_FCC_NOFILE, &ccache);

	if (r == 0)
		r = in_words(kcm_store_principal(request->store, &ccache, &principal),
		             KCM_FCC_NOFILE);
	if (r == 0)
		writer_bytes(request->out, principal.at, principal.size);
	return r;
}

/* They mean something to the client's library only. */
static int op_set_flags(struct kcm_request *request)
{
	const char *name = read_name(request);
	struct ccache ccache;
	int r;

	reader_be32(request->in);
	r = all_read(request);
	if (r == 0)
		r = kcm_store_find(request->store, request->uid, name, &ccache);
	return in_words(r, KCM_FCC_NOFILE);
}

static int op_move_cache(struct kcm_request *request)
{
	const char *from = read_name(request), *to = read_name(request);
	char chosen[CCACHE_NAME_MAX + 1] = "";
	struct kcm_store *store = request->store;
	struct ccache ccache, other;
	int r = all_read(request);

	if (r == 0)
		r = kcm_store_find(store, request->uid, from, &ccache);
	if (r < 0)
		return in_words(r, KCM_FCC_NOFILE);
	if (strcmp(from, to) == 0)
		return 0;
	if (!is_own_name(request->uid, to))
		return KCM_CC_BADNAME;
	r = kcm_store_default(store, request->uid, chosen);
	if (r == 0 || r == -ENOENT)
		r = kcm_store_find(store, request->uid, to, &other);
	if (r == 0)
		r = kcm_store_destroy(store, &other);
	if (r == 0 || r == -ENOENT)
		r = kcm_store_rename(store, &ccache, to);
	/* What was chosen is the name, whatever stands there. */
	return r == 0 && strcmp(chosen, to) == 0 ? kcm_store_set_default(store, &ccache) : r;
}

/* ---- the collection ---- */

static int op_get_cache_uuid_list(struct kcm_request *request)
{
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache;
	bool any = false;
	int r = all_read(request);

	if (r < 0)
		return r;
	while ((r = kcm_store_next(request->store, request->uid, name, &ccache)) == 0) {
		write_uuid(request->out, ccache.id, 0);
		any = true;
	}
	return in_words(r, any ? 0 : KCM_FCC_NOFILE);
}

static int op_get_cache_by_uuid(struct kcm_request *request)
{
	uint64_t id = reader_be64(request->in), number = reader_be64(request->in);
	char name[CCACHE_NAME_MAX + 1];
	int r = all_read(request);

	if (r == 0)
		r = number == 0 ? kcm_store_name(request->store, request->uid, id, name) : -ENOENT;
	if (r == 0)
		writer_str(request->out, name);
	return in_words(r, KCM_CC_END);
}

/* The first cache with a ticket that is good now; -ENOENT there is none. */
static int first_usable(struct kcm_request *request, char name[CCACHE_NAME_MAX + 1])
{
	struct ccache ccache;
	bool usable;
	int r;

	name[0] = '\0';
	while ((r = kcm_store_next(request->store, request->uid, name, &ccache)) == 0) {
		r = kcm_store_is_usable(request->store, &ccache, request->now_s, &usable);
		if (r < 0 || usable)
			return r;
	}
	return r;
}

/* The one that was chosen, unless all its tickets have expired and another has some that have not:
 * one without any is about to get them. Else any; else the name under which the first will be
 * made. */
static int pick_default(struct kcm_request *request, char name[CCACHE_NAME_MAX + 1])
{
	char other[CCACHE_NAME_MAX + 1];
	struct kcm_store *store = request->store;
	struct ccache ccache;
	bool stays = false;
	int r;

	name[0] = '\0';
	r = kcm_store_default(store, request->uid, name);
	if (r == 0)
		r = kcm_store_find(store, request->uid, name, &ccache);
	if (r == 0)
		stays = ccache.n_tickets == 0;
	if (r == 0 && !stays)
		r = kcm_store_is_usable(store, &ccache, request->now_s, &stays);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!stays) {
		r = first_usable(request, other);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0)
			memcpy(name, other, sizeof(other));
	}
	if (name[0] == '\0') {
		r = kcm_store_next(store, request->uid, name, &ccache);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	if (name[0] == '\0')
		snprintf(name, CCACHE_NAME_MAX + 1, "%u", (unsigned)request->uid);
	return 0;
}

static int op_get_default_cache(struct kcm_request *request)
{
	int r = all_read(request);

	if (r == 0)
		r = pick_default(request, request->default_name);
	if (r == 0)
		writer_str(request->out, request->default_name);
	return r;
}

static int op_set_default_cache(struct kcm_request *request)
{
	const char *name = read_name(request);
	struct ccache ccache;
	int r = all_read(request);

	if (r < 0)
		return r;
	r = kcm_store_find(request->store, request->uid, name, &ccache);
	if (r == -ENOENT)
		r = make(request, name, &ccache);
	return r != 0 ? r : kcm_store_set_default(request->store, &ccache);
}

/* ---- credentials ---- */

static int op_store(struct kcm_request *request)
{
	const char *name = read_name(request);
	struct credential credential = read_credential(request->in);
	struct ccache ccache;
	int r = all_read(request);

	if (r == 0)
		r = in_words(kcm_store_find(request->store, request->uid, name, &ccache),
		             KCM_CC_NOTFOUND);
	if (r == 0)
		r = kcm_store_add(request->store, &ccache, &credential);
	if (r == 0)
		r = kcm_store_save(request->store, &ccache);
	return r;
}

/* Reads | name | flags | tag | and finds the cache. */
static int find_tagged(struct kcm_request *request, struct ccache *ret_ccache, uint32_t *ret_how,
                       struct tag *ret_tag)
{
	const char *name = read_name(request);
	int r;

	*ret_how = reader_be32(request->in);
	*ret_tag = read_tag(request->in);
	r = all_read(request);
	if (r == 0)
		r = kcm_store_find(request->store, request->uid, name, ret_ccache);
	return in_words(r, KCM_FCC_NOFILE);
}

static int op_retrieve(struct kcm_request *request)
{
	struct ccache ccache;
	struct stored stored;
	struct tag tag;
	uint32_t how;
	int r = find_tagged(request, &ccache, &how, &tag);

	if (r == 0)
		r = in_words(kcm_store_match(request->store, &ccache, &tag, how, request->now_s,
		                             request->walk, &stored),
		             KCM_CC_NOTFOUND);
	if (r == 0)
		writer_bytes(request->out, stored.credential.at, stored.credential.size);
	return r;
}

static int op_remove_cred(struct kcm_request *request)
{
	struct ccache ccache;
	struct tag tag;
	uint32_t how;
	int r = find_tagged(request, &ccache, &how, &tag);

	if (r == 0)
		r = in_words(kcm_store_remove_matching(request->store, &ccache, &tag, how,
		                                       request->walk, &request->more),
		             KCM_CC_NOTFOUND);
	return r;
}

static int op_get_cred_uuid_list(struct kcm_request *request)
{
	struct stored stored = { 0 };
	struct ccache ccache;
	int r = find_named(request, KCM_CC_NOTFOUND, &ccache);

	if (r != 0)
		return r;
	while ((r = kcm_store_next_number(request->store, &ccache, stored.number, &stored)) == 0)
		write_uuid(request->out, ccache.id, stored.number);
	return in_words(r, 0);
}

static int op_get_cred_by_uuid(struct kcm_request *request)
{
	const char *name = read_name(request);
	uint64_t id = reader_be64(request->in), number = reader_be64(request->in);
	struct ccache ccache;
	struct stored stored;
	int r = all_read(request);

	if (r == 0)
		r = kcm_store_find(request->store, request->uid, name, &ccache);
	if (r == 0)
		r = ccache.id == id ? kcm_store_get(request->store, &ccache, number, &stored)
		                    : -ENOENT;
	if (r == 0)
		writer_bytes(request->out, stored.credential.at, stored.credential.size);
	return in_words(r, KCM_CC_END);
}

static int op_get_cred_list(struct kcm_request *request)
{
	struct stored stored = { 0 };
	struct ccache ccache;
	int r = find_named(request, KCM_CC_NOTFOUND, &ccache);

	if (r != 0)
		return r;
	if (ccache.size > KCM_MESSAGE_MAX)
		return -EMSGSIZE; /* the client then asks for one after the other */
	writer_be32(request->out, ccache.n_credentials);
	while (request->out->err == 0 &&
	       (r = kcm_store_next_credential(request->store, &ccache, stored.number, &stored)) ==
	               0)
		write_sized(request->out, stored.credential);
	return in_words(r, 0);
}

/* ---- the KDC's clock ---- */

static int op_get_kdc_offset(struct kcm_request *request)
{
	struct ccache ccache;
	int r = find_named(request, KCM_FCC_NOFILE, &ccache);

	if (r == 0)
		writer_be32(request->out, (uint32_t)ccache.kdc_offset);
	return r;
}

static int op_set_kdc_offset(struct kcm_request *request)
{
	const char *name = read_name(request);
	int32_t kdc_offset = (int32_t)reader_be32(request->in);
	struct ccache ccache;
	int r = all_read(request);

	if (r == 0)
		r = in_words(kcm_store_find(request->store, request->uid, name, &ccache),
		             KCM_CC_NOTFOUND);
	return r != 0 ? r : kcm_store_set_offset(request->store, &ccache, kdc_offset);
}

/* ---- the table ---- */

static int op_noop(struct kcm_request *request)
{
	return all_read(request);
}

/* CHOWN and CHMOD have no row: a cache belongs to whoever made it, and to nobody else. */
/* clang-format off */
static const struct op {
	enum kcm_opcode opcode;
	const char *name;
	bool writes;
	bool root_only;
	int (*run)(struct kcm_request *request);
} ops[] = {
	/* opcode                  name                   writes root   */
	{ KCM_NOOP,                "NOOP",                false, false, op_noop },
	{ KCM_GET_NAME,            "GET_NAME",            false, false, op_get_name },
	{ KCM_GEN_NEW,             "GEN_NEW",             false, false, op_gen_new },
	{ KCM_INITIALIZE,          "INITIALIZE",          true,  false, op_initialize },
	{ KCM_DESTROY,             "DESTROY",             true,  false, op_destroy },
	{ KCM_STORE,               "STORE",               true,  false, op_store },
	{ KCM_RETRIEVE,            "RETRIEVE",            false, false, op_retrieve },
	{ KCM_GET_PRINCIPAL,       "GET_PRINCIPAL",       false, false, op_get_principal },
	{ KCM_GET_CRED_UUID_LIST,  "GET_CRED_UUID_LIST",  false, false, op_get_cred_uuid_list },
	{ KCM_GET_CRED_BY_UUID,    "GET_CRED_BY_UUID",    false, false, op_get_cred_by_uuid },
	{ KCM_REMOVE_CRED,         "REMOVE_CRED",         true,  false, op_remove_cred },
	{ KCM_SET_FLAGS,           "SET_FLAGS",           false, false, op_set_flags },
	{ KCM_MOVE_CACHE,          "MOVE_CACHE",          true,  false, op_move_cache },
	{ KCM_GET_CACHE_UUID_LIST, "GET_CACHE_UUID_LIST", false, false, op_get_cache_uuid_list },
	{ KCM_GET_CACHE_BY_UUID,   "GET_CACHE_BY_UUID",   false, false, op_get_cache_by_uuid },
	{ KCM_GET_DEFAULT_CACHE,   "GET_DEFAULT_CACHE",   false, false, op_get_default_cache },
	{ KCM_SET_DEFAULT_CACHE,   "SET_DEFAULT_CACHE",   true,  false, op_set_default_cache },
	{ KCM_GET_KDC_OFFSET,      "GET_KDC_OFFSET",      false, false, op_get_kdc_offset },
	{ KCM_SET_KDC_OFFSET,      "SET_KDC_OFFSET",      true,  false, op_set_kdc_offset },
	{ KCM_GET_CRED_LIST,       "GET_CRED_LIST",       false, false, op_get_cred_list },
	{ KCM_REPLACE,             "REPLACE",             true,  false, op_replace },
	{ KCM_ADMIN_LIST,          "ADMIN_LIST",          false, true,  op_admin_list },
	{ KCM_ADMIN_PURGE,         "ADMIN_PURGE",         true,  true,  op_admin_purge },
};
/* clang-format on */

static const struct op *op_of(uint16_t opcode)
{
	for (size_t i = 0; i < str_size(ops); i++)
		if (ops[i].opcode == opcode)
			return &ops[i];
	return NULL;
}

/* ---- the answer ---- */

/* What the client is told. KCM_FCC_INTERNAL is what it takes for "not supported": it then does the
 * same in another way, where it knows one. */
static int32_t status_of(int r)
{
	switch (r) {
	case -ENOMEM:
		return KCM_CC_NOMEM;
	case -EBADMSG:
		return KCM_CC_IO;
	case -ENAMETOOLONG:
		return KCM_CC_BADNAME;
	case -EDQUOT: /* max_uid_ccaches, and a user's total */
	case -ENFILE: /* max_ccaches */
	case -EFBIG:  /* max_ccache_size */
	case -ENOSPC:
		return -r;
	case -E_CACHE_QUOTA: /* the map is full */
		return ENOSPC;
	default:
		return r < KRB5_CODES_BELOW ? r : KCM_FCC_INTERNAL;
	}
}

static int run(struct kcm_request *request, const struct op *op)
{
	int r;

	r = kcm_store_begin(request->store, op->writes);
	if (r == 0)
		r = kcm_store_end(request->store, op->run(request));
	return r == 0 && request->more ? -EAGAIN : r;
}

static int answer(struct kcm_request *request, struct resp_served *ret_served)
{
	uint8_t major = reader_u8(request->in);
	const struct op *op;
	uint16_t opcode;

	reader_u8(request->in);
	opcode = reader_be16(request->in);
	if (request->in->err < 0)
		return -EBADMSG;
	op = op_of(opcode);
	if (!op || major != KCM_VERSION_MAJOR || (op->root_only && request->uid != 0))
		return -ENOTSUP;
	*ret_served = (struct resp_served){
		.what = op->name,
		.kind = op->writes ? METRICS_TICKETS_CHANGED : METRICS_TICKETS_READ,
	};
	return run(request, op);
}

static void begin_reply(struct writer *out)
{
	writer_be32(out, 0); /* the length of what follows code */
	writer_be32(out, 0); /* code */
	writer_be32(out, 0); /* status */
}

static void end_reply(struct writer *out, int32_t status)
{
	writer_patch_u32(out, STATUS_AT, htobe32((uint32_t)status));
	writer_patch_u32(out, 0, htobe32((uint32_t)(out->size - STATUS_AT)));
}

void kcm_refuse(struct writer *out, int r)
{
	writer_reset(out);
	begin_reply(out);
	end_reply(out, status_of(r));
}

int kcm_answer(struct kcm_store *store, uid_t uid, int64_t settled_s, struct reader *in,
               struct writer *out, struct ccache_walk *walk, struct resp_served *ret_served)
{
	struct kcm_request request = {
		.store = store,
		.uid = uid,
		.now_s = walltime_now().s,
		.settled_s = settled_s,
		.in = in,
		.out = out,
		.walk = walk,
	};
	int r;

	begin_reply(out);
	r = answer(&request, ret_served);
	if (r == -EAGAIN) {
		writer_reset(out);
		return r;
	}
	if (r == 0)
		r = writer_end(out); /* too large: the client then asks for one after the other */
	if (r < 0)
		kcm_refuse(out, r);
	else
		end_reply(out, 0);
	return r < KRB5_CODES_BELOW ? -ENOENT : r;
}
