/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registry - who is alive, of what kind, since when
 *
 * An entry is made by RegistrationService and lasts as long as its connection. What is counted over
 * the lives of a name (starts, the last end) is kept beside the entries.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/list.h"
#include "common/base/time.h"
#include "common/sbus/sbus.h"
#include "monitor/liveness.h"

/* Backends register as this and their domain. */
#define PROVIDER_PREFIX "%BE_"

enum service_type {
	SERVICE_PLAIN,
	SERVICE_PROVIDER,
	SERVICE_SOCKET, /* socket-activated */
	SERVICE_BUS,    /* bus-activated */
};

/* One live process; a talloc object below its connection. */
struct service {
	struct list node;
	struct registry *registry; /* borrowed; NULL once that is freed */
	struct sbus_conn *conn;    /* borrowed: it is our parent */
	char *name;
	enum service_type type;
	pid_t pid;
	int pidfd;             /* of pid (pidfd_open(2)), -1 = it cannot be had */
	uint32_t starts;       /* of the name, this one included */
	struct walltime since; /* the registration */
	char *state;           /* what it reported last; NULL = nothing */
	struct liveness health;
	struct timer *kill; /* NULL unless it is being ended */
};

struct registry; /* a talloc object */

/* changed is called after each registration, report and loss, from the loop; it frees nothing. */
struct registry *registry_new(TALLOC_CTX *mem, void (*changed)(void *data), void *data);

/* Enters the peer of conn. Errors: -EPERM pid is not the peer's; -EINVAL name or type make no
 * sense; -EALREADY the connection has registered; -ENOSPC too many names; -ENOMEM. */
int registry_add(struct registry *registry, struct sbus_conn *conn, const char *name, unsigned type,
                 uint32_t pid, struct service **ret_service);

/* The entry of conn, NULL when it did not register. */
struct service *registry_of(struct registry *registry, const struct sbus_conn *conn);

/* The entry registered last under name, NULL when there is none. */
struct service *registry_find(struct registry *registry, const char *name);

/* The state in one line; control bytes become blanks. */
void registry_report(struct service *service, const char *state);

/* SIGTERM now, SIGKILL after grace_ms unless its connection has closed by then; again while that is
 * under way: nothing. For a process that is no child of ours. Errors: errno of
 * pidfd_send_signal(2); -EBADF there is no pidfd. */
int registry_end(struct service *service, struct tevent_context *ev, int64_t grace_ms);

/* How a process of name ended last, for people. */
void registry_note_end(struct registry *registry, const char *name, const char *end);
const char *registry_last_end(struct registry *registry, const char *name); /* NULL = never */

/* All entries, the oldest first: list_for_each(service, registry_all(registry), node). */
struct list *registry_all(struct registry *registry);

/* One line for each, NULL-terminated, on mem: "name type pid starts since state". since is in
 * seconds of CLOCK_REALTIME; state is the rest of the line, "-" when nothing was reported. */
int registry_lines(struct registry *registry, TALLOC_CTX *mem, const char *const **ret_lines);
