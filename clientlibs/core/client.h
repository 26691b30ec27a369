/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Client - what a program's threads need to ask a responder, and how it is shared among them
 *
 * Each thread has a client of its own with one connection, made at its first question and gone with
 * the thread: no lock is held while anything waits. A forked child closes what it inherited at its
 * own first question. Calls that arrive where the thread's client cannot serve them (from a signal
 * handler that interrupted one, after a longjmp out of one, without memory for thread data) get a
 * client for the length of the call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "clientlibs/core/walk.h"
#include "common/wire/reader.h"

struct client;

/* The maps that can be enumerated. */
enum client_map {
	CLIENT_PASSWD,
	CLIENT_GROUP,
	CLIENT_N_MAPS,
};

/* The client of this thread, until client_end(), which each call of the library that asks anything
 * reaches. NULL: no memory. */
struct client *client_begin(void);

/* Asks an idempotent question, and again when the responder goes away meanwhile: restarts, idle
 * exits and crashes do not show. Takes 10 s at most.
 * body      size bytes, behind the header
 * ret_body  of the reply, status 0; good until client_end()
 * Errors: those of conn_open() and conn_ask(). */
int client_lookup(struct client *client, uint32_t command, const void *body, size_t size,
                  struct reader *ret_body);

/* Where this thread stands in the enumeration of map. Owned by the client. NULL: this client ends
 * with the call, so no place could be kept, and each call would begin at the first entry. */
struct walk *client_walk(struct client *client, enum client_map map);

/* Ends what client_begin() began, with the errno it found.
 * r  what the call came to: after -ERANGE the reply is kept for a second, because glibc repeats the
 *    question with a larger buffer; after -EBADMSG the connection is closed */
void client_end(struct client *client, int r);
