/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SRV - the servers that DNS names for a service (RFC 2782), and their order
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

/* Of a longer list only so many are used. */
#define SRV_MAX 64

struct srv {
	char *host; /* as DNS spells it: unchecked text without NUL */
	uint16_t port, priority, weight;
};

/* Reads an answer of a name server, at most 65,535 bytes of it. ret_ttl_s is how long it holds.
 * Errors: -ENOENT it names no server, or says that there is none (a target of "."); -EBADMSG;
 * -ENOMEM. */
int srv_parse(TALLOC_CTX *mem, const void *bytes, size_t size, struct srv **ret_records,
              size_t *ret_count, uint32_t *ret_ttl_s);

/* Puts records into the order in which they are to be asked: the lowest priority first, within one
 * drawn by lot, with the chances that the weights give. */
void srv_sort(struct srv *records, size_t count);
