/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Search - one question to the directory, under all its search bases at once
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "backend/ldap/domain.h"

/* Called for each entry as it comes, and when all its values have (range.h), but for those at the
 * places of attrs.in_parts. The callee takes values over: what it does not keep it frees, for there
 * may be very many. An error becomes the search's own in the end: who was lost must not pass for
 * who is not there. */
typedef int search_entry(struct entry_values *values, void *data);

/* Searches with filter below each of the bases of where, for attrs. Connects first if need be.
 * filter, attrs, id are borrowed, data is handed to entry. Freeing the request tells the server. */
struct tevent_req *search_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                               const struct request_id *id, enum search_where where,
                               const char *filter, const struct attrs *attrs, search_entry *entry,
                               void *data);

/* The same, for what may be more than the server gives at once: if so, it is asked again, for pages
 * (RFC 2696), in turn with others. entry may see one again that it has seen. */
struct tevent_req *search_long_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                    const struct request_id *id, enum search_where where,
                                    const char *filter, const struct attrs *attrs,
                                    search_entry *entry, void *data);

/* It looks for one entry: once that is found it does not matter what bases are missing. */
void search_is_for_one(struct tevent_req *req);

/* A place in a search that is done in pages (RFC 2696); all zero but for size at the beginning. */
struct search_page {
	uint32_t size;        /* entries at once; 0 = all */
	bool more;            /* there is another page */
	bool missing;         /* the server does not have the base */
	struct berval cookie; /* the server's, owned */
	uint64_t generation;  /* of the connection it holds for (link.h) */
};

/* Searches one page below base, and moves page on, which is borrowed. -E_DISCONNECTED: the search
 * must begin anew. A server that knows no pages gives all at once. Only in one's turn (turn.h). */
struct tevent_req *search_page_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                    const struct request_id *id, const struct base *base,
                                    const char *filter, const struct attrs *attrs,
                                    search_entry *entry, void *data, struct search_page *page);

/* Searches for the entry dn alone, which is borrowed; none comes where there is none. */
struct tevent_req *search_dn_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                  const struct request_id *id, const char *dn,
                                  const struct attrs *attrs, search_entry *entry, void *data);

/* Frees what page holds; it is at the beginning again. */
void search_page_reset(struct search_page *page);

/* 0 the server said all there is: bases that it does not have, nor any other, are passed over.
 * Errors: -E_OFFLINE; -E_SIZE_LIMIT it cut the answer; -E_DISCONNECTED the server went away, or
 * another one should be asked; -E_SERVER, also for an entry that cannot be read, or of which not
 * all values are to be had; -E_CHANGED one changed meanwhile; -ETIMEDOUT; what a search_entry
 * returned. */
int search_recv(struct tevent_req *req);

/* Borrowed from req. */
const char *search_waits_for(struct tevent_req *req);
