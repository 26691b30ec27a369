/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resolve - names to addresses without blocking (c-ares), and numbers and /etc/hosts without DNS
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <talloc.h>
#include <tevent.h>

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
	socklen_t size;
};

/* Looks up host for port: a numeric address at once, a name in /etc/hosts, then DNS, with the
 * resolv.conf of this moment. IPv4 addresses come first (lookup_family_order's default). */
struct tevent_req *resolve_send(TALLOC_CTX *mem, struct tevent_context *ev, const char *host,
                                uint16_t port, int64_t timeout_ms);

/* At least one address, on mem. Errors: -ENOENT there is no such name; -EHOSTUNREACH the name
 * servers did not answer; -ETIMEDOUT. */
int resolve_recv(struct tevent_req *req, TALLOC_CTX *mem, struct address **ret_addresses,
                 size_t *ret_count);
