/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Credentials - read and compare
 */
#include "responders/kcm/cred.h"

#include <string.h>

enum {
	HAS_CLIENT = 0x0001,
	HAS_SERVER = 0x0002,
	HAS_KEY = 0x0004,
	HAS_TICKET = 0x0008,
	HAS_SECOND_TICKET = 0x0010,
	HAS_AUTHDATA = 0x0020,
	HAS_ADDRESSES = 0x0040,
};

static struct bytes read_data(struct reader *in)
{
	struct bytes data;

	data.size = reader_be32(in);
	data.at = reader_bytes(in, data.size);
	if (!data.at)
		data.size = 0;
	return data;
}

/* What was read since start. */
static struct bytes since(const struct reader *in, const uint8_t *start)
{
	if (in->err < 0)
		return (struct bytes){ 0 };
	return (struct bytes){ start, (size_t)(in->pos - start) };
}

struct principal read_principal(struct reader *in)
{
	struct principal principal = { 0 };
	const uint8_t *start = in->pos, *components;

	principal.type = reader_be32(in);
	principal.n_components = reader_be32(in);
	principal.realm = read_data(in);
	components = in->pos;
	for (uint32_t i = 0; i < principal.n_components && in->err == 0; i++)
		read_data(in);
	principal.components = since(in, components);
	principal.all = since(in, start);
	return principal;
}

/* Addresses or authorization data; none is the same as no list. */
static struct bytes read_typed(struct reader *in)
{
	const uint8_t *start = in->pos;
	uint32_t count = reader_be32(in);

	if (count == 0)
		return (struct bytes){ 0 };
	for (uint32_t i = 0; i < count && in->err == 0; i++) {
		reader_be16(in);
		read_data(in);
	}
	return since(in, start);
}

static struct tag read_parts(struct reader *in, uint32_t parts)
{
	struct tag tag = { .has_key = parts & HAS_KEY };
	struct credential *like = &tag.like;
	const uint8_t *start = in->pos;

	if (parts & HAS_CLIENT)
		like->client = read_principal(in);
	if (parts & HAS_SERVER)
		like->server = read_principal(in);
	if (parts & HAS_KEY) {
		like->enctype = reader_be16(in);
		like->key = read_data(in);
	}
	for (int i = 0; i < TIMES; i++)
		like->times[i] = reader_be32(in);
	like->is_skey = reader_u8(in);
	like->flags = reader_be32(in);
	if (parts & HAS_ADDRESSES)
		like->addresses = read_typed(in);
	if (parts & HAS_AUTHDATA)
		like->authdata = read_typed(in);
	if (parts & HAS_TICKET)
		like->ticket = read_data(in);
	if (parts & HAS_SECOND_TICKET)
		like->second_ticket = read_data(in);
	like->all = since(in, start);
	return tag;
}

struct credential read_credential(struct reader *in)
{
	return read_parts(in, UINT32_MAX).like;
}

struct tag read_tag(struct reader *in)
{
	uint32_t parts = reader_be32(in);

	return read_parts(in, parts);
}

static uint32_t count_typed(struct bytes typed)
{
	struct reader in = reader_over(typed.at, typed.size);

	return typed.at ? reader_be32(&in) : 0;
}

uint64_t credential_parts(const struct credential *credential)
{
	return (uint64_t)credential->client.n_components + credential->server.n_components +
	       count_typed(credential->addresses) + count_typed(credential->authdata);
}

static bool equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static bool names_equal(const struct principal *a, const struct principal *b)
{
	return a->n_components == b->n_components && equal(a->components, b->components);
}

bool principals_equal(const struct principal *a, const struct principal *b)
{
	return names_equal(a, b) && equal(a->realm, b->realm);
}

bool is_cache_config(const struct credential *credential)
{
	static const char realm[] = "X-CACHECONF:";

	return equal(credential->server.realm,
	             (struct bytes){ (const uint8_t *)realm, sizeof(realm) - 1 });
}

bool is_tgt(const struct credential *credential)
{
	struct reader in = reader_over(credential->server.components.at,
	                               credential->server.components.size);
	static const char krbtgt[] = "krbtgt";
	struct bytes service, realm;

	if (credential->server.n_components != 2 || !credential->server.components.at)
		return false;
	service = read_data(&in);
	realm = read_data(&in);
	return in.err == 0 &&
	       equal(service, (struct bytes){ (const uint8_t *)krbtgt, sizeof(krbtgt) - 1 }) &&
	       equal(realm, credential->client.realm) &&
	       equal(realm, credential->server.realm);
}

static bool times_match(const uint32_t wanted[TIMES], const uint32_t times[TIMES], uint32_t how)
{
	if ((how & MATCH_TIMES_EXACT) && memcmp(wanted, times, TIMES * sizeof(times[0])) != 0)
		return false;
	return !(how & MATCH_TIMES) || (times[TIME_END] >= wanted[TIME_END] &&
	                                times[TIME_RENEW_TILL] >= wanted[TIME_RENEW_TILL]);
}

static bool flags_match(uint32_t wanted, uint32_t flags, uint32_t how)
{
	if ((how & MATCH_FLAGS_EXACT) && wanted != flags)
		return false;
	return !(how & MATCH_FLAGS) || (flags & wanted) == wanted;
}

bool tag_matches(const struct tag *tag, uint32_t how, const struct credential *credential)
{
	const struct credential *like = &tag->like;
	bool any_realm = how & (DONT_MATCH_REALM | MATCH_SRV_NAMEONLY);

	if (like->client.all.at && !principals_equal(&like->client, &credential->client))
		return false;
	if (like->server.all.at &&
	    (any_realm ? !names_equal(&like->server, &credential->server)
	               : !principals_equal(&like->server, &credential->server)))
		return false;
	if ((how & MATCH_KEYTYPE) && tag->has_key && like->enctype != credential->enctype)
		return false;
	if ((how & MATCH_IS_SKEY) && like->is_skey != credential->is_skey)
		return false;
	if ((how & MATCH_AUTHDATA) && !equal(like->authdata, credential->authdata))
		return false;
	if ((how & MATCH_2ND_TICKET) && !equal(like->second_ticket, credential->second_ticket))
		return false;
	return times_match(like->times, credential->times, how) &&
	       flags_match(like->flags, credential->flags, how);
}
