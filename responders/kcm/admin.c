/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Administration - what root may ask about the caches of others: lists, never a key or a ticket
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "responders/kcm/kcm.h"

#define LIST_PART     (256u << 10) /* one reply is a bit more than this */
#define PRINCIPAL_MAX 1000         /* bytes of its text */

/* ---- principals as text ---- */

static void write_letter(struct writer *out, size_t end, uint8_t letter)
{
	if (out->size < end)
		writer_u8(out, letter);
}

/* With a backslash before what would end a component; what is no text is '?'. */
static void write_escaped(struct writer *out, size_t end, struct reader *in)
{
	uint32_t size = reader_be32(in);
	const uint8_t *bytes = reader_bytes(in, size);

	for (uint32_t i = 0; bytes && i < size && out->size < end; i++) {
		if (bytes[i] == '/' || bytes[i] == '@' || bytes[i] == '\\')
			write_letter(out, end, '\\');
		write_letter(out, end, bytes[i] < ' ' || bytes[i] == 0x7f ? '?' : bytes[i]);
	}
}

/* first/second@REALM and a NUL; cut, so that a whole cache fits into a reply. */
static void write_principal(struct writer *out, struct bytes principal)
{
	struct reader in = reader_over(principal.at, principal.size), realm;
	size_t end = out->size + PRINCIPAL_MAX;
	uint32_t n;

	reader_be32(&in);
	n = reader_be32(&in);
	realm = in;
	reader_bytes(&in, reader_be32(&in));
	for (uint32_t i = 0; i < n && in.err == 0; i++) {
		if (i > 0)
			write_letter(out, end, '/');
		write_escaped(out, end, &in);
	}
	write_letter(out, end, '@');
	write_escaped(out, end, &realm);
	writer_u8(out, 0);
}

/* ---- the list ---- */

static int write_tickets(struct kcm_request *request, const struct ccache *ccache)
{
	struct stored stored = { 0 };
	uint32_t n = 0;
	size_t mark = writer_mark_u32(request->out);
	int r;

	while ((r = kcm_store_next_credential(request->store, ccache, stored.number, &stored)) ==
	       0) {
		struct reader in = reader_over(stored.credential.at, stored.credential.size);
		struct credential credential = read_credential(&in);

		if (is_cache_config(&credential))
			continue;
		write_principal(request->out, credential.server.all);
		writer_be64(request->out, (uint64_t)stored.expires_s);
		n++;
	}
	writer_patch_u32(request->out, mark, htobe32(n));
	return r == -ENOENT ? 0 : r;
}

static int write_ccache(struct kcm_request *request, const struct ccache *ccache)
{
	char chosen[CCACHE_NAME_MAX + 1];
	struct bytes principal;
	int r;

	r = kcm_store_default(request->store, ccache->uid, chosen);
	if (r < 0 && r != -ENOENT)
		return r;
	writer_be32(request->out, ccache->uid);
	writer_u8(request->out, r == 0 && strcmp(chosen, ccache->name) == 0);
	writer_str(request->out, ccache->name);
	r = kcm_store_principal(request->store, ccache, &principal);
	if (r == 0)
		write_principal(request->out, principal);
	else if (r == -ENOENT)
		writer_str(request->out, "");
	else
		return r;
	return write_tickets(request, ccache);
}

int op_admin_list(struct kcm_request *request)
{
	uint32_t uid = reader_be32(request->in);
	struct ccache ccache = { .uid = reader_be32(request->in) };
	const char *after = reader_str(request->in, CCACHE_NAME_MAX, NULL);
	char name[CCACHE_NAME_MAX + 1];
	int r = reader_end(request->in);

	if (r < 0)
		return r;
	memcpy(name, after, strlen(after) + 1);
	while (r == 0 && request->out->size < LIST_PART) {
		r = uid == KCM_EVERYBODY ? kcm_store_next_of_all(request->store, name, &ccache)
		                         : kcm_store_next(request->store, uid, name, &ccache);
		if (r == 0)
			r = write_ccache(request, &ccache);
	}
	return r == -ENOENT ? 0 : r;
}

/* ---- purge ---- */

static int is_expired(struct kcm_request *request, const struct ccache *ccache, bool *ret_expired)
{
	bool usable;
	int r;

	if (ccache->n_tickets == 0)
		return kcm_store_is_over(request->store, ccache, request->now_s, ret_expired);
	r = kcm_store_is_usable(request->store, ccache, request->now_s, &usable);
	if (r == 0)
		*ret_expired = !usable;
	return r;
}

int op_admin_purge(struct kcm_request *request)
{
	uint32_t uid = reader_be32(request->in), n = 0;
	uint8_t expired_only = reader_u8(request->in);
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache = { 0 };
	bool expired = true;
	int r = reader_end(request->in);

	while (r == 0) {
		r = uid == KCM_EVERYBODY ? kcm_store_next_of_all(request->store, name, &ccache)
		                         : kcm_store_next(request->store, uid, name, &ccache);
		if (r == 0 && expired_only)
			r = is_expired(request, &ccache, &expired);
		if (r < 0 || !expired)
			continue;
		r = kcm_store_destroy(request->store, &ccache);
		n++;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	writer_be32(request->out, n);
	return 0;
}
