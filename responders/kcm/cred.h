/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Credentials - principals, tickets and what a client looks for, as MIT and Heimdal write them
 *
 * The form is that of version 4 of the credential cache file (MIT krb5, "Credential cache file
 * format"), every number in network byte order:
 *
 *   data        | size: u32 | bytes |
 *   principal   | type: u32 | components: u32 | realm: data | component: data … |
 *   key         | enctype: u16 | data |
 *   addresses   | count: u32 | type: u16, data … |     authdata alike
 *   credential  | client | server | key | authtime, starttime, endtime, renew_till: u32 |
 *               | is_skey: u8 | flags: u32 | addresses | authdata | ticket: data | second: data |
 *   tag         | parts: u32 | the same in that order, without the parts that are not named |
 *
 * What is read points into the message.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/reader.h"

struct bytes {
	const uint8_t *at; /* NULL: not there */
	size_t size;
};

struct principal {
	struct bytes all; /* as it was written */
	uint32_t type, n_components;
	struct bytes realm;
	struct bytes components; /* with their sizes: equal bytes are equal names */
};

enum {
	TIME_AUTH,
	TIME_START,
	TIME_END,
	TIME_RENEW_TILL,
	TIMES,
};

struct credential {
	struct bytes all;
	struct principal client, server;
	uint16_t enctype;
	struct bytes key;
	uint32_t times[TIMES]; /* seconds since 1970, as the KDC counts them */
	uint8_t is_skey;
	uint32_t flags;
	struct bytes addresses, authdata; /* with their count; not there when it is 0 */
	struct bytes ticket, second_ticket;
};

/* Which parts a tag has; client and server say so by themselves. */
struct tag {
	struct credential like;
	bool has_key;
};

#define TICKET_RENEWABLE 0x00800000 /* of flags (RFC 4120 section 5.3) */

/* How to compare (spec/kcm-protocol.md §2: Heimdal's numbers). */
#define MATCH_2ND_TICKET   (1u << 23)
#define MATCH_IS_SKEY      (1u << 22)
#define MATCH_AUTHDATA     (1u << 24)
#define MATCH_TIMES        (1u << 25)
#define MATCH_TIMES_EXACT  (1u << 26)
#define MATCH_FLAGS        (1u << 27)
#define MATCH_FLAGS_EXACT  (1u << 28)
#define MATCH_SRV_NAMEONLY (1u << 29)
#define MATCH_KEYTYPE      (1u << 30)
#define DONT_MATCH_REALM   (1u << 31)

/* These mark the reader as failed. */
struct principal read_principal(struct reader *in);
struct credential read_credential(struct reader *in);
struct tag read_tag(struct reader *in);

/* How many components its names have, addresses and elements of authorization data it: so long does
 * it take to read it. */
uint64_t credential_parts(const struct credential *credential);

/* The type does not count (RFC 4120 section 6.2). */
bool principals_equal(const struct principal *a, const struct principal *b);

/* Entries about the cache itself, which only look like credentials: no ticket, no expiry. */
bool is_cache_config(const struct credential *credential);

/* A TGT of the client's own realm. */
bool is_tgt(const struct credential *credential);

/* Is this what a client looks for? */
bool tag_matches(const struct tag *tag, uint32_t how, const struct credential *credential);
