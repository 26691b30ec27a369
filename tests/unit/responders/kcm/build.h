/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Builders - principals, credentials and tags as libkrb5 writes them, for tests and fuzzers
 */
#pragma once

#include <string.h>

#include "common/wire/writer.h"

static inline void put_data(struct writer *out, const char *text)
{
	writer_be32(out, (uint32_t)strlen(text));
	writer_bytes(out, text, strlen(text));
}

/* A principal of one or two components; second may be NULL. */
static inline void put_principal(struct writer *out, const char *realm, const char *first,
                                 const char *second)
{
	writer_be32(out, 1);
	writer_be32(out, second ? 2 : 1);
	put_data(out, realm);
	put_data(out, first);
	if (second)
		put_data(out, second);
}

/* What follows the principals, in a credential and in a tag with all parts. */
static inline void put_rest(struct writer *out, uint32_t endtime, const char *ticket)
{
	writer_be16(out, 18);
	put_data(out, "0123456789abcdef0123456789abcdef");
	writer_be32(out, 1);
	writer_be32(out, 1);
	writer_be32(out, endtime);
	writer_be32(out, 0);
	writer_u8(out, 0);
	writer_be32(out, 0x40000000);
	writer_be32(out, 0);
	writer_be32(out, 0);
	put_data(out, ticket);
	put_data(out, "");
}

static inline void put_credential(struct writer *out, const char *client, const char *server,
                                  uint32_t endtime, const char *ticket)
{
	put_principal(out, "TEST", client, NULL);
	put_principal(out, "TEST", "host", server);
	put_rest(out, endtime, ticket);
}

/* An entry about the cache itself. */
static inline void put_config(struct writer *out, const char *client, const char *name)
{
	put_principal(out, "TEST", client, NULL);
	put_principal(out, "X-CACHECONF:", "krb5_ccache_conf_data", name);
	put_rest(out, 0, "yes");
}

/* A TGT that can be renewed; realm is the client's, and TEST the KDC's. */
static inline void put_tgt(struct writer *out, const char *realm, uint32_t start, uint32_t end,
                           uint32_t renew_till, uint32_t flags)
{
	put_principal(out, realm, "alice", NULL);
	put_principal(out, "TEST", "krbtgt", "TEST");
	writer_be16(out, 18);
	put_data(out, "0123456789abcdef0123456789abcdef");
	writer_be32(out, start);
	writer_be32(out, start);
	writer_be32(out, end);
	writer_be32(out, renew_till);
	writer_u8(out, 0);
	writer_be32(out, flags);
	writer_be32(out, 0);
	writer_be32(out, 0);
	put_data(out, "ticket");
	put_data(out, "");
}

static inline void put_times_and_flags(struct writer *out)
{
	for (int i = 0; i < 4; i++)
		writer_be32(out, 0);
	writer_u8(out, 0);
	writer_be32(out, 0);
}

/* A tag that names the server only. */
static inline void put_server_tag(struct writer *out, const char *server)
{
	writer_be32(out, 0x0002);
	put_principal(out, "TEST", "host", server);
	put_times_and_flags(out);
}

/* A tag that names the client only. */
static inline void put_client_tag(struct writer *out, const char *client)
{
	writer_be32(out, 0x0001);
	put_principal(out, "TEST", client, NULL);
	put_times_and_flags(out);
}
