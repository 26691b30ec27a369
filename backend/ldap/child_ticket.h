/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ticket - the conversation with the KDC, which waits for it: a TGT with a key of this host, and
 * with that a ticket for the directory server
 *
 *   ticket_open (reads the keytab) ─▶ (the caller gives its privilege up) ─▶ ticket_fetch
 *
 * Whose key it takes is part of the second: name servers may be asked for it.
 */
#pragma once

#include <stdint.h>

#include "backend/ldap/child_proto.h"

struct ticket_wish {
	const char *keytab; /* NULL = the system's */
	const char *authid; /* NULL = the keytab says */
	const char *realm;  /* NULL = krb5.conf says */
	const char *host;   /* the directory server; "" = the TGT alone */
	uint32_t lifetime_s;
};

struct ticket; /* end it with ticket_end() */

/* Never fails: what went wrong ticket_fetch() puts into the reply. NULL without memory. wish is
 * borrowed. */
struct ticket *ticket_open(const struct ticket_wish *wish);

/* Writes the reply, whatever became of it. */
void ticket_fetch(struct ticket *ticket, struct writer *out);

void ticket_end(struct ticket *ticket);
