/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connection - one socket to a responder, inside somebody else's program
 *
 * The program knows nothing of this descriptor. It may close it (daemons close all they do not
 * know), open something of its own at the same number, fork, or send us signals. So the number is
 * checked against the socket we made before it is used, and a descriptor that turned out to be the
 * program's is forgotten, never touched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/wire/reader.h"
#include "common/wire/writer.h"

struct conn {
	int fd; /* -1: none. Ours as long as device and inode say so */
	dev_t dev;
	ino_t ino;
	pid_t pid;      /* whose descriptor it is: conn_close() */
	bool abandoned; /* not used any more, to be closed by pid */

	uint8_t *reply; /* owned: the last reply, header included */
	size_t reply_size, reply_room;
};

/* A connection of this process that is not open yet. */
struct conn conn_new(void);

/* In a forked child: makes the connection the child's, and closes what it inherited. The parent
 * goes on with its own. */
void conn_adopt(struct conn *conn);

/* Whether it is open as far as this side can tell: the responder may have gone. One fstat(2). */
bool conn_is_open(const struct conn *conn);

/* Closes what was open, connects and agrees on the version of the protocol.
 * deadline  on the clock of conn_now_ms()
 * Errors: -ECONNRESET the responder went away meanwhile, worth another try; -ETIMEDOUT; -EFAULT it
 * speaks another version; -ENOENT, -ECONNREFUSED nobody listens; -EBUSY this is a child of
 * vfork(2), where the connection is its parent's; others of socket(2) and connect(2). */
int conn_open(struct conn *conn, int64_t deadline);

/* Sends request (a whole message, common/wire/frame.h) and receives a whole reply.
 * at_once  nothing was waited for since the deadline was set: saves a system call
 * Errors close the connection. -EPIPE the responder took nothing, -ECONNRESET it went away before
 * it answered: both are worth another try. -ETIMEDOUT; -EBADMSG this is no message; -ENOMEM. */
int conn_ask(struct conn *conn, const struct writer *request, int64_t deadline, bool at_once);

/* The body of the reply that conn_ask() received. It points into the connection and is good until
 * the next call.
 * Errors close the connection. -EBADMSG the reply is not request's; others are its status, the
 * responder's own word, but never -ERANGE. */
int conn_reply(struct conn *conn, const struct writer *request, struct reader *ret_body);

/* Gives the memory of a reply of more than 64 KiB back. */
void conn_trim(struct conn *conn);

/* Closes the descriptor if it is still ours. A child of vfork(2), which shares its parent's memory
 * but not its descriptors, only marks it, for the parent's next conn_open() or conn_close(). */
void conn_close(struct conn *conn);

/* conn_close(), and frees the reply. */
void conn_free(struct conn *conn);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t conn_now_ms(void);
