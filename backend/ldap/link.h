/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Link - the domain's way to its servers: one connection that works, shared by all questions
 *
 * Which server, and which of its addresses, is failover.h's to say. One that is slow gets a head
 * start of 1.5 s before the next is tried beside it (field-report R2). Only when none is left is
 * the domain offline; a probe tries them all again.
 *
 * Nor is the first that stands the one, if it lacks search bases: the others get their head start,
 * and who lacks the fewest is taken.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/conn.h"
#include "backend/ldap/domain.h"

struct link; /* a talloc object */

/* Without servers: they are to be added to link_failover(). Errors: -ENOMEM. */
int link_new(TALLOC_CTX *mem, struct ldap_domain *domain, struct link **ret_link);
struct failover *link_failover(struct link *link);

/* The connection, if it stands. Borrowed, until the next turn of the loop. */
struct conn *link_conn(struct link *link);

/* The server at its other end, for people. Borrowed, as the connection. */
const char *link_where(const struct link *link);

/* The search bases that this server did not have when it was taken, for want of one that had more:
 * a set (domain.h). */
uint64_t link_lacking(const struct link *link);

/* Those of them that another server had, when there was a connection to it. */
uint64_t link_elsewhere(const struct link *link);

/* Another number for each connection that stands or stood: an address may come again. */
uint64_t link_generation(const struct link *link);

/* A search in pages goes on, with more, or has come to its end, on the connection of this
 * generation, which alone has its place: until it ends, or nobody says so for some minutes, the
 * connection is not replaced for its age, nor closed for being idle. search.h does it. */
void link_hold(struct link *link, uint64_t generation, bool more);

/* Finishes when a connection stands, or none can be had. Errors: -E_OFFLINE. */
struct tevent_req *link_wait_send(TALLOC_CTX *mem, struct link *link);
int link_wait_recv(struct tevent_req *req, struct conn **ret_conn);

/* What those who wait are waiting for: "ldap://a:389, the TLS handshake". Borrowed. */
const char *link_waits_for(struct link *link);

/* What is long has to be asked for in pages of this size, on the connection that stands. That is
 * noted when it has proven to be so; 0 = it has not. */
void link_note_page_size(struct link *link, uint32_t size);
uint32_t link_page_size(const struct link *link);

/* The server at the other end of conn answers, but not as it should: another one, if there is one,
 * is to be asked. Returns whether there is; conn is being replaced then. */
bool link_blame(struct link *link, struct conn *conn, const char *reason);

/* What was learnt when conn was made is not true any more: it is replaced in a few seconds. */
void link_renew(struct link *link, struct conn *conn);

/* Begins to connect unless a connection stands. One that stands but no longer answers is found out
 * by link_check(). Both report to online.h. */
void link_probe(struct link *link);
void link_check(struct link *link);

/* Drops everything; who waits gets -E_OFFLINE. */
void link_disconnect(struct link *link);
