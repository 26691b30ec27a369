/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Helper - the main() of a local service that does for our daemons what blocks (design §2)
 *
 * It takes connections, from its own user and root only, and gives each a process that holds one
 * conversation and ends. It reads nothing itself. A conversation that takes longer than its limit
 * gets TERM, then KILL. After 60 s without work the service ends, if whoever holds the socket can
 * start it again. Without a listening socket it holds the conversation on its standard input
 * (s6-ipcserver(8)).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/reader.h"

/* In a directory of its own, which the units of all but the backends hide: all daemons are the same
 * user, and what is said here are the host's own tickets. */
#define HELPER_LDAP_SOCKET "/run/sssd-be/ldap-child"

/* The largest exit status of a conversation; that no process could be had for one counts as this.
 */
#define HELPER_STATUS_MAX 127

struct helper_paths {
	const char *run_dir;  /* never NULL */
	const char *conf_dir; /* NULL = where compiled configurations are */
};

struct helper {
	const char *name;    /* the program's, for the log */
	const char *purpose; /* one line for --help */
	int64_t limit_s;     /* of a conversation */

	/* In a process of its own, which SIGALRM and SIGTERM end: holds a conversation, and returns
	 * whether it was answered. ret_status is the exit status of the process, up to
	 * HELPER_STATUS_MAX; when it ends otherwise, it has another one, or a signal's. */
	bool (*converse)(int fd, const struct helper_paths *paths, int *ret_status);

	/* In the service, each may be NULL: before anything, once; before a conversation's process;
	 * after it, with waitpid(2)'s status; when the service ends. */
	void (*start)(const struct helper_paths *paths);
	void (*begun)(void);
	void (*ended)(int status, int64_t begun_us);
	void (*over)(bool told);
};

/* The whole of main(). */
int helper_main(const struct helper *helper, int argc, char *argv[]);

/* A whole message of at most max bytes, which begins with its length (frame.h, frame_be_length()).
 * ret_body is what stands behind that, within bytes. Waits for it. Errors: -E_DISCONNECTED it ends
 * before; -EBADMSG there is nothing behind the length; -EMSGSIZE. */
int helper_read_frame(int fd, uint8_t *bytes, uint32_t max, struct reader *ret_body);

/* All of size bytes, or false. Waits. */
bool helper_write(int fd, const uint8_t *bytes, size_t size);
