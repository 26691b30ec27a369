/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockbuf - our layer right above libldap's socket (lber.h, Sockbuf_IO); TLS and SASL stand on it
 *
 * Writing: libldap leaves a request half written when the socket has no room, until it is called
 * again; other requests are refused meanwhile, and an abandon goes right into the middle. Here
 * everything is taken as a whole: what the socket has room for goes at once, the rest when it has.
 *
 * Reading: ldap_result(3) goes on, whatever its timeout, while there are messages that nobody waits
 * for. Here a turn of the loop gets so many bytes and no more; the others stay in the socket, and
 * its descriptor readable.
 */
#pragma once

#include <ldap.h>
#include <talloc.h>
#include <tevent.h>

struct sockbuf_layer; /* a talloc object; while it is in ld, it must not be freed */

/* Puts a layer into ld.
 * fde  borrowed: of its socket. TEVENT_FD_WRITE is the layer's; when it fires, sockbuf_flush().
 * Errors: -ENOMEM; ld is as it was. */
int sockbuf_add(TALLOC_CTX *mem, LDAP *ld, struct tevent_fd *fde, struct sockbuf_layer **ret_layer);

/* A turn of the loop begins: there may be read again. */
void sockbuf_begin_turn(struct sockbuf_layer *layer);

/* Writes what was kept, as far as there is room. */
void sockbuf_flush(struct sockbuf_layer *layer);

/* Why the layer ended the connection, in words, or NULL. libldap comes upon the end when it reads
 * or writes next, and the descriptor is readable for that. */
const char *sockbuf_reason(const struct sockbuf_layer *layer);

/* fde is about to go: from now on nothing is kept. What is, will not be written, nor anything
 * after it. */
void sockbuf_close(struct sockbuf_layer *layer);

/* Takes a closed layer out of ld, which goes on without it. */
void sockbuf_remove(struct sockbuf_layer *layer);
