/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resolve - what DNS knows, without blocking (c-ares): the addresses of a host, the servers of a
 * service; numbers and /etc/hosts without DNS
 *
 * Every question reads the resolv.conf of its moment, and keeps to the domain's options
 * (lookup_family_order, dns_resolver_*).
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/core/srv.h"
#include "common/conf/options.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
	socklen_t size;
};

/* Do both name the same address, whatever the port? */
bool address_equal(const struct address *a, const struct address *b);

/* "192.0.2.7" or "2001:db8::1"; a unix socket is "local". On mem, NULL without memory. */
char *address_text(TALLOC_CTX *mem, const struct address *address);

/* Looks up host for port: a numeric address at once, a name in /etc/hosts, then DNS. Not longer
 * than dns_resolver_op_timeout, nor than timeout_ms. */
struct tevent_req *resolve_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                const struct domain_conf *conf, const char *host, uint16_t port,
                                int64_t timeout_ms);

/* At least one address, on mem, those of the preferred family first. Errors: -ENOENT there is no
 * such name; -EHOSTUNREACH the name servers did not answer; -ETIMEDOUT. */
int resolve_recv(struct tevent_req *req, TALLOC_CTX *mem, struct address **ret_addresses,
                 size_t *ret_count);

/* Looks up the SRV records of name ("_ldap._tcp.example.com"), with the same limits. */
struct tevent_req *resolve_srv_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                    const struct domain_conf *conf, const char *name,
                                    int64_t timeout_ms);

/* At least one, on mem, in the order in which they are to be asked; they hold for ret_ttl_s.
 * Errors: -ENOENT none is named; -EHOSTUNREACH, -EBADMSG the name servers gave no answer, or one
 * that makes no sense; -ETIMEDOUT. */
int resolve_srv_recv(struct tevent_req *req, TALLOC_CTX *mem, struct srv **ret_records,
                     size_t *ret_count, uint32_t *ret_ttl_s);

/* The domain of this host's name: the name's own, else that of /etc/hosts for it; no question to
 * DNS. On mem; NULL when it has none. */
char *resolve_own_domain(TALLOC_CTX *mem);
