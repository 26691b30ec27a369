/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Responder - a scripted one for the tests of the client libraries
 *
 * The test process listens on "nss" in a directory of its own (where it stays: the libraries under
 * test are built with that path) and a forked process answers, as systemd and a responder do: the
 * answering side can be killed and started again while connections wait in the backlog.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/writer.h"

/* What the answering processes have seen since responder_listen(); shared memory. knob is the
 * test's own. */
struct seen {
	unsigned connections, handshakes, requests;
	unsigned knob;
};
extern struct seen *seen;

/* One message that came in. */
struct call {
	int fd;
	unsigned connection; /* 1 is the first since responder_listen() */
	uint32_t command;
	const uint8_t *body;
	size_t body_size;
};

/* Answers call, or does something worse. Returns false to have the connection closed. */
typedef bool script_fn(const struct call *call);

/* Makes the directory and listens. responder_clean() undoes it, and kills. */
void responder_listen(int backlog);
void responder_clean(void);

/* Starts a process that answers with script; there may be one at a time. */
void responder_start(script_fn *script);
void responder_kill(void);

/* For pthread_cleanup_push() in a thread that will be cancelled: AddressSanitizer does not see that
 * the frames below are gone, and stumbles over what it still guards there. */
void forget_frames(void *unused);

/* A directory: users "user0" (uid 1000) to "user9999"; groups "group0" (gid 20000) to "group9999"
 * with members user0 to user2; group "big" (gid 30000) with 5,000 members; initgroups of userN are
 * groups 20000 to 20000 + N. Everything else is not there. Enumeration: user0 to user299 in
 * portions of 100, groups likewise. */
script_fn script_directory;

/* For scripts. answer() sends a whole message, in pieces of that many bytes if piece is not 0. */
void answer(const struct call *call, uint32_t status, const void *body, size_t size, size_t piece);
void answer_nothing(const struct call *call);
bool answer_version(const struct call *call);
void put_user(struct writer *out, const char *name, uint32_t uid, uint32_t gid);
