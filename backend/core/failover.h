/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Failover - the servers of a domain: which there are, which comes next, and how each is
 *
 * They are the primary servers, as the configuration lists them, among them where it says so those
 * that DNS names (RFC 2782), asked for when their TTL is over; and then the backup servers.
 *
 * Each server, that is a host, a port and a protocol, has addresses, and each address a health of
 * its own: one that failed comes after all others for 30 s, whichever server they belong to. A
 * round of attempts visits every address once:
 *
 *   failover_begin ─▶ failover_next ─┬─ DISCOVER ─▶ failover_discover_send ─┬─▶ failover_next …
 *                                    ├─ TRY ─▶ the provider connects ───────┘
 *                                    └─ NOTHING: whoever is under way is the last
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>
#include <tevent.h>

#include "backend/core/resolve.h"
#include "common/base/list.h"
#include "common/base/time.h"
#include "common/conf/options.h"

struct health {
	char *reason; /* what was wrong last; NULL = nothing is known against it */
	struct deadline passed_over;
};

struct endpoint {
	struct address address;
	struct health health;
	bool tried; /* in this round */
};

/* How a provider names a server. The texts hang below the server. */
struct server_name {
	char *text; /* for people and logs; the same text is the same server */
	char *host;
	uint16_t port;
	int protocol; /* the provider's own number */
};

struct server {
	struct list node;
	struct server_name name;
	bool backup;
	bool told;            /* in the log, that it does not work */
	bool stood;           /* there was a connection to it … */
	uint64_t lacking;     /* … and it did not have these: the provider's own numbers */
	bool busy;            /* somebody resolves its name or connects to it */
	bool resolved;        /* in this round */
	struct health health; /* while no address is known */
	struct endpoint *endpoints;
	size_t n_endpoints;
};

/* A name for a server that DNS named. Errors: -EINVAL it makes no sense; -ENOMEM. */
typedef int failover_name(TALLOC_CTX *mem, const struct srv *srv, struct server_name *ret_name,
                          void *data);

struct failover; /* a talloc object */

/* conf borrowed. */
struct failover *failover_new(TALLOC_CTX *mem, struct tevent_context *ev,
                              const struct domain_conf *conf, failover_name *name, void *data);

/* Appends a server; name, with its texts, becomes the failover's. Errors: -ENOMEM. */
int failover_add(struct failover *failover, const struct server_name *name, bool backup);

/* Appends whatever DNS names for service ("ldap"), as primary servers: in dns_discovery_domain,
 * else in the domain of this host's name, and if that names none in the one that domain is called.
 * Errors: -ENOMEM. */
int failover_add_discovered(struct failover *failover, const char *service, const char *domain);

/* ---- a round ---- */

enum failover_step {
	FAILOVER_NOTHING,
	FAILOVER_DISCOVER,
	FAILOVER_TRY,
};

/* Begins one; nobody may be busy. */
void failover_begin(struct failover *failover, bool only_primary);

/* The backup servers, too, from here on. Were they left out? */
bool failover_widen(struct failover *failover);

/* What to do next: asking changes nothing. ret_server is borrowed until the next round. */
enum failover_step failover_next(struct failover *failover, struct server **ret_server);

/* Asks DNS, where it is due. Errors: as resolve_srv_recv(); the servers known before stay. */
struct tevent_req *failover_discover_send(TALLOC_CTX *mem, struct failover *failover);

/* On failure ret_reason, on mem, says in words what went wrong. */
int failover_discover_recv(struct tevent_req *req, TALLOC_CTX *mem, char **ret_reason);

/* What the name of server stands for now; count 0: nothing any more. Addresses known before keep
 * their health. Errors: -ENOMEM. */
int failover_set_addresses(struct server *server, const struct address *addresses, size_t count);

/* ---- health ---- */

/* It failed: others first, for 30 s. The text hangs below mem. */
void health_failed(TALLOC_CTX *mem, struct health *health, const char *reason);
void health_works(struct health *health);
bool health_is_bad(const struct health *health);

/* Not one of its addresses is good, as far as is known. */
bool server_is_bad(const struct server *server);

/* The same for a server and an address that somebody remembers from an earlier round; reason NULL:
 * it works after all. */
void failover_blame(struct failover *failover, const char *server, const struct address *address,
                    const char *reason);

/* Something changed about the network: all may be well again, and DNS say something else. */
void failover_forget(struct failover *failover);

/* ---- to look at ---- */

/* How many addresses there are to try, a server without a known one counted as one. */
size_t failover_ways(const struct failover *failover);

/* How many of these nothing speaks against. */
size_t failover_good_ways(const struct failover *failover);

/* Calls each for all servers, in order. */
void failover_each(const struct failover *failover,
                   void (*each)(const struct server *server, void *data), void *data);
